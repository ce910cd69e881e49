//! What a server offers, by name and in order: what the index of a tool, resource or prompt means.

use super::{PromptId, ToolId};
use crate::policy::digest::Digest;
use crate::policy::uri::UriPattern;

/// Sorted: there are few, and many servers.
type ByName<Id> = Box<[(Box<str>, Id)]>;

/// The names of a server's tools, the patterns of its resources and the names of its prompts.
/// Shared: an answer that lasts for hours holds this, and not the policy set that it is of.
#[derive(Debug)]
pub struct Offer {
    tools: ByName<ToolId>,
    resources: Box<[UriPattern]>,
    prompts: ByName<PromptId>,
    digest: Digest,
}

impl Offer {
    /// All in the order of the file. No name stands twice in it.
    #[must_use]
    pub fn new(tools: &[&str], resources: Vec<UriPattern>, prompts: &[&str]) -> Self {
        let digest = digest(tools, &resources, prompts);
        let (tools, prompts) = (by_name(tools, ToolId), by_name(prompts, PromptId));
        Self { tools, resources: resources.into(), prompts, digest }
    }

    /// The same for two offers exactly if every index means the same in both.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many tools there are.
    #[must_use]
    pub fn tools(&self) -> usize {
        self.tools.len()
    }

    /// The tool of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<ToolId> {
        find(&self.tools, name)
    }

    /// The resources, and patterns of them.
    #[must_use]
    pub fn resources(&self) -> &[UriPattern] {
        &self.resources
    }

    /// How many prompts there are.
    #[must_use]
    pub fn prompts(&self) -> usize {
        self.prompts.len()
    }

    /// The prompt of that name.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<PromptId> {
        find(&self.prompts, name)
    }
}

fn by_name<Id: Copy>(names: &[&str], id: fn(u32) -> Id) -> ByName<Id> {
    let ids = (0..).zip(names).map(|(index, name)| (Box::from(*name), id(index)));
    let mut ids: ByName<Id> = ids.collect();
    ids.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    ids
}

fn find<Id: Copy>(ids: &ByName<Id>, name: &str) -> Option<Id> {
    let at = ids.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
    ids.get(at).map(|(_, id)| *id)
}

/// How many there are of each kind stands before them, so that no prompt is another's tool.
fn digest(tools: &[&str], resources: &[UriPattern], prompts: &[&str]) -> Digest {
    let counts =
        [tools.len(), resources.len(), prompts.len()].map(|count| (count as u64).to_be_bytes());
    let resources: Vec<_> = resources.iter().map(ToString::to_string).collect();
    let resources = resources.iter().map(String::as_str);
    let names = tools.iter().copied().chain(resources).chain(prompts.iter().copied());
    Digest::of_parts(counts.iter().map(<[u8; 8]>::as_slice).chain(names.map(str::as_bytes)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn other_meanings_have_other_digests() {
        let offers: [(&[&str], &[&str], &[&str]); 10] = [
            (&[], &[], &[]),
            (&["a"], &[], &[]),
            (&[], &["a:b"], &[]),
            (&[], &[], &["a"]),
            (&["a", "b"], &[], &[]),
            (&["b", "a"], &[], &[]),
            (&["ab"], &[], &[]),
            (&["a"], &[], &["b"]),
            (&["a:b"], &[], &[]),
            (&[], &["a://b/*", "a:b"], &[]),
        ];
        let digest = |(tools, resources, prompts): &(&[&str], &[&str], &[&str])| {
            let resources = resources.iter().map(|pattern| pattern.parse().unwrap()).collect();
            Offer::new(tools, resources, prompts).digest()
        };
        let digests: HashSet<_> = offers.iter().map(digest).collect();
        assert_eq!(digests.len(), offers.len());
        assert!(offers.iter().all(|offer| digests.contains(&digest(offer))), "nothing else counts");
    }
}
