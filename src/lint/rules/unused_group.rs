use std::collections::HashSet;

use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::is_test;
use crate::policy::model::Approver;
use crate::yaml::Node;

rule! {
    /// ## What it finds
    ///
    /// A group in `groups.yaml` that no grant, ban, approval or test names.
    ///
    /// ## Why
    ///
    /// It decides nothing, and stands where people look for what decides. Often it is what was left
    /// when its last grant went, or the rule that should have named it names another: a group
    /// `contractors` that no ban mentions is worth a question.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// groups:
    ///   contractors: {}
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write the rule that was meant, or remove the group.
    UnusedGroup, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let Some(file) = policies.file("groups.yaml") else { return };
    let mut used = HashSet::new();
    for (server, _) in policies.servers() {
        used.extend(server.named_groups.iter());
        for tool in server.tools() {
            if let Some(Approver::Groups(groups)) = &tool.approval {
                used.extend(groups.iter());
            }
        }
    }
    // The guardrails may ask for an approval of which no tool is in need yet.
    let guardrails = policies.file("guardrails.yaml").and_then(|file| file.node(&["approval"]));
    let approvers = guardrails.into_iter().flat_map(Node::entries);
    let mut names: HashSet<&str> = HashSet::new();
    names.extend(approvers.flat_map(|(_, node)| node.items()).filter_map(|item| item.as_text()));
    for tests in policies.files.iter().filter(|file| is_test(file.path)) {
        let people = tests.node(&["people"]).map_or(&[][..], |node| node.entries());
        let groups = people.iter().filter_map(|(_, person)| person.entry("groups"));
        names.extend(groups.flat_map(|(_, groups)| groups.items()).filter_map(|it| it.as_text()));
    }
    let groups = file.node(&["groups"]).map_or(&[][..], |node| node.entries());
    for (key, _) in groups {
        let is_used = policies.set.group(&key.text).is_some_and(|id| used.contains(&id));
        if is_used || names.contains(key.text.as_str()) {
            continue;
        }
        let message = format!("no grant, ban, approval or test names the group `{}`", key.text);
        findings.add(file.place(key.span), message, |finding| {
            finding.help("write the rule that was meant, or remove the group")
        });
    }
}
