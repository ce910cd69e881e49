//! THE DECISION: a pure function of policy set and query. No clock, no I/O, no async.
//!
//! Default deny; a ban beats every grant; order never matters. `serve`, `explain` and whatever
//! comes later call [`decide`]; there is no second evaluator. The [`Trace`] costs nothing when it
//! is off.

mod conditions;
mod limits;
mod listen;
mod open;
mod reason;
mod shadow;
mod step_up;
mod trace;
mod visible;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::conditions::{BanMisses, ChannelState, GrantMisses};
pub use self::limits::Breach;
pub use self::listen::refused_subscription;
pub use self::reason::Reason;
pub use self::step_up::step_up;
pub use self::trace::{NoTrace, Recorder, ReviewState, Step, Trace};
pub use self::visible::visible;

pub(crate) use self::conditions::channel;
pub(crate) use self::limits::{could_be_taken_for, holds, inside};
pub(crate) use self::open::{Open, OpenGrant, open};

use self::conditions::Circumstances;
use crate::identity::Caller;
use crate::json::Object;
use crate::mcp::{Action, Discovery};
use crate::policy::digest::Digest;
use crate::policy::model::{
    Ban, ChannelId, Grant, GrantWho, PlaceId, PolicySet, RuleId, Server, ServerEnvironment, Target,
    Tool,
};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The server's name.
    pub server: &'q str,
    /// The environment's name.
    pub environment: &'q str,
    /// Who asks.
    pub caller: &'q Caller,
    /// The channel identifier that came with the request. Believed only from a surface that has
    /// channels.
    pub channel: Option<&'q str>,
    /// What the caller wants.
    pub action: Action<'q>,
    /// The time of the request.
    pub now: Timestamp,
}

/// The answer. Everything but [`Verdict::Allow`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it through.
    Allow,
    /// Refuse it.
    Deny,
    /// Refuse it until somebody agrees.
    NeedsApproval,
}

/// How much a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The caller may not even look at this server.
    Server,
    /// The caller may use the server, but not for this.
    Item,
}

/// A decision, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the policy says.
    pub verdict: Verdict,
    /// What is done: the verdict, except in shadow and under bans on trial, where a refusal is
    /// recorded and the request let through.
    pub enforced: Verdict,
    /// Why not, unless the verdict allows it.
    pub reason: Option<Reason>,
    /// How much a refusal is about.
    pub scope: Scope,
    /// The grant or ban that decided, if one did.
    pub rule: Option<RuleId>,
    /// The surface or service that the caller speaks from.
    pub place: Option<PlaceId>,
    /// The verified channel of that surface.
    pub channel: Option<ChannelId>,
    /// The policy set that it was made under.
    pub policy: Digest,
}

/// Why a query is refused, and the rule that says so.
type Refusal = (Reason, Option<RuleId>);

const NOT_LISTED: Refusal = (Reason::NotListed, None);

/// What is asked for, found in the policies, by somebody who may ask there.
#[derive(Clone, Copy)]
struct Asked<'a> {
    set: &'a PolicySet,
    server: &'a Server,
    environment: &'a ServerEnvironment,
    /// What is used; `None` for looking around.
    item: Option<Target<'a>>,
    /// The tool and its arguments, if it is one.
    call: Option<(&'a Tool, &'a Object<'a>)>,
    /// Whether nobody has to be signed in for this.
    without_user: bool,
    /// Whether the token must have the scopes of a grant. Looking around ignores them, and so do
    /// lists: who does not see a tool never asks for the scope that it takes.
    by_scopes: bool,
    /// Whether only people may: what a service does is granted tool by tool.
    by_people: bool,
}

/// Decides a query.
pub fn decide<T: Trace>(set: &PolicySet, query: &Query<'_>, trace: &mut T) -> Decision {
    match query.action {
        Action::Listen(uris) if !uris.is_empty() => listen::decide(set, query, uris, trace),
        Action::Listen(_)
        | Action::CallTool { .. }
        | Action::Resource { .. }
        | Action::Prompt { .. }
        | Action::Task { .. }
        | Action::Extension(_)
        | Action::Discover(_)
        | Action::Unknown => decide_one(set, query, trace),
    }
}

fn decide_one<T: Trace>(set: &PolicySet, query: &Query<'_>, trace: &mut T) -> Decision {
    let place = set.place_of(query.caller.workload.as_ref());
    let c = Circumstances::new(set, query, place);
    let asked = asked(set, query, &c, trace);
    let outcome = asked.and_then(|asked| asked.bans_and_grants(&c, trace));
    let mut decision = Decision {
        verdict: Verdict::Deny,
        enforced: Verdict::Deny,
        reason: None,
        scope: Scope::Server,
        rule: None,
        place,
        channel: match c.channel {
            ChannelState::Known(channel) => Some(channel),
            ChannelState::NotUsed | ChannelState::Unknown | ChannelState::Other => None,
        },
        policy: set.digest(),
    };
    let refusal = match outcome {
        Ok(rule) => {
            decision.verdict = Verdict::Allow;
            decision.enforced = Verdict::Allow;
            decision.rule = Some(rule);
            return decision;
        }
        Err(refusal) => refusal,
    };
    let relaxed = asked.ok().and_then(|asked| shadow::enforced(&asked, &c, refusal));
    let (reason, rule) = match relaxed {
        Some(Err(other)) => other,
        Some(Ok(())) | None => refusal,
    };
    if reason == Reason::ApprovalRequired {
        decision.verdict = Verdict::NeedsApproval;
    }
    decision.enforced = match relaxed {
        Some(Ok(())) => Verdict::Allow,
        Some(Err(_)) | None => decision.verdict,
    };
    decision.reason = Some(reason);
    decision.rule = rule;
    decision.scope = scope(set, query, &c, reason);
    decision
}

/// Everything that is settled before rules are looked at, in the order of the reasons.
fn asked<'a, T: Trace>(
    set: &'a PolicySet,
    query: &Query<'a>,
    c: &Circumstances<'a>,
    trace: &mut T,
) -> Result<Asked<'a>, Refusal> {
    let server = set.server(query.server);
    let speaks_alone = server.is_some_and(|server| has_service_grant(server, c.place_id));
    let nobody = query.caller.user.is_none() && !speaks_alone;
    let without_user = nobody && server.is_some_and(|server| opens_without_user(server, query, c));
    if nobody && !without_user {
        return Err((Reason::Unauthenticated, None));
    }
    let found = server.and_then(|server| Some((server, environment(set, server, query)?)));
    let (server, environment) = found.ok_or((Reason::ServerUnknown, None))?;
    reviews(set, environment, c.today, trace)?;
    surface(environment, c, trace)?;
    let (tasks, unknown) = (server.protocol.tasks, Err((Reason::MethodUnknown, None)));
    let (item, call) = match query.action {
        Action::Unknown => return unknown,
        Action::Task { .. } | Action::CallTool { task: true, .. } if !tasks => return unknown,
        Action::Extension(method) if !server.lets_through(method) => return unknown,
        Action::Discover(_) | Action::Listen(_) | Action::Task { .. } | Action::Extension(_) => {
            (None, None)
        }
        Action::CallTool { name, arguments, task: _ } => {
            let found = server.tool(name).ok_or(NOT_LISTED)?;
            (Some(Target::tool(found)), Some((found.1, arguments)))
        }
        Action::Resource { op: _, uri } => {
            (Some(Target::resource(server.resource(uri).ok_or(NOT_LISTED)?)), None)
        }
        Action::Prompt { op: _, name } => {
            (Some(Target::prompt(server.prompt(name).ok_or(NOT_LISTED)?)), None)
        }
    };
    Ok(Asked {
        set,
        server,
        environment,
        item,
        call,
        without_user,
        by_scopes: item.is_some(),
        by_people: is_for_people(query.action),
    })
}

/// What is a user's alone, or has no effect that says whether a service may.
pub(crate) fn is_for_people(action: Action<'_>) -> bool {
    match action {
        Action::Task { .. } | Action::Extension(_) => true,
        Action::CallTool { task, .. } => task,
        Action::Resource { .. }
        | Action::Prompt { .. }
        | Action::Discover(_)
        | Action::Listen(_)
        | Action::Unknown => false,
    }
}

/// Whether the server lets this surface open a connection before anybody signs in. Lists, calls
/// and streams are not part of that.
fn opens_without_user(server: &Server, query: &Query<'_>, c: &Circumstances<'_>) -> bool {
    let opens = match query.action {
        Action::Discover(
            Discovery::Initialize
            | Discovery::Ping
            | Discovery::ServerDiscover
            | Discovery::Notification,
        ) => true,
        Action::Discover(
            Discovery::ListTools
            | Discovery::ListResources
            | Discovery::ListResourceTemplates
            | Discovery::ListPrompts
            | Discovery::SetLogLevel
            | Discovery::Respond
            | Discovery::OpenStream
            | Discovery::EndSession,
        )
        | Action::Listen(_)
        | Action::Task { .. }
        | Action::Extension(_)
        | Action::CallTool { .. }
        | Action::Resource { .. }
        | Action::Prompt { .. }
        | Action::Unknown => false,
    };
    opens && c.place_id.is_some_and(|place| server.without_user.contains(&place))
}

fn environment<'s>(
    set: &PolicySet,
    server: &'s Server,
    query: &Query<'_>,
) -> Option<&'s ServerEnvironment> {
    server.environment(set.environment(query.environment)?)
}

/// Whether the server's file grants anything, ever, to the service that this workload is.
fn has_service_grant(server: &Server, place: Option<PlaceId>) -> bool {
    place.is_some_and(|place| server.grants().iter().any(|grant| grant.is_for_service(place)))
}

/// Every kind of review that the environment needs must be there, in force, and cover the tools
/// as they stand.
fn reviews<T: Trace>(
    set: &PolicySet,
    environment: &ServerEnvironment,
    today: Date,
    trace: &mut T,
) -> Result<(), Refusal> {
    let mut missing = false;
    for needed in &environment.reviews {
        let state = |listed| ReviewState::of(set, listed, today);
        let in_force = needed.listed.iter().find(|listed| state(listed) == ReviewState::InForce);
        missing |= in_force.is_none();
        if T::ON {
            trace.record(Step::Review { needed, in_force: in_force.map(|listed| listed.id) });
        } else if missing {
            break;
        }
    }
    if missing { Err((Reason::Review, None)) } else { Ok(()) }
}

/// The caller must speak from a declared place that reaches the environment, with a token that
/// was issued to be used there.
fn surface<T: Trace>(
    environment: &ServerEnvironment,
    c: &Circumstances<'_>,
    trace: &mut T,
) -> Result<(), Refusal> {
    let reaches = c.place.is_some_and(|place| place.reaches.contains(&environment.id));
    trace.record(Step::Place {
        place: c.place_id,
        environment: environment.id,
        channel: c.channel,
        reaches,
    });
    let client = c.client_is_accepted();
    trace.record(Step::Client { accepted: client });
    if reaches && client { Ok(()) } else { Err((Reason::Surface, None)) }
}

impl<'a> Asked<'a> {
    /// What keeps a grant from matching.
    fn misses(&self, c: &Circumstances<'_>, grant: &Grant) -> GrantMisses {
        let misses = if self.without_user {
            c.opening_misses(grant, self.environment.id)
        } else {
            c.grant_misses(grant, self.environment.id, self.item)
        };
        let service = matches!(grant.who, GrantWho::Services(_));
        GrantMisses {
            who: misses.who || self.by_people && service,
            scopes: misses.scopes && self.by_scopes,
            ..misses
        }
    }

    /// Every ban that could be about the server.
    fn bans(&self) -> impl Iterator<Item = &'a Ban> + use<'a> {
        self.set.guardrails().iter().chain(self.server.bans())
    }

    fn bans_and_grants<T: Trace>(
        &self,
        c: &Circumstances<'_>,
        trace: &mut T,
    ) -> Result<RuleId, Refusal> {
        let mut banned = None;
        for ban in self.bans() {
            let misses = c.ban_misses(ban, self.server, self.environment.id, self.item);
            trace.record(Step::Ban { rule: ban.rule, misses });
            if misses.is_empty() && banned.is_none() {
                banned = Some(ban.rule);
                if !T::ON {
                    break;
                }
            }
        }
        match banned {
            Some(rule) => Err((Reason::Banned, Some(rule))),
            None => self.without_bans(c, trace),
        }
    }

    /// What holds if no ban does: grants, limits, approval.
    fn without_bans<T: Trace>(
        &self,
        c: &Circumstances<'_>,
        trace: &mut T,
    ) -> Result<RuleId, Refusal> {
        let rule = self.grants(c, trace)?;
        let Some((tool, arguments)) = self.call else {
            return Ok(rule);
        };
        // What the tool asks of every call, whichever grant let it in.
        if let Some(breach) = limits::of_tool(tool, arguments) {
            trace.record(Step::Breach { grant: None, breach });
            return Err((Reason::Limit, Some(rule)));
        }
        match tool.approval {
            None => Ok(rule),
            Some(_) => Err((Reason::ApprovalRequired, Some(rule))),
        }
    }

    /// The first grant that matches and whose own limits hold. Looking around ignores verbs and
    /// limits.
    fn grants<T: Trace>(&self, c: &Circumstances<'_>, trace: &mut T) -> Result<RuleId, Refusal> {
        let mut granted = None;
        let mut limited = None;
        for grant in self.server.grants() {
            let misses = self.misses(c, grant);
            trace.record(Step::Grant { rule: grant.rule, misses });
            if !misses.is_empty() || granted.is_some() {
                continue;
            }
            let breach = self.call.and_then(|(_, args)| limits::first(&grant.limits, args));
            if let Some(breach) = breach {
                trace.record(Step::Breach { grant: Some(grant.rule), breach });
                limited = limited.or(Some(grant.rule));
            } else {
                granted = Some(grant.rule);
                if !T::ON {
                    break;
                }
            }
        }
        match (granted, limited) {
            (Some(rule), _) => Ok(rule),
            (None, Some(rule)) => Err((Reason::Limit, Some(rule))),
            (None, None) => Err((Reason::NoGrant, None)),
        }
    }
}

/// A caller who may not even look around is refused at the door; one who may is refused this one
/// thing, and stays connected.
fn scope(set: &PolicySet, query: &Query<'_>, c: &Circumstances<'_>, reason: Reason) -> Scope {
    if reason < Reason::MethodUnknown {
        return Scope::Server;
    }
    let around = Query { action: Action::Discover(Discovery::ListTools), ..*query };
    let Ok(asked) = asked(set, &around, c, &mut NoTrace) else {
        return Scope::Server;
    };
    let outcome = asked.bans_and_grants(c, &mut NoTrace).map(|_| ());
    let enforced = outcome.or_else(|refusal| match shadow::enforced(&asked, c, refusal) {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(()),
    });
    match enforced {
        Ok(()) => Scope::Item,
        Err(()) => Scope::Server,
    }
}

/// The UTC day of an instant: reviews and grants end with whole days.
#[must_use]
pub fn utc_day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}
