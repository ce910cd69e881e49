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

use std::collections::HashMap;

use jiff::Timestamp;

use self::context::{Context, File};
use self::overrides::Overrides;
use self::rule::{Check, Findings};
use self::suppress::Suppressions;
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Severity, Sources};
use crate::policy::{self, Cores, Inspected, PolicyFiles};

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
    let Inspected { set, trees, problems } = policy::inspect(files, Cores::All);
    let Diagnostics { sources, list: problems } = problems;
    let trees: HashMap<_, _> = trees.iter().map(|(id, tree)| (*id, tree)).collect();
    let files: Vec<_> = sources
        .iter()
        .map(|(id, source)| File::new(id, source, &root, trees.get(&id).copied()))
        .collect();
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
    let found = suppressions.apply(&sources, found, &looked_at, &mut own);
    let problems = problems.into_iter().filter(|problem| !is_explained(problem, &found, &sources));
    let problems = problems.map(|problem| obvious::mended(problem, &files));
    let list = problems.chain(found.iter().cloned()).chain(own).collect();
    let (looked_at, loads) = (files.len(), set.is_some());
    let diagnostics = Diagnostics { sources, list }.sorted();
    Report { diagnostics, files: looked_at, loads, not_looked_at }
}

/// Whether a finding says better what a problem is: that a value is missing follows from YAML
/// taking it for a comment.
fn is_explained(problem: &Diagnostic, found: &[Diagnostic], sources: &Sources) -> bool {
    let line = |diagnostic: &Diagnostic| {
        diagnostic.place.map(|place| (place.source, sources.line_column(place).0))
    };
    problem.code == Code::WrongType
        && found.iter().any(|finding| {
            finding.code == Code::UnquotedChannel
                && finding.severity == Severity::Error
                && line(finding) == line(problem)
        })
}

// === impl Report ===

impl Report {
    /// Keeps the findings in files that `keep` knows, and every problem that keeps the policies
    /// from loading.
    #[must_use]
    pub fn narrowed(mut self, keep: impl Fn(&std::path::Path) -> bool) -> Self {
        let sources = &self.diagnostics.sources;
        let is_kept = |diagnostic: &Diagnostic| {
            let source = diagnostic.place.and_then(|place| sources.get(place.source));
            diagnostic.code.rule().is_none() || source.is_none_or(|source| keep(&source.path))
        };
        self.diagnostics.list.retain(is_kept);
        self.files = sources.iter().filter(|(_, source)| keep(&source.path)).count();
        self
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
