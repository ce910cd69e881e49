//! What stands in a token, read as leniently as can be: for words only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::With;
use crate::authn::token::{ClaimPointer, Issuer, UnverifiedToken};
use crate::diagnostics::did_you_mean;

/// What stands in a token, as far as it can be read.
pub(super) struct Reading<'r> {
    pub(super) bytes: usize,
    pub(super) parts: usize,
    pub(super) header: Option<Value>,
    pub(super) payload: Option<Value>,
    /// Whose it says it is; or, if that is nobody configured, whose it may be meant to be.
    pub(super) issuer: Option<&'r Issuer>,
    /// Whether that is a guess.
    pub(super) is_guess: bool,
}

impl<'r> Reading<'r> {
    pub(super) fn of(token: &str, with: &With<'r>) -> Self {
        let mut parts = token.split('.');
        let [header, payload] = [parts.next(), parts.next()].map(|part| part.and_then(decoded));
        let mut reading = Self {
            bytes: token.len(),
            parts: token.split('.').count(),
            header,
            payload,
            issuer: None,
            is_guess: false,
        };
        let issuers = || with.config.issuers.iter().map(|config| &config.issuer);
        let max = with.config.tokens.max_bytes;
        let named = UnverifiedToken::parse(token, max).ok().and_then(|token| {
            let claims = token.claims().ok()?;
            claims.issuer(issuers()).ok()
        });
        // With a header that is refused, the payload says the same.
        let named = named.or_else(|| issuers().find(|issuer| reading.is_from(issuer)));
        if let Some(issuer) = named {
            reading.issuer = Some(issuer);
        } else if let Some(said) = reading.text("iss") {
            reading.issuer = nearest(said, issuers());
            reading.is_guess = reading.issuer.is_some();
        }
        reading
    }

    fn is_from(&self, issuer: &Issuer) -> bool {
        self.text("iss") == Some(&issuer.issuer)
    }

    /// A claim at the top, if it is a text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.payload.as_ref()?.get(claim)?.as_str()
    }

    pub(super) fn claim(&self, pointer: &ClaimPointer) -> Option<&Value> {
        self.payload.as_ref()?.pointer(&pointer.to_string())
    }

    pub(super) fn has(&self, claim: &str) -> bool {
        self.payload.as_ref().is_some_and(|payload| payload.get(claim).is_some())
    }

    /// A claim in seconds since the epoch.
    pub(super) fn instant(&self, claim: &str) -> Option<jiff::Timestamp> {
        let seconds = self.payload.as_ref()?.get(claim)?.as_i64()?;
        jiff::Timestamp::from_second(seconds).ok()
    }

    /// A member of the header, if it is a text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.header.as_ref()?.get(name)?.as_str()
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Without what people get wrong in an issuer's URL.
pub(super) fn plain(issuer: &str) -> String {
    let issuer = issuer.to_lowercase();
    let bare = issuer.strip_prefix("http://").or_else(|| issuer.strip_prefix("https://"));
    bare.unwrap_or(&issuer).trim_end_matches('/').to_owned()
}

fn nearest<'i>(said: &str, issuers: impl Iterator<Item = &'i Issuer>) -> Option<&'i Issuer> {
    let issuers: Vec<_> = issuers.collect();
    let alike = issuers.iter().find(|issuer| plain(&issuer.issuer) == plain(said));
    if let Some(alike) = alike {
        return Some(alike);
    }
    let near = did_you_mean(said, issuers.iter().map(|issuer| &*issuer.issuer))?;
    issuers.into_iter().find(|issuer| *issuer.issuer == *near)
}
