//! What a token's claims must look like, and what they say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::pointer::ClaimPointer;
use super::{Fingerprint, Issuer, TokenError, TokenKind, VerifiedToken, groups};
use crate::identity::Actor;
use crate::json::{Number, Object, Value};

/// No subject, name, client, tenant, scope or identifier is longer.
const MAX_TEXT_BYTES: usize = 256;

const MAX_SCOPES: usize = 1000;

/// What only ID tokens have (OpenID Connect Core §2, §3.3.2.11; FAPI 1.0 part 2, §5.1).
const HASHES: &[&str] = &["at_hash", "c_hash", "s_hash"];

/// Reads every claim that matters; what depends on the moment is left to
/// [`VerifiedToken::stands`].
pub(super) fn read(
    claims: &Object<'_>,
    payload: &Value<'_>,
    issuer: &Issuer,
) -> Result<VerifiedToken, TokenError> {
    if claims.get("iss").and_then(Value::as_str) != Some(&issuer.issuer) {
        return Err(TokenError::Issuer);
    }
    let rules = &issuer.rules;
    refuse_other_kinds(claims, rules.kind)?;
    if rules.required.iter().any(|claim| matches!(claim.of(payload), None | Some(Value::Null))) {
        return Err(TokenError::Required);
    }
    let is = |(claim, value): &(ClaimPointer, Box<str>)| {
        claim.of(payload).and_then(Value::as_str) == Some(value)
    };
    if !rules.expected.iter().all(is) {
        return Err(TokenError::Expected);
    }
    let expires = instant(claims, "exp")?.ok_or(TokenError::Expired)?;
    let tenant = first(payload, &rules.claims.tenant)?;
    if !one_of(rules.tenants.as_deref(), tenant.as_deref()) {
        return Err(TokenError::Tenant);
    }
    let client = first(payload, &rules.claims.client)?;
    let named = client.is_some() || !rules.needs_client;
    if !named || !one_of(rules.clients.as_deref(), client.as_deref()) {
        return Err(TokenError::Client);
    }
    let subject = rules.claims.subject.of(payload).and_then(Value::as_str);
    let subject = subject.filter(|subject| is_subject(subject)).ok_or(TokenError::Subject)?;
    let email_verified = matches!(claims.get("email_verified"), Some(Value::Bool(true)));
    Ok(VerifiedToken {
        subject: subject.into(),
        groups: groups::read(claims, payload, issuer)?,
        email: first(payload, &rules.claims.email)?.filter(|_| email_verified),
        preferred_username: first(payload, &rules.claims.preferred_username)?,
        client,
        tenant,
        scopes: scopes(payload, &rules.claims.scopes)?,
        actors: actors(claims, rules.max_actors)?,
        id: text(claims.get("jti"))?,
        audiences: audiences(rules.claims.audience.of(payload))?,
        bound_to: bound_to(claims)?,
        begins: instant(claims, "nbf")?,
        issued: instant(claims, "iat")?,
        expires,
    })
}

/// ID tokens, refresh tokens, logout tokens and security events are signed with the same keys.
fn refuse_other_kinds(claims: &Object<'_>, kind: TokenKind) -> Result<(), TokenError> {
    let is = |name: &str, value: &str| match claims.get(name) {
        None => true,
        Some(found) => found.as_str() == Some(value),
    };
    let has = |names: &[&str]| names.iter().any(|name| claims.contains(name));
    let this_kind = match kind {
        TokenKind::Access => {
            !has(HASHES)
                && !claims.contains("nonce")
                && is("token_use", "access")
                && is("typ", "Bearer")
        }
        TokenKind::AccessWithNonce => {
            !has(HASHES) && is("token_use", "access") && is("typ", "Bearer")
        }
        TokenKind::Id => is("token_use", "id") && is("typ", "ID"),
    };
    // RFC 8417 §2.2: security events, back-channel logout among them.
    if this_kind && !claims.contains("events") { Ok(()) } else { Err(TokenError::Type) }
}

fn instant(claims: &Object<'_>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value
        .as_number()
        .and_then(Number::as_i64)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map(Some)
        .ok_or(TokenError::ClaimType)
}

fn text(value: Option<&Value<'_>>) -> Result<Option<Box<str>>, TokenError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let text = value.as_str().filter(|text| text.len() <= MAX_TEXT_BYTES);
    text.map(|text| Some(text.into())).ok_or(TokenError::ClaimType)
}

/// The first of several claims that is there.
fn first(payload: &Value<'_>, claims: &[ClaimPointer]) -> Result<Option<Box<str>>, TokenError> {
    text(claims.iter().find_map(|claim| claim.of(payload)))
}

/// Whether a pinned claim has one of its values.
fn one_of(accepted: Option<&[Box<str>]>, value: Option<&str>) -> bool {
    accepted.is_none_or(|accepted| accepted.iter().any(|known| Some(&**known) == value))
}

/// RFC 7519 §4.1.3: one text or several.
fn audiences(claim: Option<&Value<'_>>) -> Result<Vec<Box<str>>, TokenError> {
    match claim {
        Some(Value::String(audience)) => Ok(vec![audience.as_str().into()]),
        Some(Value::Array(audiences)) => {
            let texts = audiences.iter().map(|audience| audience.as_str().map(Into::into));
            texts.collect::<Option<Vec<_>>>().ok_or(TokenError::ClaimType)
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(TokenError::Audience)
        }
    }
}

/// A workload's subject never names a user.
fn is_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.len() <= MAX_TEXT_BYTES
        && !subject.chars().any(char::is_control)
        && !subject.to_ascii_lowercase().starts_with("spiffe:")
}

/// One text with blanks between the scopes (RFC 6749 §3.3, RFC 9068 §2.2.3), or a list of them.
fn scopes(payload: &Value<'_>, claims: &[ClaimPointer]) -> Result<Vec<Box<str>>, TokenError> {
    let mut scopes: Vec<&str> = match claims.iter().find_map(|claim| claim.of(payload)) {
        None => Vec::new(),
        Some(Value::String(text)) => {
            text.as_str().split(' ').filter(|scope| !scope.is_empty()).collect()
        }
        Some(Value::Array(items)) => {
            let texts: Option<_> = items.iter().map(Value::as_str).collect();
            texts.ok_or(TokenError::ClaimType)?
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            return Err(TokenError::ClaimType);
        }
    };
    if scopes.len() > MAX_SCOPES || scopes.iter().any(|scope| scope.len() > MAX_TEXT_BYTES) {
        return Err(TokenError::ClaimType);
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes.into_iter().map(Into::into).collect())
}

/// RFC 8693 §4.1: the outermost actor is the current one, those within acted before.
fn actors(claims: &Object<'_>, most: usize) -> Result<Vec<Actor>, TokenError> {
    let mut actors = Vec::new();
    let mut next = claims.get("act");
    while let Some(actor) = next {
        let actor = actor.as_object().ok_or(TokenError::Actors)?;
        let subject = actor.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|subject| !subject.is_empty());
        if actors.len() == most || subject.is_none_or(|subject| subject.len() > MAX_TEXT_BYTES) {
            return Err(TokenError::Actors);
        }
        actors.push(Actor {
            issuer: text(actor.get("iss")).map_err(|_| TokenError::Actors)?,
            subject: subject.unwrap_or_default().into(),
        });
        next = actor.get("act");
    }
    Ok(actors)
}

/// RFC 8705 §3.1. Any other confirmation (RFC 7800, RFC 9449) is worth no more than the proof of
/// it, and there is none.
fn bound_to(claims: &Object<'_>) -> Result<Option<Fingerprint>, TokenError> {
    let Some(confirmation) = claims.get("cnf") else {
        return Ok(None);
    };
    let confirmation = confirmation.as_object().ok_or(TokenError::Bound)?;
    let only = (confirmation.len() == 1).then(|| confirmation.get("x5t#S256")).flatten();
    let hash = only.and_then(Value::as_str).ok_or(TokenError::Bound)?;
    let hash = URL_SAFE_NO_PAD.decode(hash).map_err(|_| TokenError::Bound)?;
    hash.try_into().map(Some).map_err(|_| TokenError::Bound)
}
