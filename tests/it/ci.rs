//! What programs of CI are told: SARIF, annotations, JUnit's XML, GitLab's report. Whether they are
//! valid by their schemas is asked in `tests/e2e/test_ci.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toolgate::diagnostics::{Code, Severity};
use toolgate::lint::{self, Report};
use toolgate::policy::{self, PolicyFiles};
use toolgate::{disk, scenario};

const NOW: &str = "2026-11-20T12:00:00Z";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The base of the lint fixtures with some of them over it, as if it were `policies`.
fn files(fixtures: &[&str]) -> PolicyFiles {
    let mut all = PolicyFiles::rooted(Path::new("./policies"));
    for name in ["base"].iter().chain(fixtures) {
        for file in disk::read_policies(&root().join("tests/lint").join(name)).files {
            all.files.retain(|known| known.path != file.path);
            all.files.push(file);
        }
    }
    all
}

/// What two rules find, and whatever keeps the policies from loading.
fn run(files: PolicyFiles) -> Report {
    let mut report = lint::lint(files, NOW.parse().unwrap());
    let known = [Code::EndedGrant, Code::UnusedSuppression];
    report
        .diagnostics
        .list
        .retain(|finding| finding.code.rule().is_none() || known.contains(&finding.code));
    report
}

/// Findings of both kinds, with second places and fixes.
fn mixed() -> Report {
    let mut report = run(files(&["unused-suppression"]));
    let mut first = report.diagnostics.list[0].clone();
    first.severity = Severity::Error;
    report.diagnostics.list.push(first);
    report
}

fn fingerprints(report: &Report) -> Vec<(String, String)> {
    let sarif = lint::sarif(report);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results
        .iter()
        .map(|result| {
            (text(&result["ruleId"]), text(&result["partialFingerprints"]["lineTextHash/v1"]))
        })
        .collect()
}

#[test]
fn sarif_says_what_is_found_where_and_how_it_is_mended() {
    let sarif = lint::sarif(&run(files(&["unused-suppression"])));
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in lint::ALL {
        let known = rules.iter().find(|known| known["id"] == rule.code.as_str()).unwrap();
        for key in ["name", "shortDescription", "fullDescription", "help"] {
            assert!(!known[key].is_null(), "{}: no {key}", rule.name());
        }
        assert!(known["help"]["markdown"].as_str().unwrap().contains("## How to mend it"));
    }
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let results = run["results"].as_array().unwrap().iter().take(2).cloned();
    insta::assert_snapshot!("sarif", format!("{:#}", results.collect::<Value>()));
}

#[test]
fn sarif_tells_of_policies_that_do_not_load() {
    let mut files = files(&[]);
    files.files.push(policy::PolicyFile {
        path: "servers/odd name.yaml".to_owned(),
        bytes: b"toolgate: 1\nx: [\xc3\xa9](http://x) }".as_slice().into(),
    });
    let report = run(files);
    let sarif = lint::sarif(&report);
    let run = &sarif["runs"][0];
    let odd = run["results"].as_array().unwrap().iter().find(|result| {
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        place["uri"] == "policies/servers/odd%20name.yaml" && place["uriBaseId"] == "%SRCROOT%"
    });
    assert_eq!(odd.unwrap()["level"], "error");
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert!(notes[0]["message"]["text"].as_str().unwrap().contains("ended-grant"));
    assert!(!sarif.to_string().contains("]("), "a file's text became a link");
}

#[test]
fn fingerprints_stay_when_lines_move_and_differ_between_findings() {
    let before = fingerprints(&run(files(&["ended-grant", "unused-suppression"])));
    assert!(before.len() > 3);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), before.len());
    let mut moved = files(&["ended-grant", "unused-suppression"]);
    for file in &mut moved.files {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        file.bytes = text.replacen('\n', "\n# one more line\n\n", 1).into_bytes().into();
    }
    assert_eq!(fingerprints(&run(moved)), before);
    let mut changed = files(&["ended-grant", "unused-suppression"]);
    for file in &mut changed.files {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        file.bytes = text.replace("last_day: ", "last_day:  ").into_bytes().into();
    }
    assert_ne!(fingerprints(&run(changed)), before);
}

#[test]
fn gitlab_has_a_fingerprint_for_each_finding() {
    let report = mixed();
    let entries = lint::gitlab(&report);
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), report.diagnostics.list.len());
    let prints: BTreeSet<_> = entries.iter().map(|entry| entry["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), entries.len());
    insta::assert_snapshot!("gitlab", format!("{:#}", entries[0]));
}

#[test]
fn annotations_begin_with_errors() {
    let text = lint::github(&mixed());
    let kinds: Vec<_> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(kinds[..2], ["::error", "::warning"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "::error").count(), 1);
    insta::assert_snapshot!("github", text);
}

#[test]
fn junit_fails_exactly_what_the_exit_code_fails() {
    let report = mixed();
    let counts = report.counts();
    for (deny_warnings, failures) in
        [(false, counts.errors), (true, counts.errors + counts.warnings)]
    {
        let text = lint::junit(&report, deny_warnings);
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("failures"), Some(failures.to_string().as_str()));
        let suites: Vec<_> = root.children().filter_map(|suite| suite.attribute("name")).collect();
        assert_eq!(suites.len(), report.files, "{suites:?}");
        assert!(text.contains("no findings"), "files without a finding pass");
    }
    insta::assert_snapshot!("junit", lint::junit(&report, false));
}

/// The samples, with cases that go wrong.
fn tested() -> scenario::Report {
    let mut files = disk::read_policies(&root().join("policies"));
    files.root = "policies".into();
    files.files.retain(|file| !policy::is_test(&file.path));
    let set = policy::load(files.clone()).unwrap();
    let text = "toolgate: 1
now: 2026-11-20T12:00:00Z
people:
  ana: { groups: [ads] }
allowed:
  - { who: ana, via: ai-chat, call: presto/list_tables }
  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics }
  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics }
";
    let path = "tests/t.yaml".to_owned();
    files.files.push(policy::PolicyFile { path, bytes: text.as_bytes().into() });
    scenario::run(&set, &files).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn cases_that_fail_are_told_to_programs() {
    let report = tested();
    insta::assert_snapshot!("test_github", scenario::github(&report, false));
    insta::assert_snapshot!("test_junit", scenario::junit(&report, false));
    let uncovered = report.coverage.uncovered().len();
    let with = scenario::junit(&report, true);
    let document = roxmltree::Document::parse(&with).unwrap();
    let failures = document.root_element().attribute("failures").unwrap();
    assert_eq!(failures, (2 + uncovered).to_string());
    let errors = scenario::github(&report, true).matches("::error ").count();
    assert_eq!(errors, 2 + uncovered);
}

#[test]
fn tests_that_do_not_load_are_failures_too() {
    let mut files = files(&[]);
    let bytes = b"toolgate: 1\nallowed: [{ who: nobody }]\n".as_slice().into();
    files.files.push(policy::PolicyFile { path: "tests/t.yaml".to_owned(), bytes });
    let set = policy::load(files.clone()).unwrap();
    let problems = scenario::run(&set, &files).unwrap_err();
    let text = scenario::junit_of_problems(&problems);
    let document = roxmltree::Document::parse(&text).unwrap();
    let failures = document.root_element().attribute("failures").unwrap();
    assert_eq!(failures, problems.list.len().to_string());
}

#[test]
fn the_page_shows_the_files_that_are_tried() {
    let page = fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let shown: Vec<_> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next()).collect();
    let files = ["github.yml", "gitlab.yml", "pre-commit-config.yaml"];
    let files =
        files.map(|name| fs::read_to_string(root().join("examples/ci").join(name)).unwrap());
    assert_eq!(shown, files.each_ref().map(|file| Some(file.as_str())));
    let hooks = fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap();
    for id in hooks.lines().filter_map(|line| line.strip_prefix("- id: ")) {
        assert!(files.iter().any(|file| file.contains(&format!("- id: {id}\n"))), "{id}");
    }
}
