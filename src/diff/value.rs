//! Values of a file without their places, so that spelling and order say nothing; and what differs
//! between two of them, in words.

use serde_json::{Map, Value};

use super::renames::Renames;
use crate::yaml::{Kind, Node, Plain};

/// The one list whose order says something: its ends.
const ORDERED: &str = "between";

/// What a node says, under a key. Names that are only other names on the new side are replaced by
/// those.
pub(super) fn of(key: &str, node: &Node, renames: &Renames) -> Value {
    match &node.kind {
        Kind::Text(text) => Value::from(renames.name(key, text)),
        Kind::Plain(Plain::Null, _) => Value::Null,
        Kind::Plain(Plain::Bool(value), _) => Value::Bool(*value),
        Kind::Plain(Plain::Integer | Plain::Float, text) => number(text),
        Kind::Sequence(items) => {
            let mut items: Vec<_> = items.iter().map(|item| of(key, item, renames)).collect();
            if key != ORDERED {
                items.sort_by_cached_key(Value::to_string);
            }
            match (key, items.as_mut_slice()) {
                // One or a list of them.
                ("domain", [only]) => only.take(),
                _ => Value::Array(items),
            }
        }
        Kind::Mapping(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, node)| (key.text.clone(), of(&key.text, node, renames)))
                .collect(),
        ),
    }
}

/// As it is written, unless another way to write it is shorter.
fn number(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) if number.to_string().len() <= 15 => {
            let plain = number.to_string();
            serde_json::from_str(&plain).unwrap_or(Value::String(plain))
        }
        Ok(_) | Err(_) => Value::from(text),
    }
}

/// What differs, a few words for each place: `people + finance`, `last_day 2027-01-31 ->
/// 2027-06-30`.
pub(super) fn differences(name: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    let mut words = Vec::new();
    collect(name, old, new, &mut words);
    words
}

fn collect(name: &str, old: Option<&Value>, new: Option<&Value>, words: &mut Vec<String>) {
    let empty = Map::new();
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => entries(name, old, new, words),
        (None, Some(Value::Object(new))) if !new.is_empty() => entries(name, &empty, new, words),
        (Some(Value::Object(old)), None) if !old.is_empty() => entries(name, old, &empty, words),
        (Some(Value::Array(old)), Some(Value::Array(new))) if !name.ends_with(ORDERED) => {
            let gone = old.iter().filter(|item| !new.contains(item)).map(|item| ("-", item));
            let come = new.iter().filter(|item| !old.contains(item)).map(|item| ("+", item));
            let both: Vec<_> =
                come.chain(gone).map(|(sign, item)| format!("{sign} {}", text(item))).collect();
            words.push(format!("{name} {}", both.join(", ")));
        }
        (Some(old), Some(new)) => {
            words.push(format!("{name} {} -> {}", text(old), text(new)));
        }
        (None, Some(new)) => words.push(format!("{name} + {}", text(new))),
        (Some(old), None) => words.push(format!("{name} - {}", text(old))),
        (None, None) => {}
    }
}

fn entries(
    name: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    words: &mut Vec<String>,
) {
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let inner = if name.is_empty() { key.clone() } else { format!("{name} {key}") };
        collect(&inner, old.get(key), new.get(key), words);
    }
}

/// A value as people read it: without quotes, as long as it is a word.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// What a limit asks for: `1..10000, or absent`. Without one anything goes.
pub(super) fn limit(limit: Option<&Value>) -> String {
    let Some(Value::Object(limit)) = limit else { return "anything".to_owned() };
    let mut tests = Vec::new();
    for (test, value) in limit {
        match (test.as_str(), value) {
            ("optional", Value::Bool(optional)) => {
                if *optional {
                    tests.push("or absent".to_owned());
                }
            }
            ("between", Value::Array(ends)) => {
                tests.push(ends.iter().map(text).collect::<Vec<_>>().join(".."));
            }
            ("is", value) => tests.push(value.to_string()),
            ("one_of", Value::Array(values)) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                tests.push(format!("{{{}}}", values.join(", ")));
            }
            ("forbidden", _) => tests.push("never there".to_owned()),
            (test, value) => tests.push(format!("{} {value}", test.replace('_', " "))),
        }
    }
    tests.sort_by_key(|test| test == "or absent");
    tests.join(", ")
}

/// Whether another limit is a wider or a narrower one, where that is plain.
pub(super) fn limit_direction(old: Option<&Value>, new: Option<&Value>) -> Option<&'static str> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => return Some("narrower"),
        (Some(_), None) => return Some("wider"),
        (Some(old), Some(new)) => (old.as_object()?, new.as_object()?),
    };
    let keys = old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key));
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    let [key] = keys.as_slice() else { return None };
    let (old, new) = (old.get(*key), new.get(*key));
    let is_within = |inner: Option<&Value>, outer: Option<&Value>| match key.as_str() {
        "between" => {
            let ends = |value: Option<&Value>| -> Option<[f64; 2]> {
                let ends: Vec<_> = value?.as_array()?.iter().map(Value::as_f64).collect();
                let [Some(low), Some(high)] = ends.as_slice() else { return None };
                Some([*low, *high])
            };
            let ([a, b], [c, d]) = (ends(inner)?, ends(outer)?);
            Some(c <= a && b <= d)
        }
        "max_length" | "max_items" => Some(inner?.as_f64()? <= outer?.as_f64()?),
        "one_of" => {
            let (inner, outer) = (inner?.as_array()?, outer?.as_array()?);
            Some(inner.iter().all(|value| outer.contains(value)))
        }
        "optional" => {
            let is = |value: Option<&Value>| value == Some(&Value::Bool(true));
            Some(!is(inner) || is(outer))
        }
        _ => None,
    };
    match (is_within(old, new)?, is_within(new, old)?) {
        (true, false) => Some("wider"),
        (false, true) => Some("narrower"),
        (true, true) | (false, false) => None,
    }
}
