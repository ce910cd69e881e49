//! What a verified token says, and whether it may be believed here and now.
//!
//! A signature holds for ever, so what it covers may be kept. What depends on the moment, the
//! server and the connection is asked at every request: [`VerifiedToken::stands`].

use jiff::Timestamp;

use super::{Issuer, Texts, TokenError};
use crate::identity::Actor;

/// SHA-256 of a certificate (DER): `x5t#S256`.
pub type Fingerprint = [u8; 32];

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
    /// The OAuth client.
    pub client: Option<Box<str>>,
    /// The organisation.
    pub tenant: Option<Box<str>>,
    /// The scopes.
    pub scopes: Vec<Box<str>>,
    /// Who acts for the person; the one who acts now first.
    pub actors: Vec<Actor>,
    /// The token's identifier (`jti`).
    pub id: Option<Box<str>>,
    /// Whom it is for.
    pub audiences: Vec<Box<str>>,
    /// The certificate that it is bound to (`cnf`, RFC 8705 §3.1).
    pub bound_to: Option<Fingerprint>,
    /// When it begins, by the issuer's clock.
    pub begins: Option<Timestamp>,
    /// When it was issued, by the issuer's clock.
    pub issued: Option<Timestamp>,
    /// When it ends.
    pub expires: Timestamp,
}

/// The groups that a token claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedGroups {
    /// Exactly these.
    Known(Texts),
    /// A configured claim is missing, or the issuer says that it would not fit: never the same as
    /// no groups.
    Unknown,
}

/// Where and when a token is presented.
#[derive(Clone, Copy)]
pub struct Circumstances<'c> {
    /// The time.
    pub now: Timestamp,
    /// The one audience of tokens for a server that has its own; it replaces the issuer's.
    pub resource: Option<&'c str>,
    /// The certificate of the one who presents it, if there is one.
    pub certificate: &'c dyn Fn() -> Option<Fingerprint>,
}

impl VerifiedToken {
    /// Whether the token may be believed here and now.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn stands(&self, issuer: &Issuer, here: &Circumstances<'_>) -> Result<(), TokenError> {
        self.is_of_now(issuer, here.now)?;
        self.is_for(issuer, here.resource)?;
        match &self.bound_to {
            Some(bound_to) if (here.certificate)().as_ref() != Some(bound_to) => {
                Err(TokenError::Certificate)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn is_of_now(&self, issuer: &Issuer, now: Timestamp) -> Result<(), TokenError> {
        // RFC 7519 §4.1.4: not accepted on or after.
        if self.expires <= now {
            return Err(TokenError::Expired);
        }
        let Self { begins, issued, expires, .. } = self;
        let rules = &issuer.rules;
        let ahead = |from: &Option<Timestamp>| {
            from.is_some_and(|from| from.duration_since(now) > rules.clock_leeway)
        };
        if ahead(begins) || ahead(issued) {
            return Err(TokenError::NotYet);
        }
        let too_long = |from: Timestamp| expires.duration_since(from) > rules.max_lifetime;
        if too_long(now) || issued.is_some_and(too_long) {
            return Err(TokenError::Lifetime);
        }
        Ok(())
    }

    fn is_for(&self, issuer: &Issuer, resource: Option<&str>) -> Result<(), TokenError> {
        let named = match (resource, self.audiences.as_slice()) {
            // Such a token is forwarded: it must be worth nothing anywhere else.
            (Some(resource), [only]) => **only == *resource,
            (Some(_), _) => false,
            (None, audiences) => audiences.iter().any(|named| issuer.audiences.contains(named)),
        };
        if named { Ok(()) } else { Err(TokenError::Audience) }
    }
}
