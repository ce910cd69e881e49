//! User tokens: JWS compact serialization (RFC 7515), JWT claims (RFC 7519), the access-token
//! profile (RFC 9068) and the advice of RFC 8725.
//!
//! What can be checked without the key is checked first: a bad signature costs as much as a good
//! one. No address, key or algorithm is ever taken from a token.

mod claims;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use thiserror::Error;

use super::jwks::{ALGORITHMS, KeySet};
use crate::json::{self, Limits, Object, Value};

pub use self::claims::{ClaimedGroups, ClaimsRules, GroupClaim};

/// The largest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

const LIMITS: Limits = Limits { max_depth: 32, guarded_keys: &[] };

/// What one issuer's tokens must look like.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The configured name.
    pub name: Box<str>,
    /// The `iss` claim, compared byte for byte.
    pub issuer: Box<str>,
    /// Accepted audiences; a token names at least one of them, byte for byte.
    pub audiences: Vec<Box<str>>,
    /// Accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Whether `typ` must be `at+jwt` (RFC 9068 §4), or may also be `JWT` or absent.
    pub require_at_jwt: bool,
    /// Which claims say what.
    pub claims: ClaimsRules,
    /// Put before every group that is not mapped by value.
    pub group_prefix: Box<str>,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The subject.
    pub subject: Box<str>,
    /// The group claims, as the token spells them.
    pub groups: ClaimedGroups,
    /// The email address, if the issuer verified it.
    pub email: Option<Box<str>>,
    /// The preferred name; decides nothing.
    pub preferred_username: Option<Box<str>>,
    /// The OAuth client (`azp`, else `client_id`).
    pub client: Option<Box<str>>,
    /// When it ends.
    pub expires: Timestamp,
}

/// Why a token does not hold. For the log; a caller is told `invalid_token` and no more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not three base64url parts.
    #[error("not a JWS in compact serialization")]
    NotCompact,
    /// The header is not a strict JSON object.
    #[error("the header is not a strict JSON object")]
    BadHeader,
    /// A header that changes what the token means, or carries a key or an address.
    #[error("the header has a member that is not accepted")]
    HeaderMember,
    /// An algorithm that the issuer may not use.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// Another kind of token.
    #[error("the token is of another type")]
    Type,
    /// The payload is not a strict JSON object.
    #[error("the payload is not a strict JSON object")]
    BadPayload,
    /// No configured issuer.
    #[error("the issuer is not configured")]
    Issuer,
    /// A workload's token where a user's is expected.
    #[error("a workload's token is not a user's")]
    Workload,
    /// No key of that identifier for that algorithm.
    #[error("no such key")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// `aud` does not name us.
    #[error("the audience is another")]
    Audience,
    /// `exp` is missing or over.
    #[error("the token has expired, or does not say when it does")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYet,
    /// It would be valid for longer than a day.
    #[error("the token lives too long")]
    Lifetime,
    /// `sub` is missing or unusable.
    #[error("the subject is missing or unusable")]
    Subject,
    /// A claim of the wrong type.
    #[error("a claim has the wrong type")]
    ClaimType,
    /// The group claims are not lists of short texts.
    #[error("the groups are malformed or too many")]
    Groups,
    /// Bound to a key that nobody proved to hold.
    #[error("the token is bound to a key")]
    Bound,
}

/// A token whose form is right; nothing in it is believed yet.
#[derive(Debug)]
pub struct UnverifiedToken<'t> {
    signed: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    is_at_jwt: bool,
    payload: Vec<u8>,
}

/// The issuer that an unverified token names; selects whose keys and rules apply, and nothing
/// else.
///
/// # Errors
///
/// Everything that is wrong with the token's form.
pub fn parse<'t, 'i>(
    token: &'t str,
    issuers: impl IntoIterator<Item = &'i Issuer>,
) -> Result<(UnverifiedToken<'t>, &'i Issuer), TokenError> {
    let token = UnverifiedToken::parse(token)?;
    let payload = json::parse(&token.payload, LIMITS).map_err(|_| TokenError::BadPayload)?;
    let claims = payload.as_object().ok_or(TokenError::BadPayload)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("sub").is_some_and(|subject| subject.starts_with("spiffe://")) {
        return Err(TokenError::Workload);
    }
    let named = text("iss").ok_or(TokenError::Issuer)?;
    let issuer = issuers.into_iter().find(|issuer| *issuer.issuer == *named);
    Ok((token, issuer.ok_or(TokenError::Issuer)?))
}

impl<'t> UnverifiedToken<'t> {
    fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::NotCompact)?;
        if signature.is_empty() || payload.contains('.') {
            return Err(TokenError::NotCompact);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::NotCompact);
        // The signature's own form is checked too: two spellings of it would be two tokens.
        decode(signature)?;
        let header_bytes = decode(header)?;
        let header = json::parse(&header_bytes, LIMITS).map_err(|_| TokenError::BadHeader)?;
        let header = header.as_object().ok_or(TokenError::BadHeader)?;
        let (algorithm, key_id, is_at_jwt) = read_header(header)?;
        Ok(Self { signed, signature, algorithm, key_id, is_at_jwt, payload: decode(payload)? })
    }

    /// Verifies the token against its issuer's keys and rules.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn verify(
        &self,
        issuer: &Issuer,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        if !issuer.algorithms.contains(&self.algorithm) {
            return Err(TokenError::Algorithm);
        }
        if issuer.require_at_jwt && !self.is_at_jwt {
            return Err(TokenError::Type);
        }
        let payload = json::parse(&self.payload, LIMITS).map_err(|_| TokenError::BadPayload)?;
        let claims = payload.as_object().ok_or(TokenError::BadPayload)?;
        let verified = claims::read(claims, &payload, issuer, now)?;
        let key =
            keys.find(self.key_id.as_deref(), self.algorithm).ok_or(TokenError::UnknownKey)?;
        if !key.verifies(self.signature, self.signed.as_bytes(), self.algorithm) {
            return Err(TokenError::Signature);
        }
        Ok(verified)
    }
}

/// Members of a header that change what a token means, or that carry a key or an address to get
/// one from (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797).
const REFUSED_MEMBERS: &[&str] =
    &["crit", "b64", "zip", "enc", "epk", "apu", "apv", "cty", "jwk", "jku", "x5u", "x5c"];

fn read_header(header: &Object<'_>) -> Result<(Algorithm, Option<Box<str>>, bool), TokenError> {
    if REFUSED_MEMBERS.iter().any(|name| header.contains(name)) {
        return Err(TokenError::HeaderMember);
    }
    let name = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Algorithm)?;
    let named = ALGORITHMS.iter().find(|(known, _)| *known == name);
    let (_, algorithm) = named.ok_or(TokenError::Algorithm)?;
    let key_id = match header.get("kid") {
        None => None,
        Some(id) => Some(id.as_str().ok_or(TokenError::BadHeader)?.into()),
    };
    let is_at_jwt = match header.get("typ") {
        None => false,
        Some(typ) => {
            // RFC 7515 §4.1.9: a media type, compared without case, `application/` left out.
            let typ = typ.as_str().ok_or(TokenError::BadHeader)?.to_ascii_lowercase();
            match typ.strip_prefix("application/").unwrap_or(&typ) {
                "at+jwt" => true,
                "jwt" => false,
                _ => return Err(TokenError::Type),
            }
        }
    };
    Ok((*algorithm, key_id, is_at_jwt))
}
