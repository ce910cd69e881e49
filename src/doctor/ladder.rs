//! Everything that is wrong with a token: whenever the verifier refuses it, the rule that it broke
//! is lifted, and the verifier is asked again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::With;
use super::reading::Reading;
use crate::authn::jwks::{ALGORITHMS, KeySet};
use crate::authn::token::{
    Circumstances, ClaimPointer, Fingerprint, HeaderType, Issuer, Said, TokenError, UnverifiedToken,
};

/// More rules than there are.
const MOST: usize = 64;

/// What came of it.
pub(super) struct Climb {
    /// What is wrong; what the server says first.
    pub(super) found: Vec<TokenError>,
    /// Whether the signature was looked at.
    pub(super) signature: bool,
    /// Whether the verifier was content in the end, so that what it did not find is not there.
    pub(super) complete: bool,
    /// What the token would say if it held.
    pub(super) said: Option<Said>,
}

/// A token and the rules that it is held against.
struct Rung {
    header: Option<Value>,
    payload: Option<Value>,
    text: String,
    max: usize,
    issuer: Issuer,
    resource: Option<Box<str>>,
    now: Timestamp,
    /// Whether the text is not the token's own any more, so that no signature holds.
    edited: bool,
}

impl Climb {
    pub(super) fn of(token: &str, reading: &Reading<'_>, with: &With<'_>) -> Self {
        let mut climb = Self { found: Vec::new(), signature: false, complete: false, said: None };
        let none = KeySet::default();
        let keys = with.keys.unwrap_or(&none);
        let issuers = || with.config.issuers.iter().map(|config| &config.issuer);
        let owner = owner(reading);
        let certificate = || owner;
        let here =
            Circumstances { now: with.now, resource: with.resource, certificate: &certificate };
        // What the server says.
        let first = verify(token, with.config.tokens.max_bytes, issuers(), keys, &here);
        let first = first.and_then(|(name, said)| {
            if with.revoked.denies(&name, said.unproven()) {
                Err(TokenError::Revoked)
            } else {
                Ok(())
            }
        });
        let known = with.keys.is_ok();
        climb.signature =
            known && matches!(first, Ok(()) | Err(TokenError::Signature | TokenError::Revoked));
        climb.found.extend(first.err().filter(|error| known || *error != TokenError::UnknownKey));
        let Some(issuer) = reading.issuer else {
            return climb;
        };
        let mut rung = Rung {
            header: reading.header.clone(),
            payload: reading.payload.clone(),
            text: token.to_owned(),
            max: with.config.tokens.max_bytes,
            issuer: issuer.clone(),
            resource: with.resource.map(Into::into),
            now: with.now,
            edited: false,
        };
        for _ in 0..MOST {
            let here = Circumstances { now: rung.now, resource: rung.resource.as_deref(), ..here };
            let looked = verify(&rung.text, rung.max, [&rung.issuer], keys, &here);
            let Err(error) = looked else {
                climb.signature |= known && !rung.edited;
                climb.complete = true;
                break;
            };
            let is_last = matches!(error, TokenError::UnknownKey | TokenError::Signature);
            if is_last {
                climb.complete = true;
                let found = known && !rung.edited;
                climb.signature |= found && error == TokenError::Signature;
                climb.found.extend(found.then_some(error));
                break;
            }
            // Before a token's end it may not have begun, if its times are the wrong way round.
            let is_artefact = error == TokenError::NotYet
                && rung.now != with.now
                && !["nbf", "iat"].iter().any(|claim| {
                    let from = reading.instant(claim);
                    let leeway = issuer.rules.clock_leeway;
                    from.is_some_and(|from| from.duration_since(with.now) > leeway)
                });
            climb.found.extend((!is_artefact).then_some(error));
            if !rung.lift(error) {
                break;
            }
        }
        // Without a subject it is nobody.
        climb.said = rung.said().filter(|_| !climb.found.contains(&TokenError::Subject));
        let is_revoked = climb
            .said
            .as_ref()
            .is_some_and(|said| with.revoked.denies(&issuer.name, said.unproven()));
        climb.found.extend(is_revoked.then_some(TokenError::Revoked));
        let mut seen = Vec::new();
        climb.found.retain(|error| {
            !seen.contains(error) && {
                seen.push(*error);
                true
            }
        });
        climb
    }
}

/// The server's way, step by step. A token that is bound is taken as shown by its owner.
fn verify<'i>(
    text: &str,
    max: usize,
    issuers: impl IntoIterator<Item = &'i Issuer>,
    keys: &KeySet,
    here: &Circumstances<'_>,
) -> Result<(Box<str>, Said), TokenError> {
    let token = UnverifiedToken::parse(text, max)?;
    let claims = token.claims()?;
    let issuer = claims.issuer(issuers)?;
    claims.verify(issuer, keys, here)?;
    Ok((issuer.name.clone(), claims.said(issuer)?))
}

/// The certificate that a token says it is bound to.
fn owner(reading: &Reading<'_>) -> Option<Fingerprint> {
    let hash = reading.payload.as_ref()?.pointer("/cnf/x5t#S256")?.as_str()?;
    URL_SAFE_NO_PAD.decode(hash).ok()?.try_into().ok()
}

impl Rung {
    /// Lifts the rule that was broken; `false` if nothing can be seen beyond it.
    fn lift(&mut self, error: TokenError) -> bool {
        let rules = &mut self.issuer.rules;
        let member = ClaimPointer::member;
        match error {
            TokenError::TooLong => self.max = usize::MAX,
            // As far as it can be read all the same; of two claims of one name, the last.
            TokenError::NotCompact | TokenError::BadPayload => return !self.edited && self.write(),
            TokenError::Workload
            | TokenError::UnknownKey
            | TokenError::Signature
            | TokenError::Certificate
            | TokenError::Revoked => return false,
            TokenError::BadHeader | TokenError::HeaderMember => return self.replace_header(),
            TokenError::Algorithm => {
                let all: Vec<_> = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
                if self.issuer.algorithms == all {
                    return self.replace_header();
                }
                self.issuer.algorithms = all;
            }
            TokenError::Type if UnverifiedToken::parse(&self.text, self.max).is_err() => {
                return self.replace_header();
            }
            TokenError::Type if rules.header_type == HeaderType::AtJwt => {
                rules.header_type = HeaderType::Jwt;
            }
            TokenError::Type => {
                let kinds = ["at_hash", "c_hash", "s_hash", "nonce", "token_use", "typ", "events"];
                return self.without(&kinds);
            }
            TokenError::Issuer => {
                let issuer = self.issuer.issuer.clone();
                return self.set("iss", json!(issuer));
            }
            TokenError::Audience => {
                self.resource = None;
                rules.claims.audience = member("iss");
                self.issuer.audiences = vec![self.issuer.issuer.clone()];
            }
            TokenError::Expired => match expiry(self.payload.as_ref()) {
                Some(end) if end <= self.now => self.now = end - SignedDuration::from_secs(1),
                Some(_) | None => return self.set("exp", json!(self.now.as_second() + 1)),
            },
            TokenError::NotYet => rules.clock_leeway = SignedDuration::MAX,
            TokenError::Lifetime => rules.max_lifetime = SignedDuration::MAX,
            TokenError::Required => rules.required = Vec::new(),
            TokenError::Expected => rules.expected = Vec::new(),
            TokenError::Tenant => rules.tenants = None,
            TokenError::Client => rules.clients = None,
            TokenError::Subject => rules.claims.subject = member("iss"),
            TokenError::Groups => rules.claims.groups = Vec::new(),
            TokenError::Actors => return self.without(&["act"]),
            TokenError::Bound => return self.without(&["cnf"]),
            TokenError::ClaimType => return self.lift_types(),
        }
        true
    }

    /// What has the wrong type counts as not there.
    fn lift_types(&mut self) -> bool {
        let now = json!(self.now.as_second());
        let is_instant = |value: &Value| value.as_i64().is_some();
        let is_text = |value: &Value| value.as_str().is_some_and(|text| text.len() <= 256);
        let odd = |claim: &str, is_right: &dyn Fn(&Value) -> bool| {
            let found = self.payload.as_ref().and_then(|payload| payload.get(claim));
            found.is_some_and(|found| !is_right(found))
        };
        if odd("jti", &is_text) {
            return self.set("jti", json!("x"));
        }
        let times = [("iat", now.clone()), ("nbf", now), ("exp", json!(self.now.as_second() + 1))];
        for (claim, value) in times {
            if odd(claim, &is_instant) {
                return self.set(claim, value);
            }
        }
        let claims = &mut self.issuer.rules.claims;
        let optional = [
            &mut claims.email,
            &mut claims.preferred_username,
            &mut claims.client,
            &mut claims.tenant,
            &mut claims.scopes,
        ];
        if optional.iter().any(|pointers| !pointers.is_empty()) {
            for pointers in optional {
                pointers.clear();
            }
            // Without them, no list of them can be kept.
            self.issuer.rules.tenants = None;
            self.issuer.rules.clients = None;
            return true;
        }
        false
    }

    fn said(&self) -> Option<Said> {
        let token = UnverifiedToken::parse(&self.text, self.max).ok()?;
        let claims = token.claims().ok()?;
        claims.said(&self.issuer).ok()
    }

    fn replace_header(&mut self) -> bool {
        let plain = json!({ "alg": "ES256", "typ": "at+jwt" });
        let changed = self.header.as_ref() != Some(&plain);
        self.header = Some(plain);
        self.issuer.algorithms = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
        changed && self.write()
    }

    fn without(&mut self, claims: &[&str]) -> bool {
        let Some(Value::Object(payload)) = &mut self.payload else {
            return false;
        };
        let before = payload.len();
        payload.retain(|name, _| !claims.contains(&name.as_str()));
        payload.len() != before && self.write()
    }

    fn set(&mut self, claim: &str, value: Value) -> bool {
        let Some(Value::Object(payload)) = &mut self.payload else {
            return false;
        };
        let changed = payload.get(claim) != Some(&value);
        payload.insert(claim.to_owned(), value);
        changed && self.write()
    }

    /// The text anew; no signature holds for it.
    fn write(&mut self) -> bool {
        let (Some(header), Some(payload)) = (&self.header, &self.payload) else {
            return false;
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.text = format!("{}.{}.AA", part(header), part(payload));
        self.edited = true;
        true
    }
}

fn expiry(payload: Option<&Value>) -> Option<Timestamp> {
    Timestamp::from_second(payload?.get("exp")?.as_i64()?).ok()
}
