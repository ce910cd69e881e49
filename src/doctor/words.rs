//! How what stands in a token is shown: escaped, bounded, and never a piece of the token itself.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A value is shown up to so many characters.
const MAX_SHOWN: usize = 80;

/// A list is shown up to so many items.
const MAX_ITEMS: usize = 10;

/// So many bytes of a token in a row are a piece of it.
const PIECE: usize = 20;

/// A text from outside, in quotes. A token within a token is a token.
pub(super) fn quoted(text: &str) -> String {
    if text.contains("eyJ") && text.len() > PIECE {
        return format!("(not shown: it looks like a token, {} bytes)", text.len());
    }
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    let cut = shown.len() < text.len();
    shown = format!("{shown:?}");
    if cut { format!("{shown}… ({} bytes)", text.len()) } else { shown }
}

/// What a claim is.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string().chars().take(MAX_SHOWN).collect(),
        Value::String(text) => quoted(text),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(items) => list(items.iter().map(self::value)),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The first of several, and how many there are beside.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut items = items.into_iter();
    let shown: Vec<_> = items.by_ref().take(MAX_ITEMS).collect();
    let more = items.count();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

pub(super) fn instant(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Such as `3 minutes`; the largest unit that is there.
pub(super) fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Takes pieces of a token out of whatever is said about it.
pub(super) struct Redactor<'t>(HashSet<&'t [u8]>);

impl<'t> Redactor<'t> {
    pub(super) fn of(token: &'t str) -> Self {
        Self(token.as_bytes().windows(PIECE).collect())
    }

    pub(super) fn clean(&self, text: String) -> String {
        let is_piece = text.as_bytes().windows(PIECE).any(|window| self.0.contains(window));
        if is_piece { "(not shown: a piece of the token)".to_owned() } else { text }
    }
}
