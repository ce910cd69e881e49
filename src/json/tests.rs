mod agreement;
mod plain;

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_depth: 8, guarded_keys: &["method", "params", "name", "task"] };

fn kind(text: &str) -> Option<JsonErrorKind> {
    parse(text.as_bytes(), LIMITS).err().map(|error| error.kind)
}

#[test]
fn refuses_what_readers_disagree_about() {
    use JsonErrorKind::*;
    let cases: &[(&str, JsonErrorKind)] = &[
        ("", UnexpectedEnd),
        ("\u{feff}{}", UnexpectedCharacter),
        ("{} {}", TrailingBytes),
        ("{}\0", TrailingBytes),
        ("{\"a\":1,\"a\":1}", DuplicateKey),
        ("{\"a\":1,\"\\u0061\":1}", DuplicateKey),
        ("{\"x\":{\"a\":1,\"a\":2}}", DuplicateKey),
        ("[[{\"a\":1,\"a\":2}]]", DuplicateKey),
        ("{\"method\":1,\"Method\":2}", FoldedKey),
        ("{\"METHOD\":1,\"method\":2}", FoldedKey),
        ("{\"task\":1,\"ta\u{17f}\u{212a}\":2}", FoldedKey),
        ("{\"params\":1,\"param\u{17f}\":2}", FoldedKey),
        ("{\"deep\":{\"name\":1,\"Name\":2}}", FoldedKey),
        ("[[[[[[[[[1]]]]]]]]]", TooDeep),
        ("{'a':1}", UnexpectedCharacter),
        ("{a:1}", UnexpectedCharacter),
        ("{\"a\":1,}", UnexpectedCharacter),
        ("[1,]", UnexpectedCharacter),
        ("[1 2]", UnexpectedCharacter),
        ("// x\n{}", UnexpectedCharacter),
        ("\"a\nb\"", ControlCharacter),
        ("\"\\x41\"", InvalidEscape),
        ("\"\\u00g0\"", InvalidEscape),
        ("\"\\ud800\"", LoneSurrogate),
        ("\"\\ud800\\u0041\"", LoneSurrogate),
        ("\"\\udc00\"", LoneSurrogate),
        ("\"abc", UnexpectedEnd),
        ("01", InvalidNumber),
        ("-", InvalidNumber),
        ("1.", InvalidNumber),
        ("1e", InvalidNumber),
        (".5", UnexpectedCharacter),
        ("+1", UnexpectedCharacter),
        ("0x10", InvalidNumber),
        ("NaN", UnexpectedCharacter),
        ("Infinity", UnexpectedCharacter),
        ("True", UnexpectedCharacter),
        ("nul", UnexpectedEnd),
        ("[", UnexpectedEnd),
        ("{\"a\"", UnexpectedEnd),
        ("{1:2}", UnexpectedCharacter),
    ];
    for (text, expected) in cases {
        assert_eq!(kind(text), Some(*expected), "{text:?}");
    }
    assert_eq!(parse(b"\"\xff\"", LIMITS).map_err(|error| error.kind), Err(NotUtf8));
}

#[test]
fn keys_that_differ_by_case_are_fine_where_nothing_is_guarded() {
    assert_eq!(kind("{\"Co\":1,\"CO\":2}"), None);
    // A lone variant is the caller's business: it knows which keys it reads there.
    assert_eq!(kind("{\"Method\":1}"), None);
}

#[test]
fn large_objects_still_refuse_duplicates() {
    let members: Vec<_> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
    let text = format!("{{{},\"k5\":0}}", members.join(","));
    assert_eq!(kind(&text), Some(JsonErrorKind::DuplicateKey));
}

#[test]
fn numbers_and_strings_keep_their_text() {
    let value = parse(b"[9007199254740993, 1.50, \"\\u0061b\"]", LIMITS).unwrap();
    let items = value.as_array().unwrap();
    assert_eq!(items[0].as_number().unwrap().as_str(), "9007199254740993");
    assert_eq!(items[1].as_number().unwrap().as_str(), "1.50");
    let Value::String(text) = &items[2] else { panic!("a string") };
    assert_eq!((text.as_str(), text.raw()), ("ab", "\"\\u0061b\""));
}

fn plain(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Number(number) => serde_json::from_str(number.as_str()).unwrap(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.to_owned(), plain(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("[a-z\\PC]{0,4}", inner, 0..6)
                .prop_map(|map| { map.into_iter().collect::<serde_json::Map<_, _>>().into() }),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        let unguarded = Limits { guarded_keys: &[], ..LIMITS };
        let parsed = parse(text.as_bytes(), unguarded).unwrap();
        prop_assert_eq!(plain(&parsed), value);
    }

    #[test]
    fn never_accepts_what_serde_json_refuses(text in "[\\[\\]{}\",:0-9.eE+\\-a-c\\\\un \t]{0,24}") {
        let ours = parse(text.as_bytes(), Limits { max_depth: 100, guarded_keys: &[] });
        if ours.is_ok() {
            // `1e999` overflows a double there; the grammar is what is compared.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let overflow = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assert!(theirs.is_ok() || overflow, "{:?}", text);
        }
    }

    #[test]
    fn a_walk_that_keeps_nothing_accepts_the_same(text in "[\\[\\]{}\",:0-9.eE+\\-a-c\\\\un \t]{0,24}") {
        let limits = Limits { max_depth: 3, guarded_keys: &[] };
        let skipped = walk(text.as_bytes(), limits, Walk::skip);
        prop_assert_eq!(skipped, parse(text.as_bytes(), limits).map(drop), "{:?}", text);
    }

    #[test]
    fn a_walk_reads_whatever_can_be_written(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        let limits = Limits { guarded_keys: &[], ..LIMITS };
        prop_assert_eq!(walk(text.as_bytes(), limits, Walk::skip), Ok(()));
        // One too many, or one too few.
        for broken in [format!("{text},"), format!("[{text}"), text.split_at(text.len() - 1).0.to_owned()] {
            let parsed = parse(broken.as_bytes(), limits).map(drop);
            prop_assert_eq!(walk(broken.as_bytes(), limits, Walk::skip), parsed, "{}", broken);
        }
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes, LIMITS);
    }
}
