//! The task that keeps an issuer's keys up to date.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::schedule::{Chance, Schedule, Validity};
use super::{Keys, Remote, lock, shown};
use crate::authn::jwks::MAX_JWKS_BYTES;
use crate::config::IssuerConfig;
use crate::config::keys::KeysSource;
use crate::disk;
use crate::server::fetch::{Answer, FetchError, Provider};

/// How often a key file is looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(2);

/// A fetch that has not ended by then is given up: two documents, a connection each, and a name
/// server that takes its time.
const LONGEST: Duration = Duration::from_secs(15);

/// Keeps an issuer's keys up to date, for ever.
pub(in crate::server) async fn follow(keys: Arc<Keys>, config: IssuerConfig) {
    let IssuerConfig { issuer, keys: source } = config;
    match source {
        KeysSource::File(path) => follow_file(&keys, &issuer.name, &path).await,
        // They are there from the beginning, and stay what they are.
        KeysSource::Inline(_) => {}
        KeysSource::Remote(remote) => {
            let provider = move || Provider::new(&issuer.issuer, remote.clone());
            follow_remote(&keys, &issuer.name, provider).await;
        }
    }
}

async fn follow_file(keys: &Keys, issuer: &str, path: &Path) {
    let mut last: Option<Result<Vec<u8>, String>> = None;
    loop {
        let file = path.to_owned();
        let read =
            move || disk::read_file(&file, MAX_JWKS_BYTES).map_err(|error| error.to_string());
        let read = tokio::task::spawn_blocking(read).await.unwrap_or_else(|e| Err(e.to_string()));
        if last.as_ref() != Some(&read) {
            let taken = read.as_deref().map_err(Clone::clone);
            if let Err(error) = taken.and_then(|document| keys.accept(issuer, document)) {
                tracing::error!(issuer, path = %path.display(), error, "keys cannot be read");
                keys.trouble(issuer, &error);
            }
            last = Some(read);
        }
        tokio::time::sleep(FILE_INTERVAL).await;
    }
}

async fn follow_remote(keys: &Keys, issuer: &str, begin: impl Fn() -> Provider) {
    let Some(remote) = keys.remote(issuer) else {
        return;
    };
    let mut provider = begin();
    let mut schedule = Schedule::new(Instant::now());
    loop {
        remote.wait(schedule.due()).await;
        lock(&remote.unknown).begins();
        let sent = Instant::now();
        let (asked, fetched) = fetch(provider).await;
        provider = asked.unwrap_or_else(&begin);
        let (now, chance) = (Instant::now(), chance());
        let answered = fetched.is_ok();
        match fetched {
            Ok(answer) => {
                // The answer may be as old as the question.
                let fresh_for = take(keys, issuer, remote, answer, sent);
                schedule.fetched(now, fresh_for, chance);
            }
            Err(error) => {
                remote.counts.failed.fetch_add(1, Ordering::Relaxed);
                let error = shown(&error.to_string());
                tracing::error!(issuer, error, "keys cannot be fetched");
                keys.trouble(issuer, &error);
                schedule.failed(now, chance);
            }
        }
        lock(&remote.unknown).ended(answered, now);
        // Those who wait look again.
        remote.ended.send_replace(());
    }
}

/// Brings an answer into force, and says how long it is fresh.
fn take(keys: &Keys, issuer: &str, remote: &Remote, answer: Answer, now: Instant) -> Duration {
    match answer {
        Answer::Keys(set, fresh_for) => {
            remote.counts.ok.fetch_add(1, Ordering::Relaxed);
            let (fresh_for, validity) = remote.validity(now, fresh_for);
            keys.replace(issuer, set, Some(validity));
            fresh_for
        }
        Answer::NotModified(fresh_for) => {
            remote.counts.not_modified.fetch_add(1, Ordering::Relaxed);
            let (fresh_for, validity) = remote.validity(now, fresh_for);
            keys.confirm(issuer, validity);
            fresh_for
        }
    }
}

/// Asks the provider, in a task of its own: a bug costs this fetch, and what the provider is known
/// to have answered; not those to come.
async fn fetch(mut provider: Provider) -> (Option<Provider>, Result<Answer, FetchError>) {
    let task = tokio::spawn(async move {
        let fetch = tokio::time::timeout(LONGEST, provider.fetch(Timestamp::now()));
        match fetch.await {
            Ok(fetched) => (Some(provider), fetched),
            Err(_) => (None, Err(FetchError::GivenUp("it takes too long"))),
        }
    });
    task.await.unwrap_or((None, Err(FetchError::GivenUp("fetching panics"))))
}

fn chance() -> Chance {
    let [byte, ..] = *Uuid::new_v4().as_bytes();
    Chance(byte)
}

impl Remote {
    /// Resolves when the next fetch is due, or an unknown key wants one.
    async fn wait(&self, due: Instant) {
        // What is left from a fetch that has begun meanwhile wakes nobody.
        while Instant::now() < due && !lock(&self.unknown).is_wanted() {
            tokio::time::timeout_at(due.into(), self.wake.notified()).await.ok();
        }
    }

    fn validity(&self, now: Instant, fresh_for: Duration) -> (Duration, Validity) {
        let (fresh_for, max_stale) = (hurried(fresh_for), hurried(self.max_stale));
        (fresh_for, Validity::new(now, fresh_for, max_stale))
    }
}

/// The tests with faults do not wait for minutes.
fn hurried(duration: Duration) -> Duration {
    #[cfg(feature = "faults")]
    return crate::server::faults::hurried(duration);
    #[cfg(not(feature = "faults"))]
    duration
}
