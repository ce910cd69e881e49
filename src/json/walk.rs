//! A document read part by part: whoever reads says into what to descend, and gets the text of
//! whatever stands there. What a walk accepts is what [`parse`](super::parse) accepts, but that
//! guarded keys are for the reader to look for.

use super::parse::{JsonError, JsonErrorKind, Limits, Parser, Seen};
use super::{Text, Value};

/// Where a walk stands: before a value.
pub struct Walk<'a> {
    parser: Parser<'a>,
    depth: usize,
    /// Those of the objects that are not read to their end yet, the innermost last.
    keys: Vec<Text<'a>>,
}

/// A value, and the text that it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Its first byte in the document.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
}

/// What kind of value stands next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An object.
    Object,
    /// An array.
    Array,
    /// Anything else.
    Scalar,
}

/// Walks through exactly one document. `read` reads exactly one value.
///
/// # Errors
///
/// The first problem of the document, or what `read` says.
pub fn walk<'a, T, E: From<JsonError>>(
    bytes: &'a [u8],
    limits: Limits,
    read: impl FnOnce(&mut Walk<'a>) -> Result<T, E>,
) -> Result<T, E> {
    let mut walk = Walk { parser: Parser::new(bytes, limits)?, depth: 0, keys: Vec::new() };
    walk.parser.skip_whitespace();
    let read = read(&mut walk)?;
    walk.parser.skip_whitespace();
    walk.parser.finish()?;
    Ok(read)
}

impl<'a> Walk<'a> {
    /// What stands next.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.parser.peek() {
            Some(b'{') => Next::Object,
            Some(b'[') => Next::Array,
            _ => Next::Scalar,
        }
    }

    /// The byte that the walk stands at.
    #[must_use]
    pub fn at(&self) -> usize {
        self.parser.at
    }

    /// Reads the value that stands here.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn value(&mut self) -> Result<Read<'a>, JsonError> {
        let start = self.parser.at;
        let value = self.parser.value(self.depth)?;
        Ok(Read { value, start, end: self.parser.at })
    }

    /// Reads the value that stands here, and keeps nothing of it.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        match self.next() {
            Next::Object => self.object(|walk, _| walk.skip()),
            Next::Array => self.array(Self::skip),
            Next::Scalar => self.parser.value(self.depth).map(drop),
        }
    }

    /// Reads the object that stands here: `each` is given every key, and reads its value.
    ///
    /// # Errors
    ///
    /// If it is none or a key stands twice, or what `each` says.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = self.keys.len();
        let mut seen = Seen::default();
        self.inside(b'{', b'}', |walk| -> Result<(), E> {
            let start = walk.parser.at;
            let key = walk.parser.string()?;
            if !seen.insert(walk.keys.iter().skip(first), &key) {
                return Err(Parser::error_at(start, JsonErrorKind::DuplicateKey).into());
            }
            walk.parser.skip_whitespace();
            walk.parser.expect(b':')?;
            walk.parser.skip_whitespace();
            each(walk, key.as_str())?;
            walk.keys.push(key);
            Ok(())
        })?;
        self.keys.truncate(first);
        Ok(())
    }

    /// Reads the array that stands here: `each` reads one element.
    ///
    /// # Errors
    ///
    /// If it is none, or what `each` says.
    pub fn array<E: From<JsonError>>(
        &mut self,
        each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.inside(b'[', b']', each)
    }

    /// What stands between two brackets, parted by commas.
    fn inside<E: From<JsonError>>(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let outside = self.depth;
        self.depth = self.parser.enter(outside)?;
        self.parser.expect(open)?;
        self.parser.skip_whitespace();
        if !self.parser.eat(close) {
            loop {
                each(self)?;
                self.parser.skip_whitespace();
                if self.parser.eat(close) {
                    break;
                }
                self.parser.expect(b',')?;
                self.parser.skip_whitespace();
            }
        }
        self.depth = outside;
        Ok(())
    }
}
