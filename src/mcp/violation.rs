//! Known ways in which clients break the protocol, each of which can be put up with. None of them
//! is about what a request asks for: that is decided on the body, as always.

use std::str::FromStr;

/// One way of breaking the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// `params` is `null` where there are none.
    NullParams,
    /// `params` is an empty array where there are none.
    ArrayParams,
    /// `server/discover` of revision 2026-07-28 without the headers that mirror it.
    DiscoverWithoutMirrors,
}

/// Not the name of a violation that can be put up with.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("nothing that can be put up with")]
pub struct NoSuchViolation;

impl Violation {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::NullParams, Self::ArrayParams, Self::DiscoverWithoutMirrors];

    /// The name of the switch.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NullParams => "null-params",
            Self::ArrayParams => "array-params",
            Self::DiscoverWithoutMirrors => "discover-without-mirrors",
        }
    }
}

impl FromStr for Violation {
    type Err = NoSuchViolation;

    fn from_str(text: &str) -> Result<Self, NoSuchViolation> {
        let named = Self::ALL.iter().find(|violation| violation.as_str() == text);
        named.copied().ok_or(NoSuchViolation)
    }
}
