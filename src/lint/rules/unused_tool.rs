use crate::lint::context::Context;
use crate::lint::items::{Item, items};
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A tool, resource or prompt that no grant of its server names, neither itself nor by a set.
    /// Nobody can use it. An ended grant still names it.
    ///
    /// ## Why
    ///
    /// The review spent time on it, and it stands in the file as if somebody could use it. Often a
    /// grant was forgotten, or a set was: `sets: [browse]` is one line, and easily left out of the
    /// third tool.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   list_tables: { effect: read, sets: [browse] }
    ///   list_views:  { effect: read }
    /// grants:
    ///   analysts: { people: [ads], via: [ai-chat], call: [browse] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Grant it, or remove it until somebody needs it: what does not stand in the file cannot be
    /// used either. Removing it changes what the reviews cover.
    UnusedTool, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let is_granted = |item| server.grants().iter().any(|grant| grant.items.contains(item));
        for Item { kind, id, key, .. } in items(server, file) {
            if !is_granted(id) {
                let message = format!("no grant names the {kind} `{}`", key.text);
                findings.add(file.place(key.span), message, |finding| {
                    finding.help(format!("grant it, or remove the {kind} until it is needed"))
                });
            }
        }
    }
}
