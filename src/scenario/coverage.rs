//! Which rules and tools no case touches: a grant that no allowed case rests on, a ban that refuses
//! no case, a tool, resource or prompt that no case asks for.

use std::collections::BTreeSet;

use crate::engine::{Reason, Verdict};
use crate::explain::Explanation;
use crate::policy::PolicySet;
use crate::policy::model::RuleId;

/// What is there, and what is touched.
#[derive(Clone, Debug)]
pub struct Coverage {
    rules: Vec<(RuleId, Uncovered)>,
    items: Vec<(String, &'static str, String)>,
    touched_rules: BTreeSet<RuleId>,
    touched_items: BTreeSet<(String, &'static str, String)>,
}

/// Something that no case touches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uncovered {
    /// `grant`, `ban`, `tool`, `resource` or `prompt`.
    pub kind: &'static str,
    /// Its server, or `guardrails`.
    pub of: String,
    /// Its name.
    pub name: String,
    /// Where it stands, for a rule.
    pub origin: Option<String>,
}

impl Coverage {
    pub(super) fn of(set: &PolicySet) -> Self {
        let (mut rules, mut items) = (Vec::new(), Vec::new());
        let mut rule = |id: RuleId, kind, of: &str| {
            if let Some(rule) = set.rule(id) {
                let (of, name) = (of.to_owned(), rule.name.to_string());
                let origin = Some(rule.origin());
                rules.push((id, Uncovered { kind, of, name, origin }));
            }
        };
        for ban in set.guardrails() {
            rule(ban.rule, "ban", "guardrails");
        }
        for server in set.servers() {
            server.grants().iter().for_each(|grant| rule(grant.rule, "grant", &server.name));
            server.bans().iter().for_each(|ban| rule(ban.rule, "ban", &server.name));
            let mut item = |kind, name: String| items.push((server.name.to_string(), kind, name));
            server.tools().iter().for_each(|tool| item("tool", tool.name.to_string()));
            let resources = server.resources().iter();
            resources.for_each(|resource| item("resource", resource.pattern.to_string()));
            server.prompts().iter().for_each(|prompt| item("prompt", prompt.name.to_string()));
        }
        let (touched_rules, touched_items) = (BTreeSet::new(), BTreeSet::new());
        Self { rules, items, touched_rules, touched_items }
    }

    pub(super) fn touch(&mut self, explanation: &Explanation) {
        let Explanation { server, tool, resource, prompt, decision, trace, .. } = explanation;
        let asked = [
            tool.as_ref().map(|tool| ("tool", tool)),
            resource.as_ref().map(|resource| ("resource", resource)),
            prompt.as_ref().map(|prompt| ("prompt", prompt)),
        ];
        for (kind, name) in asked.into_iter().flatten() {
            self.touched_items.insert((server.clone(), kind, name.clone()));
        }
        if decision.enforced == Verdict::Allow {
            let granting = trace.grants.iter().filter(|(_, misses)| misses.is_empty());
            self.touched_rules.extend(granting.map(|(rule, _)| *rule));
        } else if decision.reason == Some(Reason::Banned) {
            let banning = trace.bans.iter().filter(|(_, misses)| misses.is_empty());
            self.touched_rules.extend(banning.map(|(rule, _)| *rule));
        } else if let Some(rule) = decision.rule {
            // A limit or an approval rests on the grant that it narrows.
            self.touched_rules.insert(rule);
        }
    }

    /// How much there is.
    #[must_use]
    pub fn total(&self) -> usize {
        let names: BTreeSet<_> = self.rules.iter().map(|(_, rule)| rule).collect();
        names.len() + self.items.len()
    }

    /// What no case touches, in the order of kinds, servers and names.
    #[must_use]
    pub fn uncovered(&self) -> Vec<Uncovered> {
        // One ban of the guardrails may be several rules: any of them will do.
        let is_touched = |rule: &Uncovered| {
            let same = self.rules.iter().filter(|(_, other)| other == rule);
            same.map(|(id, _)| id).any(|id| self.touched_rules.contains(id))
        };
        let rules = self.rules.iter().map(|(_, rule)| rule).filter(|rule| !is_touched(rule));
        let items = self.items.iter().filter(|item| !self.is_asked_for(item));
        let items = items.map(|(of, kind, name)| Uncovered {
            kind,
            of: of.clone(),
            name: name.clone(),
            origin: None,
        });
        let all: BTreeSet<_> = rules.cloned().chain(items).collect();
        all.into_iter().collect()
    }

    /// A pattern is asked for by any URI below it.
    fn is_asked_for(&self, item: &(String, &'static str, String)) -> bool {
        let (server, kind, name) = item;
        let below =
            |asked: &str| name.strip_suffix('*').is_some_and(|start| asked.starts_with(start));
        self.touched_items.contains(item)
            || self.touched_items.iter().any(|(of, what, asked)| {
                *kind == "resource" && (of, what) == (server, kind) && below(asked)
            })
    }
}
