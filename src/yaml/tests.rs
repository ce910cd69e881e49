use std::fmt::Write as _;

use super::*;
use crate::diagnostics::{Diagnostics, Source, Sources, render_text};

fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let source = sources.add(Source { path: "x.yaml".into(), text: text.to_owned() });
    let mut problems = Vec::new();
    let node = parse(source, text, &mut problems);
    (node, problems, sources)
}

fn show(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => format!("{text:?}"),
        Kind::Plain(plain, text) => format!("{plain:?}({text})"),
        Kind::Sequence(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" "))
        }
        Kind::Mapping(entries) => {
            let entries = entries.iter().map(|(key, node)| format!("{}:{}", key.text, show(node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn reads_the_core_schema() {
    let cases = [
        ("a: no", r#"{a:"no"}"#),
        ("a: yes", r#"{a:"yes"}"#),
        ("a: on", r#"{a:"on"}"#),
        ("a: true", "{a:Bool(true)(true)}"),
        ("a: 12", "{a:Integer(12)}"),
        ("a: 0o17", "{a:Integer(0o17)}"),
        ("a: 012", "{a:Integer(012)}"),
        ("a: 1.50", "{a:Float(1.50)}"),
        ("a: 1e3", "{a:Float(1e3)}"),
        ("a: 2026-03-02", r#"{a:"2026-03-02"}"#),
        ("a: 12:30", r#"{a:"12:30"}"#),
        ("a: '1'", r#"{a:"1"}"#),
        ("a:", "{a:Null(~)}"),
        ("a: ~", "{a:Null(~)}"),
        ("a: [x, 'y z']", r#"{a:["x" "y z"]}"#),
        ("a: {b: [c]}", r#"{a:{b:["c"]}}"#),
        ("a: #channel", "{a:Null(~)}"),
        ("", "Null()"),
        ("a: x\r\nb: y\r\n", r#"{a:"x" b:"y"}"#),
    ];
    for (text, expected) in cases {
        let (node, problems, _) = read(text);
        assert!(problems.is_empty(), "{text:?}: {problems:?}");
        assert_eq!(show(&node.unwrap()), expected, "{text:?}");
    }
}

#[test]
fn refuses_what_lets_two_people_read_one_file_differently() {
    let deep = "[".repeat(100_000);
    let big = format!("a: {}", "x".repeat(MAX_FILE_BYTES));
    let cases: &[(&str, Code)] = &[
        ("a: 1\na: 2", Code::DuplicateKey),
        ("a: 1\n\"\\u0061\": 2", Code::DuplicateKey),
        ("a: {b: 1, b: 2}", Code::DuplicateKey),
        ("a: &x 1", Code::YamlFeature),
        ("a: &x 1\nb: *x", Code::YamlFeature),
        ("b: *x", Code::Syntax),
        ("a: {<<: {b: 1}}", Code::YamlFeature),
        ("a: !x 1", Code::YamlFeature),
        ("a: !!str 1", Code::YamlFeature),
        ("a: !x {b: 1}", Code::YamlFeature),
        ("a: 1\n---\nb: 2", Code::YamlFeature),
        ("%YAML 1.1\n---\na: 1", Code::Syntax),
        ("1: a", Code::WrongType),
        ("[a]: b", Code::WrongType),
        ("a: 'x", Code::Syntax),
        ("a: [x", Code::Syntax),
        ("a: b: c", Code::Syntax),
        ("\ta: b", Code::Syntax),
        ("\u{feff}a: b", Code::Syntax),
        ("a: \"x\u{202e}y\"", Code::Syntax),
        ("a: \u{200b}b", Code::Syntax),
        ("a: b\rc: d", Code::Syntax),
        ("# a\rb: c", Code::Syntax),
        ("a: b\u{ad}c", Code::Syntax),
        ("a: b\u{e0041}", Code::Syntax),
        (r#"a: "x\u202ey""#, Code::BadValue),
        (r#"a: "x\ry""#, Code::BadValue),
        (r#""x\u00ad": y"#, Code::BadValue),
        (&deep, Code::Syntax),
        (&big, Code::Syntax),
    ];
    for (text, expected) in cases {
        let (_, problems, _) = read(text);
        let shown: String = text.chars().take(30).collect();
        assert_eq!(problems.first().map(|problem| problem.code), Some(*expected), "{shown:?}");
    }
}

#[test]
fn duplicate_keys_are_all_found_and_do_not_hide_the_tree() {
    let (node, problems, _) = read("a: 1\na: 2\nb: {c: 1, c: 2}\n");
    assert_eq!(problems.len(), 2);
    assert!(node.is_some());
}

#[test]
fn values_and_keys_know_their_places() {
    let text = "a:\n  b: [c, \"d e\"]\n\n# comment\nf: g\n";
    let (node, _, sources) = read(text);
    let Kind::Mapping(entries) = node.unwrap().kind else { panic!("a mapping") };
    let slice = |span: Span| {
        sources
            .get(SourceId::default_for_test())
            .unwrap()
            .text
            .get(span.range())
            .unwrap()
            .to_owned()
    };
    assert_eq!(slice(entries[0].0.span), "a");
    assert_eq!(slice(entries[0].1.span), "b: [c, \"d e\"]");
    assert_eq!(slice(entries[1].1.span), "g");
    let Kind::Mapping(inner) = &entries[0].1.kind else { panic!("a mapping") };
    let Kind::Sequence(items) = &inner[0].1.kind else { panic!("a list") };
    assert_eq!(slice(inner[0].1.span), "[c, \"d e\"]");
    assert_eq!(slice(items[1].span), "\"d e\"");
}

#[test]
fn a_problem_shows_its_line() {
    let (_, list, sources) = read("toolgate: 1\nserver: a\nserver: b\n");
    insta::assert_snapshot!(render_text(&Diagnostics { sources, list }, false));
}

#[test]
fn what_is_not_yaml_is_told_with_what_to_look_at() {
    let cases = [
        "a:\n  b: c\n d: e\n",
        "a:\n  b: c\n   d: e\n",
        " a: b\nc: d\n",
        "a: [b]---\n",
        "a: [b\nc: d\n",
        "a: {b: c\nd: e\n",
        "a: [b",
        "a: {b: c d: e}\n",
        "a: \"b\nc: d\n",
        "a: 'b",
        "a: b: c\n",
        "a:[b]\nc: d\n",
        "a: b\nc\nd: e\n",
        "a:\n  - b\n  c: d\n",
        "a: 'it's'\n",
        "a: \"b\" c\"\n",
        "a: @b\n",
        "a: \"\\q\"\n",
        "a: b\n<<<<<<< HEAD\nc: d\n",
        "a: b\nc:\u{a0}d\n",
        "\u{feff}a: b\n",
        "a: b\u{200b}\n",
        "a:\n\tb: c\n",
        "%YAML 1.1\n---\na: b\n",
    ];
    let mut told = String::new();
    for text in cases {
        let (_, problems, _) = read(text);
        let [problem] = problems.as_slice() else { panic!("{text:?}: {problems:?}") };
        let Diagnostic { message, label, help, .. } = problem;
        let start = problem.place.unwrap().span.range().start;
        let at = text.get(..start).unwrap_or(text).matches('\n').count() + 1;
        let label = label.as_ref().map(|label| format!(" [{label}]")).unwrap_or_default();
        let help = help.as_deref().unwrap();
        let _ = writeln!(told, "{text:?}\n  line {at}: {message}{label}\n  {help}");
    }
    insta::assert_snapshot!(told);
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[-a-z:#&*!|>'\"\\[\\]{},% \n\t0-9.]{0,60}") {
        let _ = read(&text);
    }
}

#[test]
fn what_is_written_is_read_as_the_same_text() {
    for text in [
        "presto", "7", "null", "true", "0x1f", "1e3", "-a", "--", "~", "a b", "#presto", "", "1.5",
        "a: b", "é", "no", "\"", "a\\b", "1-a", ".5", "[a]",
    ] {
        let mut problems = Vec::new();
        let source = SourceId::default_for_test();
        for file in [format!("key: {}", written(text)), format!("key: [{}]", written(text))] {
            let tree = parse(source, &file, &mut problems);
            let Some(Node { kind: Kind::Mapping(entries), .. }) = tree else {
                panic!("{file}");
            };
            let mut value = &entries[0].1.kind;
            if let Kind::Sequence(items) = value {
                value = &items[0].kind;
            }
            assert!(matches!(value, Kind::Text(read) if read == text), "{file}");
        }
    }
    assert_eq!([written("presto"), written("7")], ["presto", "\"7\""]);
}
