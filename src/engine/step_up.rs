//! Which scopes would let a refused request through (OAuth step-up, RFC 6750 §3.1).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::conditions::Circumstances;
use super::{GrantMisses, NoTrace, Query, Reason, Verdict, asked, decide, limits};
use crate::identity::{Caller, User};
use crate::policy::model::{Grant, PolicySet};

/// All scopes of the grant that a token with more scopes would be let through by: of those that
/// lack nothing else, the one that lacks the fewest, and of several the first by name. `None` if
/// no such token would help: a client sends its user to consent for nothing.
///
/// Asked after a refusal only. What it promises was put to [`decide`].
#[must_use]
pub fn step_up<'s>(set: &'s PolicySet, query: &Query<'_>) -> Option<&'s [Box<str>]> {
    let user = query.caller.user.as_deref()?;
    let refused = decide(set, query, &mut NoTrace);
    if refused.enforced == Verdict::Allow || refused.reason != Some(Reason::NoGrant) {
        return None;
    }
    let place = set.place_of(query.caller.workload.as_ref());
    let c = Circumstances::new(set, query, place);
    let asked = asked(set, query, &c, &mut NoTrace).ok()?;
    let lacks = |grant: &Grant| grant.scopes.iter().filter(|s| !user.scopes.contains(s)).count();
    let only_scopes = GrantMisses { scopes: true, ..GrantMisses::default() };
    let grants = set.server(query.server)?.grants().iter();
    let near = grants.filter(|grant| {
        let keeps = |(_, arguments)| limits::first(&grant.limits, arguments).is_none();
        asked.misses(&c, grant) == only_scopes && asked.call.is_none_or(keeps)
    });
    let name = |grant: &Grant| set.rule(grant.rule).map(|rule| rule.name);
    let nearest = near.min_by_key(|grant| (lacks(grant), name(grant)))?;
    // The tool's own limits, its approval, a ban that is only recorded: the decision knows.
    let scopes = &*nearest.scopes;
    let wider = User { scopes: union(&user.scopes, scopes), ..user.clone() };
    let caller = Caller { user: Some(Arc::new(wider)), workload: query.caller.workload.clone() };
    let stepped_up = decide(set, &Query { caller: &caller, ..*query }, &mut NoTrace);
    (stepped_up.enforced == Verdict::Allow).then_some(scopes)
}

fn union(held: &[Box<str>], asked: &[Box<str>]) -> Vec<Box<str>> {
    let mut all = held.to_vec();
    all.extend(asked.iter().filter(|scope| !held.contains(scope)).cloned());
    all
}
