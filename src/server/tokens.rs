//! Verified tokens, kept so that the next request with the same token costs no signature.
//!
//! Exact: the whole token is compared. What is kept is what a signature covers, and only as long as
//! the key set that verified it is the issuer's; everything that depends on the moment is asked
//! again ([`VerifiedToken::stands`], revocation). Bounded by what the kept tokens weigh.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::authn::token::{ClaimedGroups, VerifiedToken};
use crate::telemetry::TokenCache;

/// What an entry costs besides its texts.
const ENTRY_BYTES: usize = 512;

/// What is expected of a token, to size the cache's table.
const USUAL_BYTES: u64 = 2048;

/// A token that was verified.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) token: Arc<VerifiedToken>,
    /// Its issuer, by the place in the configuration.
    pub(super) issuer: usize,
    /// The generation of the keys that it was verified with.
    keys: u64,
}

/// The cache of verified tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    cache: Option<Cache<Box<str>, Kept, Weight>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Tokens {
    /// A cache of at most so many bytes; none with 0.
    pub(super) fn new(bytes: u64) -> Self {
        let tokens = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        let cache = (bytes > 0).then(|| Cache::with_weighter(tokens, bytes, Weight));
        Self { cache, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The token, if it was verified with the keys that its issuer has now, by their generation.
    pub(super) fn get(
        &self,
        token: &str,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<Kept> {
        let kept = self.cache.as_ref().and_then(|cache| cache.get(token));
        let kept = kept.filter(|kept| generation(kept.issuer) == Some(kept.keys));
        let counter = if kept.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Keeps a token that keys of this generation have verified.
    pub(super) fn keep(&self, text: &str, token: &Arc<VerifiedToken>, issuer: usize, keys: u64) {
        if let Some(cache) = &self.cache {
            cache.insert(text.into(), Kept { token: Arc::clone(token), issuer, keys });
        }
    }

    pub(super) fn observed(&self) -> TokenCache {
        let held = self.cache.as_ref();
        TokenCache {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            tokens: held.map_or(0, |cache| cache.len() as u64),
            bytes: held.map_or(0, Cache::weight),
        }
    }
}

impl Weighter<Box<str>, Kept> for Weight {
    fn weight(&self, text: &Box<str>, kept: &Kept) -> u64 {
        (text.len() + weight(&kept.token) + ENTRY_BYTES) as u64
    }
}

/// Bytes of a token's texts. An allocation has some of its own.
fn weight(token: &VerifiedToken) -> usize {
    const ALLOCATION: usize = 32;
    let VerifiedToken {
        subject,
        groups,
        email,
        preferred_username,
        client,
        tenant,
        scopes,
        actors,
        id,
        audiences,
        bound_to: _,
        begins: _,
        issued: _,
        expires: _,
    } = token;
    let text = |text: &str| text.len() + ALLOCATION;
    let list = |texts: &[Box<str>]| texts.iter().map(|item| text(item)).sum::<usize>();
    let some = [email, preferred_username, client, tenant, id];
    let groups = match groups {
        ClaimedGroups::Known(groups) => list(groups),
        ClaimedGroups::Unknown => 0,
    };
    let actors: usize = actors
        .iter()
        .map(|actor| text(&actor.subject) + actor.issuer.as_deref().map_or(0, text) + ALLOCATION)
        .sum();
    text(subject)
        + groups
        + list(scopes)
        + list(audiences)
        + actors
        + some.into_iter().flatten().map(|value| text(value)).sum::<usize>()
}
