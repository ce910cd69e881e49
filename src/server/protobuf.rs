//! The wire format of Protocol Buffers, read in place and written once.
//!
//! Envoy asks about every request, and a tree of owned texts of what it says costs more than to
//! decide. So its message is read where it lies, and the answer is written as it goes. Both are
//! compared with prost's reading and writing by tests.

#[cfg(test)]
mod tests;

use thiserror::Error;

/// Wire types (<https://protobuf.dev/programming-guides/encoding/#structure>).
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// The bytes are no message of the expected type.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Malformed {
    #[error("a message ends too early")]
    Truncated,
    #[error("a number has more than 64 bits")]
    Overflow,
    #[error("a field has no number, or a wire type that there is not")]
    Key,
    #[error("a field has another wire type than its own")]
    WireType,
    #[error("a field that stands once stands twice")]
    Twice,
    #[error("a text is not UTF-8")]
    Utf8,
}

/// What a field holds; numbers of fixed width are read by nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'m> {
    Varint(u64),
    /// A text, bytes, or a message.
    Bytes(&'m [u8]),
    Fixed,
}

/// The fields of a message, in the order in which they stand. It ends after the first error.
#[derive(Clone, Debug)]
pub(super) struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        Self(message)
    }

    #[inline]
    fn field(&mut self) -> Result<(u32, Value<'m>), Malformed> {
        let key = u32::try_from(self.varint()?).map_err(|_| Malformed::Key)?;
        let (number, wire_type) = (key >> 3, key & 7);
        if number == 0 {
            return Err(Malformed::Key);
        }
        #[expect(clippy::cast_possible_truncation, reason = "three bits")]
        let value = match wire_type as u8 {
            VARINT => Value::Varint(self.varint()?),
            BYTES => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED64 => self.take(8).map(|_| Value::Fixed)?,
            FIXED32 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed::Key),
        };
        Ok((number, value))
    }

    /// Nearly all of them take one byte.
    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.0.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            // Of the tenth byte one bit is left.
            if at == 9 && *byte > 1 {
                return Err(Malformed::Overflow);
            }
            number |= bits << (7 * at);
            if *byte < 0x80 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(Malformed::Truncated)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'m [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u32, Value<'m>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'m> Value<'m> {
    pub(super) fn bytes(self) -> Result<&'m [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Fixed => Err(Malformed::WireType),
        }
    }

    pub(super) fn text(self) -> Result<&'m str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Utf8)
    }
}

/// A field that stands once at most. Of two, readers take the last or both of them: Envoy sends no
/// such message.
pub(super) fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if field.replace(value).is_some() { Err(Malformed::Twice) } else { Ok(()) }
}

/// How many bytes [`Writer::bytes`] writes for a field below 16.
pub(super) fn length_of_bytes(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { length_of_sized(bytes.len()) }
}

/// How many bytes a field below 16 takes with a message or bytes of this length.
pub(super) fn length_of_sized(length: usize) -> usize {
    1 + (usize::BITS - (length | 1).leading_zeros()).div_ceil(7) as usize + length
}

/// A message as it is written.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number, unless it is the default.
    pub(super) fn number(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.key(field, VARINT);
            self.varint(number);
        }
    }

    /// A text or bytes, unless it is empty.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.key(field, BYTES);
            self.varint(bytes.len() as u64);
            self.0.extend_from_slice(bytes);
        }
    }

    /// A number of eight bytes: a `double`.
    pub(super) fn double(&mut self, field: u32, number: f64) {
        self.key(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A message within this one, even an empty one.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, BYTES);
        let begins = self.0.len();
        write(self);
        // How long it is stands before it, and is known by now: one byte or two.
        let length = (self.0.len() - begins) as u64;
        let ends = self.0.len();
        self.varint(length);
        let of_length = self.0.len() - ends;
        if let Some(written) = self.0.get_mut(begins..) {
            written.rotate_right(of_length);
        }
    }

    /// A message within this one whose length is known before it is written.
    pub(super) fn sized(&mut self, field: u32, length: usize) {
        self.key(field, BYTES);
        self.varint(length as u64);
    }

    /// All of this message, as it was written elsewhere.
    pub(super) fn whole(&mut self, message: &[u8]) {
        self.0.extend_from_slice(message);
    }

    fn key(&mut self, field: u32, wire_type: u8) {
        self.varint(u64::from(field) << 3 | u64::from(wire_type));
    }

    fn varint(&mut self, mut number: u64) {
        loop {
            let bits = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                self.0.push(bits);
                return;
            }
            self.0.push(bits | 0x80);
        }
    }
}
