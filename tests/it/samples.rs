//! Samples are fixtures are documentation: every one is loaded.

use std::path::Path;

use toolgate::{config, disk, lint, policy, scenario};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_policies_load_and_their_reviews_are_stamped() {
    let files = disk::read_policies(&root().join("policies"));
    let stamped = policy::stamp::stamp(&files, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(stamped.changes.is_empty(), "run `toolgate reviews stamp`: {:?}", stamped.changes);
    let set = policy::load(files).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<_> = set.servers().iter().map(|server| server.name.to_string()).collect();
    assert_eq!(names, ["airflow", "knowledge", "lab", "presto", "spark"]);
}

#[test]
fn the_sidecars_configuration_loads() {
    let path = root().join("envoy/toolgate.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    config::parse(&path, &text).unwrap_or_else(|problems| panic!("{problems}"));
}

/// What `toolgate test --coverage` does, as part of `make test`.
#[test]
fn the_policies_tests_pass_and_touch_every_rule_and_tool() {
    let files = disk::read_policies(&root().join("policies"));
    let set = policy::load(files.clone()).unwrap_or_else(|problems| panic!("{problems}"));
    let report = scenario::run(&set, &files).unwrap_or_else(|problems| panic!("{problems}"));
    let told = scenario::text(&report, true);
    assert!(report.passed() && report.coverage.uncovered().is_empty(), "{told}");
    // A server without a file of its own would be covered by accident.
    let tested = |name: &str| {
        let file = format!("{name}.yaml");
        report.suites.iter().any(|suite| Path::new(&suite.file).ends_with(&file))
    };
    let servers = set.servers();
    let names = servers.iter().map(|server| &*server.name).chain(["guardrails"]);
    let untested: Vec<_> = names.filter(|name| !tested(name)).collect();
    assert!(untested.is_empty(), "no file in policies/tests/ for {untested:?}");
}

/// What a sample shows on purpose says so in a comment.
#[test]
fn nothing_is_found_in_the_policies() {
    let files = disk::read_policies(&root().join("policies"));
    let report = lint::lint(files, "2026-11-20T12:00:00Z".parse().unwrap());
    assert_eq!(lint::text(&report, false), "15 files: no findings\n");
}
