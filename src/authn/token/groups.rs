//! The groups that a token claims.

use super::rules::{GroupClaim, Separator};
use super::{ClaimedGroups, Issuer, TokenError};
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
    let mut groups: Vec<Box<str>> = Vec::new();
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
        for text in texts(value, claim.split)? {
            if text.len() > MAX_GROUP_BYTES || groups.len() == MAX_GROUPS {
                return Err(TokenError::Groups);
            }
            groups.push(text.into());
        }
    }
    Ok(if unknown { ClaimedGroups::Unknown } else { ClaimedGroups::Known(groups) })
}

fn texts<'v>(
    value: &'v Value<'_>,
    split: Option<Separator>,
) -> Result<Box<dyn Iterator<Item = &'v str> + 'v>, TokenError> {
    match value {
        Value::String(text) => {
            let text = text.as_str();
            let parts = |by: char| text.split(by).filter(|part| !part.is_empty());
            Ok(match split {
                None => Box::new(std::iter::once(text)),
                Some(Separator::Space) => Box::new(parts(' ')),
                Some(Separator::Comma) => Box::new(parts(',')),
            })
        }
        Value::Array(items) => {
            if items.iter().any(|item| item.as_str().is_none()) {
                return Err(TokenError::Groups);
            }
            Ok(Box::new(items.iter().filter_map(Value::as_str)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            Err(TokenError::Groups)
        }
    }
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
