use crate::access::Idle;
use crate::engine::utc_day;
use crate::lint::context::{Context, GrantIn};
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{Grant, GrantWho, Place, PlaceId, Via};

rule! {
    /// ## What it finds
    ///
    /// A grant under which nobody could use anything, bans or no bans: `except` leaves out everybody
    /// whom `people` names, or its limits exclude those of its tools. Grants that have ended are
    /// left to `ended-grant`, and those whose places reach nothing to `dead-grant`.
    ///
    /// ## Why
    ///
    /// Somebody believes that this works. What keeps it from working stands somewhere else, and is
    /// not changed with this grant in mind.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   run_query: { effect: read, limits: { /limit: { between: [1, 100] } } }
    /// grants:
    ///   export: { people: [ads], via: [ide], call: [run_query], limits: { /limit: { is: 5000 } } }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Correct the grant, or remove it.
    EmptyGrant, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let today = utc_day(policies.now);
    let has_ended = |grant: &Grant| {
        grant.last_day.is_some_and(|day| day < today)
            || grant.until.is_some_and(|until| until <= policies.now)
    };
    for (GrantIn { file, grant, key }, why) in policies.idle_grants() {
        if *why != Idle::Empty || has_ended(grant) || !is_in_reach(policies, grant) {
            continue;
        }
        let message = format!("nobody could use anything under the grant `{}`", key.text);
        findings.add(file.place(key.span), message, |finding| {
            finding.help("look at `people`, `except` and limits: they exclude each other")
        });
    }
}

/// Whether one of its environments is reached from one of its places.
fn is_in_reach(policies: &Context<'_>, grant: &Grant) -> bool {
    let reaches = |place: &Place| grant.environments.iter().any(|id| place.reaches.contains(id));
    let is_reached = |id: PlaceId| policies.set.place(id).is_some_and(reaches);
    match &grant.who {
        GrantWho::Services(services) => services.iter().any(|id| is_reached(*id)),
        GrantWho::People { via: Via::AnySurface, .. } | GrantWho::Users(_, Via::AnySurface) => {
            (0..).map(PlaceId).map_while(|id| policies.set.place(id)).any(reaches)
        }
        GrantWho::People { via: Via::Places(places), .. }
        | GrantWho::Users(_, Via::Places(places)) => {
            places.iter().any(|via| is_reached(via.surface))
        }
    }
}
