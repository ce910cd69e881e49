//! `toolgate lint`, run as a person runs it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::cli::run;

/// The fixture of some rules over the base, in a directory `policies`.
fn directory(fixtures: &[&str]) -> (tempfile::TempDir, PathBuf) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(from, to).unwrap();
            }
        }
    }
    let fixture = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint").join(name);
    let work = tempfile::tempdir().unwrap();
    let policies = work.path().join("policies");
    for name in ["base"].iter().chain(fixtures) {
        copy(&fixture(name), &policies);
    }
    (work, policies)
}

/// What commands print, one after the other.
fn told(work: &Path, commands: &[&str]) -> String {
    let mut told = String::new();
    for command in commands {
        let at = if command.contains("--rules") || command.contains("--explain") {
            ""
        } else {
            " --at 2026-11-20T12:00:00Z"
        };
        let answer = run(work, &format!("lint {command}{at}"));
        writeln!(told, "$ toolgate lint {command}\n{answer}").unwrap();
    }
    told
}

#[test]
fn exit_codes_and_narrowing() {
    let (work, _) = directory(&["ended-grant"]);
    insta::assert_snapshot!(told(
        work.path(),
        &[
            "policies/groups.yaml policies/tests/presto.yaml",
            "policies/groups.yaml --deny-warnings",
            "policies/servers/presto.yaml --quiet",
            "policies/servers/presto.yaml --quiet --deny-warnings",
            "nowhere",
            "policies/servers",
            "policies/nothing.yaml",
            "--explain ended-grants",
            "--explain TG999",
        ],
    ));
    // What keeps the policies from loading is shown, whatever is asked for.
    fs::write(work.path().join("policies/groups.yaml"), "toolgate: 1\ngroups: { ads: {} }\n")
        .unwrap();
    let answer = told(work.path(), &["policies/surfaces.yaml"]);
    assert!(answer.contains("exit: 1") && answer.contains("unknown group `infra`"), "{answer}");
}

#[test]
fn it_speaks_json() {
    let (work, _) = directory(&["unused-suppression"]);
    insta::assert_snapshot!(told(work.path(), &["policies/servers/presto.yaml --format json"]));
}

#[test]
fn fixes_are_shown_and_written_through_links_and_nothing_else_is() {
    let (work, policies) = directory(&["unquoted-channel"]);
    let (real, link) = (work.path().join("real.yaml"), policies.join("servers/presto.yaml"));
    fs::rename(&link, &real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let before = fs::read_to_string(&real).unwrap();
    let shown = told(work.path(), &["--diff"]);
    assert_eq!(fs::read_to_string(&real).unwrap(), before, "--diff writes nothing");
    // Only what was asked for is written.
    let one = told(work.path(), &["policies/servers/trino.yaml --fix --quiet"]);
    assert_eq!(fs::read_to_string(&real).unwrap(), before);
    let rest = told(work.path(), &["--fix", "--fix --quiet", "--diff"]);
    assert!(link.is_symlink());
    assert_eq!(
        fs::read_to_string(&real).unwrap(),
        before.replace("support: #presto-mcp ", "support: \"#presto-mcp\" ")
    );
    insta::assert_snapshot!([shown, one, rest].concat());
}
