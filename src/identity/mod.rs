//! WHO asks: the user behind a validated token, and the workload behind a SPIFFE ID.
//!
//! Nothing here can be built from an invalid credential: a [`User`] comes out of token
//! verification, a [`Workload`] out of certificate verification, and a [`Caller`] holds what was
//! verified. A caller whose credential was presented and refused is not a caller at all.

use std::sync::Arc;

mod forwarded;
mod groups;
mod user_name;
mod workload;

pub use self::forwarded::{encoded, forwarded_name};
pub use self::groups::{GroupId, GroupSet, Groups};
pub use self::user_name::{UserName, UserNameError};
pub use self::workload::{Workload, WorkloadPattern, WorkloadPatternError};

/// Who asks. An invalid credential never becomes a `Caller`.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The person, if a valid user token came with the request.
    pub user: Option<Arc<User>>,
    /// The calling process, if a valid SVID came with the request.
    pub workload: Option<Workload>,
}

/// A person, known from a validated token. Users are the same if issuer and subject are; an
/// email address never identifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The configured name of the issuer, not its URL.
    pub issuer: Box<str>,
    /// The token's subject.
    pub subject: Box<str>,
    /// The policy groups the person is in, or that they are unknown.
    pub groups: Groups,
    /// A verified email address.
    pub email: Option<Box<str>>,
    /// The name the person prefers to be shown as; decides nothing.
    pub preferred_username: Option<Box<str>>,
    /// The OAuth client that the token was issued to (`azp`, else `client_id`).
    pub client: Option<Box<str>>,
    /// The organisation that the issuer says the person belongs to; decides nothing here.
    pub tenant: Option<Box<str>>,
    /// The scopes of the token (RFC 6749 §3.3).
    pub scopes: Vec<Box<str>>,
    /// Who acts for the person (`act`, RFC 8693 §4.1): the one who acts now first. Decides nothing.
    pub actors: Vec<Actor>,
}

/// Somebody who acts for a person. Its subject is the person's issuer's word, and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The issuer that the subject is of, if the token says so.
    pub issuer: Option<Box<str>>,
    /// The subject.
    pub subject: Box<str>,
}

// === impl User ===

impl User {
    /// A person of whom no more is known than what decides most.
    #[must_use]
    pub fn new(issuer: &str, subject: &str, groups: Groups) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            groups,
            email: None,
            preferred_username: None,
            client: None,
            tenant: None,
            scopes: Vec::new(),
            actors: Vec::new(),
        }
    }
}
