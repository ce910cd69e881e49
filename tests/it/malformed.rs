//! Malformed files of every kind end in a problem that can be shown. Sizes are those that would
//! take minutes if the work grew with their square.

use std::fmt::Write as _;

use toolgate::diagnostics::Code::{
    self, BadValue, DuplicateKey, Repeated, Syntax, UnknownKey, Version, WrongType, YamlFeature,
};
use toolgate::diagnostics::{render_json, render_text};
use toolgate::policy::{self, PolicyFile, PolicyFiles};
use toolgate::{disk, lint, yaml};

/// Lines that a number makes different, within the size of a file.
fn lines(count: usize, head: &str, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = head.to_owned();
    (0..count).for_each(|index| writeln!(text, "{}", line(index)).unwrap());
    assert!(text.len() <= yaml::MAX_FILE_BYTES, "{}", text.len());
    text.into_bytes()
}

fn problems(bytes: Vec<u8>) -> Vec<Code> {
    let file = PolicyFile { path: "servers/s.yaml".to_owned(), bytes: bytes.into() };
    let files = PolicyFiles { files: vec![file], ..PolicyFiles::rooted("policies".as_ref()) };
    let problems = policy::load(files).unwrap_err();
    assert!(render_text(&problems, false).contains("s.yaml"));
    assert!(render_json(&problems)["diagnostics"].is_array());
    let of_file = |problem: &&toolgate::diagnostics::Diagnostic| {
        problem.place.is_some()
            || problem.path.as_ref().is_some_and(|path| path.ends_with("s.yaml"))
    };
    problems.list.iter().filter(of_file).map(|problem| problem.code).collect()
}

#[test]
fn malformed_files_are_problems() {
    let bomb = (1..9).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    let deep_blocks =
        (0..300).fold(String::new(), |text, depth| format!("{text}{}a:\n", " ".repeat(depth)));
    let rows: Vec<(&str, Vec<u8>, Code)> = vec![
        ("nothing", Vec::new(), WrongType),
        ("binary", (0..=255).cycle().take(100_000).collect(), Syntax),
        ("not UTF-8", b"toolgate: 1\nserver: \xff\n".to_vec(), Syntax),
        ("NUL", b"toolgate: 1\nserver: a\0b\n".to_vec(), Syntax),
        ("BOM", "\u{feff}toolgate: 1\n".into(), Syntax),
        ("UTF-16", "toolgate: 1".encode_utf16().flat_map(u16::to_le_bytes).collect(), Syntax),
        ("lone CR", b"toolgate: 1\rserver: s\n".to_vec(), Syntax),
        ("CRLF", b"toolgate: 2\r\nserver: s\r\n".to_vec(), Version),
        ("tabs", b"tools:\n\tlook: {}\n".to_vec(), Syntax),
        ("unknown tag", b"tools: !!python/object:os.system {}\n".to_vec(), YamlFeature),
        ("alias bomb", bomb.into_bytes(), YamlFeature),
        ("an alias to itself", b"a: &a [*a]\n".to_vec(), YamlFeature),
        ("two documents", b"toolgate: 1\n---\ntoolgate: 1\n".to_vec(), YamlFeature),
        ("deep lists", "[".repeat(500_000).into(), Syntax),
        ("deep mappings", "{a: ".repeat(200_000).into(), Syntax),
        ("deep blocks", deep_blocks.into(), Syntax),
        ("deep dashes", "- ".repeat(400_000).into(), Syntax),
        ("an open quote", format!("a: \"{}", "x".repeat(1_000_000)).into(), Syntax),
        ("one line of 4 MB", format!("a: {}", "x".repeat(4_000_000)).into(), Syntax),
        ("100 MB", vec![b'x'; 100_000_000], Syntax),
        ("a huge key", format!("? {}\n: 1\n", "k".repeat(1_000_000)).into(), UnknownKey),
        ("a huge text", format!("server: {}\n", "K".repeat(1_000_000)).into(), BadValue),
        ("an odd character at the end", "tools: [prod}\u{742}".into(), Syntax),
        // A file of one MiB has room for no more than this of each.
        ("100,000 keys", lines(100_000, "", |n| format!("k{n}: 1")), UnknownKey),
        ("199,000 keys", lines(199_000, "", |n| format!("{}:", short(n))), UnknownKey),
        ("100,000 equal keys", lines(100_000, "", |_| "server: a".into()), DuplicateKey),
        ("70,000 tools", lines(70_000, "tools:\n", |n| format!(" t{n}: {{}}")), Code::MissingKey),
        (
            "equal reviews",
            lines(80_000, "environments:\n p:\n  reviews:\n", |_| "   - S-1".into()),
            Repeated,
        ),
        (
            "80,000 reviews",
            lines(80_000, "environments:\n p:\n  reviews:\n", |n| format!("   - S{n}")),
            Code::MissingKey,
        ),
    ];
    for (name, bytes, code) in rows {
        let found = problems(bytes);
        assert!(found.contains(&code), "{name}: {:?}", found.iter().take(5).collect::<Vec<_>>());
    }
}

/// What a linter that looks at all lines for each finding would take minutes for.
#[test]
fn files_full_of_findings_are_linted() {
    let rows = [
        (lines(40_000, "", |n| format!("k{n}: #a")), "TG101"),
        (lines(20_000, "", |_| "# toolgate: ignore[TG191] why".into()), "TG191"),
    ];
    for (bytes, code) in rows {
        let file = PolicyFile { path: "servers/s.yaml".to_owned(), bytes: bytes.into() };
        let files = PolicyFiles { files: vec![file], ..PolicyFiles::rooted("policies".as_ref()) };
        let report = lint::lint(files, "2026-11-20T12:00:00Z".parse().unwrap());
        let found = report.diagnostics.list.iter().filter(|found| found.code.as_str() == code);
        assert!(!report.loads && found.count() >= 20_000, "{code}");
    }
}

/// Three characters for each number below 199,888, of which YAML reads none as a number.
fn short(number: usize) -> String {
    const ALL: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let digits = [number / 62 / 62, number / 62 % 62, number % 62];
    digits.iter().map(|digit| char::from(ALL[*digit])).collect()
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("groups.yaml");
    std::fs::File::create(&path).unwrap().set_len(100_000_000).unwrap();
    let files = disk::read_policies(directory.path());
    assert!(files.files.is_empty());
    assert!(files.problems[0].message.contains("too large"), "{:?}", files.problems);
}
