//! The two credentials of a request, each verified on its own. An invalid one is never "none",
//! and one never stands in for the other.

use jiff::Timestamp;
use thiserror::Error;

use super::keys::Keys;
use super::request::Headers;
use crate::authn::token::{self, ClaimedGroups, TokenError};
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

pub(super) fn user(
    headers: &Headers<'_>,
    config: &Config,
    keys: &Keys,
    policy: &PolicySet,
    now: Timestamp,
) -> UserCredential {
    let token = match headers.once("authorization") {
        Ok(None) => return UserCredential::None,
        Ok(Some(value)) => bearer(value),
        Err(_) => Err(CredentialError::Twice),
    };
    let verified = token.and_then(|token| {
        let issuers = config.issuers.iter().map(|issuer| &issuer.issuer);
        let (token, issuer) = token::parse(token, issuers)?;
        let Some(keys) = keys.of(&issuer.name) else {
            return Ok(None);
        };
        match token.verify(issuer, &keys, now) {
            Ok(verified) => Ok(Some((verified, issuer))),
            Err(error) => Err(error.into()),
        }
    });
    let (verified, issuer) = match verified {
        Ok(Some(verified)) => verified,
        Ok(None) => return UserCredential::Unavailable,
        Err(error) => return UserCredential::Invalid(error),
    };
    let groups = match &verified.groups {
        ClaimedGroups::Unknown => Groups::Unknown,
        ClaimedGroups::Known(values) => {
            let values = values.iter().map(|value| &**value);
            Groups::Known(policy.claimed_groups(&issuer.name, &issuer.group_prefix, values))
        }
    };
    UserCredential::Verified(User {
        email: verified.email,
        preferred_username: verified.preferred_username,
        client: verified.client,
        ..User::new(&issuer.name, &verified.subject, groups)
    })
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
