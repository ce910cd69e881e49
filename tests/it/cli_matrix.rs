//! `toolgate matrix`, run as a person runs it, over the samples.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::cli::run;

const AT: &str = "--at 2026-11-20T12:00:00Z";

fn told(commands: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut told = String::new();
    for command in commands {
        let answer = run(root, &format!("matrix {command} {AT}"));
        writeln!(told, "$ toolgate matrix {command}\n{answer}").unwrap();
    }
    // The samples' digest changes with every line of them.
    told.lines().fold(String::new(), |text, line| {
        let line = line.split_once(", policy ").map_or(line, |(at, _)| at);
        text + line + "\n"
    })
}

#[test]
fn it_shows_who_may_call_what() {
    insta::assert_snapshot!(told(&[""]));
}

#[test]
fn it_narrows_to_servers_and_to_one_of_each_kind() {
    insta::assert_snapshot!(told(&[
        "lab presto@staging",
        "--by group",
        "--by group data-trained",
        "presto --by group contractors",
        "--by surface laptop",
        "--by service nightly-lineage",
        "--by service --format csv",
        "lab --by surface --format json",
    ]));
}

#[test]
fn it_speaks_to_programs() {
    insta::assert_snapshot!(told(&["presto --format csv", "presto --format markdown"]));
}

#[test]
fn what_is_not_there_is_said_with_what_may_have_been_meant() {
    insta::assert_snapshot!(told(&[
        "presso lab@prod presto",
        "--by groups",
        "--by group contractor",
        "--by surface nightly-lineage",
        "--by group --format html",
        "--policies nowhere",
    ]));
}

#[test]
fn the_page_is_written_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = tempfile::tempdir().unwrap();
    let page = work.path().join("matrix.html");
    let answer = run(root, &format!("matrix --format html {AT} --out {}", page.display()));
    assert_eq!(answer, "exit: 0\n");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("get_revenue_metrics"), "{page}");
}

#[test]
fn the_documentation_shows_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, command) in
        [("README.md", "presto"), ("docs/matrix.md", "presto"), ("docs/matrix.md", "--by group")]
    {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let block = text.split(&format!("$ toolgate matrix {command}\n")).nth(1).unwrap();
        let shown = block.split("```").next().unwrap();
        let printed = run(root, &format!("matrix {command} {AT}"));
        assert!(printed.ends_with(shown), "{page}: {printed}");
    }
}
