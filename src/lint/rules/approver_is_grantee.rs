use crate::lint::context::Context;
use crate::lint::items::{GrantAt, ToolAt, grants, named, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{Approver, GrantWho, People};

rule! {
    /// ## What it finds
    ///
    /// A group that approves calls of a tool, and that a grant of the same tool names.
    ///
    /// ## Why
    ///
    /// The caller never counts as their own approver, but two colleagues of one team ask each
    /// other, and "you approve mine, I approve yours" is faster than looking. Where the same few
    /// people ask and approve, the second pair of eyes is missing; in payments that is why who
    /// enters and who releases are two departments.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   overwrite_table: { effect: destructive, approval: [data-stewards] }
    /// grants:
    ///   overwrite: { people: [data-stewards], via: [ai-chat], call: [overwrite_table] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Let another group approve, or leave the approvers out of the grant: do not name them under
    /// `people`, or name them under `except`.
    ApproverIsGrantee, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for ToolAt { id, tool, key, node } in tools(server, file) {
            let Some(Approver::Groups(approvers)) = &tool.approval else { continue };
            for GrantAt { grant, key: grant_key, node: grant_node } in grants(server, file) {
                let GrantWho::People { people, also_in, except, via: _ } = &grant.who else {
                    continue;
                };
                if grant.items.call.binary_search(&id).is_err() {
                    continue;
                }
                let is_granted = |group| {
                    let by_people = matches!(people, People::Groups(groups) if groups.contains(group));
                    let by_also_in = also_in.as_ref().is_some_and(|groups| groups.contains(group));
                    let excepted = except.as_ref().is_some_and(|groups| groups.contains(group));
                    (by_people || by_also_in) && !excepted
                };
                for group in approvers.iter().filter(|group| is_granted(*group)) {
                    let name = policies.set.group_name(group);
                    let said = named(grant_node, "people", name).or(named(grant_node, "also_in", name));
                    let place = said.map_or(grant_key.span, |node| node.span);
                    // Guardrails may have named the approvers.
                    let approver = named(node, "approval", name).map_or(key.span, |node| node.span);
                    let message = format!("`{name}` may call `{}` and approves calls of it", tool.name);
                    findings.add(file.place(place), message, |finding| {
                        finding
                            .label("colleagues would approve each other's calls")
                            .related(file.place(approver), "approves here")
                            .help("let another group approve, or leave this one out of the grant")
                    });
                }
            }
        }
    }
}
