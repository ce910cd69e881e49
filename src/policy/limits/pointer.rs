//! Pointers into the arguments of a call: RFC 6901, with `*` for every element of a list.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::json::{Object, Value};

/// Deeper than arguments are read.
const MAX_TOKENS: usize = 32;

/// A pointer: at least one token, the first of which names an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    first: Box<str>,
    rest: Box<[Token]>,
    text: Box<str>,
}

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The member of that name.
    Member(Box<str>),
    /// Every element of a list.
    Each,
}

/// Why a text is not a pointer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PointerError {
    /// It does not start with `/`.
    #[error("a pointer starts with `/`, such as `/limit` or `/to/*`")]
    NoSlash,
    /// A token without a name.
    #[error("a name is missing between the slashes")]
    EmptyName,
    /// `~` followed by something else than 0 or 1.
    #[error("`~` is written `~0`, and `/` inside a name `~1`")]
    Escape,
    /// A `*` where an argument is named.
    #[error("the first name is an argument's; `*` stands for the elements of a list")]
    NoArgument,
    /// Longer than any argument is deep.
    #[error("more than {MAX_TOKENS} names")]
    TooDeep,
}

impl Pointer {
    /// Every value that it leads to.
    #[must_use]
    pub fn values<'v, 'a>(&self, arguments: &'v Object<'a>) -> Vec<&'v Value<'a>> {
        let mut values: Vec<_> = arguments.get(&self.first).into_iter().collect();
        for token in &self.rest {
            let step = |value: &'v Value<'a>| -> Vec<&'v Value<'a>> {
                match token {
                    Token::Member(name) => {
                        value.as_object().and_then(|object| object.get(name)).into_iter().collect()
                    }
                    Token::Each => value.as_array().into_iter().flatten().collect(),
                }
            };
            values = values.into_iter().flat_map(step).collect();
        }
        values
    }

    /// The argument that it leads into.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.first
    }

    /// The steps inside that argument.
    #[must_use]
    pub fn rest(&self) -> &[Token] {
        &self.rest
    }
}

fn unescaped(token: &str) -> Result<String, PointerError> {
    let mut name = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '~' => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            other => other,
        });
    }
    Ok(name)
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let tokens = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let mut names = Vec::new();
        for token in tokens.split('/') {
            names.push(match token {
                "" => return Err(PointerError::EmptyName),
                "*" => Token::Each,
                name => Token::Member(unescaped(name)?.into()),
            });
        }
        if names.len() > MAX_TOKENS {
            return Err(PointerError::TooDeep);
        }
        let rest = names.split_off(1);
        match names.pop() {
            Some(Token::Member(first)) => Ok(Self { first, rest: rest.into(), text: text.into() }),
            Some(Token::Each) | None => Err(PointerError::NoArgument),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
