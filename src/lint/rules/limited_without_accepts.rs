use crate::lint::context::Context;
use crate::lint::items::{ToolAt, tools};
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A tool with `limits` and without `accepts`.
    ///
    /// ## Why
    ///
    /// Limits hold for the arguments that they name; every other argument passes, whatever it is. A
    /// tool whose `limit` is held between 1 and 10000 may take `max_rows` as well, or may learn to
    /// with its next release. The review looked at the arguments of one day.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   run_query:
    ///     effect: read
    ///     limits: { /limit: { between: [1, 10000] } }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Close the arguments; the reviews then have to be renewed:
    ///
    /// ```yaml
    ///     accepts: [sql, limit]
    /// ```
    LimitedWithoutAccepts, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for ToolAt { tool, node, .. } in tools(server, file) {
            if tool.limits.is_empty() || tool.accepts.is_some() {
                continue;
            }
            let Some((key, _)) = node.entry("limits") else { continue };
            let mut arguments: Vec<_> =
                tool.limits.iter().map(|limit| limit.pointer.argument()).collect();
            arguments.dedup();
            let message = format!("`{}` takes every argument that its limits do not name", tool.name);
            findings.add(file.place(key.span), message, |finding| {
                finding.label("these arguments are limited, all others are not").help(format!(
                    "add `accepts: [{}]`, with the other arguments that it needs",
                    arguments.join(", ")
                ))
            });
        }
    }
}
