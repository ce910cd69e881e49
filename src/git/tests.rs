use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::*;

fn git(directory: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let status = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(identity)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "git {arguments:?}");
}

/// A repository with two commits and a change that is not committed.
fn repository() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    git(root, &["init", "-q", "-b", "main"]);
    fs::create_dir_all(root.join("acl/policies/servers/.old")).unwrap();
    let write = |path: &str, text: &str| fs::write(root.join("acl/policies").join(path), text);
    write("guardrails.yaml", "one\n").unwrap();
    write("servers/a b.yaml", "").unwrap();
    write("servers/.old/c.yaml", "hidden\n").unwrap();
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "one"]);
    git(root, &["tag", "first"]);
    write("guardrails.yaml", "two\n").unwrap();
    symlink("guardrails.yaml", root.join("acl/policies/groups.yaml")).unwrap();
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "two"]);
    write("guardrails.yaml", "not committed\n").unwrap();
    directory
}

fn read(files: &PolicyFiles) -> Vec<(&str, &str)> {
    files
        .files
        .iter()
        .map(|file| (file.path.as_str(), std::str::from_utf8(&file.bytes).unwrap()))
        .collect()
}

#[test]
fn a_revision_is_read_as_it_was() {
    let directory = repository();
    let root = directory.path();
    let expected = [("guardrails.yaml", "one\n"), ("servers/a b.yaml", "")];
    let from = |at: &Path, policies: &Path| Repository::at(at).policies("first", policies);
    // From the top, from below, from aside, and by an absolute path.
    for (at, policies) in [
        (root.to_owned(), Path::new("acl/policies").to_owned()),
        (root.to_owned(), Path::new("acl/policies/").to_owned()),
        (root.join("acl"), Path::new("policies").to_owned()),
        (root.join("acl/policies"), Path::new(".").to_owned()),
        (root.join("acl/policies/servers"), Path::new("..").to_owned()),
        (root.join("acl"), root.join("acl/policies")),
    ] {
        let files = from(&at, &policies).unwrap();
        assert_eq!(read(&files), expected, "{} in {}", policies.display(), at.display());
        assert!(files.problems.is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_a_problem() {
    let directory = repository();
    let repository = Repository::at(directory.path());
    let files = repository.policies("main", Path::new("acl/policies")).unwrap();
    assert_eq!(read(&files), [("guardrails.yaml", "two\n"), ("servers/a b.yaml", "")]);
    let problems: Vec<_> =
        files.problems.iter().filter_map(|problem| problem.path.clone()).collect();
    assert_eq!(problems, [Path::new("main:acl/policies/groups.yaml")]);
}

#[test]
fn a_policy_directory_may_be_the_whole_repository() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    git(root, &["init", "-q", "-b", "main"]);
    fs::write(root.join("groups.yaml"), "g\n").unwrap();
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "one"]);
    let files = Repository::at(root).policies("HEAD", Path::new(".")).unwrap();
    assert_eq!(read(&files), [("groups.yaml", "g\n")]);
}

#[test]
fn what_is_not_there_is_said() {
    let directory = repository();
    let repository = Repository::at(directory.path());
    let said = |revision: &str, policies: &str| {
        repository.policies(revision, Path::new(policies)).unwrap_err().to_string()
    };
    assert_eq!(said("nowhere", "acl/policies"), "git knows no revision `nowhere`");
    assert_eq!(said("--help", "acl/policies"), "git knows no revision `--help`");
    assert_eq!(said("main", "acl/rules"), "`acl/rules` is not a directory of `main`");
    assert_eq!(
        said("main", "acl/policies/guardrails.yaml"),
        "`acl/policies/guardrails.yaml` is not a directory of `main`"
    );
    assert_eq!(said("main", "/"), "`/` is not a directory of `main`");
    let outside = tempfile::tempdir().unwrap();
    let said = Repository::at(outside.path()).commit("main").unwrap_err().to_string();
    assert!(said.contains("not a git repository"), "{said}");
}

#[test]
fn branches_meet_where_they_parted() {
    let directory = repository();
    let root = directory.path();
    git(root, &["stash", "-q"]);
    git(root, &["checkout", "-q", "-b", "side", "first"]);
    git(root, &["commit", "-q", "--allow-empty", "-m", "aside"]);
    let repository = Repository::at(root);
    let parted = repository.merge_base("main", "side").unwrap();
    assert_eq!(parted, repository.commit("first").unwrap());
    git(root, &["checkout", "-q", "--orphan", "alone"]);
    git(root, &["commit", "-q", "--allow-empty", "-m", "alone"]);
    let said = repository.merge_base("main", "alone").unwrap_err().to_string();
    assert!(said.contains("no commit in common"), "{said}");
}
