//! What a decision comes down to while the person's groups, the token's scopes and the arguments
//! are left open.
//!
//! For proofs over all callers: everything else is settled by the code that decides, and what is
//! left is a formula over groups, scopes and limits. Properties of random policies keep it equal to
//! [`decide`](super::decide).

use super::conditions::Circumstances;
use super::{NoTrace, Query, asked, shadow};
use crate::identity::{GroupSet, Groups};
use crate::policy::limits::Limit;
use crate::policy::model::{Ban, BanWho, Grant, GrantWho, People, PolicySet, RuleId, Tool};

/// What is left of a decision. The query is let through if the person is in no group of `bans`
/// and either it is `free`, or one of the grants matches and the limits of that grant and of the
/// tool hold.
#[derive(Clone, Debug)]
pub(crate) struct Open<'a> {
    /// Bans on groups: being in any of them is enough.
    pub(crate) bans: Vec<(RuleId, &'a GroupSet)>,
    /// Bans that would refuse all or some of this, and are only recorded.
    pub(crate) trials: Vec<RuleId>,
    /// What would be refused for want of a grant, or by a limit, is let through.
    pub(crate) free: bool,
    /// The grants that could match.
    pub(crate) grants: Vec<OpenGrant<'a>>,
    /// The tool, whose own limits hold for every call.
    pub(crate) tool: Option<&'a Tool>,
}

/// What a grant still asks of a person's groups and of the arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenGrant<'a> {
    /// The grant.
    pub(crate) rule: RuleId,
    /// In one of these; `None` for anybody.
    pub(crate) people: Option<&'a GroupSet>,
    /// And in one of these.
    pub(crate) also_in: Option<&'a GroupSet>,
    /// And in none of these.
    pub(crate) except: Option<&'a GroupSet>,
    /// With a token that has all of these.
    pub(crate) scopes: &'a [Box<str>],
    /// What the arguments must be.
    pub(crate) limits: &'a [Limit],
}

/// Settles everything but known groups, scopes and arguments, whatever the query says about those
/// three. `None` if the query is refused, whatever they are. Unknown groups are settled too: they leave
/// nothing open.
pub(crate) fn open<'s>(set: &'s PolicySet, query: &Query<'_>) -> Option<Open<'s>> {
    let server = set.server(query.server)?;
    let place = set.place_of(query.caller.workload.as_ref());
    let c = Circumstances::new(set, query, place);
    let asked = asked(set, query, &c, &mut NoTrace).ok()?;
    let by_groups =
        query.caller.user.as_deref().is_some_and(|user| matches!(user.groups, Groups::Known(_)));
    let in_bounds = shadow::within_bounds(&asked, &c);
    let mut bans = Vec::new();
    let mut trials = Vec::new();
    for ban in set.guardrails().iter().chain(server.bans()) {
        let misses = c.ban_misses(ban, asked.server, asked.environment.id, asked.item);
        if (super::BanMisses { who: false, ..misses }).is_empty() {
            let recorded = in_bounds && shadow::on_trial(ban, c.now);
            match open_ban(ban, by_groups, misses.who, &c) {
                Left::Holds | Left::Groups(_) if recorded => trials.push(ban.rule),
                Left::Holds => return None,
                Left::Groups(groups) => bans.push((ban.rule, groups)),
                Left::Nothing => {}
            }
        }
    }
    let mut grants = Vec::new();
    for grant in server.grants() {
        // Whoever is signed in may have a token with more scopes.
        let scopes = if asked.by_scopes { &*grant.scopes } else { &[] };
        let misses = asked.misses(&c, grant);
        let misses = super::GrantMisses { scopes: misses.scopes && c.user.is_none(), ..misses };
        let settled = super::GrantMisses { who: false, also_in: false, except: false, ..misses };
        let limits = if asked.call.is_some() { &*grant.limits } else { &[] };
        if by_groups && settled.is_empty() && matches!(grant.who, GrantWho::People { .. }) {
            grants.push(open_grant(grant, scopes, limits));
        } else if misses.is_empty() {
            grants.push(OpenGrant::of_anybody(grant.rule, scopes, limits));
        }
    }
    let free = in_bounds && shadow::shadowed(asked.environment, c.now);
    let tool = asked.call.and_then(|(tool, _)| server.tool(&tool.name)).map(|(_, tool)| tool);
    Some(Open { bans, trials, free, grants, tool })
}

/// What is left of a ban that matches but for whom it is about.
enum Left<'a> {
    Nothing,
    Groups(&'a GroupSet),
    Holds,
}

fn open_ban<'a>(ban: &'a Ban, by_groups: bool, missed: bool, c: &Circumstances<'_>) -> Left<'a> {
    let Some(BanWho { people, users, services }) = &ban.who else {
        return Left::Holds;
    };
    if !by_groups {
        return if missed { Left::Nothing } else { Left::Holds };
    }
    let others = BanWho { people: None, users: users.clone(), services: services.clone() };
    match people {
        _ if c.bans(&others) => Left::Holds,
        None => Left::Nothing,
        Some(People::AnyoneSignedIn) => Left::Holds,
        Some(People::Groups(groups)) => Left::Groups(groups),
    }
}

impl<'a> OpenGrant<'a> {
    fn of_anybody(rule: RuleId, scopes: &'a [Box<str>], limits: &'a [Limit]) -> Self {
        Self { rule, people: None, also_in: None, except: None, scopes, limits }
    }
}

fn open_grant<'a>(grant: &'a Grant, scopes: &'a [Box<str>], limits: &'a [Limit]) -> OpenGrant<'a> {
    let rule = grant.rule;
    match &grant.who {
        GrantWho::People { people, also_in, except, via: _ } => OpenGrant {
            rule,
            people: match people {
                People::AnyoneSignedIn => None,
                People::Groups(groups) => Some(groups),
            },
            also_in: also_in.as_deref(),
            except: except.as_deref(),
            scopes,
            limits,
        },
        GrantWho::Users(..) | GrantWho::Services(_) => OpenGrant::of_anybody(rule, scopes, limits),
    }
}
