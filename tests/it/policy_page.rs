//! `docs/policy.md`: every example is loaded, decided and printed, and nothing stands in the page
//! that is not.
//!
//! A fenced block says in its info string what it is:
//!
//! - `yaml FILE`: a file of a policy directory. Those before the first check are the page's own
//!   directory, which every later example starts from.
//!   `part` behind it: only the entries that are shown are replaced or added.
//!   `keep`: the directory goes on from the example before. `unstamped`: reviews are not stamped.
//! - `yaml cases`: cases of `policies/tests/`, with the people of the page's own test file.
//! - `text problems`: why the directory does not load.
//! - `console`: commands, with what they print.
//!
//! `make render` writes anew what commands print and problems say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cli::words;
use toolgate::diagnostics::{Diagnostic, Diagnostics};
use toolgate::engine::Reason;
use toolgate::policy::{PolicyFile, PolicyFiles, is_test, stamp};
use toolgate::{disk, policy, scenario};

const PAGE: &str = "docs/policy.md";
/// When every example happens that does not say.
const NOW: &str = "2026-11-20T12:00:00Z";
/// The file whose people are known to every case.
const PEOPLE: &str = "tests/presto.yaml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).unwrap()
}

#[test]
fn every_example_means_what_the_page_says() {
    let page = page();
    let real = Examples::new().walk(&page);
    if std::env::var_os("TOOLGATE_GENERATE").is_some() {
        fs::write(root().join(PAGE), &real).unwrap();
        return;
    }
    for (number, (shown, real)) in (1..).zip(page.lines().zip(real.lines())) {
        assert_eq!(shown, real, "{PAGE}:{number} is out of date; run `make render`");
    }
    assert_eq!(page.len(), real.len(), "{PAGE} is out of date; run `make render`");
}

#[test]
fn every_reason_is_listed_in_order() {
    let page = page();
    let table = page.split("| reason | means |").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(listed.collect::<Vec<_>>(), reasons);
}

#[test]
fn every_key_of_the_language_has_a_row() {
    let page = page();
    let mut keys = Vec::new();
    // A key that is like no other makes the reader of files list those that it knows.
    for (file, text) in [
        ("groups.yaml", "groups: { g: { ODD: 1 } }"),
        ("reviews.yaml", "reviews: { R: { ODD: 1 } }"),
        ("surfaces.yaml", "surfaces: { s: { ODD: 1 } }\nservices: { t: { ODD: 1 } }"),
        ("guardrails.yaml", "environments: { e: { ODD: 1 } }\nbans: { b: { ODD: 1 } }"),
        (
            "servers/s.yaml",
            "about: { ODD: 1 }\nenvironments: { e: { ODD: 1, mode: { ODD: 1 } } }\ndiscovery: \
             { ODD: 1 }\ntools: { t: { ODD: 1, limits: { /a: { ODD: 1 } } } }\nresources: \
             { 'a:b': { ODD: 1 } }\ngrants: { g: { ODD: 1 } }\nbans: { b: { ODD: 1 } }",
        ),
    ] {
        let text = format!("toolgate: 1\nODD: 1\n{text}\n");
        let files = PolicyFiles { files: vec![file_of(file, &text)], ..PolicyFiles::default() };
        let problems = policy::load(files).unwrap_err();
        let odd = text.matches("ODD").count();
        let known: Vec<_> = problems.list.iter().filter_map(keys_here).collect();
        assert_eq!(known.len(), odd, "{problems}");
        keys.extend(known.into_iter().flatten());
    }
    for key in keys {
        let row = format!("| `{key}` |");
        assert!(page.contains(&row), "no table of {PAGE} has a row `{key}`");
    }
}

fn keys_here(problem: &Diagnostic) -> Option<Vec<String>> {
    let keys = problem.help.as_deref()?.strip_prefix("keys here: ")?;
    Some(keys.split(", ").map(str::to_owned).collect())
}

fn file_of(path: &str, text: &str) -> PolicyFile {
    PolicyFile { path: path.to_owned(), bytes: text.as_bytes().into() }
}

/// A policy directory that examples change.
struct Examples {
    work: tempfile::TempDir,
    /// The page's own directory.
    base: BTreeMap<String, String>,
    /// The directory as it stands.
    files: BTreeMap<String, String>,
    /// Whether a check has ended the page's own directory.
    complete: bool,
    /// Whether what was changed last has been checked.
    checked: bool,
}

impl Examples {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join("envoy")).unwrap();
        let config = "envoy/toolgate.yaml";
        fs::copy(root().join(config), work.path().join(config)).unwrap();
        Self {
            work,
            base: BTreeMap::new(),
            files: BTreeMap::new(),
            complete: false,
            checked: false,
        }
    }

    /// The page, with what is printed as it really is.
    fn walk(mut self, page: &str) -> String {
        let mut real = String::new();
        let mut lines = (1..).zip(page.lines());
        while let Some((number, line)) = lines.next() {
            writeln!(real, "{line}").unwrap();
            let Some(info) = line.strip_prefix("```") else {
                assert!(!line.trim_start().starts_with("```"), "{PAGE}:{number}: indented");
                continue;
            };
            let mut body = String::new();
            let mut closed = false;
            for (_, line) in lines.by_ref() {
                if line == "```" {
                    closed = true;
                    break;
                }
                writeln!(body, "{line}").unwrap();
            }
            assert!(closed, "{PAGE}:{number}: the block has no end");
            writeln!(real, "{}```", self.block(number, info, body)).unwrap();
        }
        assert!(self.checked, "{PAGE}: the last example is not checked");
        real
    }

    /// What a block really is.
    fn block(&mut self, line: usize, info: &str, body: String) -> String {
        let here = format!("{PAGE}:{line}");
        match info {
            "yaml cases" => {
                self.check();
                self.cases(&here, &body);
                body
            }
            "text problems" => {
                self.check();
                self.problems(&here)
            }
            "console" => {
                self.check();
                self.console(&here, &body)
            }
            _ => {
                let mut words = info.split(' ');
                assert_eq!(words.next(), Some("yaml"), "{here}: nothing would check `{info}`");
                let path = words.next().filter(|path| path.contains(".yaml"));
                let path = path.unwrap_or_else(|| panic!("{here}: which file is it?"));
                // What readers see is what the test reads.
                assert_eq!(body.lines().next(), Some(&*format!("# {path}")), "{here}");
                self.file(&here, path, &words.collect::<Vec<_>>(), &body);
                body
            }
        }
    }

    fn check(&mut self) {
        self.checked = true;
        if !self.complete {
            self.complete = true;
            self.base = self.files.clone();
        }
    }

    fn file(&mut self, here: &str, path: &str, words: &[&str], body: &str) {
        for word in words {
            assert!(["part", "keep", "unstamped"].contains(word), "{here}: {word}?");
        }
        let keep = words.contains(&"keep");
        if self.complete && !keep && self.checked {
            self.files = self.base.clone();
        }
        let text = match self.files.get(path) {
            Some(text) if words.contains(&"part") => patched(text, body),
            _ => body.to_owned(),
        };
        self.files.insert(path.to_owned(), text);
        self.checked = false;
        self.write();
        if self.complete && !words.contains(&"unstamped") {
            self.stamp();
        }
    }

    fn directory(&self) -> PathBuf {
        self.work.path().join("policies")
    }

    fn write(&self) {
        let directory = self.directory();
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        for (path, text) in &self.files {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// What `toolgate reviews stamp` does, if it can.
    fn stamp(&mut self) {
        if let Ok(stamped) = stamp::stamp(&self.read(), &[]) {
            self.files.insert("reviews.yaml".to_owned(), stamped.text);
            self.write();
        }
    }

    fn read(&self) -> PolicyFiles {
        disk::read_policies(&self.directory())
    }

    fn cases(&self, here: &str, cases: &str) {
        let people = self.base.get(PEOPLE).unwrap();
        let (head, _) = people.split_once("allowed:").unwrap();
        let mut files = self.read();
        let set =
            policy::load(files.clone()).unwrap_or_else(|problems| panic!("{here}\n{problems}"));
        files.files.retain(|file| !is_test(&file.path));
        files.files.push(file_of("tests/cases.yaml", &patched(head, cases)));
        let report = scenario::run(&set, &files);
        let report = report.unwrap_or_else(|problems| panic!("{here}\n{problems}"));
        assert!(report.passed(), "{here}\n{}", scenario::text(&report, false));
    }

    fn problems(&self, here: &str) -> String {
        let files = self.read();
        let problems: Diagnostics = match policy::load(files.clone()) {
            Err(problems) => problems,
            Ok(set) => match scenario::run(&set, &files) {
                Err(problems) => problems,
                Ok(_) => panic!("{here}: the directory loads"),
            },
        };
        let mut told = String::new();
        for Diagnostic { code, message, place, path, label, help, .. } in &problems.list {
            writeln!(told, "error[{}]: {message}", code.as_str()).unwrap();
            let source = place.and_then(|place| problems.sources.get(place.source));
            if let Some(path) = source.map(|source| &source.path).or(path.as_ref()) {
                let path = path.strip_prefix(self.work.path()).unwrap().display();
                let line = place.map(|place| format!(":{}", problems.sources.line_column(place).0));
                writeln!(told, "  --> {path}{}", line.unwrap_or_default()).unwrap();
            }
            for (mark, note) in [("", label), ("help: ", help)] {
                if let Some(note) = note {
                    writeln!(told, "   = {mark}{note}").unwrap();
                }
            }
        }
        told
    }

    fn console(&mut self, here: &str, body: &str) -> String {
        let mut told = String::new();
        for command in body.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let arguments = command.strip_prefix("toolgate ").unwrap_or_else(|| panic!("{here}"));
            let mut arguments = words(arguments);
            let has_time = ["explain", "lint", "status"]
                .iter()
                .any(|word| arguments.iter().any(|a| a == word));
            if has_time && !arguments.iter().any(|argument| argument == "--at") {
                arguments.extend(["--at".to_owned(), NOW.to_owned()]);
            }
            let output = Command::new(env!("CARGO_BIN_EXE_toolgate"))
                .args(arguments)
                .current_dir(self.work.path())
                .env_clear()
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            let (out, problems) = (text(output.stdout), text(output.stderr));
            writeln!(told, "$ {command}\n{out}{problems}").unwrap();
            told.truncate(told.trim_end().len());
            told.push('\n');
        }
        assert!(!told.is_empty(), "{here}: no command");
        // Commands may have written.
        for (path, text) in &mut self.files {
            *text = fs::read_to_string(self.work.path().join("policies").join(path)).unwrap();
        }
        told
    }
}

/// A block of a file: a key at the margin, and the entries below it.
struct Block {
    key: String,
    /// The line of the key, and what follows before the first entry.
    head: String,
    entries: Vec<(String, String)>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let key = |line: &str| {
        let end = line.find(": ").or_else(|| line.strip_suffix(':').map(str::len));
        line.get(..end.unwrap()).unwrap().to_owned()
    };
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let shown = format!("{line}\n");
        let entry = line.strip_prefix("  ").filter(|rest| !rest.starts_with([' ', '-', '#']));
        match (blocks.last_mut(), entry) {
            (Some(block), Some(entry)) => block.entries.push((key(entry), shown)),
            (Some(block), None) if line.starts_with(' ') => match block.entries.last_mut() {
                Some((_, entry)) => entry.push_str(&shown),
                None => block.head.push_str(&shown),
            },
            _ => blocks.push(Block { key: key(line), head: shown, entries: Vec::new() }),
        }
    }
    blocks
}

/// A file with the entries of a part of it.
fn patched(text: &str, part: &str) -> String {
    let mut all = blocks(text);
    for Block { key, head, entries } in blocks(part) {
        let Some(block) = all.iter_mut().find(|block| block.key == key) else {
            all.push(Block { key, head, entries });
            continue;
        };
        if entries.is_empty() {
            *block = Block { key, head, entries };
            continue;
        }
        for (name, entry) in entries {
            match block.entries.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = entry,
                None => block.entries.push((name, entry)),
            }
        }
    }
    let mut text = String::new();
    for Block { key: _, head, entries } in all {
        text.push_str(&head);
        text.extend(entries.into_iter().map(|(_, entry)| entry));
    }
    text
}
