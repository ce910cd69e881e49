//! What servers have in common, kept once. Equal values are shared whatever they come from, so this
//! changes no meaning; a server that is read later shares with none that is there.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use crate::policy::digest::Digest;
use crate::policy::limits::{Limit, Pattern, Test};
use crate::policy::model::{Few, Offer, Offered, Prompt, Resource, Set, Tool, ViaPlace};

/// What a server offers, as it is read.
pub(super) struct Offers {
    pub(super) tools: Box<[Tool]>,
    pub(super) resources: Few<Resource>,
    pub(super) prompts: Few<Prompt>,
    pub(super) sets: Few<Set>,
}

/// What has been seen.
#[derive(Default)]
pub(super) struct Common {
    texts: HashSet<Arc<str>>,
    places: HashSet<Arc<[ViaPlace]>>,
    patterns: HashMap<Box<str>, Pattern>,
    /// By the digest of the tools, which says nothing of their order.
    offered: HashMap<Digest, Vec<Arc<Offered>>>,
}

impl Common {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        one_of(&mut self.texts, text)
    }

    pub(super) fn places(&mut self, places: &[ViaPlace]) -> Arc<[ViaPlace]> {
        one_of(&mut self.places, places)
    }

    /// A limit, with its patterns compiled once.
    pub(super) fn limit(&mut self, limit: &Limit) -> Limit {
        let mut limit = limit.clone();
        for test in &mut limit.tests {
            if let Test::Matches(pattern) = test {
                let known = self.patterns.get(pattern.as_str()).cloned();
                let known = known.unwrap_or_else(|| {
                    self.patterns.insert(pattern.as_str().into(), pattern.clone());
                    pattern.clone()
                });
                *pattern = known;
            }
        }
        limit
    }

    /// What a server offers; the digest is that of its tools.
    pub(super) fn offered(&mut self, digest: Digest, offers: Offers) -> Arc<Offered> {
        let Offers { tools, resources, prompts, sets } = offers;
        let alike = self.offered.entry(digest).or_default();
        let same = |known: &&Arc<Offered>| {
            known.tools == tools
                && known.resources == resources
                && known.prompts == prompts
                && known.sets == sets
        };
        if let Some(known) = alike.iter().find(same) {
            return Arc::clone(known);
        }
        let tool_names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
        let patterns = resources.iter().map(|resource| resource.pattern.clone()).collect();
        let prompt_names: Vec<_> = prompts.iter().map(|prompt| &*prompt.name).collect();
        let offer = Arc::new(Offer::new(&tool_names, patterns, &prompt_names));
        let offered = Arc::new(Offered { tools, resources, prompts, sets, offer });
        alike.push(Arc::clone(&offered));
        offered
    }
}

/// The one that is equal.
fn one_of<T: Eq + Hash + ?Sized>(known: &mut HashSet<Arc<T>>, value: &T) -> Arc<T>
where
    Arc<T>: for<'v> From<&'v T>,
{
    if let Some(known) = known.get(value) {
        return Arc::clone(known);
    }
    let new = Arc::from(value);
    known.insert(Arc::clone(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Effect;

    fn tool(name: &str, minutes_saved: u32) -> Tool {
        Tool {
            name: name.into(),
            effect: Effect::Read,
            traits: Few::default(),
            approval: None,
            minutes_saved,
            limits: Box::default(),
            accepts: None,
            log_args: Few::default(),
        }
    }

    #[test]
    fn what_is_shared_is_the_same_in_every_part() {
        let mut common = Common::default();
        let mut offered = |tools: &[(&str, u32)]| {
            let tools = tools.iter().map(|(name, minutes)| tool(name, *minutes)).collect();
            let (resources, prompts, sets) = (Few::default(), Few::default(), Few::default());
            let offers = Offers { tools, resources, prompts, sets };
            common.offered(Digest::of(b"the same"), offers)
        };
        let first = offered(&[("a", 1), ("b", 2)]);
        for (tools, is_shared) in [
            (&[("a", 1), ("b", 2)][..], true),
            // The digest says nothing of order and minutes.
            (&[("b", 2), ("a", 1)], false),
            (&[("a", 1), ("b", 3)], false),
            (&[("a", 1)], false),
        ] {
            assert_eq!(Arc::ptr_eq(&offered(tools), &first), is_shared, "{tools:?}");
        }
    }

    #[test]
    fn a_pattern_is_compiled_once() {
        let mut common = Common::default();
        let mut limit = |pattern: &str| {
            let tests = [Test::Matches(Pattern::new(pattern).unwrap())].into();
            let pointer = "/a".parse().unwrap();
            common.limit(&Limit { pointer, optional: false, tests })
        };
        let patterns = ["[a-z]+", "[a-z]+", "[a-z]*"].map(|pattern| match &*limit(pattern).tests {
            [Test::Matches(pattern)] => pattern.clone(),
            _ => panic!("{pattern}"),
        });
        assert!(patterns[0].is_shared_with(&patterns[1]) && patterns[0] != patterns[2]);
    }
}
