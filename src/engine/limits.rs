//! Whether the arguments of a call keep to their limits.
//!
//! What is absent, null or of another type than a test asks for does not pass, and neither does
//! an object in which another member could be taken for the one that is limited.

mod host;

#[cfg(test)]
mod tests;

use crate::json::{Object, Value};
use crate::policy::limits::{Limit, Scalar, Test, Token};
use crate::policy::model::Tool;

/// What about the arguments of a call is outside its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// There is an argument that the tool does not accept.
    NotAccepted,
    /// The limit at this index of its list does not hold.
    Limit(usize),
}

/// What the tool itself asks of every call.
pub(super) fn of_tool(tool: &Tool, arguments: &Object<'_>) -> Option<Breach> {
    let known = |name: &str| match &tool.accepts {
        Some(accepts) => accepts.iter().any(|accepted| **accepted == *name),
        None => true,
    };
    if !arguments.iter().all(|(name, _)| known(name)) {
        return Some(Breach::NotAccepted);
    }
    first(&tool.limits, arguments)
}

/// The first limit that does not hold.
pub(super) fn first(limits: &[Limit], arguments: &Object<'_>) -> Option<Breach> {
    limits.iter().position(|limit| !holds(limit, arguments)).map(Breach::Limit)
}

/// Whether a limit holds. It depends on the argument that it is about, and on whether another one
/// could be taken for that.
pub(crate) fn holds(limit: &Limit, arguments: &Object<'_>) -> bool {
    member(limit, arguments, limit.pointer.argument(), limit.pointer.rest())
}

fn member(limit: &Limit, object: &Object<'_>, name: &str, rest: &[Token]) -> bool {
    if object.iter().any(|(key, _)| key != name && could_be_taken_for(key, name)) {
        return false;
    }
    match object.get(name) {
        None => limit.optional || limit.tests.iter().any(|test| matches!(test, Test::Forbidden)),
        Some(value) => inside(limit, value, rest),
    }
}

/// Whether a limit holds for a value, this many steps inside its argument.
pub(crate) fn inside(limit: &Limit, value: &Value<'_>, rest: &[Token]) -> bool {
    match rest.split_first() {
        None => limit.tests.iter().all(|test| passes(test, value)),
        Some((Token::Member(name), rest)) => {
            value.as_object().is_some_and(|object| member(limit, object, name, rest))
        }
        Some((Token::Each, rest)) => {
            value.as_array().is_some_and(|items| items.iter().all(|item| inside(limit, item, rest)))
        }
    }
}

fn passes(test: &Test, value: &Value<'_>) -> bool {
    let of_text = |ok: &dyn Fn(&str) -> bool| value.as_str().is_some_and(ok);
    match test {
        Test::Is(scalar) => equals(scalar, value),
        Test::OneOf(scalars) => scalars.iter().any(|scalar| equals(scalar, value)),
        Test::Between(low, high) => {
            let number = value.as_number().and_then(crate::json::Number::as_decimal);
            number.is_some_and(|number| *low <= number && number <= *high)
        }
        Test::Matches(pattern) => of_text(&|text| pattern.matches(text)),
        Test::StartsWith(start) => of_text(&|text| text.starts_with(&**start)),
        Test::Domain(domains) => of_text(&|text| {
            host::of(text).is_some_and(|host| domains.iter().any(|domain| domain.is(host)))
        }),
        Test::MaxLength(most) => of_text(&|text| text.chars().count() as u64 <= *most),
        Test::MaxItems(most) => value.as_array().is_some_and(|items| items.len() as u64 <= *most),
        Test::Forbidden => false,
    }
}

fn equals(scalar: &Scalar, value: &Value<'_>) -> bool {
    match (scalar, value) {
        (Scalar::Bool(expected), Value::Bool(found)) => expected == found,
        (Scalar::Number(expected), Value::Number(found)) => found.as_decimal() == Some(*expected),
        (Scalar::Text(expected), Value::String(found)) => **expected == *found.as_str(),
        (
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
        ) => false,
    }
}

/// Some servers match members to fields without regard to case, and then the last one counts:
/// beside `limit`, `Limit` would be a second value that nobody looked at.
pub(crate) fn could_be_taken_for(key: &str, name: &str) -> bool {
    // Copied into another object, `__proto__` brings members of its own; some readers end a key
    // at a NUL.
    if key == "__proto__" || key.contains(char::is_control) {
        return true;
    }
    if key.is_ascii() && name.is_ascii() {
        return key.eq_ignore_ascii_case(name);
    }
    folded(key).eq(folded(name))
}

/// A text whose characters are all folded that simple case folding folds, and a few more. One way
/// alone is not enough: U+212A becomes a `k` only in lower case, U+017F an `s` only in upper case.
/// Without allocating, since a caller may send many keys.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let (upper, lower) = (char::to_uppercase, char::to_lowercase);
    text.chars().flat_map(lower).flat_map(upper).flat_map(lower)
}
