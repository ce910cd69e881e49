//! The keys of each issuer, as they are known now. Key sets are replaced whole; one that cannot be
//! read never replaces a good one, and an old one does not count for ever. Issuers share nothing.

mod follow;
mod freshness;
mod schedule;
mod slot;
mod unknown;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::schedule::Validity;
use self::slot::{Held, Remote, Slot};
use self::unknown::Ask;
use crate::authn::jwks::{KeyError, KeySet, MAX_JWKS_BYTES};
use crate::config::IssuerConfig;
use crate::config::keys::KeysSource;
use crate::disk;
use crate::telemetry::KeysState;

pub(super) use self::follow::follow;
pub(super) use self::freshness::Caching;
pub(super) use self::schedule::Age;
pub(super) use self::slot::{KeysStatus, KnownKeys};
pub(super) use self::unknown::UnknownKey;

/// How long a request waits for a key that nobody knows yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// Problems are shown up to this many characters.
const MAX_SHOWN: usize = 300;

/// The keys of every issuer, by its configured name.
#[derive(Debug, Default)]
pub(super) struct Keys {
    issuers: HashMap<Box<str>, Slot>,
    /// How many generations there have been.
    generations: AtomicU64,
}

/// A key set, for as long as its content is the same.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) set: KeySet,
    /// No other content of any issuer's has this number, before or after.
    pub(super) number: u64,
}

/// What is known of an issuer's keys.
#[derive(Clone, Debug)]
pub(super) enum Keyset {
    /// Nothing yet.
    Never,
    /// What they were, too long ago.
    Stale,
    Known(Arc<Generation>),
}

// === impl Keys ===

impl Keys {
    pub(super) fn new(issuers: &[IssuerConfig]) -> Self {
        let slot = |config: &IssuerConfig| {
            (config.issuer.name.clone(), Slot::new(&config.keys, issuers.len()))
        };
        let keys =
            Self { issuers: issuers.iter().map(slot).collect(), generations: AtomicU64::default() };
        for IssuerConfig { issuer, keys: source } in issuers {
            if let KeysSource::Inline(text) = source
                && let Err(error) = keys.accept(&issuer.name, text.as_bytes())
            {
                tracing::error!(issuer = &*issuer.name, error, "keys cannot be read");
            }
        }
        keys
    }

    /// The issuer's keys.
    pub(super) fn of(&self, issuer: &str) -> Keyset {
        let held = self.issuers.get(issuer).map(|slot| slot.held.load());
        let Some(held) = held.as_ref().and_then(|held| held.as_ref()) else {
            return Keyset::Never;
        };
        match held.age(Instant::now()) {
            Age::Fresh | Age::Old => Keyset::Known(Arc::clone(&held.generation)),
            Age::Stale => Keyset::Stale,
        }
    }

    /// How each issuer's keys are, in the order of their names.
    pub(super) fn status(&self) -> Vec<KeysStatus> {
        let now = Instant::now();
        let mut all: Vec<_> =
            self.issuers.iter().map(|(name, slot)| slot.status(name, now)).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }

    /// What the metrics show of all this.
    pub(super) fn observed(&self) -> Vec<KeysState> {
        let now = Instant::now();
        let mut all: Vec<_> =
            self.issuers.iter().map(|(name, slot)| slot.observed(name, now)).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }

    /// The issuers whose keys are not known, or no longer count.
    pub(super) fn missing(&self) -> Vec<&str> {
        let missing = self.issuers.keys().filter(|name| match self.of(name) {
            Keyset::Never | Keyset::Stale => true,
            Keyset::Known(_) => false,
        });
        missing.map(|name| &**name).collect()
    }

    /// Resolves once it may be worth looking again for a key that a token names and nobody knows:
    /// its issuer has been asked, or does not answer soon. `None` if it is not worth it.
    pub(super) fn unknown(&self, key: &UnknownKey) -> Option<impl Future<Output = ()> + use<>> {
        let remote = self.issuers.get(&key.issuer)?.remote.as_ref()?;
        let place = Arc::clone(&remote.waiting).try_acquire_owned().ok()?;
        let id = remote.hasher.hash_one(&*key.id);
        let mut ended = {
            let mut unknown = lock(&remote.unknown);
            match unknown.ask(id, Instant::now()) {
                Ask::Refuse => return None,
                Ask::Join => {}
                Ask::Begin => {
                    remote.counts.unknown.fetch_add(1, Ordering::Relaxed);
                    remote.wake.notify_one();
                }
            }
            // Under the lock: the fetch cannot end between the question and this.
            remote.ended.subscribe()
        };
        Some(async move {
            // Whether it has answered or time is up, the keys are as they are.
            tokio::time::timeout(PATIENCE, ended.changed()).await.ok();
            drop(place);
        })
    }

    /// Takes in a document that does not grow old.
    pub(super) fn accept(&self, issuer: &str, document: &[u8]) -> Result<(), String> {
        let set = KeySet::parse(document).map_err(|error| error.to_string())?;
        self.replace(issuer, set, None);
        Ok(())
    }

    /// Brings keys into force.
    fn replace(&self, issuer: &str, set: KeySet, validity: Option<Validity>) {
        let Some(slot) = self.issuers.get(issuer) else {
            return;
        };
        let former = slot.held.load_full();
        let same = former.filter(|held| held.generation.set.verifies_as(&set));
        let number = match &same {
            // What was left out may have changed, and is said below.
            Some(held) => held.generation.number,
            None => self.generations.fetch_add(1, Ordering::Relaxed) + 1,
        };
        if same.as_ref().is_none_or(|held| held.generation.set.skipped() != set.skipped()) {
            say(issuer, &set, number);
        }
        let generation = Arc::new(Generation { set, number });
        slot.held.store(Some(Arc::new(Held { generation, validity })));
        *lock(&slot.trouble) = None;
    }

    /// The keys are what they were, as of now.
    fn confirm(&self, issuer: &str, validity: Validity) {
        let Some(slot) = self.issuers.get(issuer) else {
            return;
        };
        if let Some(held) = slot.held.load_full() {
            let generation = Arc::clone(&held.generation);
            slot.held.store(Some(Arc::new(Held { generation, validity: Some(validity) })));
        }
        *lock(&slot.trouble) = None;
    }

    /// The keys could not be had.
    fn trouble(&self, issuer: &str, problem: &str) {
        if let Some(slot) = self.issuers.get(issuer) {
            *lock(&slot.trouble) = Some(shown(problem));
        }
    }

    fn remote(&self, issuer: &str) -> Option<&Remote> {
        self.issuers.get(issuer)?.remote.as_ref()
    }
}

/// As much of somebody else's text as is shown.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// For those who look after the issuer: what has come into force.
fn say(issuer: &str, set: &KeySet, generation: u64) {
    for skipped in set.skipped() {
        let key = skipped.id.as_deref().map_or_else(|| "(none)".to_owned(), shown);
        if skipped.error == KeyError::Private {
            tracing::error!(
                issuer,
                key,
                "a private key is published: whoever read it can sign as this issuer"
            );
        } else {
            tracing::warn!(issuer, key, reason = %skipped.error, "key left out");
        }
    }
    if set.is_empty() {
        tracing::error!(issuer, "the key set has no usable key: every token is refused");
    }
    tracing::info!(issuer, keys = set.len(), generation, "keys loaded");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a key set can be read from a file.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    let bytes = disk::read_file(path, MAX_JWKS_BYTES).map_err(|error| error.to_string())?;
    KeySet::parse(&bytes).map(drop).map_err(|error| error.to_string())
}
