//! The header (RFC 7515 §4): which key and algorithm the token says it is signed with.

use jsonwebtoken::Algorithm;

use super::super::jwks::ALGORITHMS;
use super::TokenError;
use crate::json::{Object, Value};

/// Whether a member changes what a token means, or carries a key or an address to get one from
/// (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797).
fn is_refused(member: &str) -> bool {
    matches!(
        member,
        "crit"
            | "b64"
            | "zip"
            | "enc"
            | "epk"
            | "apu"
            | "apv"
            | "cty"
            | "jwk"
            | "jku"
            | "x5u"
            | "x5c"
    )
}

/// No key is called by a longer name.
const MAX_KEY_ID_BYTES: usize = 256;

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Box<str>>,
    pub(super) is_at_jwt: bool,
}

impl Header {
    pub(super) fn read(header: &Object<'_>) -> Result<Self, TokenError> {
        if header.iter().any(|(name, _)| is_refused(name)) {
            return Err(TokenError::HeaderMember);
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Algorithm)?;
        let named = ALGORITHMS.iter().find(|(known, _)| *known == name);
        let (_, algorithm) = named.ok_or(TokenError::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(id) => {
                let id = id.as_str().filter(|id| id.len() <= MAX_KEY_ID_BYTES);
                Some(id.ok_or(TokenError::BadHeader)?.into())
            }
        };
        let is_at_jwt = match header.get("typ") {
            None => false,
            Some(typ) => {
                // RFC 7515 §4.1.9: a media type, compared without case, `application/` left out.
                let typ = typ.as_str().ok_or(TokenError::BadHeader)?;
                let is =
                    |types: [&str; 2]| types.iter().any(|known| typ.eq_ignore_ascii_case(known));
                if is(["at+jwt", "application/at+jwt"]) {
                    true
                } else if is(["JWT", "application/JWT"]) {
                    false
                } else {
                    return Err(TokenError::Type);
                }
            }
        };
        Ok(Self { algorithm: *algorithm, key_id, is_at_jwt })
    }
}
