//! How each part is doing, for `/readyz`, `/status` and the metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::edge::Edge;
use super::keys::{Age, KeysStatus, KnownKeys};
use super::reload::Problems;
use crate::policy::PolicySet;
use crate::policy::digest::Digest;
use crate::telemetry::{Observed, Revoked, SinkState};

/// Texts of problems are shown up to this many bytes.
const MAX_SHOWN: usize = 64 * 1024;

/// The policy directory and the deny-list are looked at more often than this.
const STALE: Duration = Duration::from_secs(60);

/// What changes while the process runs, and is not known elsewhere.
#[derive(Debug)]
pub(super) struct Status {
    started: Timestamp,
    policy: Mutex<PolicyStatus>,
    envoy: Mutex<EnvoyStatus>,
    revoked: Mutex<Option<RevokedStatus>>,
    /// Seconds since the epoch.
    looked: AtomicI64,
    /// The same, by a clock that nobody sets.
    looked_at: Mutex<Instant>,
    good: AtomicU64,
    bad: AtomicU64,
    amended: AtomicU64,
}

#[derive(Clone, Debug)]
struct PolicyStatus {
    digest: Digest,
    servers: usize,
    loaded: Timestamp,
    /// Bans in force that come from sets that are not.
    bans: usize,
    trouble: Option<Trouble>,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: Timestamp,
    problems: Problems,
}

/// The deny-list.
#[derive(Clone, Debug)]
struct RevokedStatus {
    tokens: usize,
    users: usize,
    trouble: Option<Trouble>,
    looked_at: Instant,
}

/// Whether Envoy's files are as the policies say.
#[derive(Clone, Debug)]
enum EnvoyStatus {
    NotOurs,
    InStep,
    Behind(String),
}

/// How a part is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// As it should.
    Ok,
    /// Something wants attention; requests are decided all the same.
    Degraded,
    /// Requests are refused.
    Down,
}

/// One part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) reason: String,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }

    /// As a word about the whole process.
    pub(super) fn overall(self) -> &'static str {
        match self {
            Self::Ok => "ready",
            Self::Degraded => "degraded",
            Self::Down => "not ready",
        }
    }
}

impl Problems {
    fn shown(mut self) -> Self {
        if self.text.len() > MAX_SHOWN {
            self.text = self.text.chars().take(MAX_SHOWN / 4).collect();
        }
        self
    }
}

impl Trouble {
    fn json(&self) -> Value {
        let Self { since, problems: Problems { count, text } } = self;
        json!({ "since": since.to_string(), "count": count, "text": text })
    }
}

impl RevokedStatus {
    fn part(&self) -> Part {
        let Self { tokens, users, trouble, looked_at } = self;
        let denied = format!("{tokens} tokens and {users} users");
        let ago = looked_at.elapsed();
        if ago > STALE {
            let ago = ago.as_secs();
            let reason = format!("nobody has looked at the file for {ago} s: {denied} stay denied");
            return Part::degraded("deny-list", &reason);
        }
        let Some(Trouble { since, problems }) = trouble else {
            return Part::ok("deny-list", &denied);
        };
        let reason = format!(
            "{} problems since {since:.0}; {denied} stay denied (`toolgate status` shows them)",
            problems.count
        );
        Part::degraded("deny-list", &reason)
    }
}

impl Part {
    fn ok(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), state: State::Ok, reason: reason.to_owned() }
    }

    fn degraded(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), state: State::Degraded, reason: reason.to_owned() }
    }
}

/// The state of the whole: that of the worst part.
pub(super) fn overall(parts: &[Part]) -> State {
    parts.iter().map(|part| part.state).max().unwrap_or(State::Ok)
}

impl Status {
    /// `revoked`: how many tokens and users are denied, if there is a deny-list.
    pub(super) fn new(policy: &PolicySet, revoked: Option<(usize, usize)>, now: Timestamp) -> Self {
        let zero = AtomicU64::default;
        let looked_at = Instant::now();
        let revoked = revoked.map(|(tokens, users)| RevokedStatus {
            tokens,
            users,
            trouble: None,
            looked_at,
        });
        Self {
            started: now,
            policy: Mutex::new(PolicyStatus {
                digest: policy.digest(),
                servers: policy.servers_count(),
                loaded: now,
                bans: 0,
                trouble: None,
            }),
            envoy: Mutex::new(EnvoyStatus::NotOurs),
            revoked: Mutex::new(revoked),
            looked: AtomicI64::new(now.as_second()),
            looked_at: Mutex::new(looked_at),
            good: zero(),
            bad: zero(),
            amended: zero(),
        }
    }

    fn policy(&self) -> MutexGuard<'_, PolicyStatus> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn envoy(&self) -> MutexGuard<'_, EnvoyStatus> {
        self.envoy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy directory was looked at.
    pub(super) fn looked(&self) {
        self.looked.store(Timestamp::now().as_second(), Ordering::Relaxed);
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// A good set is coming into force.
    pub(super) fn good(&self, set: &PolicySet) {
        self.good.fetch_add(1, Ordering::Relaxed);
        let mut policy = self.policy();
        *policy = PolicyStatus {
            digest: set.digest(),
            servers: set.servers_count(),
            loaded: Timestamp::now(),
            bans: 0,
            trouble: None,
        };
    }

    /// What was in force is, with more bans.
    pub(super) fn amended(&self, set: &PolicySet) {
        self.amended.fetch_add(1, Ordering::Relaxed);
        let mut policy = self.policy();
        policy.digest = set.digest();
        policy.loaded = Timestamp::now();
    }

    /// The directory has a bad set.
    pub(super) fn bad(&self, problems: Problems, bans: usize) {
        self.bad.fetch_add(1, Ordering::Relaxed);
        let problems = problems.shown();
        let mut policy = self.policy();
        let since = policy.trouble.as_ref().map_or_else(Timestamp::now, |trouble| trouble.since);
        policy.bans = bans;
        policy.trouble = Some(Trouble { since, problems });
    }

    /// Envoy's files are in step, or why they are not. Returns whether that is news.
    pub(super) fn envoy_files(&self, problem: Option<String>) -> bool {
        let mut envoy = self.envoy();
        let news = match (&*envoy, &problem) {
            (EnvoyStatus::InStep, None) => false,
            (EnvoyStatus::Behind(known), Some(problem)) => known != problem,
            (EnvoyStatus::InStep, Some(_))
            | (EnvoyStatus::Behind(_), None)
            | (EnvoyStatus::NotOurs, _) => true,
        };
        *envoy = problem.map_or(EnvoyStatus::InStep, EnvoyStatus::Behind);
        news
    }

    fn revoked_status(&self) -> MutexGuard<'_, Option<RevokedStatus>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many tokens and users are denied, and this is wrong with the list.
    pub(super) fn revoked(&self, (tokens, users): (usize, usize), problems: Option<Problems>) {
        let mut status = self.revoked_status();
        let known = status.as_ref().and_then(|status| status.trouble.as_ref());
        let since = known.map_or_else(Timestamp::now, |trouble| trouble.since);
        let trouble = problems.map(|problems| Trouble { since, problems: problems.shown() });
        *status = Some(RevokedStatus { tokens, users, trouble, looked_at: Instant::now() });
    }

    /// The deny-list was looked at.
    pub(super) fn looked_at_revoked(&self) {
        if let Some(status) = &mut *self.revoked_status() {
            status.looked_at = Instant::now();
        }
    }

    /// Every part. A process that stops is down as a whole.
    pub(super) fn parts(&self, edge: &Edge, stopping: bool) -> Vec<Part> {
        let mut parts = vec![self.policy_part()];
        match &*self.envoy() {
            EnvoyStatus::NotOurs => {}
            EnvoyStatus::InStep => parts.push(Part::ok("envoy files", "in step with the policies")),
            EnvoyStatus::Behind(problem) => parts.push(Part::degraded("envoy files", problem)),
        }
        parts.extend(self.revoked_status().as_ref().map(RevokedStatus::part));
        parts.extend(edge.keys.status().into_iter().map(keys_part));
        parts.extend(edge.trust.parts(Instant::now()));
        for sink in edge.log.sinks() {
            let SinkState { name, written, dropped, queued, capacity, failing, .. } = sink;
            let part = format!("decisions to {name}");
            let full = (queued >= capacity).then(|| "there is no room for more".to_owned());
            parts.push(match failing.or(full) {
                None => Part::ok(&part, &format!("{written} written, {dropped} dropped")),
                Some(problem) => Part::degraded(
                    &part,
                    &format!("{problem}; {queued} of {capacity} wait, {dropped} dropped"),
                ),
            });
        }
        if stopping {
            let (name, reason) = ("process".to_owned(), "stopping".to_owned());
            parts.insert(0, Part { name, state: State::Down, reason });
        }
        parts
    }

    fn policy_part(&self) -> Part {
        let policy = self.policy();
        let ago = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if ago > STALE {
            let ago = ago.as_secs();
            // A file system that hangs, hangs whoever looks at it.
            return Part::degraded(
                "policies",
                &format!("nobody has looked at the directory for {ago} s: changes go unseen"),
            );
        }
        let set = format!("{} with {} servers", policy.digest.short(), policy.servers);
        let Some(Trouble { since, problems }) = &policy.trouble else {
            return Part::ok("policies", &format!("{set}, since {:.0}", policy.loaded));
        };
        let bans = match policy.bans {
            0 => String::new(),
            bans => format!(" and {bans} new guardrail bans"),
        };
        let reason = format!(
            "{} problems since {since:.0}; {set}{bans} stays in force (`toolgate status` shows them)",
            problems.count
        );
        Part::degraded("policies", &reason)
    }

    /// Everything, for `toolgate status`.
    pub(super) fn document(&self, edge: &Edge, stopping: bool) -> Value {
        let parts = self.parts(edge, stopping);
        let policy = self.policy();
        let trouble = policy.trouble.as_ref().map(Trouble::json);
        let revoked = self.revoked_status().as_ref().map(|status| {
            let RevokedStatus { tokens, users, trouble, looked_at: _ } = status;
            let trouble = trouble.as_ref().map(Trouble::json);
            json!({ "tokens": tokens, "users": users, "problems": trouble })
        });
        let state = overall(&parts);
        let part = |Part { name, state, reason }: Part| json!({ "part": name, "state": state.as_str(), "reason": reason });
        let parts: Vec<_> = parts.into_iter().map(part).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "state": state.overall(),
            "started": self.started.to_string(),
            "parts": parts,
            "policy": {
                "digest": policy.digest.to_string(),
                "loaded": policy.loaded.to_string(),
                "servers": policy.servers,
                "bans_of_bad_sets": policy.bans,
                "problems": trouble,
            },
            "deny_list": revoked,
        })
    }

    /// What the metrics show of all this.
    pub(super) fn observed(&self, edge: &Edge) -> Observed {
        let policy = self.policy().clone();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Observed {
            policy: policy.digest.to_string(),
            loaded: policy.loaded.as_second(),
            looked: self.looked.load(Ordering::Relaxed),
            servers: policy.servers,
            reloads: [
                ("good", count(&self.good)),
                ("bad", count(&self.bad)),
                ("bans", count(&self.amended)),
            ],
            problems: policy.trouble.map_or(0, |trouble| trouble.problems.count),
            bans: policy.bans,
            envoy_files: match &*self.envoy() {
                EnvoyStatus::NotOurs => None,
                EnvoyStatus::InStep => Some(true),
                EnvoyStatus::Behind(_) => Some(false),
            },
            keys: edge.keys.observed(),
            bundles: edge.trust.observed(Instant::now()),
            own_certificate_expires: edge.trust.own().and_then(|own| own.expires()),
            revoked: self.revoked_status().as_ref().map(|status| Revoked {
                tokens: status.tokens,
                users: status.users,
                in_step: status.trouble.is_none(),
            }),
            tokens: edge.tokens.observed(),
            sinks: edge.log.sinks(),
            started: self.started.as_second(),
            resident: super::process::resident(),
            open_files: super::process::open_files(),
        }
    }
}

/// How an issuer's keys are.
fn keys_part(keys: KeysStatus) -> Part {
    let KeysStatus { issuer, known, trouble } = keys;
    let because = trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    let (state, reason) = match known {
        None => (State::Down, format!("not known yet{because}")),
        Some(KnownKeys { age: Some((ago, Age::Stale)), .. }) => {
            let ago = ago.as_secs();
            (State::Down, format!("stale, fetched {ago} s ago{because}"))
        }
        Some(KnownKeys { usable: 0, .. }) => {
            (State::Degraded, "none: every token is refused".to_owned())
        }
        Some(KnownKeys { usable, age: Some((ago, age)) }) => {
            let reason = format!("{usable} usable, fetched {} s ago", ago.as_secs());
            match age {
                Age::Fresh => (State::Ok, reason),
                // Sooner than this, the provider has not broken its word.
                Age::Old | Age::Stale => (State::Degraded, format!("{reason}{because}")),
            }
        }
        Some(KnownKeys { usable, age: None }) => {
            let state = if trouble.is_some() { State::Degraded } else { State::Ok };
            (state, format!("{usable} usable{because}"))
        }
    };
    Part { name: format!("keys of {issuer}"), state, reason }
}
