//! `--fix`: edits that have one safe answer. What stands beside them stays as it is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Report, lint};
use crate::diagnostics::{Code, Diagnostic, Edit, Fix, SourceId};
use crate::policy::{PolicyFile, PolicyFiles};

/// One fix may make room for another, but not for ever.
const MOST_ROUNDS: usize = 16;

/// What mending came to.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The files that changed.
    pub files: Vec<MendedFile>,
    /// What was mended: the file, the line as it was then, and what was done.
    pub fixes: Vec<(PathBuf, usize, String)>,
    /// What is left.
    pub report: Report,
}

/// A file that changed.
#[derive(Clone, Debug)]
pub struct MendedFile {
    /// The path, as it is shown to people.
    pub path: PathBuf,
    /// What stood there.
    pub before: String,
    /// What is to stand there.
    pub after: String,
}

/// The directory after some rounds.
struct State {
    files: PolicyFiles,
    report: Report,
}

/// Mends what is found in the files that `keep` knows.
#[must_use]
pub fn mend(files: PolicyFiles, now: Timestamp, keep: impl Fn(&Path) -> bool) -> Mended {
    let before = files.clone();
    let mut state = State::new(files, now);
    let mut done = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let found = state.fixable(&keep);
        // If one of them would break something, the others are still good.
        let alone = found.iter().map(std::slice::from_ref);
        let mut rounds = std::iter::once(found.as_slice()).chain(alone);
        let next = rounds.find_map(|round| Some((state.after(round, now)?, round)));
        let Some((next, round)) = next else { break };
        done.extend(round.iter().filter_map(|found| state.told(found)));
        state = next;
    }
    let State { files: policies, report } = state;
    let changed = before.files.iter().filter_map(|old| {
        let is_new = |new: &&PolicyFile| new.path == old.path && new.bytes != old.bytes;
        let new = policies.files.iter().find(is_new)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let path = policies.root.join(&old.path);
        Some(MendedFile { path, before: text(&old.bytes)?, after: text(&new.bytes)? })
    });
    Mended { files: changed.collect(), fixes: done, report }
}

impl State {
    fn new(files: PolicyFiles, now: Timestamp) -> Self {
        Self { report: lint(files.clone(), now), files }
    }

    /// What can be mended in one go: no two fixes touch each other.
    fn fixable(&self, keep: impl Fn(&Path) -> bool) -> Vec<&Diagnostic> {
        let mut taken: Vec<&Edit> = Vec::new();
        let mut fixable = Vec::new();
        for finding in &self.report.diagnostics.list {
            let Some(Fix { title: _, edits }) = &finding.fix else { continue };
            let free = |edit: &Edit| {
                self.path(edit.place.source).is_some_and(&keep)
                    && !taken.iter().any(|other| touch(other, edit))
            };
            if edits.iter().all(free) {
                taken.extend(edits);
                fixable.push(finding);
            }
        }
        fixable
    }

    /// The directory with some fixes; `None` if there is nothing to do, or if a file would be less
    /// of YAML than before, or policies that load would not load any more.
    fn after(&self, round: &[&Diagnostic], now: Timestamp) -> Option<Self> {
        let mut edits: Vec<_> = round
            .iter()
            .filter_map(|finding| finding.fix.as_ref())
            .flat_map(|fix| &fix.edits)
            .collect();
        if edits.is_empty() {
            return None;
        }
        // From the end, so that the places before stay what they are.
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.place));
        let mut files = self.files.clone();
        for edit in edits {
            let path = self.path(edit.place.source)?;
            let root = files.root.clone();
            let file = files.files.iter_mut().find(|file| root.join(&file.path) == path)?;
            let mut text = String::from_utf8(file.bytes.to_vec()).ok()?;
            let range = edit.place.span.range();
            text.get(range.clone())?;
            text.replace_range(range, &edit.text);
            file.bytes = text.into_bytes().into();
        }
        let next = Self::new(files, now);
        let syntax = |state: &Self| {
            let list = &state.report.diagnostics.list;
            list.iter().filter(|problem| problem.code == Code::Syntax).count()
        };
        let loads = |state: &Self| state.report.loads;
        (syntax(&next) <= syntax(self) && (loads(&next) || !loads(self))).then_some(next)
    }

    /// What was mended.
    fn told(&self, finding: &Diagnostic) -> Option<(PathBuf, usize, String)> {
        let (fix, place) = (finding.fix.as_ref()?, finding.place?);
        let line = self.report.diagnostics.sources.line_column(place).0;
        Some((self.path(place.source)?.to_owned(), line, fix.title.clone()))
    }

    fn path(&self, source: SourceId) -> Option<&Path> {
        self.report.diagnostics.sources.get(source).map(|source| source.path.as_path())
    }
}

/// Whether two edits overlap, or meet: what meets would be one place after the other in either
/// order.
fn touch(one: &Edit, other: &Edit) -> bool {
    let (a, b) = (one.place, other.place);
    a.source == b.source && a.span.start <= b.span.end && b.span.start <= a.span.end
}
