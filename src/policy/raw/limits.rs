//! Limits, as they are written.

use super::{Text, not_empty};
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::json::Decimal;
use crate::policy::limits::{DomainName, Limit, Pattern, Pointer, Scalar, Test};
use crate::yaml::{Fields, Keys, Kind, Node, Plain, Reader, Spanned};

const KEYS: Keys = Keys {
    known: &[
        "is",
        "one_of",
        "between",
        "matches",
        "starts_with",
        "domain",
        "max_length",
        "max_items",
        "forbidden",
        "optional",
    ],
    later: &[],
};

/// More than any argument holds.
const MOST: i64 = 1 << 30;

fn bad(reader: &mut Reader<'_>, place: Place, message: impl Into<String>, help: &str) {
    reader.report(Diagnostic::error(Code::BadValue, place, message).help(help));
}

/// The limits of a tool or grant.
pub(super) fn limits(reader: &mut Reader<'_>, fields: Fields<'_>) -> Vec<Spanned<Limit>> {
    let Some(node) = fields.get("limits") else {
        return Vec::new();
    };
    let entries = reader.entries(node);
    if let (Kind::Mapping(_), []) = (&node.kind, entries.as_slice()) {
        let place = reader.place(node.span);
        bad(reader, place, "`limits` without a limit", "leave the key out");
    }
    entries.into_iter().filter_map(|(key, node)| limit(reader, key, node)).collect()
}

fn limit(reader: &mut Reader<'_>, key: Text<'_>, node: &Node) -> Option<Spanned<Limit>> {
    let pointer = reader.parse_text(key, "a pointer to an argument", str::parse::<Pointer>);
    let fields = reader.fields(node, KEYS)?;
    let optional = stated(reader, fields, "optional");
    let forbidden = stated(reader, fields, "forbidden");
    let mut tests = Vec::new();
    tests.extend(forbidden.then_some(Test::Forbidden));
    tests.extend(fields.get("is").and_then(|node| scalar(reader, node)).map(Test::Is));
    tests.extend(fields.get("one_of").and_then(|node| one_of(reader, node)));
    tests.extend(fields.get("between").and_then(|node| between(reader, node)));
    tests.extend(fields.get("starts_with").and_then(|node| starts_with(reader, node)));
    tests.extend(fields.get("domain").and_then(|node| domain(reader, node)));
    let mut most = |key| {
        let most = fields.get(key).and_then(|node| reader.integer(node, 0..=MOST))?;
        u64::try_from(most.value).ok()
    };
    tests.extend(most("max_length").map(Test::MaxLength));
    tests.extend(most("max_items").map(Test::MaxItems));
    // What costs most is looked at last.
    let matches = fields.get("matches");
    let pattern = matches.and_then(|node| reader.parsed(node, "a pattern", Pattern::new));
    tests.extend(pattern.map(|pattern| Test::Matches(pattern.value)));
    if fields.is_empty() || (fields.len() == 1 && fields.get("optional").is_some()) {
        let help = "add a test, such as `between` or `max_length`";
        bad(reader, key.place, format!("`{}` is not limited by anything", key.value), help);
    }
    if forbidden && fields.len() > 1 {
        let help = "remove the other tests: an argument that is not there needs none";
        bad(reader, key.place, "`forbidden` stands beside other tests", help);
    } else if at_odds(&tests) {
        let help = "keep tests of one kind: a value is a number, a text or a list";
        bad(reader, key.place, "no value passes all of these tests", help);
    }
    let tests = tests.into();
    Some(Spanned { value: Limit { pointer: pointer?.value, optional, tests }, place: key.place })
}

/// A key that is `true` or left out.
fn stated(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> bool {
    let Some(value) = fields.get(key).and_then(|node| reader.boolean(node)) else {
        return false;
    };
    if !value.value {
        bad(reader, value.place, format!("`{key}: false` says nothing"), "leave the key out");
    }
    value.value
}

/// Whether two tests ask for values of different types.
fn at_odds(tests: &[Test]) -> bool {
    let mut types = tests.iter().filter_map(|test| match test {
        Test::Between(..) | Test::Is(Scalar::Number(_)) => Some("number"),
        Test::Matches(_)
        | Test::StartsWith(_)
        | Test::Domain(_)
        | Test::MaxLength(_)
        | Test::Is(Scalar::Text(_)) => Some("text"),
        Test::MaxItems(_) => Some("list"),
        Test::Is(Scalar::Bool(_)) => Some("boolean"),
        Test::OneOf(_) | Test::Forbidden => None,
    });
    let first = types.next();
    types.any(|other| Some(other) != first)
}

fn scalar(reader: &mut Reader<'_>, node: &Node) -> Option<Scalar> {
    match &node.kind {
        Kind::Text(text) => Some(Scalar::Text(text.as_str().into())),
        Kind::Plain(Plain::Bool(value), _) => Some(Scalar::Bool(*value)),
        Kind::Plain(Plain::Integer | Plain::Float, _) => number(reader, node).map(Scalar::Number),
        Kind::Plain(Plain::Null, _) | Kind::Sequence(_) | Kind::Mapping(_) => {
            let place = reader.place(node.span);
            let message = "expected a text, a number, `true` or `false`";
            reader.report(Diagnostic::error(Code::WrongType, place, message));
            None
        }
    }
}

fn number(reader: &mut Reader<'_>, node: &Node) -> Option<Decimal> {
    let place = reader.place(node.span);
    let Kind::Plain(Plain::Integer | Plain::Float, text) = &node.kind else {
        reader.report(Diagnostic::error(Code::WrongType, place, "expected a number"));
        return None;
    };
    let text = Spanned { value: text.as_str(), place };
    let number = reader.parse_text(text, "a number that compares exactly", str::parse::<Decimal>);
    number.map(|number| number.value)
}

fn one_of(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let mut values: Vec<Scalar> = Vec::new();
    let items = reader.list(node);
    for item in items {
        let Some(value) = scalar(reader, item) else { continue };
        if values.contains(&value) {
            let place = reader.place(item.span);
            let message = format!("`{value}` stands twice");
            let diagnostic = Diagnostic::error(Code::Repeated, place, message);
            reader.report(diagnostic.help("remove one of them"));
        }
        values.push(value);
    }
    if let (Kind::Sequence(_), []) = (&node.kind, items) {
        let place = reader.place(node.span);
        bad(reader, place, "an empty list", "name the values that may stand there");
    }
    (!values.is_empty()).then_some(Test::OneOf(values.into()))
}

/// ⚠ Both ends: a missing one would be no limit, a reversed pair would refuse every number.
fn between(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let place = reader.place(node.span);
    let [low, high] = reader.list(node) else {
        if matches!(node.kind, Kind::Sequence(_)) {
            bad(reader, place, "`between` needs both ends", "write `between: [LOWEST, HIGHEST]`");
        }
        return None;
    };
    let (low, high) = (number(reader, low), number(reader, high));
    let (low, high) = (low?, high?);
    if low > high {
        let help = "write the lower end first";
        bad(reader, place, format!("no number is between {low} and {high}"), help);
    }
    Some(Test::Between(low, high))
}

fn starts_with(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let text = reader.text(node)?;
    if text.value.is_empty() {
        bad(reader, text.place, "every text starts with nothing", "say what it starts with");
    }
    Some(Test::StartsWith(text.value.into()))
}

/// One domain, or a list of them.
fn domain(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let texts = if matches!(node.kind, Kind::Sequence(_)) {
        not_empty(reader, node)?
    } else {
        vec![reader.text(node)?]
    };
    let domains: Vec<_> = texts
        .into_iter()
        .filter_map(|text| reader.parse_text(text, "a domain", str::parse::<DomainName>))
        .map(|domain| domain.value)
        .collect();
    (!domains.is_empty()).then_some(Test::Domain(domains.into()))
}
