//! User tokens: JWS compact serialization (RFC 7515), JWT claims (RFC 7519), the access-token
//! profile (RFC 9068) and the advice of RFC 8725.
//!
//! What can be checked without the key is checked first: a bad signature costs as much as a good
//! one. No address, key or algorithm is ever taken from a token.
//!
//! ```text
//! UnverifiedToken::parse(text)  its form       ─► claims()  a strict JSON object
//!     ─► issuer(configured)     whose it says it is; selects rules and keys, and nothing else
//!     ─► verify(issuer, keys)   everything else, the signature last ─► VerifiedToken
//!     ─► stands(issuer, here)   asked again at every request
//! ```

mod claims;
mod groups;
mod header;
mod pointer;
mod rules;
mod texts;
mod verified;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use self::header::Header;
use super::jwks::KeySet;
use crate::json::{self, Limits, Object, Value};

pub use self::pointer::{ClaimPointer, ClaimPointerError};
pub use self::rules::{ClaimsRules, GroupClaim, HeaderType, Issuer, Rules, Separator, TokenKind};
pub use self::texts::Texts;
pub use self::verified::{Circumstances, ClaimedGroups, Fingerprint, VerifiedToken};

/// The largest token that is looked at, unless configured otherwise.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

const LIMITS: Limits = Limits { max_depth: 32, guarded_keys: &[] };

/// Why a token does not hold. For the log; a caller is told `invalid_token` and no more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than allowed.
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
    /// It would be valid for longer than the issuer's tokens may be.
    #[error("the token lives too long")]
    Lifetime,
    /// A claim that the issuer's tokens must have.
    #[error("a required claim is missing")]
    Required,
    /// A claim of another value than the issuer's tokens must have.
    #[error("a claim has another value than it must have")]
    Expected,
    /// Another tenant's user.
    #[error("the tenant is not accepted")]
    Tenant,
    /// Issued to another client, or to nobody knows which.
    #[error("the client is missing or not accepted")]
    Client,
    /// `sub` is missing or unusable.
    #[error("the subject is missing or unusable")]
    Subject,
    /// A claim of the wrong type.
    #[error("a claim has the wrong type")]
    ClaimType,
    /// The group claims are not lists of short texts.
    #[error("the groups are malformed or too many")]
    Groups,
    /// `act` is not a short chain of subjects.
    #[error("those who act for the user are malformed or too many")]
    Actors,
    /// Bound in a way that nobody can prove here (`cnf` with anything but a certificate's hash).
    #[error("the token is bound to a key")]
    Bound,
    /// Bound to a certificate that is not the caller's.
    #[error("the token is bound to another certificate than the caller's")]
    Certificate,
    /// The token or its user is on the deny-list.
    #[error("the token has been revoked")]
    Revoked,
}

/// A token whose form is right; nothing in it is believed yet.
#[derive(Debug)]
pub struct UnverifiedToken<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    header: Header,
    payload: Vec<u8>,
}

/// What a token would say if it held. Nobody vouches for it: it is shown to people, and decides
/// nothing.
#[derive(Clone, Debug)]
pub struct Said(VerifiedToken);

/// What an unverified token claims.
#[derive(Debug)]
pub struct UnverifiedClaims<'t> {
    token: &'t UnverifiedToken<'t>,
    payload: Value<'t>,
}

impl<'t> UnverifiedToken<'t> {
    /// Reads a token's form.
    ///
    /// # Errors
    ///
    /// If it has more than `max` bytes or is no JWS in compact serialization, or if its header is
    /// not one that an access token has.
    pub fn parse(token: &'t str, max: usize) -> Result<Self, TokenError> {
        if token.len() > max {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::NotCompact)?;
        if signature.is_empty() || payload.contains('.') {
            return Err(TokenError::NotCompact);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::NotCompact);
        // The signature's own form is checked too: two spellings of it would be two tokens.
        let signature = decode(signature)?;
        let header_bytes = decode(header)?;
        let header = json::parse(&header_bytes, LIMITS).map_err(|_| TokenError::BadHeader)?;
        let header = Header::read(header.as_object().ok_or(TokenError::BadHeader)?)?;
        Ok(Self { signed, signature, header, payload: decode(payload)? })
    }

    /// What the token claims.
    ///
    /// # Errors
    ///
    /// If that is not a strict JSON object.
    pub fn claims(&'t self) -> Result<UnverifiedClaims<'t>, TokenError> {
        let payload = json::parse(&self.payload, LIMITS).map_err(|_| TokenError::BadPayload)?;
        payload.as_object().ok_or(TokenError::BadPayload)?;
        Ok(UnverifiedClaims { token: self, payload })
    }
}

impl Said {
    /// The claims, which may be anybody's.
    #[must_use]
    pub fn unproven(&self) -> &VerifiedToken {
        &self.0
    }
}

impl UnverifiedClaims<'_> {
    /// The issuer that the token says it is from, of those that are configured.
    ///
    /// # Errors
    ///
    /// If it is from none of them, or is a workload's.
    pub fn issuer<'i>(
        &self,
        issuers: impl IntoIterator<Item = &'i Issuer>,
    ) -> Result<&'i Issuer, TokenError> {
        let text = |name: &str| self.object().ok()?.get(name).and_then(Value::as_str);
        if text("sub").is_some_and(|subject| subject.starts_with("spiffe://")) {
            return Err(TokenError::Workload);
        }
        let named = text("iss").ok_or(TokenError::Issuer)?;
        issuers.into_iter().find(|issuer| *issuer.issuer == *named).ok_or(TokenError::Issuer)
    }

    /// Verifies the token against its issuer's rules and keys.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold; the signature is looked at last.
    pub fn verify(
        &self,
        issuer: &Issuer,
        keys: &KeySet,
        here: &Circumstances<'_>,
    ) -> Result<VerifiedToken, TokenError> {
        let Header { algorithm, key_id, is_at_jwt } = &self.token.header;
        if !issuer.algorithms.contains(algorithm) {
            return Err(TokenError::Algorithm);
        }
        if issuer.rules.header_type == HeaderType::AtJwt && !is_at_jwt {
            return Err(TokenError::Type);
        }
        // RFC 9068 §2.1: nothing but an access token has this type.
        if issuer.rules.kind == TokenKind::Id && *is_at_jwt {
            return Err(TokenError::Type);
        }
        let verified = claims::read(self.object()?, &self.payload, issuer)?;
        verified.stands(issuer, here)?;
        let key = keys.find(key_id.as_deref(), *algorithm).ok_or(TokenError::UnknownKey)?;
        let signed = self.token.signed.as_bytes();
        if !key.verifies(&self.token.signature, signed, *algorithm) {
            return Err(TokenError::Signature);
        }
        Ok(verified)
    }

    /// What the token would say if it held, for those who explain it.
    ///
    /// # Errors
    ///
    /// The first claim that cannot be read, or has not the value that it must have.
    pub fn said(&self, issuer: &Issuer) -> Result<Said, TokenError> {
        claims::read(self.object()?, &self.payload, issuer).map(Said)
    }

    /// The key that the token says it is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.token.header.key_id.as_deref()
    }

    /// The payload, for those who explain it.
    #[must_use]
    pub fn payload(&self) -> &Value<'_> {
        &self.payload
    }

    fn object(&self) -> Result<&Object<'_>, TokenError> {
        self.payload.as_object().ok_or(TokenError::BadPayload)
    }
}
