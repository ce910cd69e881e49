//! The keys of each issuer, as they are known now. Key sets are replaced whole; one that cannot be
//! read never replaces a good one.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::authn::jwks::{KeySet, MAX_JWKS_BYTES};
use crate::config::{IssuerConfig, KeysSource};
use crate::disk;

/// How often a key file is looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(2);

/// The keys of every issuer, by its configured name.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<Box<str>, ArcSwapOption<KeySet>>);

impl Keys {
    pub(super) fn new(issuers: &[IssuerConfig]) -> Self {
        let empty = |issuer: &IssuerConfig| (issuer.issuer.name.clone(), ArcSwapOption::empty());
        Self(issuers.iter().map(empty).collect())
    }

    /// The issuer's keys, once they are known.
    pub(super) fn of(&self, issuer: &str) -> Option<Arc<KeySet>> {
        self.0.get(issuer)?.load_full()
    }

    /// How many usable keys each issuer has, in the order of their names; `None` while none were
    /// ever loaded.
    pub(super) fn counts(&self) -> Vec<(String, Option<usize>)> {
        let known = |keys: &ArcSwapOption<KeySet>| keys.load().as_ref().map(|keys| keys.len());
        let counts = self.0.iter().map(|(name, keys)| (name.to_string(), known(keys)));
        let mut counts: Vec<_> = counts.collect();
        counts.sort();
        counts
    }

    /// The issuers whose keys are not known yet.
    pub(super) fn missing(&self) -> Vec<&str> {
        let missing = self.0.iter().filter(|(_, keys)| keys.load().is_none());
        missing.map(|(name, _)| &**name).collect()
    }

    fn replace(&self, issuer: &str, keys: KeySet) {
        for skipped in keys.skipped() {
            let id = skipped.id.as_deref().unwrap_or("(none)");
            tracing::warn!(issuer, key = id, reason = %skipped.error, "key left out");
        }
        if keys.is_empty() {
            tracing::error!(issuer, "the key set has no usable key: every token is refused");
        }
        tracing::info!(issuer, keys = keys.len(), "keys loaded");
        if let Some(slot) = self.0.get(issuer) {
            slot.store(Some(Arc::new(keys)));
        }
    }
}

/// Keeps an issuer's keys up to date, for ever.
pub(super) async fn follow(keys: Arc<Keys>, issuer: IssuerConfig) {
    let name = issuer.issuer.name;
    match issuer.keys {
        KeysSource::File(path) => follow_file(&keys, &name, &path).await,
        KeysSource::Url(url) => super::fetch::follow_url(&keys, &name, &url).await,
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
            match read.as_deref().map_err(Clone::clone).and_then(parsed) {
                Ok(set) => keys.replace(issuer, set),
                Err(error) => {
                    tracing::error!(issuer, path = %path.display(), error, "keys cannot be read");
                }
            }
            last = Some(read);
        }
        tokio::time::sleep(FILE_INTERVAL).await;
    }
}

/// Whether a key set can be read from a file.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    let bytes = disk::read_file(path, MAX_JWKS_BYTES).map_err(|error| error.to_string())?;
    parsed(&bytes).map(drop)
}

fn parsed(bytes: &[u8]) -> Result<KeySet, String> {
    KeySet::parse(bytes).map_err(|error| error.to_string())
}

impl Keys {
    /// Takes in a document that was fetched.
    pub(super) fn accept(&self, issuer: &str, document: &[u8]) -> Result<(), String> {
        self.replace(issuer, parsed(document)?);
        Ok(())
    }
}
