//! The reader and the plain one agree: on values, on how they are spelled, on what is wrong and
//! at which byte.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::plain::{Plain, Spelled};
use super::{JsonError, Limits, Text, Value, Walk, parse, plain, walk};

const GUARDED: &[&str] = &["method", "params", "name", "task", "taskId"];

/// Deep enough for anything, and not.
const LIMITS: [Limits; 3] = [
    Limits { max_depth: 64, guarded_keys: GUARDED },
    Limits { max_depth: 64, guarded_keys: &[] },
    Limits { max_depth: 2, guarded_keys: GUARDED },
];

fn agree(bytes: &[u8]) {
    for limits in LIMITS {
        let shown = || String::from_utf8_lossy(bytes);
        let ours = parse(bytes, limits);
        let expected = plain::parse(bytes, limits);
        if let (Ok(ours), Ok(expected)) = (&ours, &expected) {
            assert_eq!(ours.to_canonical(), expected.to_canonical(), "{}", shown());
        }
        assert_eq!(ours.map(|value| plainly(&value)), expected, "{}", shown());
        let unguarded = Limits { guarded_keys: &[], ..limits };
        let expected = plain::parse(bytes, unguarded);
        let whole = walk(bytes, unguarded, Walk::value).map(|read| {
            let text = bytes.get(read.start..read.end).unwrap();
            (plainly(&read.value), text.trim_ascii() == text)
        });
        assert_eq!(whole, expected.clone().map(|value| (value, true)), "{}", shown());
        assert_eq!(walk(bytes, unguarded, Walk::skip), expected.map(drop), "{}", shown());
    }
}

fn plainly(value: &Value<'_>) -> Plain {
    match value {
        Value::Null => Plain::Null,
        Value::Bool(value) => Plain::Bool(*value),
        Value::Number(number) => Plain::Number(number.as_str().to_owned()),
        Value::String(text) => Plain::String(spelled(text)),
        Value::Array(items) => Plain::Array(items.iter().map(plainly).collect()),
        Value::Object(object) => {
            for (key, value) in object.iter() {
                assert_eq!(object.get(key), Some(value));
            }
            let members = object.clone().into_members().into_iter();
            Plain::Object(members.map(|(key, value)| (spelled(&key), plainly(&value))).collect())
        }
    }
}

fn spelled(text: &Text<'_>) -> Spelled {
    Spelled { raw: text.raw().to_owned(), value: text.as_str().to_owned() }
}

/// What documents are made of, and what breaks them.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    " ",
    "\t",
    "\r\n",
    "-",
    "0",
    "1",
    ".",
    "e",
    "E+",
    "true",
    "false",
    "null",
    "tru",
    "nul",
    "\\",
    "\\\"",
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0061",
    "\\u004D",
    "\\u017f",
    "\\u212A",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\u00",
    "\\x",
    "\u{7f}",
    "\u{0}",
    "\u{1f}",
    "\n",
    "é",
    "\u{17f}",
    "\u{212a}",
    "€",
    "\u{ffff}",
    "😀",
    "\u{feff}",
    "a",
    "name",
    "Name",
    "method",
    "METHOD",
    "ta\u{17f}\u{212a}",
    "taskId",
    "\"name\":1,",
    "\"\":{}",
];

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\n\t\r ")]
}

/// A string between quotes: its runs are shorter and longer than eight bytes.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[ -!#-\\[\\]-~]{0,20}",
        2 => "\\PC{0,10}".prop_map(|text| text.replace(['"', '\\'], "")),
        2 => select(vec![
            "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0061", "\\u001f",
            "\\ud83d\\ude00", "\\uE000", "\u{7f}", "é", "€", "\u{e000}", "\u{ffff}", "😀",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "name",
        "Name",
        "n\\u0061me",
        "method",
        "task",
        "ta\u{17f}k",
        "tas\\u212a",
        "taskId",
        "TASKID",
        "params",
        "param\u{17f}",
        "e",
        "ee",
        "é",
        "\u{e000}",
        "😀",
    ];
    prop_oneof![
        1 => select(known.to_vec()).prop_map(str::to_owned),
        2 => "[a-zA-Z0-9_]{0,12}",
        1 => string(),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        3 => "-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        4 => string().prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        let item = (blank(), inner.clone(), blank())
            .prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let member = (blank(), key(), blank(), blank(), inner, blank()).prop_map(
            |(before, key, colon, value_at, value, after)| {
                format!("{before}\"{key}\"{colon}:{value_at}{value}{after}")
            },
        );
        // More than the small objects that are compared key by key.
        prop_oneof![
            prop::collection::vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..24)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(&'static str),
    Replace(u8),
    Remove(Index),
    Repeat(Index),
    End,
}

fn edit() -> impl Strategy<Value = (Index, Edit)> {
    let edit = prop_oneof![
        4 => select(PIECES).prop_map(Edit::Insert),
        2 => any::<u8>().prop_map(Edit::Replace),
        2 => any::<Index>().prop_map(Edit::Remove),
        2 => any::<Index>().prop_map(Edit::Repeat),
        1 => Just(Edit::End),
    ];
    (any::<Index>(), edit)
}

fn edited(document: &str, edits: Vec<(Index, Edit)>) -> Vec<u8> {
    let mut bytes = document.as_bytes().to_vec();
    for (at, edit) in edits {
        let at = at.index(bytes.len() + 1);
        let end = |length: Index| at + length.index((bytes.len() - at + 1).min(9));
        match edit {
            Edit::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Edit::Replace(byte) => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
            Edit::Remove(length) => drop(bytes.drain(at..end(length))),
            Edit::Repeat(length) => bytes.extend_from_within(at..end(length)),
            Edit::End => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn on_documents(document in document()) {
        agree(document.as_bytes());
    }

    #[test]
    fn on_broken_documents(document in document(), edits in prop::collection::vec(edit(), 1..4)) {
        agree(&edited(&document, edits));
    }

    #[test]
    fn on_pieces(pieces in prop::collection::vec(select(PIECES), 0..24)) {
        agree(pieces.concat().as_bytes());
    }

    #[test]
    fn on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        agree(&bytes);
    }
}

/// A special byte at every place of a string, so that no way to skip several at once misses one.
#[test]
fn on_every_byte_at_every_place_of_a_string() {
    for length in 0..40_usize {
        for at in 0..=length {
            for byte in [0, 0x1F, b'"', b'\\', 0x20, 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                let mut bytes = vec![b'"'];
                bytes.extend(std::iter::repeat_n(b'a', length));
                bytes.push(b'"');
                agree(&bytes);
                bytes.insert(at + 1, byte);
                agree(&bytes);
                let colon = [b"{", bytes.as_slice(), b":", bytes.as_slice(), b"}"].concat();
                agree(&colon);
            }
        }
    }
}

/// Keys on both sides of the size where objects are no longer compared key by key.
#[test]
fn on_small_and_large_objects() {
    for members in [1, 2, 14, 15, 16, 17, 18, 40, 300] {
        let keys = || (0..members).map(|n| format!("\"key-{n}\":{n}"));
        let ends = ["\"key-0\":0", "\"\\u006bey-0\":0", "\"Key-0\":0", "\"name\":0", "\"Name\":0"];
        for first in ends {
            for last in ends {
                let all = std::iter::once(first.to_owned()).chain(keys());
                let all: Vec<_> = all.chain([last.to_owned()]).collect();
                agree(format!("{{{}}}", all.join(",")).as_bytes());
            }
            let all: Vec<_> = keys().chain([first.to_owned()]).collect();
            agree(format!("{{{}}}", all.join(",")).as_bytes());
        }
        agree(format!("{{{}}}", keys().collect::<Vec<_>>().join(",")).as_bytes());
    }
}

/// The JSON files of the repository; the small ones are also cut off at every byte.
#[test]
fn on_files() {
    let mut found = 0;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories: Vec<_> =
        ["docs", "envoy", "examples", "fuzz/seeds", "tests"].map(|name| root.join(name)).into();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let seed = path.to_str().unwrap().contains("seeds");
            if !seed && path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            found += 1;
            let bytes = fs::read(path).unwrap();
            agree(&bytes);
            if bytes.len() < 500 {
                (0..bytes.len()).for_each(|end| agree(bytes.get(..end).unwrap()));
            }
        }
    }
    assert!(found > 20, "{found} files");
}

/// What is wrong with a document is told by the first problem, in the order of the bytes.
#[test]
fn on_the_place_of_a_problem() {
    let offset = |text: &str| {
        parse(text.as_bytes(), LIMITS[0]).map_err(|JsonError { offset, kind: _ }| offset).err()
    };
    for (text, expected) in [
        ("{\"a\":1,\"a\":nul}", 7),
        ("[{\"name\":1,\"Name\":2}, x]", 1),
        ("\"abc\\ud800\"", 4),
        ("\"abc\\ude00\\", 4),
        ("[1, 2, 3a]", 8),
        ("{\"a\" 1}", 5),
    ] {
        assert_eq!(offset(text), Some(expected), "{text}");
        agree(text.as_bytes());
    }
}
