//! Access tokens in the shape of RFC 9068, for whoever asks.

use std::hash::{BuildHasher as _, RandomState};

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};

use crate::keys::Keys;

/// What a token says unless it is asked to say something else.
pub(crate) struct Defaults {
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// What somebody wants to be: the flags of `token` and the query of `GET /token`.
#[derive(Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// The user
    #[arg(long)]
    sub: String,
    /// Groups, joined by commas; without it the token says nothing about groups
    #[arg(long)]
    groups: Option<String>,
    /// E-mail address, which is then also the preferred user name
    #[arg(long)]
    email: Option<String>,
    /// RS256, PS256, ES256, ES384 or `EdDSA`; RS256 unless given
    #[arg(long)]
    alg: Option<Algorithm>,
    /// Lifetime in seconds, 300 unless given; a negative one makes a token that has run out
    #[arg(long, allow_negative_numbers = true)]
    ttl: Option<i64>,
    /// Audience, instead of the provider's own
    #[arg(long)]
    aud: Option<String>,
    /// The client that got the token; `dev-client` unless given
    #[arg(long)]
    azp: Option<String>,
    /// Issuer, instead of the provider's own
    #[arg(long)]
    iss: Option<String>,
    /// Key ID in the header, whichever key really signs
    #[arg(long)]
    kid: Option<String>,
}

/// The answer of `GET /token` (RFC 6749 §5.1).
#[derive(Serialize)]
pub(crate) struct Answer {
    pub(crate) access_token: String,
    token_type: &'static str,
    expires_in: i64,
    development: bool,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    client_id: &'a str,
    azp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<&'a str>>,
    #[serde(flatten)]
    profile: Option<Profile<'a>>,
}

#[derive(Serialize)]
struct Profile<'a> {
    email: &'a str,
    email_verified: bool,
    preferred_username: &'a str,
}

impl TokenRequest {
    /// Signs a token that says what was asked for.
    pub(crate) fn sign(&self, keys: &Keys, defaults: &Defaults) -> Result<Answer> {
        let algorithm = self.alg.unwrap_or(Algorithm::RS256);
        let (kid, key) = keys.signing(algorithm)?;
        let mut header = Header::new(algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.as_deref().unwrap_or(kid).to_owned());

        let ttl = self.ttl.unwrap_or(300);
        let now = Timestamp::now();
        let exp = now.as_second().checked_add(ttl).context("a ttl beyond all calendars")?;
        // One that has run out did live once: it ends after it began.
        let begin = exp.saturating_sub_unsigned(ttl.unsigned_abs());
        let client = self.azp.as_deref().unwrap_or("dev-client");
        let claims = Claims {
            iss: self.iss.as_deref().unwrap_or(&defaults.issuer),
            sub: &self.sub,
            aud: self.aud.as_deref().unwrap_or(&defaults.audience),
            iat: begin,
            nbf: begin,
            exp,
            jti: format!("{:016x}", RandomState::new().hash_one(now)),
            client_id: client,
            azp: client,
            groups: self.groups.as_deref().map(names),
            profile: self.email.as_deref().map(|email| Profile {
                email,
                email_verified: true,
                preferred_username: email,
            }),
        };
        let access_token =
            jsonwebtoken::encode(&header, &claims, &key).context("could not sign the token")?;
        Ok(Answer { access_token, token_type: "Bearer", expires_in: ttl, development: true })
    }
}

/// `a,b` as two names, and the empty string as none.
fn names(list: &str) -> Vec<&str> {
    list.split(',').filter(|name| !name.is_empty()).collect()
}
