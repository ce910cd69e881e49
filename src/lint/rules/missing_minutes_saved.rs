use crate::lint::context::Context;
use crate::lint::items::{ToolAt, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;

rule! {
    /// ## What it finds
    ///
    /// A server with tools that do not say `minutes_saved`. It is one finding per server, at the
    /// first of them; `minutes_saved: 0` is an answer, too.
    ///
    /// ## Why
    ///
    /// The record of every call carries the estimate, and reports add it up. A tool without one
    /// counts as nothing: the server looks less useful than it is when somebody asks which ones
    /// are worth their reviews.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   list_tables: { effect: read }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Let the owner estimate how many minutes one call saves a person. It is no part of what the
    /// reviews cover.
    ///
    /// ```yaml
    /// tools:
    ///   list_tables: { effect: read, minutes_saved: 2 }
    /// ```
    MissingMinutesSaved, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let is_missing = |tool: &ToolAt<'_>| tool.node.entry("minutes_saved").is_none();
        let missing: Vec<_> = tools(server, file).filter(is_missing).collect();
        let Some(first) = missing.first() else { continue };
        let names = listed(missing.iter().map(|tool| &*tool.tool.name));
        let do_not = if missing.len() == 1 { "does not" } else { "do not" };
        let message = format!("{names} {do_not} say how much time a call saves");
        findings.add(file.place(first.key.span), message, |finding| {
            finding.help("add `minutes_saved`, by the owner's estimate; no review has to be renewed")
        });
    }
}
