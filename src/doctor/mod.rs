//! Why a token is refused, in words, and who it would be.
//!
//! The verdict is the server's: the same functions read and verify the token. To find what else is
//! wrong, the rule that it broke is lifted, and it is asked again (`ladder`). The words are made
//! from the error and from what stands in the token.

mod ladder;
mod person;
mod reading;
mod render;
mod steps;
mod words;
mod wrong;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::authn::jwks::KeySet;
use crate::authn::revocation::Revocations;
use crate::authn::token::{TokenError, UnverifiedToken};
use crate::config::{Config, IssuerConfig};
use crate::policy::PolicySet;

use self::ladder::Climb;
use self::reading::Reading;
use self::words::Redactor;

pub use self::person::Person;
pub use self::render::{json, text};

/// What a token is looked at with.
#[derive(Clone, Copy, Debug)]
pub struct With<'w> {
    /// The sidecar's configuration.
    pub config: &'w Config,
    /// The policies.
    pub policy: &'w PolicySet,
    /// The deny-list.
    pub revoked: &'w Revocations,
    /// The keys of the token's issuer ([`issuer_of`]), or why they are not known.
    pub keys: Result<&'w KeySet, &'w str>,
    /// The one audience of tokens for the server that is meant, if that has its own.
    pub resource: Option<&'w str>,
    /// The time.
    pub now: Timestamp,
}

/// What there is to say of a token.
#[derive(Clone, Debug)]
pub struct Examination {
    /// What the server would make of it.
    pub verdict: Verdict,
    /// What was looked at, in the order of a reader.
    pub steps: Vec<Step>,
    /// Who it would be, as far as it says.
    pub person: Option<Person>,
}

/// What the server would make of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It signs in.
    Accepted,
    /// The first reason that the server finds.
    Refused(TokenError),
    /// Nothing is wrong but that nobody knows the issuer's keys.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it is.
    pub outcome: Outcome,
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub detail: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Good,
    /// A reason to refuse.
    Bad,
    /// It could not be looked at here.
    Unseen,
}

/// The issuer whose keys would verify a token, so that nobody else is asked for keys.
#[must_use]
pub fn issuer_of<'c>(token: &str, config: &'c Config) -> Option<&'c IssuerConfig> {
    let parsed = UnverifiedToken::parse(token, config.tokens.max_bytes).ok()?;
    let claims = parsed.claims().ok()?;
    let issuer = claims.issuer(config.issuers.iter().map(|config| &config.issuer)).ok()?;
    config.issuers.iter().find(|config| config.issuer.name == issuer.name)
}

/// The token as it stands in a file or header: without `Bearer ` and the line's end.
#[must_use]
pub fn trimmed(input: &str) -> &str {
    let line = input.strip_suffix('\n').unwrap_or(input);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer ") => token,
        Some(_) | None => line,
    }
}

/// Looks at a token.
#[must_use]
pub fn examine(token: &str, with: &With<'_>) -> Examination {
    let reading = Reading::of(token, with);
    let climb = Climb::of(token, &reading, with);
    let verdict = match (climb.found.first(), with.keys) {
        (Some(first), _) => Verdict::Refused(*first),
        (None, Err(_)) => Verdict::Unknown,
        (None, Ok(_)) => Verdict::Accepted,
    };
    let redactor = Redactor::of(token);
    let clean = |text: String| redactor.clean(text);
    let steps = steps::steps(&reading, &climb, with).into_iter().map(|step| Step {
        detail: clean(step.detail),
        hint: step.hint.map(clean),
        ..step
    });
    let said = climb.said.as_ref().zip(reading.issuer.filter(|_| !reading.is_guess));
    let person = said.map(|(said, issuer)| Person::of(said, issuer, with, &clean));
    Examination { verdict, steps: steps.collect(), person }
}
