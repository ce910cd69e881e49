//! What is recorded instead of enforced: refusals in a shadowed environment, and bans on trial.
//!
//! Both only loosen within the same narrow bounds. Outside them, and past their ends, the policy
//! holds as it is written.

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::conditions::Circumstances;
use super::{Asked, NoTrace, Reason, Refusal};
use crate::identity::Groups;
use crate::policy::model::{
    Ban, Effect, Grant, GrantWho, PlaceKind, ServerEnvironment, Target, Trait,
};

/// What is enforced instead of a refusal: `None` for the refusal itself.
pub(super) fn enforced(
    asked: &Asked<'_>,
    c: &Circumstances<'_>,
    (reason, _): Refusal,
) -> Option<Result<(), Refusal>> {
    let relaxable = matches!(reason, Reason::Banned | Reason::NoGrant | Reason::Limit);
    if !relaxable || !within_bounds(asked, c) || bans_hold(asked, c) {
        return None;
    }
    let shadowed = shadowed(asked.environment, c.now);
    match asked.without_bans(c, &mut NoTrace) {
        Ok(_) => Some(Ok(())),
        Err((Reason::NoGrant | Reason::Limit, _)) if shadowed => Some(Ok(())),
        // The ban on trial is not what refuses.
        Err(other) => Some(Err(other)),
    }
}

/// Whether refusals are recorded instead of enforced there.
pub(super) fn shadowed(environment: &ServerEnvironment, now: Timestamp) -> bool {
    environment.shadow_until.is_some_and(|until| now < until)
}

/// Whether a ban is recorded instead of enforced.
pub(super) fn on_trial(ban: &Ban, now: Timestamp) -> bool {
    ban.trial_until.is_some_and(|until| now < until)
}

/// Whether a ban matches that is not on trial.
fn bans_hold(asked: &Asked<'_>, c: &Circumstances<'_>) -> bool {
    asked.bans().any(|ban| {
        let misses = c.ban_misses(ban, asked.server, asked.environment.id, asked.item);
        misses.is_empty() && !on_trial(ban, c.now)
    })
}

/// Only signed-in people with known groups, on surfaces, for what is neither destructive,
/// sensitive nor under approval, and what some grant gives to somebody there.
pub(super) fn within_bounds(asked: &Asked<'_>, c: &Circumstances<'_>) -> bool {
    let known = c.user.is_some_and(|user| matches!(user.groups, Groups::Known(_)));
    let surface = c.place.is_some_and(|place| matches!(place.kind, PlaceKind::Surface { .. }));
    let gives = |grant: &Grant| {
        let people = match grant.who {
            GrantWho::People { .. } | GrantWho::Users(..) => true,
            GrantWho::Services(_) => false,
        };
        let misses = c.grant_misses(grant, asked.environment.id, asked.item);
        people && !misses.environment && !misses.call && !misses.ended
    };
    let harmless = asked.item.is_none_or(|item| {
        let Target { id: _, effect, traits, approval } = item;
        effect != Effect::Destructive && !traits.contains(&Trait::Sensitive) && approval.is_none()
    });
    // Nobody has said what an extension's method does, nor looked at what came of a task.
    known && surface && harmless && !asked.by_people && asked.server.grants().iter().any(gives)
}
