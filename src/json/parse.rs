//! A recursive-descent parser with a bounded depth.

use std::borrow::Cow;
use std::collections::HashSet;

use thiserror::Error;

use super::scan::run_end;
use super::{Number, Object, Text, Value, folds_to};

/// What a document may look like.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep arrays and objects may nest; a scalar document has depth 0.
    pub max_depth: usize,
    /// Keys that are acted on. In every object that holds one of them, a sibling that equals it
    /// under simple case folding is refused.
    pub guarded_keys: &'static [&'static str],
}

/// Why a document was refused, and where.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// Byte offset into the document.
    pub offset: usize,
    /// What is wrong there.
    pub kind: JsonErrorKind,
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
// As wide as the values that stand in its place: see [`Value`].
#[repr(u64)]
pub enum JsonErrorKind {
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The document ends in the middle.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A character that RFC 8259 does not allow there.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// Something follows the document.
    #[error("bytes after the document")]
    TrailingBytes,
    /// A key stands twice in one object.
    #[error("duplicate key")]
    DuplicateKey,
    /// A key equals a guarded sibling under case folding.
    #[error("two keys that differ only by case")]
    FoldedKey,
    /// Nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// A control character stands unescaped in a string.
    #[error("unescaped control character")]
    ControlCharacter,
    /// An escape that RFC 8259 does not know.
    #[error("invalid escape")]
    InvalidEscape,
    /// Half of a surrogate pair.
    #[error("lone surrogate")]
    LoneSurrogate,
    /// Not a number in RFC 8259's grammar.
    #[error("invalid number")]
    InvalidNumber,
}

/// Up to this many members, keys are compared with each other; beyond, they are hashed.
const SMALL_OBJECT: usize = 16;

/// Parses exactly one JSON document.
///
/// # Errors
///
/// The first problem, with its byte offset. See the module's documentation for what is refused
/// beyond RFC 8259.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value<'_>, JsonError> {
    let mut parser = Parser::new(bytes, limits)?;
    parser.skip_whitespace();
    let value = parser.value(0)?;
    parser.skip_whitespace();
    parser.finish()?;
    Ok(value)
}

pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) at: usize,
    limits: Limits,
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
            offset: error.valid_up_to(),
            kind: JsonErrorKind::NotUtf8,
        })?;
        Ok(Self { text, at: 0, limits })
    }

    /// Nothing follows.
    pub(super) fn finish(&self) -> Result<(), JsonError> {
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.error(JsonErrorKind::TrailingBytes))
        }
    }

    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { offset: self.at, kind }
    }

    pub(super) fn error_at(offset: usize, kind: JsonErrorKind) -> JsonError {
        JsonError { offset, kind }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self) -> JsonError {
        self.error(if self.at >= self.text.len() {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::UnexpectedCharacter
        })
    }

    /// The text from `start` to here. Both always stand on character boundaries.
    #[inline]
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    #[expect(clippy::inline_always, reason = "into `array` and `object`, which call each other")]
    #[inline(always)]
    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(depth).map(Value::Object),
            Some(b'[') => self.array(depth).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    pub(super) fn enter(&self, depth: usize) -> Result<usize, JsonError> {
        if depth < self.limits.max_depth {
            Ok(depth + 1)
        } else {
            Err(self.error(JsonErrorKind::TooDeep))
        }
    }

    #[inline(never)]
    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, JsonError> {
        let depth = self.enter(depth)?;
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.skip_whitespace();
        if self.eat(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_whitespace();
            if self.eat(b']') {
                return Ok(items);
            }
            self.expect(b',')?;
            self.skip_whitespace();
        }
    }

    #[inline(never)]
    fn object(&mut self, depth: usize) -> Result<Object<'a>, JsonError> {
        let start = self.at;
        let depth = self.enter(depth)?;
        self.expect(b'{')?;
        let mut members: Vec<(Text<'a>, Value<'a>)> = Vec::new();
        let mut seen = Seen::default();
        self.skip_whitespace();
        if self.eat(b'}') {
            return Ok(Object(members));
        }
        loop {
            let key_at = self.at;
            let key = self.string()?;
            if !seen.insert(members.iter().map(|(name, _)| name), &key) {
                return Err(Self::error_at(key_at, JsonErrorKind::DuplicateKey));
            }
            self.skip_whitespace();
            self.expect(b':')?;
            self.skip_whitespace();
            let value = self.value(depth)?;
            members.push((key, value));
            self.skip_whitespace();
            if self.eat(b'}') {
                break;
            }
            self.expect(b',')?;
            self.skip_whitespace();
        }
        let object = Object(members);
        if self.has_folded_twin(&object, &seen) {
            return Err(Self::error_at(start, JsonErrorKind::FoldedKey));
        }
        Ok(object)
    }

    fn has_folded_twin(&self, object: &Object<'a>, seen: &Seen<'a>) -> bool {
        let guarded = self.limits.guarded_keys;
        // Of keys that are ASCII, those that fold to one another are alike.
        if guarded.is_empty() || !seen.alike && object.iter().all(|(key, _)| key.is_ascii()) {
            return false;
        }
        guarded
            .iter()
            .filter(|known| object.contains(known))
            .any(|known| object.iter().any(|(key, _)| key != *known && folds_to(key, known)))
    }

    #[expect(clippy::inline_always, reason = "moving a text costs as much as finding its end")]
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.at;
        self.expect(b'"')?;
        self.at = run_end(self.text.as_bytes(), self.at);
        if self.eat(b'"') {
            return Ok(Text::plain(self.since(start)));
        }
        self.escaped_string(start)
    }

    /// The rest of a string in which not all bytes stand for themselves.
    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<Text<'a>, JsonError> {
        let mut value = self.since(start + 1).to_owned();
        loop {
            match self.peek() {
                None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::escaped(self.since(start), value));
                }
                Some(b'\\') => value.push(self.escape()?),
                // Runs end at nothing else.
                Some(_) => return Err(self.error(JsonErrorKind::ControlCharacter)),
            }
            let run = self.at;
            self.at = run_end(self.text.as_bytes(), run);
            value.push_str(self.since(run));
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let byte = self.peek().ok_or_else(|| self.error(JsonErrorKind::UnexpectedEnd))?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex4(start)?;
                let code = match unit {
                    0xD800..=0xDBFF => {
                        if !(self.eat(b'\\') && self.eat(b'u')) {
                            return Err(Self::error_at(start, JsonErrorKind::LoneSurrogate));
                        }
                        let low = self.hex4(start)?;
                        if !(0xDC00..=0xDFFF).contains(&low) {
                            return Err(Self::error_at(start, JsonErrorKind::LoneSurrogate));
                        }
                        0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                    }
                    unit => unit,
                };
                char::from_u32(code)
                    .ok_or_else(|| Self::error_at(start, JsonErrorKind::LoneSurrogate))?
            }
            _ => return Err(Self::error_at(start, JsonErrorKind::InvalidEscape)),
        })
    }

    fn hex4(&mut self, start: usize) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or_else(|| Self::error_at(start, JsonErrorKind::InvalidEscape))?;
            self.at += 1;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Number<'a>, JsonError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        // `01`, `1a`, `1.2.3`: whatever follows must be a delimiter.
        if matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_')
        ) {
            return Err(self.error(JsonErrorKind::InvalidNumber));
        }
        Ok(Number(self.since(start)))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error(JsonErrorKind::InvalidNumber)) } else { Ok(()) }
    }
}

/// The keys of one object so far.
#[derive(Default)]
pub(super) struct Seen<'a> {
    /// A bit for the look of every key: a key of a new look is new.
    looks: u64,
    /// Whether two keys may be the same but for the case of ASCII letters.
    alike: bool,
    /// Of a large object, so that a hundred thousand keys cost no more than their length.
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Seen<'a> {
    /// Whether the key is none of the earlier ones.
    pub(super) fn insert<'k>(
        &mut self,
        earlier: impl ExactSizeIterator<Item = &'k Text<'a>>,
        key: &Text<'a>,
    ) -> bool
    where
        'a: 'k,
    {
        let look = look(key.as_str());
        let new = self.looks & look == 0;
        self.looks |= look;
        if earlier.len() < SMALL_OBJECT {
            return new || self.compare(earlier, key.as_str());
        }
        // Nobody looked.
        self.alike = true;
        self.many.get_or_insert_with(|| earlier.map(Text::to_cow).collect()).insert(key.to_cow())
    }

    #[cold]
    fn compare<'k>(&mut self, earlier: impl Iterator<Item = &'k Text<'a>>, key: &str) -> bool
    where
        'a: 'k,
    {
        earlier.filter(|name| name.len() == key.len()).all(|name| {
            let alike = name.as_str().eq_ignore_ascii_case(key);
            self.alike |= alike;
            !alike || name.as_str() != key
        })
    }
}

/// One of 64 bits, the same for keys that differ only by the case of ASCII letters.
fn look(key: &str) -> u64 {
    let lower = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default() | 0x20);
    let bytes = key.as_bytes();
    let ends = 3 * lower(bytes.first()) + 5 * lower(bytes.last());
    1 << (bytes.len().wrapping_add(ends) % 64)
}
