//! What was verified, kept so that the next request with the same credential costs no signature.
//!
//! Exact: the whole text is compared. What is kept is what a signature covers, and only as long as
//! the keys that verified it are in force; everything that depends on the moment is asked again
//! ([`VerifiedToken::stands`], revocation, [`VerifiedSvid::stands`], [`Signed::counts`]). Bounded
//! by what is kept weighs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use foldhash::quality::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::authn::authorities::Signed;
use crate::authn::jwt_svid::VerifiedSvid;
use crate::authn::svid::Leaf;
use crate::authn::token::{ClaimedGroups, VerifiedToken};
use crate::identity::User;
use crate::policy::PolicySet;
use crate::telemetry::TokenCache;

/// What an entry costs besides its texts.
const ENTRY_BYTES: usize = 512;

/// What an allocation costs besides what is in it.
const ALLOCATION: usize = 32;

/// What is expected of an entry, to size the cache's table.
const USUAL_BYTES: u64 = 2048;

/// What was verified, by the whole text that it was verified from.
#[derive(Debug)]
pub(super) struct Verified<V>(Option<Cache<Box<str>, V, Weight, RandomState>>);

/// What is kept for a text.
pub(super) trait Weigh: Clone {
    /// Bytes of what it owns.
    fn weight(&self) -> usize;
}

/// A token that was verified.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) token: Arc<VerifiedToken>,
    /// Its issuer, by the place in the configuration.
    pub(super) issuer: usize,
    /// The generation of the keys that it was verified with.
    keys: u64,
    /// The person, as of the policy set that was in force when it was asked last.
    person: Arc<ArcSwapOption<Person>>,
    /// What the person's groups take at most.
    groups_bytes: usize,
}

/// The person of a token, with the groups as one policy set names them.
#[derive(Debug)]
struct Person {
    /// The number of that policy set.
    policy: u64,
    user: Arc<User>,
}

impl Kept {
    pub(super) fn new(token: VerifiedToken, issuer: usize, keys: u64, policy: &PolicySet) -> Self {
        // One bit for each group that there is.
        let groups_bytes = policy.group_names().count() / 8;
        Self { token: Arc::new(token), issuer, keys, person: Arc::default(), groups_bytes }
    }

    /// The person, under the policy set of this number.
    pub(super) fn user(&self, policy: u64, of: impl FnOnce(&VerifiedToken) -> User) -> Arc<User> {
        if let Some(person) = &*self.person.load()
            && person.policy == policy
        {
            return Arc::clone(&person.user);
        }
        let user = Arc::new(of(&self.token));
        let person = Person { policy, user: Arc::clone(&user) };
        self.person.store(Some(Arc::new(person)));
        user
    }
}

/// The cache of verified tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    cache: Verified<Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone, Debug)]
struct Weight;

impl<V: Weigh> Verified<V> {
    /// A cache of at most so many bytes; none with 0.
    pub(super) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        let cache = || {
            let (hasher, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
            Cache::with(entries, bytes, Weight, hasher, lifecycle)
        };
        Self((bytes > 0).then(cache))
    }

    pub(super) fn get(&self, text: &str) -> Option<V> {
        self.0.as_ref()?.get(text)
    }

    pub(super) fn keep(&self, text: &str, verified: V) {
        if let Some(cache) = &self.0 {
            cache.insert(text.into(), verified);
        }
    }

    /// How many there are, and what they weigh.
    pub(super) fn size(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |cache| (cache.len() as u64, cache.weight()))
    }
}

impl Tokens {
    /// A cache of at most so many bytes; none with 0.
    pub(super) fn new(bytes: u64) -> Self {
        Self { cache: Verified::new(bytes), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The token, if it was verified with the keys that its issuer has now, by their generation.
    pub(super) fn get(
        &self,
        token: &str,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<Kept> {
        let kept = self.cache.get(token);
        let kept = kept.filter(|kept| generation(kept.issuer) == Some(kept.keys));
        let counter = if kept.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Keeps a token.
    pub(super) fn keep(&self, text: &str, kept: &Kept) {
        self.cache.keep(text, kept.clone());
    }

    pub(super) fn observed(&self) -> TokenCache {
        let (tokens, bytes) = self.cache.size();
        TokenCache {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            tokens,
            bytes,
        }
    }
}

impl<V: Weigh> Weighter<Box<str>, V> for Weight {
    fn weight(&self, text: &Box<str>, kept: &V) -> u64 {
        (text.len() + kept.weight() + ENTRY_BYTES) as u64
    }
}

impl Weigh for Kept {
    fn weight(&self) -> usize {
        // The person holds what the token says once more, as far as it matters here.
        2 * weight(&self.token) + self.groups_bytes
    }
}

impl Weigh for Arc<Leaf> {
    fn weight(&self) -> usize {
        text(self.workload.as_str())
    }
}

impl Weigh for Arc<VerifiedSvid> {
    fn weight(&self) -> usize {
        let VerifiedSvid { workload, audiences, begins: _, issued: _, expires: _ } = &**self;
        workload.as_str().len() + ALLOCATION + list(audiences)
    }
}

impl Weigh for Signed {
    fn weight(&self) -> usize {
        text(self.trust_domain())
    }
}

fn text(text: &str) -> usize {
    text.len() + ALLOCATION
}

fn list(texts: &[Box<str>]) -> usize {
    texts.iter().map(|item| text(item)).sum()
}

fn weight(token: &VerifiedToken) -> usize {
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
    let some = [email, preferred_username, client, tenant, id];
    let groups = match groups {
        ClaimedGroups::Known(groups) => groups.bytes() + 2 * ALLOCATION,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Groups;
    use crate::{disk, policy};

    #[test]
    fn a_person_is_of_the_policy_set_that_is_asked_about() {
        let token = VerifiedToken {
            subject: "alice".into(),
            groups: ClaimedGroups::Unknown,
            email: None,
            preferred_username: None,
            client: None,
            tenant: None,
            scopes: Vec::new(),
            actors: Vec::new(),
            id: None,
            audiences: Vec::new(),
            bound_to: None,
            begins: None,
            issued: None,
            expires: jiff::Timestamp::MAX,
        };
        let policy = policy::load(disk::read_policies("policies".as_ref())).unwrap();
        let kept = Kept::new(token, 0, 0, &policy);
        let mut asked = 0;
        let mut ask = |policy| {
            let user = kept.clone().user(policy, |token| {
                asked += 1;
                User::new("corp", &format!("{}-{policy}", token.subject), Groups::Unknown)
            });
            (user.subject.to_string(), asked)
        };
        for (policy, subject, made) in [
            (1, "alice-1", 1),
            (1, "alice-1", 1),
            (2, "alice-2", 2),
            (2, "alice-2", 2),
            (1, "alice-1", 3),
        ] {
            assert_eq!(ask(policy), (subject.to_owned(), made));
        }
    }
}
