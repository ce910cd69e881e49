use super::*;
use crate::policy::files::PolicyFile;

const SERVER: &str = "toolgate: 1
server: 'NAME'
environments: { prod: { upstream: 'http://127.0.0.1:7001/mcp', reviews: [S-1, S-2] } }
tools: { look: { effect: read } }
";

/// A directory with two servers that list S-1 and S-2, and these reviews.
fn directory(reviews: &str) -> PolicyFiles {
    let file = |path: &str, text: String| PolicyFile {
        path: path.to_owned(),
        bytes: text.into_bytes().into(),
    };
    let server = |name: &str| file(&format!("servers/{name}.yaml"), SERVER.replace("NAME", name));
    PolicyFiles {
        root: "policies".into(),
        files: vec![file(FILE, reviews.to_owned()), server("presto"), server("7")],
        ..PolicyFiles::default()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_missing_is_written_in_the_style_of_the_file() {
    let digest = crate::policy::tools_digests(&directory("")).pop().unwrap().1.to_string();
    let d = format!("\"{digest}\"");
    // Stamped for `presto` alone, or for both servers; `D` the digest.
    let cases: &[(&[&str], &str, &str)] = &[
        // Block style.
        (
            &["presto"],
            "  S-1:\n    kind: x\n",
            "  S-1:\n    kind: x\n    covers:\n      presto: D\n",
        ),
        (&["presto"], "  S-1:\n    kind: x", "  S-1:\n    kind: x\n    covers:\n      presto: D"),
        (
            &["presto"],
            "  S-1:\n    kind: x # why\n    # below\n  # S-9\n  S-9: { kind: x }\n",
            "  S-1:\n    kind: x # why\n    covers:\n      presto: D\n    # below\n  # S-9\n  S-9: { kind: x }\n",
        ),
        (
            &["presto"],
            "  S-1:\n    kind: x\n    covers: # which\n    last_day: y\n",
            "  S-1:\n    kind: x\n    covers: # which\n      presto: D\n    last_day: y\n",
        ),
        (
            &[],
            "  S-1:\n    covers:\n      spark: \"1\" # kept\n      presto: STALE # kept\n\n  # next\n",
            "  S-1:\n    covers:\n      spark: \"1\" # kept\n      presto: D # kept\n      \"7\": D\n\n  # next\n",
        ),
        (&[], "  S-1:\n   covers: {}\n", "  S-1:\n   covers: { presto: D, \"7\": D }\n"),
        (&["presto"], "  S-1:\n   covers: ~\n", "  S-1:\n   covers: { presto: D }\n"),
        (
            &["presto"],
            "  S-1:\n    why: |\n      long\n      text\n\n  S-9: {}\n",
            "  S-1:\n    why: |\n      long\n      text\n    covers:\n      presto: D\n\n  S-9: {}\n",
        ),
        (&["presto"], "  S-1:\n    kind:\n", "  S-1:\n    kind:\n    covers:\n      presto: D\n"),
        (
            &["presto"],
            "  S-1:\r\n    kind: x\r\n  S-9: {}\r\n",
            "  S-1:\r\n    kind: x\r\n    covers:\r\n      presto: D\r\n  S-9: {}\r\n",
        ),
        // Flow style.
        (
            &["presto"],
            "  S-1:\n    covers: {\n      # none\n      }\n",
            "  S-1:\n    covers: { presto: D \n      # none\n      }\n",
        ),
        (&["presto"], "  S-1: { kind: x }\n", "  S-1: { kind: x, covers: { presto: D } }\n"),
        (&[], "  S-1: { kind: x, }\n", "  S-1: { kind: x, covers: { presto: D, \"7\": D }, }\n"),
        (
            &[],
            "  S-1: { covers: { presto: STALE }, kind: 'x' } # kept\n",
            "  S-1: { covers: { presto: D, \"7\": D }, kind: 'x' } # kept\n",
        ),
        (
            &["presto"],
            "  S-1: { kind: x, covers: }\n",
            "  S-1: { kind: x, covers: { presto: D } }\n",
        ),
        (&["presto"], "  S-1: { covers: { presto: } }\n", "  S-1: { covers: { presto: D } }\n"),
        (
            &["presto"],
            "  S-1: {\n    kind: x, # why\n    covers: { spark: \"1\" }\n    }\n",
            "  S-1: {\n    kind: x, # why\n    covers: { spark: \"1\", presto: D }\n    }\n",
        ),
        (
            &["presto"],
            "  S-1: {}\n  S-2: { kind: x }\n",
            "  S-1: { covers: { presto: D } }\n  S-2: { kind: x, covers: { presto: D } }\n",
        ),
        // A review that no server lists is left alone, but for a digest that stands there.
        (&[], "  S-9: { kind: x }\n", "  S-9: { kind: x }\n"),
        (
            &["presto"],
            "  S-9: { covers: { presto: STALE } }\n",
            "  S-9: { covers: { presto: D } }\n",
        ),
    ];
    for (servers, before, after) in cases {
        let before = format!("toolgate: 1 # c\nreviews:\n{before}").replace(": STALE", ": \"00\"");
        let after =
            format!("toolgate: 1 # c\nreviews:\n{}", after.replace(": D", &format!(": {d}")));
        let files = directory(&before);
        let stamped = stamp(&files, &names(servers)).unwrap_or_else(|e| panic!("{before}\n{e}"));
        assert_eq!(stamped.text, after, "{before}");
        let again = stamp(&directory(&after), &names(servers)).unwrap();
        assert!(again.changes.is_empty() && again.text == after, "{after}");
    }
}

#[test]
fn what_cannot_be_written_safely_is_not_written() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("  S-1: { kind: x }\n", &["prestoo"], "unknown server `prestoo`"),
        ("  S-1: { kind: x, kind: y }\n", &[], "stands twice"),
        ("  S-1: [\n", &[], "not YAML"),
        ("  S-1:\n", &[], "the review `S-1` is not a mapping"),
        ("  S-1: { covers: [presto] }\n", &[], "has a `covers` that is not a mapping"),
    ];
    let mut told = String::new();
    for (reviews, servers, expected) in cases {
        let files = directory(&format!("toolgate: 1\nreviews:\n{reviews}"));
        let error = stamp(&files, &names(servers)).unwrap_err().to_string();
        assert!(error.contains(expected), "{reviews}: {error}");
        told.extend([reviews, "----\n", &error, "\n\n"]);
    }
    // For a tired reviewer to read.
    insta::assert_snapshot!(told);
    let mut files = directory("toolgate: 1\nreviews:\n  S-1: { kind: x }\n");
    files.files.push(PolicyFile { path: "servers/bad.yaml".to_owned(), bytes: (*b"a: [").into() });
    assert!(matches!(stamp(&files, &[]), Err(StampError::Unreadable(_))));
    assert!(stamp(&files, &names(&["presto"])).is_ok());
    files.files.push(PolicyFile { path: FILE.to_owned(), bytes: [b'#', 0xff].into() });
    files.files.remove(0);
    assert!(matches!(stamp(&files, &names(&["presto"])), Err(StampError::Unreadable(_))));
}

#[test]
fn a_layout_that_an_edit_would_change_is_refused() {
    // A key in the explicit style stands on no line of its own.
    let files = directory("toolgate: 1\nreviews:\n  S-1:\n    ? kind\n    : x\n");
    let refused = stamp(&files, &names(&["presto"]));
    let Err(StampError::Layout(changes)) = refused else { panic!("{refused:?}") };
    assert_eq!(changes.len(), 1);
}

proptest::proptest! {
    /// Whatever stands in the file: it says the same afterwards, and what was missing.
    #[test]
    fn stamping_adds_what_was_missing_and_nothing_else(text in "[-a-zS:1 {},'\"#\n]{0,60}") {
        let before = format!("toolgate: 1\nreviews:\n  S-1: {text}\n");
        if let Ok(stamped) = stamp(&directory(&before), &[]) {
            let after = stamp(&directory(&stamped.text), &[]).unwrap();
            assert!(after.changes.is_empty(), "{before}\n{}", stamped.text);
        }
    }
}
