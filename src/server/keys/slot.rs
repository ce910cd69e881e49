//! One issuer's keys: what is known, since when, and what requests and the task that fetches tell
//! each other.

use std::collections::hash_map::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, Semaphore, watch};

use super::schedule::{Age, Validity};
use super::unknown::Unknown;
use super::{Generation, lock};
use crate::authn::jwks::{KeyError, KeySet};
use crate::config::keys::{KeysSource, RemoteKeys};
use crate::telemetry::KeysState;

/// How many requests may wait at a time, of all issuers. Envoy has room for 1024 that are not
/// answered, whoever sent them, and each may hold a body.
const MOST_WAITING: usize = 256;

/// How an issuer's keys are, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct KeysStatus {
    pub(in crate::server) issuer: String,
    pub(in crate::server) known: Option<KnownKeys>,
    /// Why they could not be had the last time.
    pub(in crate::server) trouble: Option<String>,
}

/// How keys are that were loaded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct KnownKeys {
    pub(in crate::server) usable: usize,
    /// When they were fetched, and how they are since; nothing where keys are not fetched.
    pub(in crate::server) age: Option<(Duration, Age)>,
}

/// One issuer's keys.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) held: ArcSwapOption<Held>,
    pub(super) trouble: Mutex<Option<String>>,
    pub(super) remote: Option<Remote>,
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) generation: Arc<Generation>,
    /// Where keys are fetched. A file is as old as it is.
    pub(super) validity: Option<Validity>,
}

/// What requests and the task that fetches tell each other.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) max_stale: Duration,
    pub(super) unknown: Mutex<Unknown>,
    pub(super) wake: Notify,
    /// Changes whenever a fetch has ended.
    pub(super) ended: watch::Sender<()>,
    pub(super) waiting: Arc<Semaphore>,
    pub(super) hasher: RandomState,
    pub(super) counts: Counts,
}

/// Fetches by what came of them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) ok: AtomicU64,
    pub(super) not_modified: AtomicU64,
    pub(super) failed: AtomicU64,
    /// How many an unknown key caused.
    pub(super) unknown: AtomicU64,
}

// === impl Slot, Held, Remote ===

impl Slot {
    /// The keys of one of so many issuers.
    pub(super) fn new(source: &KeysSource, issuers: usize) -> Self {
        let remote = match source {
            KeysSource::File(_) | KeysSource::Inline(_) => None,
            KeysSource::Remote(remote) => Some(Remote::new(remote, issuers)),
        };
        Self { held: ArcSwapOption::empty(), trouble: Mutex::default(), remote }
    }

    pub(super) fn status(&self, issuer: &str, now: Instant) -> KeysStatus {
        let known = |held: &Arc<Held>| KnownKeys {
            usable: held.generation.set.len(),
            age: held.validity.map(|validity| {
                (now.saturating_duration_since(validity.fetched), validity.age(now))
            }),
        };
        KeysStatus {
            issuer: issuer.to_owned(),
            known: self.held.load().as_ref().map(known),
            trouble: lock(&self.trouble).clone(),
        }
    }

    pub(super) fn observed(&self, issuer: &str, now: Instant) -> KeysState {
        let held = self.held.load();
        let held = held.as_ref();
        let counts = self.remote.as_ref().map(|remote| &remote.counts);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let fetches = |Counts { ok, not_modified, failed, unknown: _ }: &Counts| {
            [("ok", ok), ("not_modified", not_modified), ("failed", failed)]
                .map(|(result, counted)| (result, count(counted)))
        };
        KeysState {
            issuer: issuer.to_owned(),
            usable: held
                .filter(|held| held.age(now) != Age::Stale)
                .map(|held| held.generation.set.len()),
            left_out: held.map(|held| left_out(&held.generation.set)).unwrap_or_default(),
            age: held
                .and_then(|held| held.validity)
                .map(|validity| now.saturating_duration_since(validity.fetched)),
            fetches: counts.map(fetches),
            refetches: counts.map(|counts| count(&counts.unknown)),
        }
    }
}

impl Held {
    pub(super) fn age(&self, now: Instant) -> Age {
        self.validity.map_or(Age::Fresh, |validity| validity.age(now))
    }
}

impl Remote {
    fn new(config: &RemoteKeys, issuers: usize) -> Self {
        let RemoteKeys { start: _, ca: _, max_stale, refetch } = config;
        Self {
            max_stale: *max_stale,
            unknown: Mutex::new(Unknown::new(*refetch)),
            wake: Notify::new(),
            ended: watch::Sender::default(),
            // A share of its own: a flood of one issuer's tokens takes no place of another's.
            waiting: Arc::new(Semaphore::new((MOST_WAITING / issuers.max(1)).max(1))),
            hasher: RandomState::new(),
            counts: Counts::default(),
        }
    }
}

/// How many keys were left out for each reason.
fn left_out(set: &KeySet) -> Vec<(&'static str, usize)> {
    let count = |error: KeyError| set.skipped().iter().filter(|key| key.error == error).count();
    KeyError::ALL.iter().map(|error| (error.as_str(), count(*error))).collect()
}
