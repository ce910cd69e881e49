//! What was looked at, part by part, in words.

use super::ladder::Climb;
use super::reading::Reading;
use super::words::{duration, instant, quoted, value};
use super::{Outcome, Step, With};
use crate::authn::token::{ClaimPointer, TokenError, TokenKind};

/// The parts of a token, in the order of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Form,
    Header,
    Payload,
    Issuer,
    Kind,
    Claims,
    Subject,
    Time,
    Audience,
    Tenant,
    Client,
    Groups,
    Actors,
    Binding,
    Key,
    Signature,
    DenyList,
}

impl Part {
    const ALL: [Self; 17] = [
        Self::Form,
        Self::Header,
        Self::Payload,
        Self::Issuer,
        Self::Kind,
        Self::Claims,
        Self::Subject,
        Self::Time,
        Self::Audience,
        Self::Tenant,
        Self::Client,
        Self::Groups,
        Self::Actors,
        Self::Binding,
        Self::Key,
        Self::Signature,
        Self::DenyList,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Issuer => "issuer",
            Self::Kind => "kind",
            Self::Claims => "claims",
            Self::Subject => "subject",
            Self::Time => "time",
            Self::Audience => "audience",
            Self::Tenant => "tenant",
            Self::Client => "client",
            Self::Groups => "groups",
            Self::Actors => "actors",
            Self::Binding => "binding",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::DenyList => "deny-list",
        }
    }

    fn of(error: TokenError) -> Self {
        match error {
            TokenError::TooLong | TokenError::NotCompact => Self::Form,
            TokenError::BadHeader | TokenError::HeaderMember | TokenError::Algorithm => {
                Self::Header
            }
            TokenError::BadPayload => Self::Payload,
            TokenError::Issuer | TokenError::Workload => Self::Issuer,
            TokenError::Type => Self::Kind,
            TokenError::Required | TokenError::Expected | TokenError::ClaimType => Self::Claims,
            TokenError::Subject => Self::Subject,
            TokenError::Expired | TokenError::NotYet | TokenError::Lifetime => Self::Time,
            TokenError::Audience => Self::Audience,
            TokenError::Tenant => Self::Tenant,
            TokenError::Client => Self::Client,
            TokenError::Groups => Self::Groups,
            TokenError::Actors => Self::Actors,
            TokenError::Bound | TokenError::Certificate => Self::Binding,
            TokenError::UnknownKey => Self::Key,
            TokenError::Signature => Self::Signature,
            TokenError::Revoked => Self::DenyList,
        }
    }
}

/// A part of a token in words.
pub(super) struct Told<'t> {
    pub(super) reading: &'t Reading<'t>,
    pub(super) climb: &'t Climb,
    pub(super) with: &'t With<'t>,
}

pub(super) fn steps(reading: &Reading<'_>, climb: &Climb, with: &With<'_>) -> Vec<Step> {
    let told = Told { reading, climb, with };
    let mut steps = Vec::new();
    for part in Part::ALL {
        let name = part.name();
        let errors: Vec<_> =
            climb.found.iter().copied().filter(|error| Part::of(*error) == part).collect();
        for error in &errors {
            let (detail, hint) = told.bad(*error);
            steps.push(Step { outcome: Outcome::Bad, name, detail, hint });
        }
        if errors.is_empty()
            && let Some((outcome, detail)) = told.good(part)
        {
            steps.push(Step { outcome, name, detail, hint: None });
        }
    }
    steps
}

impl Told<'_> {
    /// A part with which nothing is wrong; nothing if there is nothing to say.
    fn good(&self, part: Part) -> Option<(Outcome, String)> {
        let Self { reading, climb, with } = self;
        let issuer = reading.issuer;
        let good = |detail: String| Some((Outcome::Good, detail));
        match part {
            Part::Form if reading.parts == 3 => {
                good(format!("three parts, {} bytes", reading.bytes))
            }
            Part::Header => reading.header.as_ref().and_then(|_| good(self.header_words())),
            // It could be read, since it says what follows.
            Part::Form | Part::Payload | Part::Subject => None,
            Part::Issuer => good(format!("{}: {}", issuer?.name, quoted(&issuer?.issuer))),
            // Of a token that is nobody's, or that the verifier was never content with, nothing
            // else is known to be right.
            _ if issuer.is_none() || !climb.complete => None,
            Part::Kind => good(match issuer?.rules.kind {
                TokenKind::Access | TokenKind::AccessWithNonce => "an access token".to_owned(),
                TokenKind::Id => "an ID token, as configured".to_owned(),
            }),
            Part::Claims => good("what must be there is there".to_owned()),
            Part::Time => good(self.time_words()),
            Part::Audience => good(self.claim_words(&issuer?.rules.claims.audience)),
            Part::Tenant => issuer?
                .rules
                .tenants
                .as_ref()
                .and_then(|_| good(self.first_words(&issuer?.rules.claims.tenant))),
            Part::Client => issuer?
                .rules
                .clients
                .as_ref()
                .and_then(|_| good(self.first_words(&issuer?.rules.claims.client))),
            Part::Binding => reading.has("cnf").then(|| {
                let detail = "bound to a certificate: believed from its holder only, which cannot \
                              be checked here";
                (Outcome::Unseen, detail.to_owned())
            }),
            Part::Key => Some(match with.keys {
                Err(error) => (Outcome::Unseen, format!("the keys cannot be had: {error}")),
                Ok(keys) if climb.signature => {
                    let count = keys.len();
                    (Outcome::Good, format!("{} of the {count} usable ones", self.key_words()))
                }
                Ok(_) => (Outcome::Unseen, "looked for once the rest is right".to_owned()),
            }),
            Part::Signature if climb.signature => good("holds".to_owned()),
            Part::DenyList if climb.said.is_some() => good("not on it".to_owned()),
            Part::Groups | Part::Actors | Part::Signature | Part::DenyList => None,
        }
    }

    pub(super) fn header_words(&self) -> String {
        let member = |name: &str| {
            let header = self.reading.header.as_ref();
            header.and_then(|header| header.get(name)).map_or("none".to_owned(), value)
        };
        format!("alg {}, kid {}, typ {}", member("alg"), member("kid"), member("typ"))
    }

    pub(super) fn key_words(&self) -> String {
        self.reading.header("kid").map_or("the only one".to_owned(), quoted)
    }

    pub(super) fn claim_words(&self, pointer: &ClaimPointer) -> String {
        match self.reading.claim(pointer) {
            None => format!("{pointer} is missing"),
            Some(found) => format!("{pointer} is {}", value(found)),
        }
    }

    /// The first of several claims that is there.
    pub(super) fn first_words(&self, pointers: &[ClaimPointer]) -> String {
        let there = pointers.iter().find(|pointer| self.reading.claim(pointer).is_some());
        there.or(pointers.first()).map_or_else(String::new, |pointer| self.claim_words(pointer))
    }

    fn time_words(&self) -> String {
        match self.reading.instant("exp") {
            None => "the end cannot be read".to_owned(),
            Some(end) => {
                let left = duration(end.duration_since(self.with.now));
                format!("good for another {left}, until {}", instant(end))
            }
        }
    }
}
