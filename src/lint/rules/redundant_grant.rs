use crate::access::Idle;
use crate::lint::context::{Context, GrantIn};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;

rule! {
    /// ## What it finds
    ///
    /// A grant that could go, and nobody would lose anything, from now on: others let the same
    /// people do the same from the same places. Every set of groups, user, place, service, argument
    /// and instant is looked at, not a sample. Grants that cover each other are found both.
    ///
    /// ## Why
    ///
    /// It does nothing today, and is not seen when the other one is narrowed: then it quietly keeps
    /// granting what was meant to go.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   analysts: { people: [ads, finance], via: [ai-chat, ide], call: [list_tables, run_query] }
    ///   finance:  { people: [finance], via: [ide], call: [run_query] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove it, or narrow the other one. Of two that cover each other, keep the one that says why
    /// it is there.
    RedundantGrant, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (GrantIn { file, grant: _, key }, why) in policies.idle_grants() {
        let Idle::Covered(by) = why else { continue };
        let rules: Vec<_> = by.iter().filter_map(|rule| policies.set.rule(*rule)).collect();
        let names = listed(rules.iter().map(|rule| rule.name));
        let message = match rules.as_slice() {
            [_] => format!("`{}` grants nothing that {names} does not grant", key.text),
            _ => format!("`{}` grants nothing that {names} do not grant together", key.text),
        };
        let first = rules.first().and_then(|rule| file.key(&["grants", rule.name]));
        findings.add(file.place(key.span), message, |finding| {
            let finding = finding.help(format!("keep {names}, and nobody loses anything without this one"));
            match first {
                Some(place) => finding.related(place, "granted here"),
                None => finding,
            }
        });
    }
}
