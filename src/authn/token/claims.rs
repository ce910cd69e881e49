//! What a token's claims must look like, and what they say.

use jiff::{SignedDuration, Timestamp};

use super::{Issuer, TokenError, VerifiedToken};
use crate::json::{Object, Value};

/// How far the issuer's clock may be ahead of ours. Never applied to the end of a token.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// No access token lives longer.
const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

const MAX_SUBJECT_BYTES: usize = 256;
const MAX_GROUP_BYTES: usize = 256;
const MAX_GROUPS: usize = 1000;

/// Which claims say what: JSON Pointers (RFC 6901) as their unescaped reference tokens.
#[derive(Clone, Debug)]
pub struct ClaimsRules {
    /// The subject.
    pub subject: Vec<Box<str>>,
    /// The email address, believed only with `email_verified: true`.
    pub email: Option<Vec<Box<str>>>,
    /// The preferred name.
    pub preferred_username: Option<Vec<Box<str>>>,
    /// The groups: all of these claims, merged.
    pub groups: Vec<GroupClaim>,
}

/// A claim that holds groups.
#[derive(Clone, Debug)]
pub struct GroupClaim {
    /// Where it is.
    pub pointer: Vec<Box<str>>,
}

/// The groups that a token claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedGroups {
    /// Exactly these.
    Known(Vec<Box<str>>),
    /// A configured claim is missing, or the issuer says that it would not fit: never the same as
    /// no groups.
    Unknown,
}

/// Checks every claim but the signature's.
pub(super) fn read(
    claims: &Object<'_>,
    payload: &Value<'_>,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<VerifiedToken, TokenError> {
    if claims.get("iss").and_then(Value::as_str) != Some(&issuer.issuer) {
        return Err(TokenError::Issuer);
    }
    refuse_other_kinds(claims)?;
    let expires = lifetime(claims, now)?;
    audience(claims, issuer)?;
    let rules = &issuer.claims;
    let subject = payload.pointer(&rules.subject).and_then(Value::as_str);
    let subject = subject.filter(|subject| is_subject(subject)).ok_or(TokenError::Subject)?;
    let optional = |pointer: &Option<Vec<Box<str>>>| -> Result<Option<Box<str>>, TokenError> {
        match pointer.as_ref().and_then(|pointer| payload.pointer(pointer)) {
            None => Ok(None),
            Some(value) => {
                value.as_str().map(|text| Some(text.into())).ok_or(TokenError::ClaimType)
            }
        }
    };
    let email_verified = matches!(claims.get("email_verified"), Some(Value::Bool(true)));
    Ok(VerifiedToken {
        subject: subject.into(),
        groups: groups(claims, payload, issuer)?,
        email: optional(&rules.email)?.filter(|_| email_verified),
        preferred_username: optional(&rules.preferred_username)?,
        client: client(claims)?,
        expires,
    })
}

/// ID tokens, refresh tokens and security events are signed with the same keys.
fn refuse_other_kinds(claims: &Object<'_>) -> Result<(), TokenError> {
    let is = |name: &str, value: &str| match claims.get(name) {
        None => true,
        Some(found) => found.as_str() == Some(value),
    };
    let id_token =
        ["nonce", "at_hash", "c_hash", "events"].iter().any(|name| claims.contains(name));
    if id_token || !is("token_use", "access") || !is("typ", "Bearer") {
        return Err(TokenError::Type);
    }
    // Sender-constrained (RFC 8705, RFC 9449): worth no more than the proof, and there is none.
    if claims.contains("cnf") {
        return Err(TokenError::Bound);
    }
    Ok(())
}

fn instant(claims: &Object<'_>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value
        .as_number()
        .and_then(crate::json::Number::as_i64)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map(Some)
        .ok_or(TokenError::ClaimType)
}

fn lifetime(claims: &Object<'_>, now: Timestamp) -> Result<Timestamp, TokenError> {
    let expires = instant(claims, "exp")?.ok_or(TokenError::Expired)?;
    // RFC 7519 §4.1.4: not accepted on or after.
    if expires <= now {
        return Err(TokenError::Expired);
    }
    if expires.duration_since(now) > MAX_LIFETIME {
        return Err(TokenError::Lifetime);
    }
    for name in ["nbf", "iat"] {
        if instant(claims, name)?.is_some_and(|from| from.duration_since(now) > CLOCK_SKEW) {
            return Err(TokenError::NotYet);
        }
    }
    Ok(expires)
}

fn audience(claims: &Object<'_>, issuer: &Issuer) -> Result<(), TokenError> {
    let ours = |audience: &str| issuer.audiences.iter().any(|known| **known == *audience);
    let named = match claims.get("aud") {
        Some(Value::String(audience)) => ours(audience.as_str()),
        Some(Value::Array(audiences)) => {
            let texts: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            texts.ok_or(TokenError::ClaimType)?.into_iter().any(ours)
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    };
    if named { Ok(()) } else { Err(TokenError::Audience) }
}

/// A workload's subject never names a user.
fn is_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.len() <= MAX_SUBJECT_BYTES
        && !subject.chars().any(char::is_control)
        && !subject.to_ascii_lowercase().starts_with("spiffe:")
}

fn client(claims: &Object<'_>) -> Result<Option<Box<str>>, TokenError> {
    let Some(client) = claims.get("azp").or_else(|| claims.get("client_id")) else {
        return Ok(None);
    };
    client.as_str().map(|client| Some(client.into())).ok_or(TokenError::ClaimType)
}

fn groups(
    claims: &Object<'_>,
    payload: &Value<'_>,
    issuer: &Issuer,
) -> Result<ClaimedGroups, TokenError> {
    let mut known: Vec<Box<str>> = Vec::new();
    let mut unknown = matches!(claims.get("hasgroups"), Some(Value::Bool(true)));
    for claim in &issuer.claims.groups {
        if is_distributed(claims, claim) {
            unknown = true;
            continue;
        }
        let values = match payload.pointer(&claim.pointer) {
            None => {
                unknown = true;
                continue;
            }
            Some(Value::String(group)) => vec![group.as_str()],
            Some(Value::Array(items)) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                texts.ok_or(TokenError::Groups)?
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(TokenError::Groups);
            }
        };
        if values.len() > MAX_GROUPS || values.iter().any(|group| group.len() > MAX_GROUP_BYTES) {
            return Err(TokenError::Groups);
        }
        known.extend(values.into_iter().map(Into::into));
    }
    Ok(if unknown { ClaimedGroups::Unknown } else { ClaimedGroups::Known(known) })
}

/// OpenID Connect Core §5.6.2: the claim is somewhere else. We never fetch it from an address in
/// a token.
fn is_distributed(claims: &Object<'_>, claim: &GroupClaim) -> bool {
    let names = claims.get("_claim_names").and_then(Value::as_object);
    names.zip(claim.pointer.first()).is_some_and(|(names, name)| names.contains(name))
}
