//! Tokens and users that no longer count, whatever their signature says.

use std::collections::{HashMap, HashSet};

use super::token::VerifiedToken;

/// A deny-list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Tokens by issuer and `jti`. Never by the token's text: an ECDSA signature has two spellings.
    tokens: HashMap<Box<str>, HashSet<Box<str>>>,
    /// Users by issuer and subject.
    users: HashMap<Box<str>, HashSet<Box<str>>>,
}

impl Revocations {
    /// Denies one token of an issuer, by its `jti`.
    pub fn revoke_token(&mut self, issuer: &str, id: &str) {
        self.tokens.entry(issuer.into()).or_default().insert(id.into());
    }

    /// Denies every token of a user.
    pub fn revoke_user(&mut self, issuer: &str, subject: &str) {
        self.users.entry(issuer.into()).or_default().insert(subject.into());
    }

    /// Whether a token of this issuer (by its configured name) is denied.
    #[must_use]
    pub fn denies(&self, issuer: &str, token: &VerifiedToken) -> bool {
        let lists = |map: &HashMap<Box<str>, HashSet<Box<str>>>, value: &str| {
            map.get(issuer).is_some_and(|values| values.contains(value))
        };
        lists(&self.users, &token.subject)
            || token.id.as_deref().is_some_and(|id| lists(&self.tokens, id))
    }

    /// Denies what another list denies as well. Returns whether that was news.
    pub fn extend(&mut self, other: &Self) -> bool {
        let Self { tokens, users } = other;
        let before = self.len();
        for (mine, theirs) in [(&mut self.tokens, tokens), (&mut self.users, users)] {
            for (issuer, values) in theirs {
                mine.entry(issuer.clone()).or_default().extend(values.iter().cloned());
            }
        }
        self.len() != before
    }

    /// How many tokens and users are denied.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        let count = |map: &HashMap<_, HashSet<Box<str>>>| map.values().map(HashSet::len).sum();
        (count(&self.tokens), count(&self.users))
    }
}
