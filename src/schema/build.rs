//! The parts that schemas are made of.

use serde_json::{Map, Value, json};

use crate::policy::names::pattern;

/// `more` over `base`.
pub(super) fn both(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            base.extend(more);
            Value::Object(base)
        }
        (_, more) => more,
    }
}

/// A schema with a description, which stands first.
pub(super) fn described(description: &str, schema: Value) -> Value {
    both(json!({ "description": description }), schema)
}

/// A mapping with keys of the language, and with these only.
pub(super) fn object<'a>(
    description: &str,
    required: &[&str],
    properties: impl IntoIterator<Item = (&'a str, Value)>,
) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect();
    let mut schema = json!({
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema = both(schema, json!({ "required": required }));
    }
    schema
}

/// The schema with one keyword more.
fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    if let Value::Object(keywords) = &mut schema {
        keywords.insert(keyword.to_owned(), value);
    }
    schema
}

/// A mapping from names that the file chooses.
pub(super) fn map(description: &str, names: Value, values: Value) -> Value {
    let map = json!({ "description": description, "type": "object" });
    with(with(map, "propertyNames", names), "additionalProperties", values)
}

/// A list in which nothing stands twice; it may be empty.
pub(super) fn list(description: &str, items: Value) -> Value {
    let list = json!({ "description": description, "type": "array", "uniqueItems": true });
    with(list, "items", items)
}

/// A list of whatever, which may stand twice.
pub(super) fn sequence(description: &str, items: Value) -> Value {
    with(json!({ "description": description, "type": "array" }), "items", items)
}

/// A list in which nothing stands twice, and something does.
pub(super) fn some(description: &str, items: Value) -> Value {
    both(list(description, items), json!({ "minItems": 1 }))
}

pub(super) fn text(description: &str) -> Value {
    json!({ "description": description, "type": "string" })
}

pub(super) fn matching(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// One of these words.
pub(super) fn words<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<_> = words.into_iter().collect();
    json!({ "description": description, "enum": words })
}

/// `true`, or leave the key out.
pub(super) fn stated(description: &str) -> Value {
    json!({ "description": description, "const": true })
}

pub(super) fn integer(description: &str, least: i64, most: i64) -> Value {
    json!({ "description": description, "type": "integer", "minimum": least, "maximum": most })
}

/// A mapping in which at least one of these keys stands.
pub(super) fn any_of_keys(keys: &[&str]) -> Value {
    let required: Vec<_> = keys.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "anyOf": required })
}

/// A mapping in which exactly one of these keys stands.
pub(super) fn one_of_keys(keys: &[&str]) -> Value {
    let required: Vec<_> = keys.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "oneOf": required })
}

// === What the language's own texts look like ===

pub(super) fn version() -> Value {
    json!({ "description": "The version of the language; the first line of every file.", "const": 1 })
}

pub(super) fn name() -> Value {
    matching(pattern::PLAIN)
}

pub(super) fn review_name() -> Value {
    matching(pattern::REVIEW)
}

/// The name of a group, where groups are declared.
pub(super) fn group_name() -> Value {
    both(group(), json!({ "not": { "const": crate::policy::names::ANYONE } }))
}

/// A group, or the word for everybody.
pub(super) fn group() -> Value {
    both(matching(pattern::GROUP), json!({ "maxLength": 128 }))
}

pub(super) fn tool_name() -> Value {
    matching(pattern::TOOL)
}

pub(super) fn uri() -> Value {
    both(matching(pattern::URI), json!({ "maxLength": 2048 }))
}

pub(super) fn pointer() -> Value {
    matching(r"^(/([^/~]|~[01])+)+$")
}

/// A JSON Pointer (RFC 6901) into a token's claims.
pub(super) fn claim() -> Value {
    matching(r"^(/([^/~]|~[01])*)+$")
}

/// A workload's SPIFFE ID.
pub(super) fn workload() -> Value {
    both(matching("^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$"), json!({ "maxLength": 2048 }))
}

/// A workload's SPIFFE ID, or all below one.
pub(super) fn workloads() -> Value {
    matching(r"^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+(/\*)?$")
}

pub(super) fn digest(description: &str) -> Value {
    described(description, matching("^[0-9a-f]{64}$"))
}

/// A whole UTC day.
pub(super) fn day(description: &str) -> Value {
    described(description, matching("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
}

/// An instant with its offset.
pub(super) fn instant(description: &str) -> Value {
    let date_time = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?";
    described(description, matching(&format!("{date_time}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$")))
}
