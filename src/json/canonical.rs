//! One spelling for all documents that say the same: members sorted, no blanks, strings escaped as
//! RFC 8785 says. Numbers stay as they are written: nothing here takes one for another.

use std::cmp::Ordering;

use super::scan::run_end;
use super::{Object, Value};

impl Value<'_> {
    /// The value in one line, canonically.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let mut text = String::new();
        write_value(self, &mut text);
        text
    }
}

impl Object<'_> {
    /// The object in one line, canonically.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let mut text = String::new();
        write_object(self, &mut text);
        text
    }
}

// As deep as the reader lets a document be, and no deeper.
fn write_value(value: &Value<'_>, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(number.as_str()),
        Value::String(string) => write_string(string.as_str(), text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(item, text);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(object, text),
    }
}

fn write_object(object: &Object<'_>, text: &mut String) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_code_units(a, b));
    text.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(key, text);
        text.push(':');
        write_value(value, text);
    }
    text.push('}');
}

/// RFC 8785 §3.2.3: as UTF-16, which differs from UTF-8 beyond the characters of one unit.
fn by_code_units(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

/// RFC 8785 §3.2.2.2.
fn write_string(string: &str, text: &mut String) {
    text.push('"');
    let mut rest = string;
    // What an escape is needed for is what a reader stops at, and ASCII.
    while let Some((run, escaped)) = rest.split_at_checked(run_end(rest.as_bytes(), 0)) {
        text.push_str(run);
        let mut after = escaped.chars();
        let Some(c) = after.next() else { break };
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{C}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            c => {
                let digits = [u32::from(c) / 16, u32::from(c) % 16];
                text.push_str("\\u00");
                text.extend(digits.into_iter().filter_map(|digit| char::from_digit(digit, 16)));
            }
        }
        rest = after.as_str();
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use crate::json::{Limits, parse};

    const LIMITS: Limits = Limits { max_depth: 8, guarded_keys: &[] };

    #[test]
    fn documents_that_say_the_same_are_spelled_the_same() {
        let canonical = |text: &str| parse(text.as_bytes(), LIMITS).unwrap().to_canonical();
        assert_eq!(
            canonical(
                r#" { "b" : [1, 2.50, null], "a" : { "\u0061" : "\u00e9\n/", "B": true } } "#
            ),
            r#"{"a":{"B":true,"a":"é\n/"},"b":[1,2.50,null]}"#
        );
        assert_ne!(canonical("[1]"), canonical("[1.0]"));
        assert_ne!(canonical(r#""1""#), canonical("1"));
    }
}
