use std::collections::HashSet;

use crate::lint::context::Context;
use crate::lint::items::{ToolAt, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::is_test;
use crate::policy::model::Effect;

rule! {
    /// ## What it finds
    ///
    /// A destructive tool that no case under `refused` in `policies/tests/` calls.
    ///
    /// ## Why
    ///
    /// The review asks: who must not be able to do this? A case is the answer that lasts. Without
    /// one, a group too many in a grant, or a set that gained a tool, passes every check, and the
    /// first to notice is whoever looks for the lost table.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   overwrite_table: { effect: destructive }
    /// # and policies/tests/presto.yaml never mentions overwrite_table
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write down somebody who must not:
    ///
    /// ```yaml
    /// refused:
    ///   - { who: ana, via: ai-chat, call: presto/overwrite_table, because: no_grant }
    /// ```
    UntestedDestructive, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let mut refused: HashSet<(&str, &str)> = HashSet::new();
    for file in policies.files.iter().filter(|file| is_test(file.path)) {
        let cases = file.node(&["refused"]).map_or(&[][..], |node| node.items());
        let calls = cases.iter().filter_map(|case| case.entry("call")?.1.as_text());
        refused.extend(calls.filter_map(|call| {
            let (place, tool) = call.split_once('/')?;
            Some((place.split_once('@').map_or(place, |(server, _)| server), tool))
        }));
    }
    for (server, file) in policies.servers() {
        for ToolAt { tool, key, .. } in tools(server, file) {
            if tool.effect != Effect::Destructive || refused.contains(&(&*server.name, &*tool.name)) {
                continue;
            }
            let message = format!("no test says who must not call the destructive `{}`", tool.name);
            findings.add(file.place(key.span), message, |finding| {
                finding.help(format!(
                    "add a case under `refused` in tests/{0}.yaml: {{ who: …, via: …, call: \
                     {0}/{1}, because: no_grant }}",
                    server.name, tool.name
                ))
            });
        }
    }
}
