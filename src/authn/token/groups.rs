//! The groups that a token claims.

use super::rules::{GroupClaim, Separator};
use super::{ClaimedGroups, Issuer, Texts, TokenError};
use crate::json::{Object, Value};

const MAX_GROUP_BYTES: usize = 256;

/// More than providers put into a token; Okta stops at 100, Entra ID at 200.
const MAX_GROUPS: usize = 4000;

pub(super) fn read(
    claims: &Object<'_>,
    payload: &Value<'_>,
    issuer: &Issuer,
) -> Result<ClaimedGroups, TokenError> {
    let sources = &issuer.rules.claims.groups;
    let mut groups = Vec::new();
    let mut unknown = sources.is_empty() || says_too_many(claims);
    for claim in sources {
        if is_distributed(claims, claim) {
            unknown = true;
            continue;
        }
        let Some(value) = claim.pointer.of(payload) else {
            unknown |= !claim.optional || claim.pointer.is_blocked(payload);
            continue;
        };
        add(value, claim.split, &mut groups)?;
        let too_long = |text: &&str| text.len() > MAX_GROUP_BYTES;
        if groups.len() > MAX_GROUPS || groups.iter().any(too_long) {
            return Err(TokenError::Groups);
        }
    }
    Ok(if unknown { ClaimedGroups::Unknown } else { ClaimedGroups::Known(Texts::new(&groups)) })
}

fn add<'v>(
    value: &'v Value<'_>,
    split: Option<Separator>,
    groups: &mut Vec<&'v str>,
) -> Result<(), TokenError> {
    match value {
        Value::String(text) => {
            let text = text.as_str();
            let parts = |by: char| text.split(by).filter(|part| !part.is_empty());
            match split {
                None => groups.push(text),
                Some(Separator::Space) => groups.extend(parts(' ')),
                Some(Separator::Comma) => groups.extend(parts(',')),
            }
        }
        Value::Array(items) => {
            groups.reserve(items.len());
            for item in items {
                groups.push(item.as_str().ok_or(TokenError::Groups)?);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(TokenError::Groups);
        }
    }
    Ok(())
}

/// Entra ID's way to say that the groups did not fit. Anything but a plain `false` says so.
fn says_too_many(claims: &Object<'_>) -> bool {
    claims.get("hasgroups").is_some_and(|has| !matches!(has, Value::Bool(false)))
}

/// OpenID Connect Core §5.6.2: the claim is somewhere else. We never fetch it from an address in
/// a token.
fn is_distributed(claims: &Object<'_>, claim: &GroupClaim) -> bool {
    match claims.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => {
            claim.pointer.first().is_some_and(|name| names.contains(name))
        }
        // Unreadable: it may have meant this one.
        Some(_) => true,
    }
}
