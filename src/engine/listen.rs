//! Subscriptions to several resources at once: each is decided like reading it, and one that is
//! refused refuses all.

use super::{Decision, NoTrace, Query, Scope, Trace, Verdict, decide_one};
use crate::mcp::{Action, Discovery, ResourceOp, Uris};
use crate::policy::PolicySet;

/// The decision on the URI that decides for all: one that is refused, for the first reason that
/// applies to any; else one that is let through although the policy says no.
pub(super) fn decide<T: Trace>(
    set: &PolicySet,
    query: &Query<'_>,
    uris: Uris<'_>,
    trace: &mut T,
) -> Decision {
    let mut worst: Option<Decision> = None;
    for uri in uris.iter() {
        let decision = decide_one(set, &reading(query, uri), trace);
        let is_worse = worst.is_none_or(|worst| weight(decision) < weight(worst));
        if is_worse {
            worst = Some(decision);
        }
        // Whoever may not even look around is told so at the first.
        if decision.enforced != Verdict::Allow && decision.scope == Scope::Server {
            break;
        }
    }
    worst.unwrap_or_else(|| {
        let action = Action::Discover(Discovery::ListResources);
        decide_one(set, &Query { action, ..*query }, trace)
    })
}

/// Of a refused subscription, the first URI that is refused for the decision's reason.
#[must_use]
pub fn refused_subscription<'q>(
    set: &PolicySet,
    query: &Query<'q>,
    decision: &Decision,
) -> Option<&'q str> {
    let Action::Listen(uris) = query.action else { return None };
    uris.iter().find(|uri| {
        let one = decide_one(set, &reading(query, uri), &mut NoTrace);
        one.enforced != Verdict::Allow && one.reason == decision.reason
    })
}

fn reading<'q>(query: &Query<'q>, uri: &'q str) -> Query<'q> {
    Query { action: Action::Resource { op: ResourceOp::Subscribe, uri }, ..*query }
}

/// The lightest decides.
fn weight(decision: Decision) -> impl Ord {
    (decision.enforced == Verdict::Allow, decision.reason.is_none(), decision.reason)
}
