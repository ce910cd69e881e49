//! JWT-SVIDs: a workload's identity as a signed text (SPIFFE JWT-SVID, RFC 7515, RFC 7519).
//!
//! Stricter than the standard where that lets more pass than anybody needs: `kid` is required, and
//! so is a SPIFFE ID in its one canonical spelling. The keys are those of the trust domain that
//! `sub` names, and of no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use thiserror::Error;

use super::bundle::Bundles;
use super::jwks::ALGORITHMS;
use crate::identity::Workload;
use crate::json::{self, Limits, Number, Object, Value};

const LIMITS: Limits = Limits { max_depth: 32, guarded_keys: &[] };

/// No key is called by a longer name.
const MAX_KEY_ID_BYTES: usize = 256;

/// How far the authority's clock may be ahead. The end is never moved.
const CLOCK_LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// SPIRE's live five minutes. What lives longer than this is no SVID but a password.
const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Which JWT-SVIDs are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted<'a> {
    /// Values of `aud` that mean us; a token names at least one.
    pub audiences: &'a [Box<str>],
    /// Trust domains whose workloads may call.
    pub trust_domains: &'a [Box<str>],
    /// No longer token is looked at.
    pub max_bytes: usize,
}

/// Why a JWT-SVID proves no workload. For the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JwtSvidError {
    /// Longer than allowed.
    #[error("the JWT-SVID is too long")]
    TooLong,
    /// Not three base64url parts (JWT-SVID §2.1).
    #[error("not a JWT-SVID in compact serialization")]
    NotCompact,
    /// The header is not a strict JSON object.
    #[error("the JWT-SVID's header is not a strict JSON object")]
    BadHeader,
    /// A member other than `alg`, `kid` and `typ` (§2).
    #[error("the JWT-SVID's header has a member that is not accepted")]
    HeaderMember,
    /// An algorithm that JWT-SVIDs are not signed with (§2.1).
    #[error("the JWT-SVID's algorithm is not accepted")]
    Algorithm,
    /// `typ` is neither `JWT` nor `JOSE` (§2.3).
    #[error("the JWT-SVID is of another type")]
    Type,
    /// `kid` is missing or unusable.
    #[error("the JWT-SVID does not name its key")]
    KeyId,
    /// The payload is not a strict JSON object.
    #[error("the JWT-SVID's payload is not a strict JSON object")]
    BadPayload,
    /// `sub` is no workload's SPIFFE ID (§3.1).
    #[error("the JWT-SVID's subject is not a workload's SPIFFE ID")]
    Subject,
    /// A trust domain that is not configured.
    #[error("the JWT-SVID's trust domain is not accepted")]
    TrustDomain,
    /// `aud` does not name us (§3.2).
    #[error("the JWT-SVID is for another audience")]
    Audience,
    /// `exp` is missing or over (§3.3).
    #[error("the JWT-SVID has expired, or does not say when it does")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the JWT-SVID is not valid yet")]
    NotYet,
    /// It would be valid for longer than a JWT-SVID may be.
    #[error("the JWT-SVID lives too long")]
    Lifetime,
    /// A claim of the wrong type.
    #[error("a claim of the JWT-SVID has the wrong type")]
    ClaimType,
    /// Bound to a key (RFC 7800): worth no more than the proof of it, and there is none.
    #[error("the JWT-SVID is bound to a key")]
    Bound,
    /// The trust domain has no bundle.
    #[error("the JWT-SVID's trust domain has no bundle")]
    NoBundle,
    /// The bundle of the trust domain has no such key.
    #[error("the JWT-SVID's trust domain has no such key")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the JWT-SVID's signature does not hold")]
    Signature,
}

/// Whether a token says that its subject is a workload. Nothing in it is believed yet: this says
/// only who may verify it. It then goes there and nowhere else.
#[must_use]
pub fn claims_a_workload(token: &str, max_bytes: usize) -> bool {
    let Ok(parts) = Parts::of(token, max_bytes) else {
        return false;
    };
    let Ok(payload) = URL_SAFE_NO_PAD.decode(parts.payload) else {
        return false;
    };
    json::parse(&payload, LIMITS).ok().is_some_and(|claims| {
        let subject = claims.as_object().and_then(|claims| claims.get("sub"));
        subject.and_then(Value::as_str).is_some_and(|subject| subject.starts_with("spiffe://"))
    })
}

/// A JWT-SVID whose signature holds. That holds for as long as the key is the trust domain's;
/// everything else is asked at every request: [`Self::stands`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSvid {
    /// The workload that it proves.
    pub workload: Workload,
    /// Whom it is for.
    pub audiences: Vec<Box<str>>,
    /// When it begins, by the authority's clock.
    pub begins: Option<Timestamp>,
    /// When it was issued, by the authority's clock.
    pub issued: Option<Timestamp>,
    /// When it ends.
    pub expires: Timestamp,
}

/// Verifies a JWT-SVID.
///
/// # Errors
///
/// The first rule that does not hold; the signature is looked at last.
pub fn verify(
    token: &str,
    accepted: &Accepted<'_>,
    bundles: &Bundles,
    now: Timestamp,
) -> Result<VerifiedSvid, JwtSvidError> {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtSvidError::NotCompact);
    let Parts { signed, header, payload, signature } = Parts::of(token, accepted.max_bytes)?;
    // The signature's own form is checked too: two spellings of it would be two tokens.
    let signature = decode(signature)?;
    let (header, payload) = (decode(header)?, decode(payload)?);
    let header = json::parse(&header, LIMITS).map_err(|_| JwtSvidError::BadHeader)?;
    let (algorithm, key_id) = read_header(header.as_object().ok_or(JwtSvidError::BadHeader)?)?;
    let payload = json::parse(&payload, LIMITS).map_err(|_| JwtSvidError::BadPayload)?;
    let claims = payload.as_object().ok_or(JwtSvidError::BadPayload)?;
    let svid = VerifiedSvid::read(claims)?;
    svid.stands(accepted, now)?;
    if claims.contains("cnf") {
        return Err(JwtSvidError::Bound);
    }
    let keys = bundles.of(svid.workload.trust_domain()).ok_or(JwtSvidError::NoBundle)?;
    let key = keys.find(Some(key_id), algorithm).ok_or(JwtSvidError::UnknownKey)?;
    if !key.verifies(&signature, signed.as_bytes(), algorithm) {
        return Err(JwtSvidError::Signature);
    }
    Ok(svid)
}

struct Parts<'t> {
    signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str, max_bytes: usize) -> Result<Self, JwtSvidError> {
        if token.len() > max_bytes {
            return Err(JwtSvidError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtSvidError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtSvidError::NotCompact)?;
        if signature.is_empty() || payload.contains('.') {
            return Err(JwtSvidError::NotCompact);
        }
        Ok(Self { signed, header, payload, signature })
    }
}

/// The algorithm and the key that the header names.
fn read_header<'h>(header: &'h Object<'_>) -> Result<(Algorithm, &'h str), JwtSvidError> {
    if header.iter().any(|(name, _)| !["alg", "kid", "typ"].contains(&name)) {
        return Err(JwtSvidError::HeaderMember);
    }
    let name = header.get("alg").and_then(Value::as_str).ok_or(JwtSvidError::Algorithm)?;
    let named = ALGORITHMS.iter().find(|(known, _)| *known == name);
    let (_, algorithm) = named.ok_or(JwtSvidError::Algorithm)?;
    if *algorithm == Algorithm::EdDSA {
        return Err(JwtSvidError::Algorithm);
    }
    match header.get("typ").map(Value::as_str) {
        None | Some(Some("JWT" | "JOSE")) => {}
        Some(_) => return Err(JwtSvidError::Type),
    }
    let key_id = header.get("kid").and_then(Value::as_str);
    let key_id = key_id.filter(|id| !id.is_empty() && id.len() <= MAX_KEY_ID_BYTES);
    Ok((*algorithm, key_id.ok_or(JwtSvidError::KeyId)?))
}

impl VerifiedSvid {
    /// What the claims say; nobody vouches for it yet.
    fn read(claims: &Object<'_>) -> Result<Self, JwtSvidError> {
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(JwtSvidError::Subject)?;
        Ok(Self {
            workload: Workload::new(subject).map_err(|_| JwtSvidError::Subject)?,
            audiences: audiences(claims.get("aud"))?,
            begins: instant(claims, "nbf")?,
            issued: instant(claims, "iat")?,
            expires: instant(claims, "exp")?.ok_or(JwtSvidError::Expired)?,
        })
    }

    /// Whether it may be believed here and now.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn stands(&self, accepted: &Accepted<'_>, now: Timestamp) -> Result<(), JwtSvidError> {
        let Self { workload, audiences, begins, issued, expires } = self;
        let Accepted { audiences: ours, trust_domains, max_bytes: _ } = accepted;
        if !trust_domains.iter().any(|known| **known == *workload.trust_domain()) {
            return Err(JwtSvidError::TrustDomain);
        }
        if !audiences.iter().any(|audience| ours.contains(audience)) {
            return Err(JwtSvidError::Audience);
        }
        // RFC 7519 §4.1.4: not accepted on or after.
        if *expires <= now {
            return Err(JwtSvidError::Expired);
        }
        let ahead = |from: &Option<Timestamp>| {
            from.is_some_and(|from| from.duration_since(now) > CLOCK_LEEWAY)
        };
        if ahead(begins) || ahead(issued) {
            return Err(JwtSvidError::NotYet);
        }
        let too_long = |from: Timestamp| expires.duration_since(from) > MAX_LIFETIME;
        if too_long(now) || issued.is_some_and(too_long) {
            return Err(JwtSvidError::Lifetime);
        }
        Ok(())
    }
}

/// RFC 7519 §4.1.3: one text or several.
fn audiences(claim: Option<&Value<'_>>) -> Result<Vec<Box<str>>, JwtSvidError> {
    match claim {
        Some(Value::String(audience)) => Ok(vec![audience.as_str().into()]),
        Some(Value::Array(audiences)) => {
            let texts = audiences.iter().map(|audience| audience.as_str().map(Into::into));
            texts.collect::<Option<Vec<_>>>().ok_or(JwtSvidError::ClaimType)
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(JwtSvidError::Audience)
        }
    }
}

fn instant(claims: &Object<'_>, name: &str) -> Result<Option<Timestamp>, JwtSvidError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_number().and_then(Number::as_i64);
    let instant = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.map(Some).ok_or(JwtSvidError::ClaimType)
}
