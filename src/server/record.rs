//! What is known about a request by the time it is answered: for the decision record, for Envoy's
//! access log, and for the metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::answer::Answer;
use super::keys::UnknownKey;
use super::request::Route;
use super::workload::Proved;
use crate::authn::Proof;
use crate::engine::{self, Decision as Decided, Query, Reason, Verdict};
use crate::identity::{Actor, Groups, User};
use crate::json::Object;
use crate::mcp::{Action, Message, Uris, Violation};
use crate::policy::PolicySet;
use crate::policy::digest::hex;
use crate::policy::model::{Server, Tool};
use crate::record::{self, Arguments, Decision, Rule, text};

/// A request is a kilobyte or two; its key never leaves the process.
pub(super) const KEY_BYTES: usize = 32;

/// What stands for a name that no policy lists: it could be anything.
pub(super) const OTHER: &str = "other";

/// Makes the digests of arguments.
#[derive(Clone)]
pub(super) struct ArgumentsKey(Hmac<Sha256>);

impl ArgumentsKey {
    /// A key of at least [`KEY_BYTES`].
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        if key.len() < KEY_BYTES {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// One spelling of the arguments for all that say the same: blanks and escapes are the client's
    /// whim.
    fn digest(&self, arguments: &Object<'_>) -> String {
        let mut mac = self.0.clone();
        mac.update(arguments.to_canonical().as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

impl std::fmt::Debug for ArgumentsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArgumentsKey(..)")
    }
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    record: Decision,
    /// For the metrics: what the call saves, if the tool is called.
    minutes_saved: Option<u32>,
    audit_required: bool,
    unknown_key: Option<UnknownKey>,
    put_up_with: Option<Violation>,
}

/// A request that has been decided, and what is to be kept of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) record: Arc<Decision>,
    /// The request is refused rather than its record lost.
    pub(super) audit_required: bool,
    pub(super) minutes_saved: Option<u32>,
    /// The request was refused for this alone: a later look may find the key.
    pub(super) unknown_key: Option<UnknownKey>,
    /// The violation of the protocol that was put up with.
    pub(super) put_up_with: Option<Violation>,
}

impl Facts {
    /// Begins with what the route says. Only Envoy's configuration can write that; what the policy
    /// does not know is an older configuration's.
    pub(super) fn new(id: String, route: Route<'_>, policy: &PolicySet, now: Timestamp) -> Self {
        let (server, environment) = match policy.server(route.server) {
            Some(server) => (&*server.name, route.environment),
            None => (OTHER, OTHER),
        };
        let known = policy.environment(environment).is_some();
        Self {
            record: Decision {
                id,
                time: Some(prost_types::Timestamp {
                    seconds: now.as_second(),
                    nanos: now.subsec_nanosecond(),
                }),
                policy: policy.digest().to_string(),
                server: server.to_owned(),
                environment: if known { environment } else { OTHER }.to_owned(),
                ..Decision::default()
            },
            minutes_saved: None,
            audit_required: policy.server(route.server).is_some_and(|server| server.audit_required),
            unknown_key: None,
            put_up_with: None,
        }
    }

    /// The request breaks the protocol in a way that is put up with.
    pub(super) fn put_up_with(&mut self, violation: Option<Violation>) {
        self.put_up_with = violation;
        if let Some(violation) = violation {
            self.record.detail = format!("compatibility: {}", violation.as_str());
        }
    }

    /// `server` says which methods of extensions there are.
    pub(super) fn method(
        &mut self,
        message: Option<&Message<'_>>,
        action: &Action<'_>,
        server: Option<&Server>,
    ) {
        let known = |method: &str| server.is_some_and(|server| server.lets_through(method));
        self.record.method = match (message.and_then(Message::method), action) {
            (Some(_), Action::Unknown) => OTHER.to_owned(),
            (Some(_), Action::Extension(method)) if !known(method) => OTHER.to_owned(),
            (Some(method), _) => text(method),
            (None, Action::Discover(discovery)) => discovery.as_str().to_owned(),
            (
                None,
                Action::CallTool { .. }
                | Action::Resource { .. }
                | Action::Prompt { .. }
                | Action::Listen(_)
                | Action::Task { .. }
                | Action::Extension(_)
                | Action::Unknown,
            ) => "response".to_owned(),
        };
    }

    /// The token names a key that its issuer has not told us of.
    pub(super) fn unknown_key(&mut self, key: Option<UnknownKey>) {
        self.unknown_key = key;
    }

    pub(super) fn workload(&mut self, proved: Option<&Proved>) {
        let workload = proved.map_or("", |proved| proved.workload.as_str());
        // It is told twice of most.
        if self.record.workload != workload {
            self.record.workload = text(workload);
        }
        self.record.workload_proof = match proved.map(|proved| proved.proof) {
            None => record::WorkloadProof::Unspecified,
            Some(Proof::Certificate) => record::WorkloadProof::Certificate,
            Some(Proof::JwtSvid) => record::WorkloadProof::JwtSvid,
            Some(Proof::Principal) => record::WorkloadProof::Principal,
            Some(Proof::Xfcc) => record::WorkloadProof::Xfcc,
        }
        .into();
    }

    /// Of the person's groups, those that matter on the server.
    pub(super) fn user(&mut self, user: &User, server: &str, policy: &PolicySet) {
        let User {
            issuer,
            subject,
            groups,
            email: _,
            preferred_username: _,
            client,
            tenant: _,
            scopes: _,
            actors,
        } = user;
        let matters = policy.server(server).map(|server| &server.named_groups);
        let names = match (groups, matters) {
            (Groups::Known(groups), Some(matters)) => groups
                .iter()
                .filter(|group| matters.contains(*group))
                .map(|group| text(policy.group_name(group)))
                .collect(),
            (Groups::Unknown, _) | (Groups::Known(_), None) => Vec::new(),
        };
        self.record.user = Some(record::User {
            issuer: text(issuer),
            subject: text(subject),
            client: client.as_deref().map(text).unwrap_or_default(),
            groups: names,
            groups_known: matches!(groups, Groups::Known(_)),
            actors: actors.iter().map(actor).collect(),
        });
    }

    /// What the engine says.
    pub(super) fn decided(
        &mut self,
        policy: &PolicySet,
        query: &Query<'_>,
        decision: &Decided,
        key: &ArgumentsKey,
        policies: &Path,
    ) {
        let place = decision.place.and_then(|place| policy.place(place));
        self.record.surface = place.map(|place| place.name.to_string()).unwrap_or_default();
        let channel = place.zip(decision.channel);
        let channel = channel.and_then(|(place, channel)| place.channel(channel));
        self.record.channel = channel.map(|channel| text(&channel.name)).unwrap_or_default();
        let server = policy.server(query.server);
        match query.action {
            Action::CallTool { name, arguments, task: _ } => {
                let listed = server.and_then(|server| server.tool(name));
                let name = listed.map_or(OTHER, |(_, tool)| &*tool.name);
                name.clone_into(&mut self.record.tool);
                // Whoever is nobody could have a megabyte digested for nothing.
                if query.caller.user.is_some() || decision.verdict == Verdict::Allow {
                    self.record.arguments = Some(Arguments {
                        digest: key.digest(arguments),
                        named: listed.map(|(_, tool)| named(tool, arguments)).unwrap_or_default(),
                    });
                }
                let called = listed.filter(|_| decision.enforced == Verdict::Allow);
                self.minutes_saved = called.map(|(_, tool)| tool.minutes_saved);
            }
            Action::Resource { op: _, uri } => {
                let listed = server.and_then(|server| server.resource(uri));
                let pattern = listed.map(|(_, resource)| resource.pattern.to_string());
                self.record.resource = pattern.unwrap_or_else(|| OTHER.to_owned());
            }
            Action::Prompt { op: _, name } => {
                let listed = server.and_then(|server| server.prompt(name));
                let name = listed.map_or(OTHER, |(_, prompt)| &*prompt.name);
                name.clone_into(&mut self.record.prompt);
            }
            Action::Listen(uris) => {
                self.record.resource = listened(server, uris, decision, || {
                    engine::refused_subscription(policy, query, decision)
                });
            }
            Action::Discover(_) | Action::Task { .. } | Action::Extension(_) | Action::Unknown => {}
        }
        let reason = decision.reason.map(Reason::as_str).unwrap_or_default();
        reason.clone_into(&mut self.record.reason);
        let rule = decision.rule.and_then(|rule| policy.rule(rule));
        self.record.rule = rule.map(|rule| Rule {
            name: rule.name.to_string(),
            file: relative(rule.file, policies),
            line: rule.line,
        });
        self.record.verdict = match decision.verdict {
            Verdict::Allow => record::Verdict::Allow,
            Verdict::Deny => record::Verdict::Refuse,
            Verdict::NeedsApproval => record::Verdict::NeedsApproval,
        }
        .into();
    }

    /// Refused by the edge, before the engine was asked.
    pub(super) fn refused(&mut self, reason: Reason, detail: &str) {
        self.record.verdict = record::Verdict::Refuse.into();
        // Whatever had allowed it, it is not let through.
        (self.record.rule, self.minutes_saved) = (None, None);
        reason.as_str().clone_into(&mut self.record.reason);
        self.record.detail = text(detail);
    }

    pub(super) fn surface(&self) -> Option<&str> {
        Some(self.record.surface.as_str()).filter(|surface| !surface.is_empty())
    }

    pub(super) fn channel(&self) -> Option<&str> {
        Some(self.record.channel.as_str()).filter(|channel| !channel.is_empty())
    }

    /// All that is to be kept, now that there is an answer.
    pub(super) fn into_outcome(self, answer: Answer, latency: Duration) -> Outcome {
        let Self { mut record, minutes_saved, audit_required, unknown_key, put_up_with } = self;
        record.enforced = match (&answer, record.reason.is_empty()) {
            (Answer::Allow(..), _) => record::Verdict::Allow,
            (Answer::Refuse(_), false) => record::Verdict::Refuse,
            // Metadata: there was nothing to decide.
            (Answer::Refuse(_), true) => record::Verdict::Answer,
        }
        .into();
        if record.verdict == i32::from(record::Verdict::Unspecified) {
            record.verdict = record.enforced;
        }
        record.latency = prost_types::Duration::try_from(latency).ok();
        let record = Arc::new(record);
        Outcome { answer, record, audit_required, minutes_saved, unknown_key, put_up_with }
    }
}

/// A file of the policies, as it is named there.
fn relative(file: &Path, policies: &Path) -> String {
    // As for most: without taking the paths apart.
    let texts = file.to_str().zip(policies.to_str());
    let rest = texts.and_then(|(file, policies)| file.strip_prefix(policies)?.strip_prefix('/'));
    match rest {
        Some(rest) if !rest.starts_with('/') => rest.to_owned(),
        Some(_) | None => file.strip_prefix(policies).unwrap_or(file).display().to_string(),
    }
}

/// The patterns that a subscription names, with blanks between them; of one that is refused, the
/// one that it is refused for.
fn listened<'q>(
    server: Option<&Server>,
    uris: Uris<'q>,
    decision: &Decided,
    refused: impl FnOnce() -> Option<&'q str>,
) -> String {
    let pattern = |uri: &str| {
        let listed = server.and_then(|server| server.resource(uri));
        listed.map_or_else(|| OTHER.to_owned(), |(_, resource)| resource.pattern.to_string())
    };
    if decision.enforced != Verdict::Allow {
        return refused().map(pattern).unwrap_or_default();
    }
    let patterns: BTreeSet<_> = uris.iter().map(pattern).collect();
    text(&patterns.into_iter().collect::<Vec<_>>().join(" "))
}

/// Both halves are escaped: `|` stands between them only.
fn actor(actor: &Actor) -> String {
    let Actor { issuer, subject } = actor;
    let half = |half: &str| half.replace('%', "%25").replace('|', "%7C");
    match issuer {
        Some(issuer) => text(&format!("{}|{}", half(issuer), half(subject))),
        None => text(&half(subject)),
    }
}

/// The arguments that the policy asks for, as JSON text by pointer.
fn named(tool: &Tool, arguments: &Object<'_>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for pointer in &tool.log_args {
        let found: Vec<_> = pointer
            .values(arguments)
            .into_iter()
            .map(|value| text(&value.to_canonical()))
            .collect();
        match found.as_slice() {
            [] => {}
            [one] => {
                named.insert(pointer.to_string(), one.clone());
            }
            several => {
                named.insert(pointer.to_string(), text(&format!("[{}]", several.join(","))));
            }
        }
    }
    named
}

/// The same for Envoy's access log and later filters, as text by name.
pub(super) struct Told<'d> {
    record: &'d Decision,
    /// It found no room, and the request is refused.
    unrecorded: bool,
}

impl<'d> Told<'d> {
    pub(super) fn of(record: &'d Decision) -> Self {
        Self { record, unrecorded: false }
    }

    /// What Envoy is told of a request that is refused because its record found no room.
    pub(super) fn unrecorded(record: &'d Decision) -> Self {
        Self { record, unrecorded: true }
    }

    /// Tells every name that has a value, with it.
    pub(super) fn each(&self, mut tell: impl FnMut(&'static str, &str)) {
        let Self { record, unrecorded } = *self;
        let Decision {
            id,
            time: _,
            latency: _,
            policy,
            verdict: _,
            enforced: _,
            reason,
            rule,
            detail: _,
            server,
            environment,
            method,
            tool,
            arguments: _,
            resource,
            prompt,
            user,
            workload,
            workload_proof: _,
            surface,
            channel,
        } = record;
        let rule = rule.as_ref();
        let rule = rule.map(|Rule { name, file, line }| {
            [name, " (", file, ":", &line.to_string(), ")"].concat()
        });
        let (issuer, user) = match user {
            Some(user) => (user.issuer.as_str(), user.subject.as_str()),
            None => ("", ""),
        };
        let unavailable = Reason::Unavailable.as_str();
        let fields = [
            ("decision_id", id.as_str()),
            ("verdict", if unrecorded { "refuse" } else { enforced(record) }),
            ("server", server),
            ("environment", environment),
            ("policy", policy),
            ("user", user),
            ("issuer", issuer),
            ("workload", workload),
            ("surface", surface),
            ("channel", channel),
            ("method", method),
            ("tool", tool),
            ("resource", resource),
            ("prompt", prompt),
            ("reason", if unrecorded { unavailable } else { reason }),
            ("rule", rule.as_deref().unwrap_or_default()),
        ];
        for (name, value) in fields {
            if !value.is_empty() {
                tell(name, value);
            }
        }
    }
}

/// How a record is counted.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) outcome: &'static str,
    pub(super) reason: &'static str,
}

impl Counted {
    /// What a request comes to if its record finds no room.
    pub(super) fn unrecorded() -> Self {
        Self { outcome: "refuse", reason: Reason::Unavailable.as_str() }
    }

    pub(super) fn of(record: &Decision) -> Self {
        let reason = Reason::ALL.iter().find(|reason| reason.as_str() == record.reason);
        Self { outcome: enforced(record), reason: reason.map_or("", |reason| reason.as_str()) }
    }
}

fn enforced(record: &Decision) -> &'static str {
    match record::Verdict::try_from(record.enforced) {
        Ok(record::Verdict::Allow) => "allow",
        Ok(record::Verdict::Answer) => "answer",
        Ok(
            record::Verdict::Refuse | record::Verdict::NeedsApproval | record::Verdict::Unspecified,
        )
        | Err(_) => "refuse",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    #[test]
    fn arguments_that_say_the_same_have_one_digest_under_one_key() {
        let digest = |key: u8, text: &str| {
            let value = parse(text.as_bytes(), Limits { max_depth: 8, guarded_keys: &[] }).unwrap();
            ArgumentsKey::new(&[key; 32]).unwrap().digest(value.as_object().unwrap())
        };
        let usual = digest(1, r#"{"sql":"select 1","limit":5}"#);
        assert_eq!(usual.len(), 64);
        assert_eq!(usual, digest(1, r#" { "limit" : 5, "sql" : "select\u00201" } "#));
        assert_ne!(usual, digest(2, r#"{"sql":"select 1","limit":5}"#));
        assert_ne!(usual, digest(1, r#"{"sql":"select 1","limit":50}"#));
        assert!(ArgumentsKey::new(&[1; 31]).is_none(), "a short key could be guessed");
    }
}
