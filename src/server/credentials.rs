//! The two credentials of a request, each verified on its own. An invalid one is never "none",
//! and one never stands in for the other.

use std::sync::Arc;

use thiserror::Error;

use super::keys::Keys;
use super::request::Headers;
use super::tokens::Tokens;
use crate::authn::revocation::Revocations;
use crate::authn::token::{
    Circumstances, ClaimedGroups, Issuer, TokenError, UnverifiedToken, VerifiedToken,
};
use crate::config::Config;
use crate::identity::{Groups, User};
use crate::policy::PolicySet;

/// The user credential of a request.
pub(super) enum UserCredential {
    /// No `Authorization` header at all.
    None,
    /// A credential that does not hold.
    Invalid(CredentialError),
    /// It cannot be verified at the moment.
    Unavailable,
    /// A person.
    Verified(User),
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
    pub(super) fn user(
        &self,
        headers: &Headers<'_>,
        here: &Circumstances<'_>,
        policy: &PolicySet,
    ) -> UserCredential {
        let token = match headers.once("authorization") {
            Ok(None) => return UserCredential::None,
            Ok(Some(value)) => bearer(value),
            Err(_) => Err(CredentialError::Twice),
        };
        let verified = token.and_then(|token| self.verified(token, here).map_err(Into::into));
        match verified {
            Ok(Some((token, issuer))) => UserCredential::Verified(user(&token, issuer, policy)),
            Ok(None) => UserCredential::Unavailable,
            Err(error) => UserCredential::Invalid(error),
        }
    }

    /// The token, as of here and now; `None` while its issuer's keys are not known.
    fn verified(
        &self,
        text: &str,
        here: &Circumstances<'_>,
    ) -> Result<Option<(Arc<VerifiedToken>, &Issuer)>, TokenError> {
        let issuers = || self.config.issuers.iter().map(|issuer| &issuer.issuer);
        let keys_of = |place: usize| self.keys.of(&issuers().nth(place)?.name);
        let kept = self.tokens.get(text, keys_of);
        let (token, issuer) = if let Some(kept) = kept {
            let issuer = issuers().nth(kept.issuer).ok_or(TokenError::Issuer)?;
            kept.token.stands(issuer, here)?;
            (kept.token, issuer)
        } else {
            let token = UnverifiedToken::parse(text, self.config.tokens.max_bytes)?;
            let claims = token.claims()?;
            let issuer = claims.issuer(issuers())?;
            let Some(keys) = self.keys.of(&issuer.name) else {
                return Ok(None);
            };
            let verified = Arc::new(claims.verify(issuer, &keys, here)?);
            if let Some(place) = issuers().position(|other| other.name == issuer.name) {
                self.tokens.keep(text, &verified, place, keys);
            }
            (verified, issuer)
        };
        if self.revocations.revoke(&issuer.name, &token) {
            return Err(TokenError::Revoked);
        }
        Ok(Some((token, issuer)))
    }
}

/// The person, with the groups as the policy names them.
fn user(token: &VerifiedToken, issuer: &Issuer, policy: &PolicySet) -> User {
    let groups = match &token.groups {
        ClaimedGroups::Unknown => Groups::Unknown,
        ClaimedGroups::Known(values) => {
            let values = values.iter().map(|value| &**value);
            Groups::Known(policy.claimed_groups(&issuer.name, &issuer.group_prefix, values))
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

/// RFC 6750 §2.1, RFC 9110 §11.4: the scheme in any case, one space, and a token.
fn bearer(value: &[u8]) -> Result<&str, CredentialError> {
    let value = std::str::from_utf8(value).map_err(|_| CredentialError::NotBearer)?;
    let (scheme, token) = value.split_once(' ').ok_or(CredentialError::NotBearer)?;
    let is_token = !token.is_empty()
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    if scheme.eq_ignore_ascii_case("bearer") && is_token {
        Ok(token)
    } else {
        Err(CredentialError::NotBearer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_one_word_after_one_space() {
        for value in ["Bearer a.b.c", "bearer a", "BEARER a~+/="] {
            assert!(bearer(value.as_bytes()).is_ok(), "{value:?}");
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
            assert!(bearer(value.as_bytes()).is_err(), "{value:?}");
        }
        assert!(bearer(b"Bearer \xff").is_err());
    }
}
