//! From a request to an answer: what is asked, who asks, the decision, and how it is said.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Reply};
use super::credentials::{self, UserCredential};
use super::forward::{self, Identity};
use super::keys::Keys;
use super::request::{Incoming, Route};
use super::response::Metadata;
use super::{asked, refusal};
use crate::authn::svid;
use crate::config::{Config, METADATA_PREFIX};
use crate::engine::{self, Decision, NoTrace, Query, Reason, Verdict};
use crate::identity::{Caller, User, Workload};
use crate::mcp::{Action, Message};
use crate::policy::PolicySet;
use crate::policy::model::{PlaceKind, Server};

/// Everything that a request is decided with.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) config: Config,
    pub(super) policy: ArcSwap<PolicySet>,
    pub(super) keys: Arc<Keys>,
}

/// A refusal that is not the engine's.
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// For the log only.
    pub(super) detail: String,
    pub(super) reply: Reply,
}

/// What is known about a request by the time it is answered; for the log and for Envoy.
#[derive(Default)]
struct Facts {
    user: Option<String>,
    issuer: Option<String>,
    workload: Option<String>,
    surface: Option<String>,
    channel: Option<String>,
    method: Option<String>,
    tool: Option<String>,
    reason: Option<Reason>,
    rule: Option<String>,
    detail: Option<String>,
}

/// Texts in logs have no more bytes than this.
const MAX_LOGGED: usize = 256;

impl Edge {
    /// Answers a request.
    pub(super) fn check(&self, incoming: &Incoming<'_>, now: Timestamp) -> (Answer, Metadata) {
        let decision_id = Uuid::now_v7().to_string();
        let policy = self.policy.load();
        let mut facts = Facts::default();
        let answer = match self.answer(incoming, &policy, &decision_id, now, &mut facts) {
            Ok(answer) => answer,
            Err(refused) => {
                facts.reason = Some(refused.reason);
                facts.detail = Some(refused.detail).filter(|detail| !detail.is_empty());
                Answer::Refuse(refused.reply)
            }
        };
        let metadata = record(incoming, &policy, &decision_id, &answer, facts);
        (answer, metadata)
    }

    fn answer(
        &self,
        incoming: &Incoming<'_>,
        policy: &PolicySet,
        decision_id: &str,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Result<Answer, Refused> {
        let Incoming { route, headers, .. } = incoming;
        let say = refusal::Say { config: &self.config, route: *route, decision_id };
        asked::check_request_line(incoming, &self.config, &say)?;
        if route.path.starts_with(METADATA_PREFIX) {
            return self.metadata(incoming, policy, &say);
        }
        agree_on_route(*route, policy, &say)?;
        let message = asked::message(incoming, &say)?;
        let message = message.as_ref();
        let (action, era) = asked::action(incoming, message, &say)?;
        facts.method = Some(method(message, &action));
        let channel = asked::channel(headers, &say)?;

        let caller = self.caller(incoming, policy, now, &say, facts)?;
        let query = Query {
            server: route.server,
            environment: route.environment,
            caller: &caller,
            channel,
            action,
            now,
        };
        let decision = engine::decide(policy, &query, &mut NoTrace);
        facts.take_in(policy, &query, &decision);
        // What is enforced, not the verdict: in shadow a refusal is recorded and let through.
        if decision.enforced != Verdict::Allow {
            return Ok(Answer::Refuse(say.decision(policy, &query, &decision, message, era)));
        }
        let identity = Identity {
            user: caller.user.as_ref(),
            groups: policy.server(route.server).and_then(Server::forwarded_groups),
            workload: caller.workload.as_ref(),
            qualified: self.config.qualifies_users(),
            surface: facts.surface.as_deref().filter(|_| is_surface(policy, &decision)),
            channel: facts.channel.as_deref(),
            decision_id,
        };
        Ok(Answer::Allow(forward::forward(&identity, policy, headers, era)))
    }

    /// RFC 9728 metadata is answered here, so that no route needs to go without authorization.
    fn metadata(
        &self,
        incoming: &Incoming<'_>,
        policy: &PolicySet,
        say: &refusal::Say<'_>,
    ) -> Result<Answer, Refused> {
        let route = incoming.route;
        if incoming.method != "GET" || !incoming.body.is_empty() {
            return Err(say.method_not_allowed("GET"));
        }
        let environment = policy.environment(route.environment);
        let server = policy.server(route.server).zip(environment);
        let found = server.and_then(|(server, environment)| server.environment(environment));
        let found = found.ok_or_else(|| say.refused(Reason::ServerUnknown, "no such server"))?;
        let issuers: Vec<_> =
            self.config.issuers.iter().map(|issuer| &*issuer.issuer.issuer).collect();
        Ok(Answer::Refuse(Reply::document(&serde_json::json!({
            "resource": self.config.resource(&found.path),
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        }))))
    }

    /// Who asks. The order of the refusals is the order of the reasons.
    fn caller(
        &self,
        incoming: &Incoming<'_>,
        policy: &PolicySet,
        now: Timestamp,
        say: &refusal::Say<'_>,
        facts: &mut Facts,
    ) -> Result<Caller, Refused> {
        let workload = svid::workload(incoming.peer, &self.config.trust_domains, now);
        facts.workload = workload.as_ref().ok().and_then(|w| w.as_ref().map(Workload::to_string));
        let user = credentials::user(&incoming.headers, &self.config, &self.keys, policy, now);
        let user: Option<User> = match user {
            UserCredential::None => None,
            UserCredential::Invalid(error) => {
                return Err(say.unauthorized(Reason::TokenInvalid, error.to_string()));
            }
            UserCredential::Unavailable => {
                return Err(say.unavailable("the issuer's keys are not known"));
            }
            UserCredential::Verified(user) => Some(user),
        };
        facts.issuer = user.as_ref().map(|user| user.issuer.to_string());
        facts.user = user.as_ref().map(|user| user.subject.to_string());
        match (workload, user) {
            (Ok(workload), user) => Ok(Caller { user, workload }),
            // Without a token, an invalid workload is nobody's service: sign in first.
            (Err(error), None) => Err(say.unauthorized(Reason::Unauthenticated, error.to_string())),
            (Err(error), Some(_)) => Err(say.refused(Reason::WorkloadInvalid, &error.to_string())),
        }
    }
}

/// Envoy's route and the policy must be of one mind about where a server is. (A server that the
/// policy does not know is the engine's to refuse.)
fn agree_on_route(
    route: Route<'_>,
    policy: &PolicySet,
    say: &refusal::Say<'_>,
) -> Result<(), Refused> {
    let environment = policy.environment(route.environment);
    let server = policy.server(route.server).zip(environment);
    match server.and_then(|(server, environment)| server.environment(environment)) {
        Some(found) if *found.path != *route.path || *found.route != *route.hash => {
            Err(say.unavailable("Envoy's route is not the policy's"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A service is no surface, and is not named as one to upstreams.
fn is_surface(policy: &PolicySet, decision: &Decision) -> bool {
    let place = decision.place.and_then(|place| policy.place(place));
    place.is_some_and(|place| matches!(place.kind, PlaceKind::Surface { .. }))
}

fn method(message: Option<&Message<'_>>, action: &Action<'_>) -> String {
    match (message.and_then(Message::method), action) {
        // Names that nobody listed could be anything.
        (Some(_), Action::Unknown) => "other".to_owned(),
        (Some(method), _) => method.to_owned(),
        (None, Action::Discover(discovery)) => discovery.as_str().to_owned(),
        (
            None,
            Action::CallTool { .. }
            | Action::Resource { .. }
            | Action::Prompt { .. }
            | Action::Unknown,
        ) => "response".to_owned(),
    }
}

impl Facts {
    fn take_in(&mut self, policy: &PolicySet, query: &Query<'_>, decision: &Decision) {
        let place = decision.place.and_then(|place| policy.place(place));
        self.surface = place.map(|place| place.name.to_string());
        self.channel = place.zip(decision.channel).and_then(|(place, channel)| {
            place.channel(channel).map(|channel| channel.name.to_string())
        });
        if let Action::CallTool { name, .. } = query.action {
            let listed = policy.server(query.server).and_then(|server| server.tool(name));
            self.tool = Some(listed.map_or("other", |(_, tool)| &tool.name).to_owned());
        }
        self.reason = decision.reason;
        self.rule = decision.rule.and_then(|rule| policy.rule(rule)).map(ToString::to_string);
    }
}

/// Writes the decision to the log, and says the same to Envoy.
fn record(
    incoming: &Incoming<'_>,
    policy: &PolicySet,
    decision_id: &str,
    answer: &Answer,
    facts: Facts,
) -> Metadata {
    let Facts { user, issuer, workload, surface, channel, method, tool, reason, rule, detail } =
        facts;
    let verdict = match (answer, reason) {
        (Answer::Allow(_), _) => "allow",
        (Answer::Refuse(_), Some(_)) => "refuse",
        // Metadata: there was nothing to decide.
        (Answer::Refuse(_), None) => "answer",
    };
    let route = incoming.route;
    let mut metadata: Metadata = vec![
        ("decision_id", decision_id.to_owned()),
        ("verdict", verdict.to_owned()),
        ("server", route.server.to_owned()),
        ("environment", route.environment.to_owned()),
        ("policy", policy.digest().to_string()),
    ];
    let optional = [
        ("user", user),
        ("issuer", issuer),
        ("workload", workload),
        ("surface", surface),
        ("channel", channel),
        ("method", method),
        ("tool", tool),
        ("reason", reason.map(|reason| reason.as_str().to_owned())),
        ("rule", rule),
    ];
    for (name, value) in optional {
        metadata.extend(value.map(|value| (name, capped(&value))));
    }
    let get = |name: &str| {
        metadata.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    };
    tracing::info!(
        target: "toolgate::decision",
        decision_id,
        verdict,
        server = route.server,
        environment = route.environment,
        user = get("user"),
        issuer = get("issuer"),
        workload = get("workload"),
        surface = get("surface"),
        channel = get("channel"),
        method = get("method"),
        tool = get("tool"),
        reason = get("reason"),
        rule = get("rule"),
        detail,
        policy = policy.digest().short(),
    );
    metadata
}

/// Log texts are bounded, and printable ASCII.
fn capped(text: &str) -> String {
    text.escape_default().take(MAX_LOGGED).collect()
}
