use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::policy::PolicyFile;
use crate::{disk, policy};

const HEAD: &str = "toolgate: 1
now: 2026-11-20T12:00:00Z
people:
  ana: { groups: [ads] }
  carl: { groups: [ads-eng, contractors] }
  ugo: { groups: unknown }
";

/// The samples with one test file in the place of theirs.
fn run_on(cases: &str) -> Result<Report, Diagnostics> {
    run_text(disk::read_policies(Path::new("policies")), &format!("{HEAD}{cases}"))
}

/// Policies with one test file in the place of theirs.
fn run_text(mut files: PolicyFiles, text: &str) -> Result<Report, Diagnostics> {
    files.files.retain(|file| !is_test(&file.path));
    let set = policy::load(files.clone()).unwrap();
    files.files.push(PolicyFile { path: "tests/t.yaml".to_owned(), bytes: text.as_bytes().into() });
    assert_eq!(policy::load(files.clone()).unwrap().digest(), set.digest(), "tests decide nothing");
    run(&set, &files)
}

/// The problems of cases that do not go as they should.
fn failures(cases: &str) -> Vec<String> {
    let report = run_on(cases).unwrap_or_else(|problems| panic!("{problems}"));
    let failed = report.suites.iter().flat_map(Suite::failed);
    failed
        .map(|(case, failure)| format!("{}: {}: {}", case.line, case.words, failure.problem))
        .collect()
}

#[test]
fn a_case_passes_only_for_the_right_answer_and_the_right_reason() {
    let none: Vec<String> = Vec::new();
    assert_eq!(
        failures(
            "allowed:
  - { who: ana, via: ai-chat, call: presto/list_tables }
  - { who: ana, via: ai-chat, discover: presto }
  - { service: nightly-lineage, call: presto/list_tables }
refused:
  - { who: carl, via: ai-chat, call: presto/get_revenue_metrics, because: banned }
  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics, because: no_grant }
  - { who: nobody, via: ai-chat, call: presto/list_tables, because: unauthenticated }
  - { who: ugo, via: ai-chat, call: presto/list_tables, because: no_grant }
  - { who: ana, via: ai-chat, call: presto/drop_everything, because: not_listed }
  - { who: ana, via: laptop, call: presto/list_tables, because: surface }
"
        ),
        none
    );
    assert_eq!(
        failures(
            "allowed:
  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics }
refused:
  - { who: ana, via: ai-chat, call: presto/list_tables, because: no_grant }
  - { who: carl, via: ai-chat, call: presto/get_revenue_metrics, because: no_grant }
"
        ),
        [
            "8: ana, via ai-chat, calls presto/get_revenue_metrics: expected allowed, was refused because no_grant",
            "10: ana, via ai-chat, calls presto/list_tables: expected refused because no_grant, was allowed",
            "11: carl, via ai-chat, calls presto/get_revenue_metrics: expected refused because no_grant, was refused because banned",
        ]
    );
}

/// What is wrong with a case, as it is shown; and in short, for a tired reviewer to read.
fn tell(told: &mut String, case: &str) -> String {
    let found = run_on(case).expect_err(case);
    let _ = writeln!(told, "{case}");
    for Diagnostic { message, label, help, .. } in &found.list {
        let said = label.as_deref().or(help.as_deref()).unwrap_or("NO CURE");
        let _ = writeln!(told, "    {message}: {said}");
    }
    found.to_string()
}

#[test]
fn a_case_that_would_test_nothing_is_a_problem() {
    let call = "via: ai-chat, call: presto/list_tables";
    let always = |said: &str| format!("always:\n  - {{ {said} }}");
    let mut told = String::new();
    for (case, problem) in [
        (format!("allowed:\n  - {{ who: anna, {call} }}"), "nobody of this file's `people`"),
        (format!("allowed:\n  - {{ {call} }}"), "a case says who"),
        (
            format!("allowed:\n  - {{ who: ana, service: nightly-lineage, {call} }}"),
            "a case says who",
        ),
        ("allowed:\n  - { who: ana, via: ai-chat }".to_owned(), "a case asks for one thing"),
        (
            "allowed:\n  - { who: ana, via: ai-chat, call: presto/x, discover: presto }".to_owned(),
            "a case asks for one thing",
        ),
        ("allowed:\n  - { who: ana, via: ai-chat, call: presto }".to_owned(), "does not say what"),
        ("allowed:\n  - { who: ana, via: ai-chat, call: presto/ }".to_owned(), "names no tool"),
        ("allowed:\n  - { who: ana, via: ai-cat, call: presto/x }".to_owned(), "unknown surface"),
        ("allowed:\n  - { who: ana, via: ai-chat, call: prest/x }".to_owned(), "unknown server"),
        (
            "allowed:\n  - { who: ana, via: ai-chat, call: presto@qa/x }".to_owned(),
            "does not run in `qa`",
        ),
        (
            "allowed:\n  - { service: nightly-lineage, via: ide, call: presto/x }".to_owned(),
            "no surface",
        ),
        (
            format!("allowed:\n  - {{ who: ana, {call}, because: no_grant }}"),
            "unknown key `because`",
        ),
        (format!("refused:\n  - {{ who: ana, {call} }}"), "`because` is missing"),
        (
            format!("refused:\n  - {{ who: ana, {call}, because: no_grnt }}"),
            "did you mean `no_grant`",
        ),
        (
            format!("allowed:\n  - {{ who: ana, {call}, args: {{ limit: 0x10 }} }}"),
            "no number in JSON",
        ),
        (
            "allowed:\n  - { who: ana, via: ai-chat, discover: presto, args: {} }".to_owned(),
            "only calls of tools",
        ),
        (
            "allowed:\n  - { who: ana, via: ai-chat, call: presto/x, args: sql }".to_owned(),
            "`args` is a string",
        ),
        (
            "allowed:\n  - { service: ide, call: presto/x }".to_owned(),
            "`ide` is not a service; use `via`",
        ),
        ("allowed: []".to_owned(), "no case"),
        ("always: []".to_owned(), "no case"),
        (always("only: { people: [ads] }"), "does not say what"),
        (always("effects: [read]"), "says who, once"),
        (always("only: { people: [ads] }, never: { people: [ads] }, effects: [read]"), "who, once"),
        (always("never: {}, effects: [read]"), "names nobody"),
        (always("never: { people: [] }, effects: [read]"), "`people` is empty"),
        (always("never: { people: [adz] }, effects: [read]"), "did you mean `ads`"),
        (always("never: { people: [ads, anyone-signed-in] }, effects: [read]"), "stands alone"),
        (
            always("never: { also_in: ads, services: any-service }, effects: [read]"),
            "narrow `people`",
        ),
        (always("never: { users: [mia] }, effects: [read]"), "not a user's name"),
        (always("never: { services: [ide] }, effects: [read]"), "not a service"),
        (always("never: { services: any-service }, via: [ide], effects: [read]"), "no surface"),
        (always("never: { people: [ads] }, effects: [reed]"), "did you mean `read`"),
        (always("never: { people: [ads] }, call: [presto]"), "does not say what on which"),
        (always("never: { people: [ads] }, call: [prest/x]"), "did you mean `presto`"),
        (always("never: { people: [ads] }, call: [presto/run_querry]"), "did you mean `run_query`"),
        (always("never: { people: [ads] }, call: [presto@dev/run_query]"), "does not run there"),
        (always("never: { people: [ads] }, call: [presto@qa/run_query]"), "unknown environment"),
        (
            always("never: { people: [ads] }, call: [presto/run_query], in: [dev]"),
            "does not run there",
        ),
        (
            always("never: { people: [ads] }, call: [presto/run_query], servers: [lab]"),
            "none of `servers`",
        ),
        (
            always("never: { people: [ads] }, effects: [read], servers: [presto], in: [dev]"),
            "does not run",
        ),
        (
            always("never: { people: [ads] }, effects: [read], via: [ai-cat]"),
            "did you mean `ai-chat`",
        ),
        (always("never: { people: [ads] }, effects: [read], via: [chat-bot/x]"), "unknown channel"),
        (always("never: { people: [ads] }, discover: [presto/run_query]"), "a server alone"),
        (always("never: { people: [ads] }, read: [knowledge/docs]"), "unknown resource"),
        (always("never: { people: [ads] }, effects: [read], everything: true"), "unknown key"),
    ] {
        let problems = tell(&mut told, &case);
        assert!(problems.contains(problem), "{case}\n{problems}");
        assert_eq!(problems.matches("error[").count(), 1, "{case}\n{problems}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_holds_for_every_caller_is_proved() {
    let none: Vec<String> = Vec::new();
    assert_eq!(
        failures(
            "always:
  - { only: { people: [ads-eng], also_in: data-trained, except: [contractors] }, call: [presto/get_revenue_metrics] }
  - { only: { people: [ads-eng] }, call: [presto@prod/get_revenue_metrics], via: [ai-chat, chat-bot/airflow-support] }
  - { never: { people: [contractors] }, effects: [write, destructive], traits: [sensitive] }
  - { never: { people: [ads] }, effects: [destructive], servers: [presto], in: [staging] }
  - { never: { services: any-service }, effects: [write, destructive] }
  - { only: { services: [nightly-lineage], people: [ads, finance, infra, ads-eng, data-platform] }, call: [presto/list_tables] }
  - { never: { users: [corp:mallory] }, in: [dev], servers: [lab], effects: [write] }
"
        ),
        none
    );
}

#[test]
fn what_does_not_hold_shows_the_smallest_caller() {
    let report = run_on(
        "always:
  - { only: { people: [infra] }, call: [presto/run_query] }
  - { only: { people: [ads-eng] }, traits: [sensitive], servers: [presto, knowledge] }
  - { never: { people: [contractors] }, effects: [read], in: [prod] }
  - { never: { people: [contractors] }, discover: [presto@staging] }
  - { never: { people: [ads], also_in: [ads-eng] }, call: [presto/list_tables] }
  - { never: { services: any-service }, effects: [read] }
  - { only: { people: [anyone-signed-in] }, effects: [read] }
  - { never: { users: [corp:mia] }, effects: [write], servers: [airflow] }
  - { never: { people: [anyone-signed-in] }, effects: [read], via: [chat-bot/airflow-support] }
  # Who could be one is one, as in a ban; and is surely none, as in a grant.
  - { never: { people: [contractors] }, read: ['knowledge/handbook://company/pages/*'] }
  - { only: { people: [anyone-signed-in], except: [contractors] }, call: [spark/explain_failure] }
",
    );
    let report = report.unwrap_or_else(|problems| panic!("{problems}"));
    insta::assert_snapshot!(text(&report, false));
}

#[test]
fn people_have_the_scopes_of_their_token() {
    let files = || {
        let mut files = disk::read_policies(Path::new("policies"));
        let presto =
            files.files.iter_mut().find(|file| file.path == "servers/presto.yaml").unwrap();
        let text = std::str::from_utf8(&presto.bytes).unwrap();
        assert!(text.contains("also_in: [data-trained]"));
        let scopes = "also_in: [data-trained]\n    scopes: [reports.read, openid]";
        presto.bytes = text.replace("also_in: [data-trained]", scopes).into_bytes().into();
        files
    };
    let head = "toolgate: 1
now: 2026-11-20T12:00:00Z
people:
  all: { groups: [ads-eng, data-trained], scopes: [openid, reports.read] }
  one: { groups: [ads-eng, data-trained], scopes: [openid] }
  none: { groups: [ads-eng, data-trained] }
";
    let cases = "allowed:
  - { who: all, via: ai-chat, call: presto/get_revenue_metrics }
  - { who: none, via: ai-chat, discover: presto }
refused:
  - { who: one, via: ai-chat, call: presto/get_revenue_metrics, because: no_grant }
  - { who: none, via: ai-chat, call: presto/get_revenue_metrics, because: no_grant }
always:
  - { only: { people: [ads-eng], also_in: data-trained }, call: [presto/get_revenue_metrics] }
";
    let report = run_text(files(), &format!("{head}{cases}")).unwrap();
    assert!(report.passed(), "{}", text(&report, false));
    // The smallest caller who breaks it has the scopes that it takes.
    let broken =
        "always:\n  - { never: { people: [ads-eng] }, call: [presto/get_revenue_metrics] }";
    let report = run_text(files(), &format!("{head}{broken}")).unwrap();
    let shown = text(&report, false);
    assert!(shown.contains("{ads-eng, data-trained, scope:openid, scope:reports.read}"), "{shown}");
    let unknown = head.replace("scopes: [openid] }", "scopes: [opneid] }");
    let problems = run_text(files(), &format!("{unknown}{cases}")).unwrap_err().to_string();
    assert!(problems.contains("unknown scope `opneid`; did you mean `openid`?"), "{problems}");
    assert!(problems.contains("tests/t.yaml:5"), "{problems}");
}

#[test]
fn one_problem_of_a_file_hides_no_other() {
    let call = "via: ai-chat, call: presto/list_tables";
    let cases = format!(
        "  zoe: {{}}
allowed:
  - {{ who: anna, {call} }}
  - {{ who: zoe, {call} }}
refused:
  - {{ who: ana, {call} }}
  - {{ who: ana, {call}, because: no_grnt }}
"
    );
    let problems = run_on(&cases).unwrap_err().to_string();
    for problem in
        ["`groups` is missing", "nobody of this file's", "`because` is missing", "`no_grnt` is no"]
    {
        assert!(problems.contains(problem), "{problem}\n{problems}");
    }
    // That zoe could not be read is one problem.
    assert_eq!(problems.matches("error[").count(), 4, "{problems}");
}

#[test]
fn what_no_case_touches_is_listed() {
    let report = run_on(
        "allowed:
  - { who: ana, via: ai-chat, call: presto/list_tables }
refused:
  - { who: carl, via: ai-chat, call: presto/get_revenue_metrics, because: banned }
",
    );
    let uncovered = report.unwrap().coverage.uncovered();
    let has = |kind, name: &str| {
        uncovered.iter().any(|rule| rule.kind == kind && rule.name == name && rule.of == "presto")
    };
    assert!(!has("grant", "analysts-query") && !has("tool", "list_tables"));
    assert!(!has("ban", "contractors-revenue") && !has("tool", "get_revenue_metrics"));
    assert!(has("grant", "revenue") && has("tool", "run_query"));
}

#[test]
fn a_failing_case_shows_the_trace_of_its_decision() {
    let report = run_on(
        "allowed:
  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics }
  - { who: ana, via: ai-chat, call: presto/list_tables }
",
    );
    insta::assert_snapshot!(text(&report.unwrap(), false));
}
