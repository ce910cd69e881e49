//! THE DECISION: a pure function of policy set and query. No clock, no I/O, no async.
//!
//! Default deny; a ban beats every grant; order never matters. `serve`, `explain` and whatever
//! comes later call [`decide`]; there is no second evaluator. The [`Trace`] costs nothing when it
//! is off.

mod conditions;
mod limits;
mod reason;
mod trace;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::conditions::{BanMisses, ChannelState, GrantMisses};
pub use self::limits::Breach;
pub use self::reason::Reason;
pub use self::trace::{NoTrace, Recorder, ReviewState, Step, Trace};

use self::conditions::Circumstances;
use crate::identity::Caller;
use crate::json::Object;
use crate::mcp::Action;
use crate::policy::digest::Digest;
use crate::policy::model::{
    ChannelId, PlaceId, PolicySet, RuleId, Server, ServerEnvironment, Target, Tool,
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
    /// The answer.
    pub verdict: Verdict,
    /// Why not, unless it is allowed.
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

/// Decides a query.
pub fn decide<T: Trace>(set: &PolicySet, query: &Query<'_>, trace: &mut T) -> Decision {
    let place = set.place_of(query.caller.workload.as_ref());
    let circumstances = Circumstances::new(set, query, place);
    let outcome = evaluate(set, query, &circumstances, trace);
    let mut decision = Decision {
        verdict: Verdict::Deny,
        reason: None,
        scope: Scope::Server,
        rule: None,
        place,
        channel: match circumstances.channel {
            ChannelState::Known(channel) => Some(channel),
            ChannelState::NotUsed | ChannelState::Unknown | ChannelState::Other => None,
        },
        policy: set.digest(),
    };
    match outcome {
        Ok(rule) => {
            decision.verdict = Verdict::Allow;
            decision.rule = Some(rule);
        }
        Err((reason, rule)) => {
            if reason == Reason::ApprovalRequired {
                decision.verdict = Verdict::NeedsApproval;
            }
            decision.reason = Some(reason);
            decision.rule = rule;
            decision.scope = scope(set, query, &circumstances, reason);
        }
    }
    decision
}

/// The checks, in the order of the reasons: the first that applies is reported.
fn evaluate<T: Trace>(
    set: &PolicySet,
    query: &Query<'_>,
    c: &Circumstances<'_>,
    trace: &mut T,
) -> Result<RuleId, Refusal> {
    let server = set.server(query.server);
    let speaks_alone = server.is_some_and(|server| has_service_grant(server, c.place_id));
    if query.caller.user.is_none() && !speaks_alone {
        return Err((Reason::Unauthenticated, None));
    }
    let found = server.and_then(|server| Some((server, environment(set, server, query)?)));
    let (server, environment) = found.ok_or((Reason::ServerUnknown, None))?;
    reviews(set, environment, c.today, trace)?;
    surface(environment, c, trace)?;
    match query.action {
        Action::Unknown => Err((Reason::MethodUnknown, None)),
        Action::Discover(_) => discovery(set, server, environment, c, trace),
        Action::CallTool { name, arguments } => {
            let found = server.tool(name).ok_or(NOT_LISTED)?;
            let call = Some((Target::tool(found), arguments));
            let (_, tool) = found;
            bans(set, server, environment, c, Some(Target::tool(found)), trace)?;
            let rule = grants(server, environment, c, call, trace)?;
            tool_limits(tool, arguments, rule, trace)?;
            match tool.approval {
                None => Ok(rule),
                Some(_) => Err((Reason::ApprovalRequired, Some(rule))),
            }
        }
        Action::Resource { op: _, uri } => {
            let target = Target::resource(server.resource(uri).ok_or(NOT_LISTED)?);
            bans(set, server, environment, c, Some(target), trace)?;
            grants(server, environment, c, Some((target, &Object::EMPTY)), trace)
        }
        Action::Prompt { op: _, name } => {
            let target = Target::prompt(server.prompt(name).ok_or(NOT_LISTED)?);
            bans(set, server, environment, c, Some(target), trace)?;
            grants(server, environment, c, Some((target, &Object::EMPTY)), trace)
        }
    }
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

/// Opening a session and looking around: no ban on everything, and one live grant.
fn discovery<T: Trace>(
    set: &PolicySet,
    server: &Server,
    environment: &ServerEnvironment,
    c: &Circumstances<'_>,
    trace: &mut T,
) -> Result<RuleId, Refusal> {
    bans(set, server, environment, c, None, trace)?;
    grants(server, environment, c, None, trace)
}

/// Fails with the first ban that matches; `target` is `None` for discovery.
fn bans<T: Trace>(
    set: &PolicySet,
    server: &Server,
    environment: &ServerEnvironment,
    c: &Circumstances<'_>,
    target: Option<Target<'_>>,
    trace: &mut T,
) -> Result<(), Refusal> {
    let mut banned = None;
    for ban in set.guardrails().iter().chain(server.bans()) {
        let misses = c.ban_misses(ban, server, environment.id, target);
        trace.record(Step::Ban { rule: ban.rule, misses });
        if misses.is_empty() && banned.is_none() {
            banned = Some(ban.rule);
            if !T::ON {
                break;
            }
        }
    }
    banned.map_or(Ok(()), |rule| Err((Reason::Banned, Some(rule))))
}

/// The first grant that matches and whose own limits hold; `call` is `None` for discovery, which
/// ignores verbs and limits.
fn grants<T: Trace>(
    server: &Server,
    environment: &ServerEnvironment,
    c: &Circumstances<'_>,
    call: Option<(Target<'_>, &Object<'_>)>,
    trace: &mut T,
) -> Result<RuleId, Refusal> {
    let mut granted = None;
    let mut limited = None;
    for grant in server.grants() {
        let misses = c.grant_misses(grant, environment.id, call.map(|(target, _)| target));
        trace.record(Step::Grant { rule: grant.rule, misses });
        if !misses.is_empty() || granted.is_some() {
            continue;
        }
        let breach = call.and_then(|(_, arguments)| limits::first(&grant.limits, arguments));
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

/// What the tool asks of every call, whichever grant let it in.
fn tool_limits<T: Trace>(
    tool: &Tool,
    arguments: &Object<'_>,
    granted: RuleId,
    trace: &mut T,
) -> Result<(), Refusal> {
    let Some(breach) = limits::of_tool(tool, arguments) else {
        return Ok(());
    };
    trace.record(Step::Breach { grant: None, breach });
    Err((Reason::Limit, Some(granted)))
}

/// A caller who may not even look around is refused at the door; one who may is refused this one
/// thing, and stays connected.
fn scope(set: &PolicySet, query: &Query<'_>, c: &Circumstances<'_>, reason: Reason) -> Scope {
    if reason < Reason::MethodUnknown {
        return Scope::Server;
    }
    let Some(server) = set.server(query.server) else {
        return Scope::Server;
    };
    let Some(environment) = environment(set, server, query) else {
        return Scope::Server;
    };
    match discovery(set, server, environment, c, &mut NoTrace) {
        Ok(_) => Scope::Item,
        Err(_) => Scope::Server,
    }
}

/// The UTC day of an instant: reviews and grants end with whole days.
#[must_use]
pub fn utc_day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}
