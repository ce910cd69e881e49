//! The one strict JSON reader (RFC 8259): request bodies, tokens, key sets, `--args`.
//!
//! Two readers of one document must never differ, because Toolgate decides on what it reads and
//! the server behind it acts on what *it* reads. So everything that parsers in the wild disagree
//! about is refused: duplicate keys at every level (also when spelled with escapes), keys that
//! only differ by case from one that we act on, lone surrogates, a byte-order mark, bytes after
//! the document, nesting deeper than the caller allows. Numbers keep their text and are never
//! rounded; strings keep their raw form, so that an id can be echoed byte for byte.

mod canonical;
mod decimal;
mod fold;
mod parse;
mod scan;
mod walk;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use self::decimal::{Decimal, DecimalError};
pub use self::fold::folds_to;
pub use self::parse::{JsonError, JsonErrorKind, Limits, parse};
pub use self::walk::{Next, Read, Walk, walk};

/// A parsed value that borrows from the document where it can.
#[derive(Clone, Debug, PartialEq)]
// A tag of one byte would be moved as one, and whatever stands beside it in pieces.
#[repr(u64)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, kept as its text.
    Number(Number<'a>),
    /// A string.
    String(Text<'a>),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object<'a>),
}

/// A number as it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

/// A string: its raw form with quotes and escapes, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(Form<'a>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form<'a> {
    /// The value is what stands between the quotes.
    Plain { raw: &'a str },
    /// Boxed, so that the many others are small.
    Escaped(Box<Escaped<'a>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Escaped<'a> {
    raw: &'a str,
    value: String,
}

/// An object, in document order; no key stands twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Text<'a>, Value<'a>)>);

// === impl Value ===

impl<'a> Value<'a> {
    /// The string's value, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The object, if this is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Object(_) => {
                None
            }
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<Number<'a>> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::String(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// Resolves a JSON Pointer (RFC 6901) given as its unescaped reference tokens. Arrays are
    /// not indexed: pointers in Toolgate name members.
    #[must_use]
    pub fn pointer<S: AsRef<str>>(&self, tokens: &[S]) -> Option<&Self> {
        tokens.iter().try_fold(self, |value, token| value.as_object()?.get(token.as_ref()))
    }
}

// === impl Number ===

impl<'a> Number<'a> {
    /// The number's text in the document.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The value as an `i64`, if it is written as an integer (no fraction, no exponent) and fits.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.0.parse().ok()
    }
}

// === impl Text ===

impl<'a> Text<'a> {
    fn plain(raw: &'a str) -> Self {
        Self(Form::Plain { raw })
    }

    fn escaped(raw: &'a str, value: String) -> Self {
        Self(Form::Escaped(Box::new(Escaped { raw, value })))
    }

    /// The value, with escapes resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Plain { raw } => unquoted(raw),
            Form::Escaped(escaped) => &escaped.value,
        }
    }

    /// The string as it stands in the document, with its quotes.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        match &self.0 {
            Form::Plain { raw } => raw,
            Form::Escaped(escaped) => escaped.raw,
        }
    }

    /// The length of the value.
    fn len(&self) -> usize {
        match &self.0 {
            Form::Plain { raw } => raw.len().saturating_sub(2),
            Form::Escaped(escaped) => escaped.value.len(),
        }
    }

    #[inline]
    fn is(&self, value: &str) -> bool {
        self.len() == value.len() && self.as_str() == value
    }

    /// The value, borrowed from the document where it can be.
    fn to_cow(&self) -> Cow<'a, str> {
        match &self.0 {
            Form::Plain { raw } => Cow::Borrowed(unquoted(raw)),
            Form::Escaped(escaped) => Cow::Owned(escaped.value.clone()),
        }
    }
}

fn unquoted(raw: &str) -> &str {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

// === impl Object ===

impl<'a> Object<'a> {
    /// `{}`
    pub const EMPTY: Self = Self(Vec::new());

    /// The members, in document order.
    #[must_use]
    pub fn into_members(self) -> Vec<(Text<'a>, Value<'a>)> {
        self.0
    }

    /// The member named `key`, compared byte for byte.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(name, _)| name.is(key)).map(|(_, value)| value)
    }

    /// Whether a member named `key` is there, whatever its value.
    #[must_use]
    #[inline]
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The members in document order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
