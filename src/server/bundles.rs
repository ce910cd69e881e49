//! The trust domains' bundles, as they are known now. They are replaced whole; what cannot be read
//! never replaces what was good, and what was good does not count for ever: a key or a trust domain
//! that was taken back must not live on in a file that nobody can read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::status::{Part, State};
use super::tokens::{Verified, Weigh};
use crate::authn::authorities::{Authorities, Signed};
use crate::authn::bundle::{Bundles, MAX_BUNDLES_BYTES};
use crate::authn::jwt_svid::VerifiedSvid;
use crate::disk;
use crate::telemetry::BundlesState;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// Bundles count for this long after they were last seen to be good.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Problems are shown up to this many characters.
const MAX_SHOWN: usize = 300;

/// What is known by trust domain.
pub(super) trait ByDomain {
    /// What it is: the label of its metrics.
    const KIND: &'static str;
    /// Its name as a part of the process.
    const PART: &'static str;

    /// What is kept of whatever was verified with it.
    type Kept: Weigh + fmt::Debug;

    /// How many keys can be used, by trust domain.
    fn usable(&self) -> Vec<(&str, usize)>;
}

impl ByDomain for Authorities {
    const KIND: &'static str = "x509";
    const PART: &'static str = "authorities";

    type Kept = Signed;

    fn usable(&self) -> Vec<(&str, usize)> {
        self.iter().collect()
    }
}

impl ByDomain for Bundles {
    const KIND: &'static str = "jwt";
    const PART: &'static str = "trust bundles";

    type Kept = Arc<VerifiedSvid>;

    fn usable(&self) -> Vec<(&str, usize)> {
        self.iter().map(|(name, keys)| (name, keys.len())).collect()
    }
}

/// The bundles as they are known: with them JWT-SVIDs are verified.
#[derive(Debug)]
pub(super) struct HeldBundles<T: ByDomain = Bundles> {
    /// What is kept of the verified may weigh so much.
    bytes: u64,
    held: ArcSwapOption<Held<T>>,
    trouble: Mutex<Option<String>>,
    updates: AtomicU64,
    failures: AtomicU64,
}

/// Bundles, and what was verified with them. Other bundles begin with nothing, so that what they
/// no longer say is believed of nobody.
#[derive(Debug)]
pub(super) struct Trusted<T: ByDomain> {
    pub(super) bundles: T,
    pub(super) verified: Verified<T::Kept>,
}

#[derive(Debug)]
struct Held<T: ByDomain> {
    trusted: Arc<Trusted<T>>,
    seen: Instant,
}

impl<T: ByDomain> HeldBundles<T> {
    /// Nothing is known yet. What will be verified is kept in so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            bytes,
            held: ArcSwapOption::empty(),
            trouble: Mutex::default(),
            updates: AtomicU64::default(),
            failures: AtomicU64::default(),
        }
    }

    /// The bundles; none until there are some, and once they have not been seen for too long.
    pub(super) fn at(&self, now: Instant) -> Option<Arc<Trusted<T>>> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.age(now) <= MAX_AGE)?;
        Some(Arc::clone(&held.trusted))
    }

    /// Brings bundles into force.
    pub(super) fn accept(&self, bundles: T, now: Instant) {
        for (trust_domain, keys) in bundles.usable() {
            let kind = T::KIND;
            if keys == 0 {
                tracing::error!(
                    kind,
                    trust_domain,
                    "the bundle has no usable key: every SVID is refused"
                );
            } else {
                tracing::info!(kind, trust_domain, keys, "bundle loaded");
            }
        }
        self.updates.fetch_add(1, Ordering::Relaxed);
        let trusted = Arc::new(Trusted { bundles, verified: Verified::new(self.bytes) });
        self.held.store(Some(Arc::new(Held { trusted, seen: now })));
        *self.trouble() = None;
    }

    /// The bundles are what they were, as of now.
    pub(super) fn confirm(&self, now: Instant) {
        if let Some(held) = self.held.load_full() {
            let trusted = Arc::clone(&held.trusted);
            self.held.store(Some(Arc::new(Held { trusted, seen: now })));
        }
        *self.trouble() = None;
    }

    /// The bundles could not be had. Returns whether that is news.
    pub(super) fn fail(&self, problem: &str) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let problem = Some(problem.chars().take(MAX_SHOWN).collect());
        let mut trouble = self.trouble();
        let news = *trouble != problem;
        *trouble = problem;
        news
    }

    /// Whoever gave the bundles takes them back.
    pub(super) fn withdraw(&self, problem: &str) -> bool {
        self.held.store(None);
        self.fail(problem)
    }

    /// How they are, for `/readyz` and `/status`.
    pub(super) fn part(&self, now: Instant) -> Part {
        let because = self.trouble().as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (state, reason) = match self.held.load().as_ref() {
            None => (State::Down, format!("not known{because}")),
            Some(held) if held.age(now) > MAX_AGE => {
                let ago = held.age(now).as_secs();
                (State::Down, format!("stale, last seen {ago} s ago{because}"))
            }
            Some(held) => {
                let usable = |(name, keys): (&str, usize)| format!("{name}: {keys}");
                let domains: Vec<_> =
                    held.trusted.bundles.usable().into_iter().map(usable).collect();
                let state = if because.is_empty() { State::Ok } else { State::Degraded };
                (state, format!("keys of {}{because}", domains.join(", ")))
            }
        };
        Part { name: T::PART.to_owned(), state, reason }
    }

    /// How they are, for the metrics.
    pub(super) fn observed(&self, now: Instant) -> BundlesState {
        let held = self.held.load();
        BundlesState {
            kind: T::KIND,
            age: held.as_ref().map(|held| held.age(now)),
            usable: held.as_ref().map(|held| {
                let usable = held.trusted.bundles.usable().into_iter();
                usable.map(|(name, keys)| (name.to_owned(), keys)).collect()
            }),
            updates: self.updates.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ByDomain> Held<T> {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.seen)
    }
}

/// Keeps the bundles up to date with their file, for ever.
pub(super) async fn follow<T: ByDomain>(
    bundles: Arc<HeldBundles<T>>,
    path: PathBuf,
    parse: fn(&[u8]) -> Result<T, String>,
) {
    let mut last: Option<Result<Vec<u8>, String>> = None;
    let mut good = false;
    loop {
        let read = read(path.clone()).await;
        if last.as_ref() != Some(&read) {
            match read.as_deref().map_err(Clone::clone).and_then(parse) {
                Ok(parsed) => {
                    bundles.accept(parsed, Instant::now());
                    good = true;
                }
                Err(error) => {
                    tracing::error!(path = %path.display(), error, "trust bundles cannot be read");
                    bundles.fail(&error);
                    good = false;
                }
            }
            last = Some(read);
        } else if good {
            bundles.confirm(Instant::now());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn read(path: PathBuf) -> Result<Vec<u8>, String> {
    let read = move || disk::read_file(&path, MAX_BUNDLES_BYTES).map_err(|error| error.to_string());
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// What a file says of JWT-SVIDs.
pub(super) fn jwt(document: &[u8]) -> Result<Bundles, String> {
    Bundles::parse(document).map_err(|error| error.to_string())
}

/// What it says of certificates.
pub(super) fn x509(document: &[u8]) -> Result<Authorities, String> {
    Authorities::parse(document).map_err(|error| error.to_string())
}

/// Whether bundles can be read from the file.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    let document = disk::read_file(path, MAX_BUNDLES_BYTES).map_err(|error| error.to_string())?;
    jwt(&document).and(x509(&document)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[u8] = br#"{"trust_domains": {"td": {"keys": []}}}"#;

    #[test]
    fn bundles_count_for_as_long_as_they_are_seen() {
        let (bundles, start) = (HeldBundles::<Bundles>::new(0), Instant::now());
        assert!(bundles.at(start).is_none());
        assert_eq!(bundles.part(start).state, State::Down);
        bundles.accept(jwt(NONE).unwrap(), start);
        assert_eq!(bundles.part(start).state, State::Ok);
        // A broken file changes nothing, for a while.
        bundles.fail("broken");
        for (after, state) in [(MAX_AGE, State::Degraded), (MAX_AGE + INTERVAL, State::Down)] {
            assert_eq!(bundles.at(start + after).is_some(), state == State::Degraded);
            assert_eq!(bundles.part(start + after).state, state);
        }
        bundles.confirm(start + MAX_AGE);
        assert!(bundles.at(start + MAX_AGE + INTERVAL).is_some());
        assert_eq!(bundles.part(start).state, State::Ok);
    }

    #[test]
    fn bundles_that_are_taken_back_do_not_count() {
        let (bundles, start) = (HeldBundles::<Bundles>::new(0), Instant::now());
        bundles.accept(jwt(NONE).unwrap(), start);
        assert!(bundles.withdraw("taken back"), "the first time is news");
        assert!(!bundles.withdraw("taken back"));
        bundles.confirm(start);
        assert!(bundles.at(start).is_none());
        assert_eq!(bundles.part(start).state, State::Down);
    }
}
