use crate::engine::utc_day;
use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A grant whose `last_day` has passed, or whose `until` has come. It lets nobody in any more.
    ///
    /// ## Why
    ///
    /// Whoever reads the file has to check the date to see that the grant means nothing, and
    /// whoever later moves the date brings back access that nobody has looked at since. A date in
    /// the past is never a reason not to load: the grant just does not match.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   migration:
    ///     people: [infra]
    ///     via: [ai-chat]
    ///     call: [overwrite_table]
    ///     last_day: 2026-03-31
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove the grant. If it is still needed, ask for it anew, with a new date and a ticket.
    EndedGrant, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let today = utc_day(policies.now);
    for (server, file) in policies.servers() {
        for grant in server.grants() {
            let Some(rule) = policies.set.rule(grant.rule) else { continue };
            let mut ended = |key: &str, when: String| {
                let Some(place) = file.value(&["grants", rule.name, key]) else { return };
                findings.add(place, format!("the grant `{}` ended {when}", rule.name), |finding| {
                    finding.help("remove the grant, or ask for it anew")
                });
            };
            if let Some(day) = grant.last_day.filter(|day| *day < today) {
                ended("last_day", format!("with {day}"));
            } else if let Some(until) = grant.until.filter(|until| *until <= policies.now) {
                ended("until", format!("at {until}"));
            }
        }
    }
}
