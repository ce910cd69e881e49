//! Findings in policies that load: what means exactly what it says, and is probably not wanted.
//!
//! A rule is one file in `rules`, and its doc comment is its page. A finding is a [`Diagnostic`]
//! whose code is the rule's. Nothing here reads a file or asks the clock.

mod context;
mod fix;
mod items;
mod obvious;
mod overrides;
pub mod page;
mod render;
mod rule;
mod rules;
mod suppress;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;

use self::context::{Context, File};
use self::overrides::Overrides;
use self::rule::{Check, Findings};
use self::suppress::Suppressions;
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Place, Severity, SourceId, Sources};
use crate::policy::{self, Cores, Inspected, PolicyFiles, PolicySet};
use crate::scenario;

pub use self::fix::{Mended, MendedFile, mend};
pub use self::render::{github, gitlab, json, junit, sarif, text};
pub use self::rule::Rule;
pub use self::rules::ALL;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Why the policies do not load, and the findings; by place.
    pub diagnostics: Diagnostics,
    /// How many files were looked at.
    pub files: usize,
    /// Whether the policies load.
    pub loads: bool,
    /// The rules that need policies that load, if these do not.
    pub not_looked_at: Vec<&'static Rule>,
}

/// How many findings there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Findings that CI refuses, and problems that keep the policies from loading.
    pub errors: usize,
    /// Findings worth a look.
    pub warnings: usize,
    /// Of both, those that have one safe answer.
    pub fixable: usize,
}

/// Looks at a policy directory with every rule.
#[must_use]
pub fn lint(files: PolicyFiles, now: Timestamp) -> Report {
    let root = files.root.clone();
    let tests = PolicyFiles {
        files: files.files.iter().filter(|file| policy::is_test(&file.path)).cloned().collect(),
        ..PolicyFiles::rooted(&root)
    };
    let Inspected { set, trees, problems } = policy::inspect(files, Cores::All);
    let Diagnostics { sources, list: mut problems } = problems;
    if let Some(set) = &set {
        of_tests(set, &tests, &sources, &mut problems);
    }
    let trees: HashMap<_, _> = trees.iter().map(|(id, tree)| (*id, tree)).collect();
    let file = |(id, source)| File::new(id, source, &root, trees.get(&id).copied());
    let files: Vec<_> = sources.iter().map(file).collect();
    let by_source: HashMap<_, _> = files.iter().map(|file| (file.source, file)).collect();
    let context = set.as_ref().map(|set| Context::new(set, &files, now));

    let mut own = Vec::new();
    let overrides = Overrides::read(&files, &mut own);
    let suppressions = Suppressions::read(&files, &mut own);
    let (mut found, mut looked_at, mut not_looked_at) = (Vec::new(), Vec::new(), Vec::new());
    for rule in ALL.iter().copied().filter(|rule| !overrides.is_off(rule)) {
        let mut findings = Findings::of(rule);
        match (rule.check, &context) {
            (Check::Text(check), _) => files.iter().for_each(|file| check(file, &mut findings)),
            (Check::Policies(check), Some(context)) => check(context, &mut findings),
            (Check::Policies(_), None) => {
                not_looked_at.push(rule);
                continue;
            }
            (Check::Linter, _) => continue,
        }
        looked_at.push(rule.code);
        found.extend(findings.into_list().into_iter().map(|finding| overrides.weigh(finding)));
    }
    let found = suppressions.apply(&by_source, found, &looked_at, &mut own);
    let problems = obvious::mended(unexplained(problems, &found, &by_source), &by_source);
    let list = problems.into_iter().chain(found).chain(own).collect();
    let (looked_at, loads) = (files.len(), set.is_some());
    let diagnostics = Diagnostics { sources, list }.sorted();
    Report { diagnostics, files: looked_at, loads, not_looked_at }
}

/// What is wrong with the test files: a case that does not load tests nothing.
fn of_tests(
    set: &PolicySet,
    tests: &PolicyFiles,
    sources: &Sources,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(found) = scenario::problems(set, tests) else { return };
    let ids: HashMap<_, _> = sources.iter().map(|(id, source)| (&source.path, id)).collect();
    let here = |place: Place| {
        let source = *ids.get(&found.sources.get(place.source)?.path)?;
        Some(Place { source, ..place })
    };
    let known: BTreeSet<_> = problems.iter().map(|problem| (problem.code, problem.place)).collect();
    let moved = found.list.into_iter().map(|problem| Diagnostic {
        place: problem.place.and_then(here),
        related: problem.related.and_then(|(place, label)| Some((here(place)?, label))),
        ..problem
    });
    // That one is not YAML has been reported.
    problems.extend(moved.filter(|problem| !known.contains(&(problem.code, problem.place))));
}

/// The problems that no finding explains better: that a value is missing follows from YAML taking
/// it for a comment.
fn unexplained(
    mut problems: Vec<Diagnostic>,
    found: &[Diagnostic],
    files: &HashMap<SourceId, &File<'_>>,
) -> Vec<Diagnostic> {
    let line = |diagnostic: &Diagnostic| {
        let place = diagnostic.place?;
        Some((place.source, files.get(&place.source)?.line(place.span)))
    };
    let explains = |finding: &&Diagnostic| {
        finding.code == Code::UnquotedChannel && finding.severity == Severity::Error
    };
    let explained: HashSet<_> = found.iter().filter(explains).filter_map(line).collect();
    problems.retain(|problem| {
        problem.code != Code::WrongType
            || line(problem).is_none_or(|line| !explained.contains(&line))
    });
    problems
}

// === impl Report ===

impl Report {
    /// Keeps the findings in files that `keep` knows, and every problem that keeps the policies
    /// from loading.
    #[must_use]
    pub fn narrowed(mut self, keep: impl Fn(&Path) -> bool) -> Self {
        let kept = self.sources_of(keep);
        self.diagnostics.list.retain(|found| {
            let is_kept = found.place.is_none_or(|place| kept.contains(&place.source));
            found.code.rule().is_none() || is_kept
        });
        self.files = kept.len();
        self
    }

    /// The files that `keep` knows.
    fn sources_of(&self, keep: impl Fn(&Path) -> bool) -> HashSet<SourceId> {
        let sources = self.diagnostics.sources.iter();
        sources.filter(|(_, source)| keep(&source.path)).map(|(id, _)| id).collect()
    }

    /// How many findings there are of each kind.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let list = &self.diagnostics.list;
        let weighing = |severity| list.iter().filter(|found| found.severity == severity).count();
        Counts {
            errors: weighing(Severity::Error),
            warnings: weighing(Severity::Warning),
            fixable: list.iter().filter(|found| found.fix.is_some()).count(),
        }
    }
}
