//! From a request to an answer: what is asked, who asks, the decision, and how it is said.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Reply};
use super::credentials::{UserCredential, Verifier};
use super::ext_proc;
use super::forward::{self, Identity};
use super::keys::Keys;
use super::live::{Agreement, Live};
use super::record::{ArgumentsKey, Facts, OTHER, Outcome};
use super::request::{Headers, Incoming};
use super::sessions::{self, Owner, OwnerKey, SessionKey};
use super::status::Status;
use super::tokens::Tokens;
use super::trust::Trust;
use super::workload::{self, WorkloadError, WorkloadVerifier};
use super::{asked, refusal};
use crate::authn::revocation::Revocations;
use crate::authn::token::Circumstances;
use crate::config::{Config, METADATA_PREFIX};
use crate::engine::{self, Decision, NoTrace, Query, Reason, Verdict};
use crate::identity::{Caller, User};
use crate::mcp::{Action, Discovery, Era, Message};
use crate::policy::PolicySet;
use crate::policy::model::{PlaceKind, Server};
use crate::telemetry::{DecisionLog, Metrics};

/// Everything that a request is decided with, and everything that is kept of it.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) config: Config,
    pub(super) live: ArcSwap<Live>,
    pub(super) keys: Arc<Keys>,
    pub(super) trust: Trust,
    pub(super) tokens: Tokens,
    pub(super) revocations: ArcSwap<Revocations>,
    pub(super) status: Status,
    pub(super) log: DecisionLog,
    pub(super) metrics: Metrics,
    pub(super) arguments_key: ArgumentsKey,
    pub(super) session_key: SessionKey,
}

/// A refusal that is not the engine's.
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// For the log only.
    pub(super) detail: String,
    pub(super) reply: Reply,
}

/// When a request came, by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) now: Timestamp,
    pub(super) began: Instant,
}

impl Edge {
    /// Brings a policy set into force, and returns what was in force until now.
    pub(super) fn replace(&self, policy: PolicySet) -> Arc<Live> {
        let next = self.live.load().followed_by(policy, Instant::now());
        let next = Arc::new(next);
        let former = self.live.swap(Arc::clone(&next));
        let policy = &next.policy;
        self.metrics.retain(|named, environment, tool| {
            let environment = policy.environment(environment);
            let server = policy
                .server(named)
                .zip(environment)
                .filter(|(server, environment)| server.environment(*environment).is_some());
            let any = tool == OTHER || tool.is_empty();
            named == OTHER || server.is_some_and(|(server, _)| any || server.tool(tool).is_some())
        });
        former
    }

    /// Whether whatever may be presented can be verified.
    pub(super) fn knows_all_keys(&self) -> bool {
        self.keys.missing().is_empty() && self.trust.is_known(Instant::now())
    }

    /// Answers a request, under one policy set.
    pub(super) fn check(
        &self,
        live: &Live,
        incoming: &Incoming<'_>,
        Asked { now, began }: Asked,
    ) -> Outcome {
        let decision_id = Uuid::now_v7().to_string();
        let mut facts = Facts::new(decision_id.clone(), incoming.route, &live.policy, now);
        let answer = match self.answer(incoming, live, &decision_id, now, &mut facts) {
            Ok(answer) => answer,
            Err(refused) => {
                facts.refused(refused.reason, &refused.detail);
                Answer::Refuse(refused.reply)
            }
        };
        facts.into_outcome(answer, began.elapsed())
    }

    fn answer(
        &self,
        incoming: &Incoming<'_>,
        live: &Live,
        decision_id: &str,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Result<Answer, Refused> {
        let Incoming { route, headers, .. } = incoming;
        let policy = &live.policy;
        let say = refusal::Say { config: &self.config, route: *route, decision_id };
        asked::check_request_line(incoming, &self.config, &say)?;
        if route.path.starts_with(METADATA_PREFIX) {
            return self.metadata(incoming, policy, &say);
        }
        if live.agrees_on(*route, Instant::now) == Agreement::Foreign {
            return Err(say.unavailable("Envoy's route is not the policy's"));
        }
        let read = asked::message(incoming, &say, &self.config.compatibility)?;
        let message = read.as_ref().map(|(message, _)| message);
        let (action, era, unmirrored) = asked::action(incoming, message, &say)?;
        facts.put_up_with(read.as_ref().and_then(|(_, violation)| *violation).or(unmirrored));
        facts.method(message, &action, policy.server(route.server));
        let channel = asked::channel(headers, &say)?;

        let caller = self.caller(incoming, live, now, &say, facts)?;
        let query = Query {
            server: route.server,
            environment: route.environment,
            caller: &caller,
            channel,
            action,
            now,
        };
        let decision = engine::decide(policy, &query, &mut NoTrace);
        facts.decided(policy, &query, &decision, &self.arguments_key, &self.config.policies);
        // What is enforced, not the verdict: in shadow a refusal is recorded and let through.
        if decision.enforced != Verdict::Allow {
            return Ok(Answer::Refuse(say.decision(policy, &query, &decision, message, era)));
        }
        let owner = || {
            let Query { server, environment, caller, .. } = query;
            self.session_key.of(&Owner { server, environment, caller })
        };
        let session = session(headers, &query, era, owner, || {
            say.no_such_session(message.and_then(Message::id))
        })?;
        if matches!(query.action, Action::Discover(Discovery::Respond)) && session.is_none() {
            return Err(say.refused(Reason::MethodUnknown, "a response outside of a session"));
        }
        let replay = asked::resumes(headers);
        let asked = ext_proc::Asked { policy, query: &query, message, era, replay, decision_id };
        let plan = ext_proc::plan(&asked, owner);
        // Nobody would look at the answer: an Envoy that runs with an older listener.
        if plan.route().is_some() && !incoming.answers_return {
            return Err(say.unavailable("Envoy's listener does not bring answers to Toolgate"));
        }
        let identity = Identity {
            user: caller.user.as_deref(),
            groups: policy.server(route.server).and_then(Server::forwarded_groups),
            workload: caller.workload.as_ref(),
            qualified: self.config.qualifies_users(),
            surface: facts.surface().filter(|_| is_surface(policy, &decision)),
            channel: facts.channel(),
            workload_header: self.config.workload_header(),
            forward_token: policy.server(route.server).is_some_and(Server::forwards_token),
            decision_id,
            answer: plan.route(),
            session,
        };
        let forward = forward::forward(&identity, policy, headers, era);
        // Not a 401: another token of the same person would not fit either.
        let too_large = || {
            let detail = "the identity does not fit into headers; see `forward_groups`";
            say.refused(Reason::TokenInvalid, detail)
        };
        Ok(Answer::Allow(forward.ok_or_else(too_large)?, plan))
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
        let found = server.and_then(|(server, id)| Some((server, server.environment(id)?)));
        let (server, here) =
            found.ok_or_else(|| say.refused(Reason::ServerUnknown, "no such server"))?;
        let issuers: Vec<_> =
            self.config.issuers.iter().map(|issuer| &*issuer.issuer.issuer).collect();
        let public = self.config.resource(&here.path);
        let mut document = serde_json::json!({
            "resource": server.own_resource().unwrap_or(&public),
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        let scopes = server.scopes(here.id);
        if let (false, Some(document)) = (scopes.is_empty(), document.as_object_mut()) {
            document.insert("scopes_supported".to_owned(), scopes.into_iter().collect());
        }
        Ok(Answer::Refuse(Reply::document(&document)))
    }

    /// Who asks. The order of the refusals is the order of the reasons.
    fn caller(
        &self,
        incoming: &Incoming<'_>,
        live: &Live,
        now: Timestamp,
        say: &refusal::Say<'_>,
        facts: &mut Facts,
    ) -> Result<Caller, Refused> {
        let policy = &live.policy;
        let workloads = WorkloadVerifier {
            config: &self.config,
            bundles: self.trust.jwt(Instant::now()),
            authorities: self.trust.x509(Instant::now()),
            leaves: self.trust.leaves(),
            now,
        };
        let peer = workloads.peer(incoming.peer, &incoming.headers);
        facts.workload(peer.as_ref().ok().and_then(Option::as_ref));
        let verifier = Verifier {
            config: &self.config,
            keys: &self.keys,
            tokens: &self.tokens,
            revocations: &self.revocations.load(),
        };
        let here = Circumstances {
            now,
            resource: policy.server(incoming.route.server).and_then(Server::own_resource),
            certificate: &|| workloads.fingerprint(incoming.peer),
        };
        let mut bearer = None;
        let user: Option<Arc<User>> = match verifier.user(&incoming.headers, &here, live) {
            UserCredential::None => None,
            UserCredential::Invalid(error, unknown) => {
                facts.unknown_key(unknown);
                return Err(say.unauthorized(Reason::TokenInvalid, error.to_string()));
            }
            UserCredential::Unavailable => {
                return Err(say.unavailable("the issuer's keys are not known"));
            }
            UserCredential::JwtSvid(token) => match workloads.jwt_svid(token) {
                Ok(workload) => {
                    bearer = Some(workload);
                    None
                }
                Err(WorkloadError::Unavailable) => {
                    return Err(say.unavailable(&WorkloadError::Unavailable.to_string()));
                }
                Err(error) => {
                    return Err(say.unauthorized(Reason::TokenInvalid, error.to_string()));
                }
            },
            UserCredential::Verified(user) => Some(user),
        };
        if let Some(user) = &user {
            facts.user(user, incoming.route.server, policy);
        }
        let header = workloads.header(&incoming.headers);
        let workload = workload::agreed([peer, Ok(bearer), header]);
        facts.workload(workload.as_ref().ok().and_then(Option::as_ref));
        match (workload, user) {
            (Ok(proved), user) => {
                Ok(Caller { user, workload: proved.map(|proved| proved.workload) })
            }
            (Err(error @ WorkloadError::Unavailable), _) => {
                Err(say.unavailable(&error.to_string()))
            }
            // Each of them holds: signing in would not help.
            (Err(error @ WorkloadError::Disagree), _) | (Err(error), Some(_)) => {
                Err(say.refused(Reason::WorkloadInvalid, &error.to_string()))
            }
            // Without a token, an invalid workload is nobody's service: sign in first.
            (Err(error), None) => Err(say.unauthorized(Reason::Unauthenticated, error.to_string())),
        }
    }
}

/// The server's name of the session that a request is part of. A session that is not the caller's,
/// or was not opened here, is none.
fn session<'r>(
    headers: &Headers<'r>,
    query: &Query<'_>,
    era: Era,
    owner: impl FnOnce() -> OwnerKey,
    none: impl Fn() -> Refused,
) -> Result<Option<&'r str>, Refused> {
    // A new one begins; or there are no sessions.
    let opens = matches!(query.action, Action::Discover(Discovery::Initialize));
    if opens || era == Era::Modern {
        return Ok(None);
    }
    match headers.once(sessions::HEADER) {
        Ok(None) => Ok(None),
        Ok(Some(bound)) => owner().open(bound).map(Some).ok_or_else(none),
        Err(_) => Err(none()),
    }
}

/// A service is no surface, and is not named as one to upstreams.
fn is_surface(policy: &PolicySet, decision: &Decision) -> bool {
    let place = decision.place.and_then(|place| policy.place(place));
    place.is_some_and(|place| matches!(place.kind, PlaceKind::Surface { .. }))
}
