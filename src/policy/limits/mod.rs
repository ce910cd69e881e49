//! Limits on the arguments of a call: where each holds, and what it asks for.
//!
//! Built from a policy file, valid once built. Whether arguments keep them is the engine's work.

mod domain;
mod pattern;
mod pointer;

#[cfg(test)]
mod tests;

use std::fmt;

pub use self::domain::{DomainName, DomainNameError};
pub use self::pattern::{Pattern, PatternError};
pub use self::pointer::{Pointer, PointerError, Token};

use crate::json::Decimal;

/// What one argument, or a part of it, must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which one.
    pub pointer: Pointer,
    /// Whether it may be left out. It may never be null instead.
    pub optional: bool,
    /// What it must be: all of these.
    pub tests: Box<[Test]>,
}

/// One test of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// This very value.
    Is(Scalar),
    /// One of these values.
    OneOf(Box<[Scalar]>),
    /// A number from the first to the second, both included.
    Between(Decimal, Decimal),
    /// A text that matches as a whole.
    Matches(Pattern),
    /// A text that starts with this one.
    StartsWith(Box<str>),
    /// A text that is one mail address or URL, at one of these domains.
    Domain(Box<[DomainName]>),
    /// A text of at most so many Unicode code points.
    MaxLength(u64),
    /// A list of at most so many elements.
    MaxItems(u64),
    /// Not there at all.
    Forbidden,
}

/// A value that is compared as a whole. A number is never equal to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// A text, byte for byte.
    Text(Box<str>),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, values: &[T]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        let joint = if index == 0 { "" } else { " or " };
        write!(f, "{joint}{value}")?;
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => write!(f, "is {value}"),
            Self::OneOf(values) => {
                f.write_str("is ")?;
                list(f, values)
            }
            Self::Between(low, high) => write!(f, "is a number from {low} to {high}"),
            Self::Matches(pattern) => write!(f, "matches {:?}", pattern.as_str()),
            Self::StartsWith(start) => write!(f, "starts with {start:?}"),
            Self::Domain(domains) => {
                f.write_str("is one address at ")?;
                list(f, domains)
            }
            Self::MaxLength(most) => write!(f, "is a text of at most {most} characters"),
            Self::MaxItems(most) => write!(f, "is a list of at most {most}"),
            Self::Forbidden => f.write_str("is not there"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.pointer)?;
        for (index, test) in self.tests.iter().enumerate() {
            let joint = if index == 0 { "" } else { ", " };
            write!(f, "{joint}{test}")?;
        }
        if self.optional { f.write_str(", or is left out") } else { Ok(()) }
    }
}
