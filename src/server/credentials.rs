//! The two credentials of a request, each verified on its own. An invalid one is never "none",
//! and one never stands in for the other.

use std::sync::Arc;

use thiserror::Error;

use super::keys::{Keys, Keyset, UnknownKey};
use super::live::Live;
use super::request::Headers;
use super::tokens::{Kept, Tokens};
use crate::authn::jwt_svid;
use crate::authn::revocation::Revocations;
use crate::authn::token::{
    Circumstances, ClaimedGroups, Issuer, TokenError, UnverifiedToken, VerifiedToken,
};
use crate::config::Config;
use crate::identity::{Groups, User};
use crate::policy::PolicySet;

/// The user credential of a request.
pub(super) enum UserCredential<'h> {
    /// No `Authorization` header at all.
    None,
    /// A credential that does not hold; it may name a key that its issuer has not told us of yet.
    Invalid(CredentialError, Option<UnknownKey>),
    /// It cannot be verified at the moment.
    Unavailable,
    /// A token that says that it is a workload's: no user credential, and not verified yet.
    JwtSvid(&'h str),
    /// A person.
    Verified(Arc<User>),
}

/// Why a user credential does not hold. For the log.
#[derive(Clone, Copy, Debug, Error)]
pub(super) enum CredentialError {
    #[error("two `Authorization` headers")]
    Twice,
    #[error("not a bearer token")]
    NotBearer,
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Why there is no verified token.
enum Unverified {
    /// The issuer's keys are not known, or no longer count.
    NoKeys,
    /// It is not a token's text.
    NotBearer,
    /// It says that it is a workload's.
    JwtSvid,
    /// It does not hold; perhaps for a key that its issuer has not told us of yet.
    Bad(TokenError, Option<UnknownKey>),
}

impl From<TokenError> for Unverified {
    fn from(error: TokenError) -> Self {
        Self::Bad(error, None)
    }
}

/// What user credentials are verified with.
#[derive(Clone, Copy)]
pub(super) struct Verifier<'v> {
    pub(super) config: &'v Config,
    pub(super) keys: &'v Keys,
    pub(super) tokens: &'v Tokens,
    pub(super) revocations: &'v Revocations,
}

impl Verifier<'_> {
    /// The user of a request to a server under a policy.
    pub(super) fn user<'h>(
        &self,
        headers: &Headers<'h>,
        here: &Circumstances<'_>,
        live: &Live,
    ) -> UserCredential<'h> {
        let token = match headers.once("authorization") {
            Ok(None) => return UserCredential::None,
            Ok(Some(value)) => bearer(value),
            Err(_) => Err(CredentialError::Twice),
        };
        let token = match token {
            Ok(token) => token,
            Err(error) => return UserCredential::Invalid(error, None),
        };
        match self.verified(token, here, &live.policy) {
            Ok((kept, issuer)) => UserCredential::Verified(
                kept.user(live.number, |token| user(token, issuer, &live.policy)),
            ),
            Err(Unverified::NoKeys) => UserCredential::Unavailable,
            Err(Unverified::NotBearer) => UserCredential::Invalid(CredentialError::NotBearer, None),
            Err(Unverified::JwtSvid) => UserCredential::JwtSvid(token),
            Err(Unverified::Bad(error, unknown)) => UserCredential::Invalid(error.into(), unknown),
        }
    }

    /// The token, as of here and now.
    fn verified(
        &self,
        text: &str,
        here: &Circumstances<'_>,
        policy: &PolicySet,
    ) -> Result<(Kept, &Issuer), Unverified> {
        let issuers = || self.config.issuers.iter().map(|issuer| &issuer.issuer);
        let known = |issuer: &Issuer| match self.keys.of(&issuer.name) {
            Keyset::Known(keys) => Some(keys),
            Keyset::Never | Keyset::Stale => None,
        };
        let generation = |place: usize| Some(known(issuers().nth(place)?)?.number);
        let kept = self.tokens.get(text, generation);
        let (kept, issuer) = if let Some(kept) = kept {
            let issuer = issuers().nth(kept.issuer).ok_or(TokenError::Issuer)?;
            kept.token.stands(issuer, here)?;
            (kept, issuer)
        } else if !is_token(text) {
            return Err(Unverified::NotBearer);
        } else if self.is_jwt_svid(text) {
            return Err(Unverified::JwtSvid);
        } else {
            let token = UnverifiedToken::parse(text, self.config.tokens.max_bytes)?;
            let claims = token.claims()?;
            let issuer = claims.issuer(issuers())?;
            let keys = known(issuer).ok_or(Unverified::NoKeys)?;
            let verified = claims.verify(issuer, &keys.set, here).map_err(|error| {
                let unknown = claims.key_id().filter(|id| !keys.set.names(id));
                let unknown = unknown.filter(|_| error == TokenError::UnknownKey);
                let key = |id: &str| UnknownKey { issuer: issuer.name.clone(), id: id.into() };
                Unverified::Bad(error, unknown.map(key))
            })?;
            let place = issuers().position(|other| other.name == issuer.name);
            let kept = Kept::new(verified, place.ok_or(TokenError::Issuer)?, keys.number, policy);
            self.tokens.keep(text, &kept);
            (kept, issuer)
        };
        if self.revocations.denies(&issuer.name, &kept.token) {
            return Err(TokenError::Revoked.into());
        }
        Ok((kept, issuer))
    }

    /// Whether the token goes to those who verify JWT-SVIDs; then no issuer is tried.
    fn is_jwt_svid(&self, text: &str) -> bool {
        self.config.workloads.jwt_svid.is_some()
            && jwt_svid::claims_a_workload(text, self.config.tokens.max_bytes)
    }
}

/// The person, with the groups as the policy names them.
fn user(token: &VerifiedToken, issuer: &Issuer, policy: &PolicySet) -> User {
    let groups = match &token.groups {
        ClaimedGroups::Unknown => Groups::Unknown,
        ClaimedGroups::Known(values) => {
            Groups::Known(policy.claimed_groups(&issuer.name, &issuer.group_prefix, values.iter()))
        }
    };
    User {
        issuer: issuer.name.clone(),
        subject: token.subject.clone(),
        groups,
        email: token.email.clone(),
        preferred_username: token.preferred_username.clone(),
        client: token.client.clone(),
        tenant: token.tenant.clone(),
        scopes: token.scopes.clone(),
        actors: token.actors.clone(),
    }
}

/// RFC 6750 §2.1, RFC 9110 §11.4: the scheme in any case, one space, and what [`is_token`] has yet
/// to be asked about.
fn bearer(value: &[u8]) -> Result<&str, CredentialError> {
    let value = std::str::from_utf8(value).map_err(|_| CredentialError::NotBearer)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        Some(_) | None => Err(CredentialError::NotBearer),
    }
}

/// Whether this is a token (RFC 9110, `token68`). What was verified once has been asked.
fn is_token(text: &str) -> bool {
    let is_of_token = |byte| {
        matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+'..=b'/' | b'_' | b'~' | b'=')
            && byte != b','
    };
    !text.is_empty() && text.bytes().all(is_of_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_one_word_after_one_space() {
        let is_bearer = |value| bearer(value).is_ok_and(is_token);
        for value in ["Bearer a.b.c", "bearer a", "BEARER a~+/="] {
            assert!(is_bearer(value.as_bytes()), "{value:?}");
        }
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a ",
            " Bearer a",
            "Bearer\ta",
            "Basic YTpi",
            "DPoP a",
            "Bearer a, Bearer b",
            "Bearer a b",
            "Bearer é",
            "a.b.c",
            "Bearer a\u{a0}",
        ] {
            assert!(!is_bearer(value.as_bytes()), "{value:?}");
        }
        assert!(!is_bearer(b"Bearer \xff"));
    }
}
