//! The trust domains' bundles, as they are known now. They are replaced whole; what cannot be read
//! never replaces what was good, and what was good does not count for ever: a key or a trust domain
//! that was taken back must not live on in a file that nobody can read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::status::{Part, State};
use crate::authn::bundle::{Bundles, MAX_BUNDLES_BYTES};
use crate::authn::jwks::KeySet;
use crate::config::JwtSvidConfig;
use crate::disk;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// Bundles count for this long after they were last seen to be good.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Problems are shown up to this many characters.
const MAX_SHOWN: usize = 300;

/// The bundles that JWT-SVIDs are verified with.
#[derive(Debug, Default)]
pub(super) struct HeldBundles {
    held: ArcSwapOption<Held>,
    trouble: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Held {
    bundles: Arc<Bundles>,
    seen: Instant,
}

impl HeldBundles {
    /// The bundles; none until there are some, and once they have not been seen for too long.
    pub(super) fn at(&self, now: Instant) -> Option<Arc<Bundles>> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.age(now) <= MAX_AGE)?;
        Some(Arc::clone(&held.bundles))
    }

    /// Brings bundles into force.
    pub(super) fn accept(&self, bundles: Bundles, now: Instant) {
        for (trust_domain, keys) in bundles.iter() {
            if keys.is_empty() {
                tracing::error!(
                    trust_domain,
                    "the bundle has no usable key: every JWT-SVID is refused"
                );
            } else {
                tracing::info!(trust_domain, keys = keys.len(), "bundle loaded");
            }
        }
        self.held.store(Some(Arc::new(Held { bundles: Arc::new(bundles), seen: now })));
        *self.trouble() = None;
    }

    /// The bundles are what they were, as of now.
    fn confirm(&self, now: Instant) {
        if let Some(held) = self.held.load_full() {
            let bundles = Arc::clone(&held.bundles);
            self.held.store(Some(Arc::new(Held { bundles, seen: now })));
        }
    }

    /// The bundles could not be had.
    fn fail(&self, problem: &str) {
        *self.trouble() = Some(problem.chars().take(MAX_SHOWN).collect());
    }

    /// How they are, for `/readyz` and `/status`.
    pub(super) fn part(&self, now: Instant) -> Part {
        let because = self.trouble().as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (state, reason) = match self.held.load().as_ref() {
            None => (State::Down, format!("not known yet{because}")),
            Some(held) if held.age(now) > MAX_AGE => {
                let ago = held.age(now).as_secs();
                (State::Down, format!("stale, last seen {ago} s ago{because}"))
            }
            Some(held) => {
                let usable = |(name, keys): (&str, &KeySet)| format!("{name}: {}", keys.len());
                let domains: Vec<_> = held.bundles.iter().map(usable).collect();
                let state = if because.is_empty() { State::Ok } else { State::Degraded };
                (state, format!("keys of {}{because}", domains.join(", ")))
            }
        };
        Part { name: "trust bundles".to_owned(), state, reason }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.seen)
    }
}

/// Keeps the bundles up to date with their file, for ever.
pub(super) async fn follow(bundles: Arc<HeldBundles>, config: JwtSvidConfig) {
    let JwtSvidConfig { audiences: _, header: _, bundles: path } = config;
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

fn parse(document: &[u8]) -> Result<Bundles, String> {
    Bundles::parse(document).map_err(|error| error.to_string())
}

/// Whether bundles can be read from the file.
pub(super) fn check_file(config: &JwtSvidConfig) -> Result<(), String> {
    let document =
        disk::read_file(&config.bundles, MAX_BUNDLES_BYTES).map_err(|error| error.to_string())?;
    parse(&document).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[u8] = br#"{"trust_domains": {"td": {"keys": []}}}"#;

    #[test]
    fn bundles_count_for_as_long_as_they_are_seen() {
        let (bundles, start) = (HeldBundles::default(), Instant::now());
        assert!(bundles.at(start).is_none());
        assert_eq!(bundles.part(start).state, State::Down);
        bundles.accept(parse(NONE).unwrap(), start);
        assert_eq!(bundles.part(start).state, State::Ok);
        // A broken file changes nothing, for a while.
        bundles.fail("broken");
        for (after, state) in [(MAX_AGE, State::Degraded), (MAX_AGE + INTERVAL, State::Down)] {
            assert_eq!(bundles.at(start + after).is_some(), state == State::Degraded);
            assert_eq!(bundles.part(start + after).state, state);
        }
        bundles.confirm(start + MAX_AGE);
        assert!(bundles.at(start + MAX_AGE + INTERVAL).is_some());
    }
}
