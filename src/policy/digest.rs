//! Digests: of a policy set, and of the tools that a review covers.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::yaml::{Kind, Node, Plain};

/// A SHA-256 digest; written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a digest is 64 lower-case hex digits")]
pub struct DigestError;

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several parts, each preceded by its length, so that no two lists of parts
    /// have the same bytes.
    #[must_use]
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The digest of a policy set: over the sorted (relative path, SHA-256 of the bytes) of every
    /// file that decides.
    #[must_use]
    pub fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self::of_digests(files.into_iter().map(|(path, bytes)| (path, Self::of(bytes))))
    }

    /// The same, of files whose digests are known.
    #[must_use]
    pub fn of_digests<'a>(files: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort();
        Self::of_parts(
            files.iter().flat_map(|(path, digest)| [path.as_bytes(), digest.0.as_slice()]),
        )
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first hex digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    let digit = |digit: u8| char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(DigestError),
        };
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(DigestError);
        }
        for (slot, [high, low]) in digest.iter_mut().zip(pairs) {
            *slot = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(digest))
    }
}

/// Keys of a tool, resource or prompt that a review does not cover.
const NOT_COVERED: &[&str] = &["minutes_saved"];

/// The digest that a review covers: SHA-256 over the canonical JSON (RFC 8785) of
/// `{tools, resources, prompts}`, absent ones `{}`, each entry without `minutes_saved`.
#[must_use]
pub fn of_tools(tools: Option<&Node>, resources: Option<&Node>, prompts: Option<&Node>) -> Digest {
    let mut json = String::new();
    for (open, block) in
        [("{\"prompts\":", prompts), (",\"resources\":", resources), (",\"tools\":", tools)]
    {
        json.push_str(open);
        match block {
            Some(node) => canonical(node, 0, &mut json),
            None => json.push_str("{}"),
        }
    }
    json.push('}');
    Digest::of(json.as_bytes())
}

/// Writes a tree as canonical JSON. The entries of a block (depth 1) lose what is not covered.
fn canonical(node: &Node, depth: usize, json: &mut String) {
    match &node.kind {
        Kind::Text(text) => quoted(text, json),
        Kind::Plain(Plain::Null, _) => json.push_str("null"),
        Kind::Plain(Plain::Bool(value), _) => json.push_str(if *value { "true" } else { "false" }),
        // RFC 8785 writes numbers as ECMAScript does. In the range that policies use, that is
        // what Rust's `Display` prints for a double: the shortest digits that read back.
        Kind::Plain(Plain::Integer | Plain::Float, text) => match text.parse::<f64>() {
            Ok(number) => json.push_str(&number.to_string()),
            Err(_) => quoted(text, json),
        },
        Kind::Sequence(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                canonical(item, depth + 1, json);
            }
            json.push(']');
        }
        Kind::Mapping(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .filter(|(key, _)| depth != 1 || !NOT_COVERED.contains(&key.text.as_str()))
                .collect();
            entries.sort_by(|(a, _), (b, _)| a.text.encode_utf16().cmp(b.text.encode_utf16()));
            json.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                quoted(&key.text, json);
                json.push(':');
                canonical(value, depth + 1, json);
            }
            json.push('}');
        }
    }
}

fn quoted(text: &str, json: &mut String) {
    // serde_json escapes exactly what RFC 8785 §3.2.2.2 asks for.
    json.push_str(&serde_json::Value::from(text).to_string());
}
