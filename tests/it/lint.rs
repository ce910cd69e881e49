//! The lint rules, one directory of `tests/lint` each; the README there says how they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use similar::TextDiff;
use toolgate::diagnostics::{Diagnostics, Source, Sources};
use toolgate::lint::{self, MendedFile, Report, Rule, page};
use toolgate::policy::{PolicyFile, PolicyFiles};
use toolgate::yaml;

const NOW: &str = "2026-11-20T12:00:00Z";

/// Where something stands: a file inside the directory, and a line from 1.
type Line = (String, usize);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory, by their paths inside it.
fn files(directory: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, directory: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let inside = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(inside, fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(directory, directory, &mut files);
    files
}

/// A fixture over the base.
fn fixture(name: &str) -> BTreeMap<String, String> {
    let mut all = files(&root().join("tests/lint/base"));
    all.extend(files(&root().join("tests/lint").join(name)));
    all
}

fn policies(files: &BTreeMap<String, String>) -> PolicyFiles {
    let mut policies = PolicyFiles::rooted(Path::new("policies"));
    policies.files = files
        .iter()
        .map(|(path, text)| PolicyFile { path: path.clone(), bytes: text.as_bytes().into() })
        .collect();
    policies
}

fn run(files: &BTreeMap<String, String>) -> Report {
    lint::lint(policies(files), NOW.parse().unwrap())
}

/// The lines of a fixture that a marker with the rule's name is about.
fn marked(files: &BTreeMap<String, String>, rule: &str) -> (BTreeSet<Line>, usize) {
    let (mut found, mut look_alikes) = (BTreeSet::new(), 0);
    for (path, text) in files {
        let lines: Vec<_> = text.lines().collect();
        let says = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
        for (number, line) in (1..).zip(&lines) {
            if line.contains(&format!("# found: {rule}")) {
                found.insert((path.clone(), number));
            } else if line.contains(&format!("# found below: {rule}")) {
                // About a comment, if that is what comes next.
                let next = lines.get(number).map_or("", |next| next.trim());
                let skipped = if next.starts_with("# toolgate") {
                    0
                } else {
                    lines[number..].iter().take_while(|line| !says(line)).count()
                };
                found.insert((path.clone(), number + 1 + skipped));
            }
            look_alikes += usize::from(line.contains(&format!("not found: {rule}")));
        }
    }
    (found, look_alikes)
}

/// Only what a rule found.
fn only(report: &Report, rule: &Rule) -> Report {
    let Report { diagnostics: Diagnostics { sources, list }, files, loads, not_looked_at: _ } =
        report.clone();
    let list = list.into_iter().filter(|finding| finding.code == rule.code).collect();
    Report { diagnostics: Diagnostics { sources, list }, files, loads, not_looked_at: Vec::new() }
}

#[test]
fn every_rule_finds_what_is_marked_and_nothing_else() {
    for rule in lint::ALL {
        let name = rule.name();
        let files = fixture(name);
        let (expected, look_alikes) = marked(&files, name);
        assert!(!expected.is_empty(), "{name}: its fixture marks nothing with `# found: {name}`");
        assert!(look_alikes > 0, "{name}: its fixture has no look-alike, `# not found: {name}`");
        let report = only(&run(&files), rule);
        let line = |place| {
            let source = report.diagnostics.sources.get(place).unwrap();
            source.path.strip_prefix("policies").unwrap().to_str().unwrap().to_owned()
        };
        let places = report.diagnostics.list.iter().map(|finding| {
            let place = finding.place.unwrap();
            (line(place.source), report.diagnostics.sources.line_column(place).0)
        });
        let found: BTreeSet<Line> = places.collect();
        let shown = lint::text(&report, false);
        assert_eq!(found, expected, "{name}\n{shown}");
        insta::assert_snapshot!(name, shown);
    }
}

/// A fixture that does not load would test nothing but the rules that look at the text.
#[test]
fn every_fixture_loads_that_is_meant_to() {
    for rule in lint::ALL.iter().filter(|rule| rule.name() != "unquoted-channel") {
        let report = run(&fixture(rule.name()));
        let problems: Vec<_> =
            report.diagnostics.list.iter().filter(|found| found.code.rule().is_none()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", rule.name());
        assert!(report.not_looked_at.is_empty(), "{}", rule.name());
    }
}

/// How `--fix` changes a fixture, and that it then has nothing left to do.
#[test]
fn what_has_one_safe_answer_is_mended() {
    for name in lint::ALL.iter().map(|rule| rule.name()).chain(["obvious"]) {
        let files = fixture(name);
        let fixable = run(&files).counts().fixable;
        let mended = lint::mend(policies(&files), NOW.parse().unwrap(), |_| true);
        assert_eq!(mended.report.counts().fixable, 0, "{name}");
        assert_eq!(mended.files.is_empty(), fixable == 0, "{name}");
        let mut shown = String::new();
        for MendedFile { path, before, after } in &mended.files {
            let path = path.display().to_string();
            let diff = TextDiff::from_lines(before.as_str(), after.as_str());
            shown += &diff.unified_diff().context_radius(0).header(&path, &path).to_string();
        }
        if !shown.is_empty() {
            insta::assert_snapshot!(format!("{name}_fixed"), shown);
        }
    }
}

#[test]
fn every_directory_of_fixtures_is_a_rules() {
    for entry in fs::read_dir(root().join("tests/lint")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_known = ["base", "obvious"].contains(&name.as_str())
            || name == "README.md"
            || Rule::named(&name).is_some();
        assert!(is_known, "tests/lint/{name} is no rule's");
    }
}

#[test]
fn nothing_is_found_in_the_base() {
    let text = lint::text(&run(&fixture("base")), false);
    assert_eq!(text, "6 files: no findings\n");
}

#[test]
fn rules_stand_in_the_order_of_their_codes_and_have_a_page() {
    let codes: Vec<_> = lint::ALL.iter().map(|rule| rule.code).collect();
    assert!(codes.is_sorted(), "{codes:?}");
    for rule in lint::ALL {
        let code = rule.code.as_str();
        assert!(code.starts_with("TG1") && !rule.name().is_empty(), "{code}");
        let page = page::of_rule(rule, 1);
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
        let expected = ["## What it finds", "## Why", "## Example", "## How to mend it"];
        assert_eq!(headings, expected, "{}", rule.name());
        let examples: Vec<_> = page.split("```yaml\n").skip(1).collect();
        assert!(!examples.is_empty(), "{}: no example", rule.name());
        for example in examples {
            let (text, _) = example.split_once("```").unwrap();
            let source = Sources::default().add(Source { path: "x".into(), text: text.to_owned() });
            let mut problems = Vec::new();
            yaml::parse(source, text, &mut problems);
            assert!(problems.is_empty(), "{}: {problems:?}", rule.name());
        }
    }
}

#[test]
fn rules_page_is_that_of_the_rules() {
    let path = root().join("docs/rules.md");
    if std::env::var_os("TOOLGATE_GENERATE").is_some() {
        fs::write(&path, page::all()).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap();
    assert!(checked_in == page::all(), "docs/rules.md is out of date; run `make render`");
}
