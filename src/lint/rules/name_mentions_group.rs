use std::collections::HashMap;

use crate::identity::GroupId;
use crate::lint::context::Context;
use crate::lint::items::{GrantAt, grants, items};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::{contains, words};
use crate::policy::PolicySet;
use crate::policy::model::{Grant, GrantWho, People};

rule! {
    /// ## What it finds
    ///
    /// A grant whose name mentions a declared group, word for word, and that grants that group
    /// nothing, or even excepts it. A word that also stands in the name of the server, or of
    /// what the grant is about, is left alone.
    ///
    /// ## Why
    ///
    /// Names are what people read: in `explain`, in the record of every decision, in the review. A
    /// grant `finance-query` that grants `infra` is read past by everyone who looks for what
    /// `infra` may do. Mostly a grant was copied, and one of name and group was not changed.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   finance-query: { people: [infra], via: [ai-chat], call: [run_query] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Correct the group, or rename the grant.
    NameMentionsGroup, Warning, Check::Policies(check)
}

/// The groups, by the first word of their names.
type ByFirstWord<'r> = HashMap<String, Vec<(Vec<&'r str>, GroupId)>>;

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let mut groups = ByFirstWord::new();
    for name in policies.set.group_names() {
        let words = words(name);
        if let (Some(first), Some(id)) = (words.first(), policies.set.group(name)) {
            groups.entry(first.to_ascii_lowercase()).or_default().push((words, id));
        }
    }
    for (server, file) in policies.servers() {
        for GrantAt { grant, key, .. } in grants(server, file) {
            let name = words(&key.text);
            for (mentioned, id) in mentioned(&groups, &name) {
                let group = policies.set.group_name(id);
                let (says, help) = match stands(policies.set, grant, mentioned, id) {
                    Stands::Granted => continue,
                    Stands::Excepted => ("excepts it", "rename the grant"),
                    Stands::Nowhere => {
                        ("does not grant it anything", "correct the group, or rename the grant")
                    }
                };
                let of_item = |name: &str| contains(&words(name), mentioned);
                let about = items(server, file).filter(|item| grant.items.contains(item.id));
                if of_item(&server.name) || about.into_iter().any(|item| of_item(&item.key.text)) {
                    continue;
                }
                let message =
                    format!("the grant `{}` mentions the group `{group}` and {says}", key.text);
                findings.add(file.place(key.span), message, |finding| finding.help(help));
            }
        }
    }
}

/// The groups that a name mentions; of two where one is a part of the other, the longer.
fn mentioned<'g>(
    groups: &'g ByFirstWord<'_>,
    name: &[&str],
) -> impl Iterator<Item = (&'g [&'g str], GroupId)> {
    let mut found = Vec::new();
    let mut rest = name;
    while let [first, after @ ..] = rest {
        let candidates = groups.get(*first).into_iter().flatten();
        let here = candidates.filter(|(words, _)| {
            rest.get(..words.len()).is_some_and(|start| contains(start, words))
        });
        let longest = here.max_by_key(|(words, _)| words.len());
        rest = match longest {
            Some((words, id)) => {
                found.push((words.as_slice(), *id));
                rest.get(words.len()..).unwrap_or_default()
            }
            None => after,
        };
    }
    found.into_iter()
}

/// How a grant stands to a group.
enum Stands {
    Granted,
    Excepted,
    Nowhere,
}

fn stands(set: &PolicySet, grant: &Grant, mentioned: &[&str], id: GroupId) -> Stands {
    match &grant.who {
        GrantWho::People { people, also_in, except, via: _ } => {
            // `ads-query` may well be for `ads-eng`.
            let is_meant =
                |group: GroupId| group == id || contains(&words(set.group_name(group)), mentioned);
            let by_people = matches!(people, People::Groups(groups) if groups.iter().any(is_meant));
            if by_people || also_in.as_ref().is_some_and(|groups| groups.iter().any(is_meant)) {
                Stands::Granted
            } else if except.as_ref().is_some_and(|groups| groups.contains(id)) {
                Stands::Excepted
            } else {
                Stands::Nowhere
            }
        }
        GrantWho::Services(services) => {
            let mut names = services.iter().filter_map(|id| set.place(*id));
            let is_service = names.any(|place| contains(&words(&place.name), mentioned));
            if is_service { Stands::Granted } else { Stands::Nowhere }
        }
        GrantWho::Users(..) => Stands::Nowhere,
    }
}
