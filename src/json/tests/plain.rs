//! The reader as one would write it without a thought for time: one byte after the other, every
//! text owned. Tests hold the other one against it; nothing else reads with it.

use super::{JsonError, JsonErrorKind, Limits, folds_to};

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Number(String),
    String(Spelled),
    Array(Vec<Self>),
    Object(Vec<(Spelled, Self)>),
}

/// A string as it is written, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spelled {
    pub(super) raw: String,
    pub(super) value: String,
}

pub(super) fn parse(bytes: &[u8], limits: Limits) -> Result<Plain, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError { offset: error.valid_up_to(), kind: JsonErrorKind::NotUtf8 })?;
    let mut parser = Parser { text, at: 0, limits };
    parser.skip_whitespace();
    let value = parser.value(0)?;
    parser.skip_whitespace();
    if parser.at == text.len() {
        Ok(value)
    } else {
        Err(parser.error(JsonErrorKind::TrailingBytes))
    }
}

impl Plain {
    /// As RFC 8785 spells it, but for numbers.
    pub(super) fn to_canonical(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.clone(),
            Self::String(text) => quoted(&text.value),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::to_canonical).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| key.value.encode_utf16().collect::<Vec<_>>());
                let member = |(key, value): &(Spelled, Self)| {
                    format!("{}:{}", quoted(&key.value), value.to_canonical())
                };
                let members: Vec<_> = members.into_iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    limits: Limits,
}

impl Parser<'_> {
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        Self::error_at(self.at, kind)
    }

    fn error_at(offset: usize, kind: JsonErrorKind) -> JsonError {
        JsonError { offset, kind }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self) -> JsonError {
        self.error(if self.at >= self.text.len() {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::UnexpectedCharacter
        })
    }

    fn since(&self, start: usize) -> String {
        self.text.get(start..self.at).unwrap().to_owned()
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn value(&mut self, depth: usize) -> Result<Plain, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Plain::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Plain::Number),
            Some(b't') => self.literal("true", Plain::Bool(true)),
            Some(b'f') => self.literal("false", Plain::Bool(false)),
            Some(b'n') => self.literal("null", Plain::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, word: &str, value: Plain) -> Result<Plain, JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    fn enter(&self, depth: usize) -> Result<usize, JsonError> {
        if depth < self.limits.max_depth {
            Ok(depth + 1)
        } else {
            Err(self.error(JsonErrorKind::TooDeep))
        }
    }

    fn array(&mut self, depth: usize) -> Result<Plain, JsonError> {
        let depth = self.enter(depth)?;
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.skip_whitespace();
        if self.eat(b']') {
            return Ok(Plain::Array(items));
        }
        loop {
            self.skip_whitespace();
            items.push(self.value(depth)?);
            self.skip_whitespace();
            if self.eat(b']') {
                return Ok(Plain::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Plain, JsonError> {
        let start = self.at;
        let depth = self.enter(depth)?;
        self.expect(b'{')?;
        let mut members: Vec<(Spelled, Plain)> = Vec::new();
        self.skip_whitespace();
        if self.eat(b'}') {
            return Ok(Plain::Object(members));
        }
        loop {
            self.skip_whitespace();
            let key_at = self.at;
            let key = self.string()?;
            if members.iter().any(|(name, _)| name.value == key.value) {
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
        }
        if self.has_folded_twin(&members) {
            return Err(Self::error_at(start, JsonErrorKind::FoldedKey));
        }
        Ok(Plain::Object(members))
    }

    fn has_folded_twin(&self, members: &[(Spelled, Plain)]) -> bool {
        let keys = || members.iter().map(|(key, _)| key.value.as_str());
        self.limits
            .guarded_keys
            .iter()
            .filter(|known| keys().any(|key| key == **known))
            .any(|known| keys().any(|key| key != *known && folds_to(key, known)))
    }

    fn string(&mut self) -> Result<Spelled, JsonError> {
        let start = self.at;
        self.expect(b'"')?;
        let mut value = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Spelled { raw: self.since(start), value });
                }
                Some(b'\\') => value.push(self.escape()?),
                Some(0x00..=0x1F) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                Some(_) => {
                    let c = self.text.get(self.at..).unwrap().chars().next().unwrap();
                    self.at += c.len_utf8();
                    value.push(c);
                }
            }
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

    fn number(&mut self) -> Result<String, JsonError> {
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
        Ok(self.since(start))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error(JsonErrorKind::InvalidNumber)) } else { Ok(()) }
    }
}
