//! `--fix`: edits that have one safe answer. What stands beside them stays as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Report, lint};
use crate::diagnostics::{Code, Diagnostic, Edit, Place, SourceId};
use crate::policy::{PolicyFile, PolicyFiles};

/// One fix may make room for another, but not for ever.
const MOST_ROUNDS: usize = 16;

/// Each look costs as much as a run.
const MOST_ALONE: usize = 16;

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
        let alone = found.iter().take(MOST_ALONE).map(std::slice::from_ref);
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
        let kept = self.report.sources_of(keep);
        let mut taken = Taken::default();
        let list = self.report.diagnostics.list.iter();
        list.filter(|finding| {
            let edits = finding.fix.as_ref().map_or(&[][..], |fix| &fix.edits);
            let free = |edit: &Edit| kept.contains(&edit.place.source) && taken.is_free(edit);
            let is_free = !edits.is_empty() && edits.iter().all(free);
            if is_free {
                for edit in edits {
                    taken.take(edit);
                }
            }
            is_free
        })
        .collect()
    }

    /// The directory with some fixes; `None` if there is nothing to do, or if a file would be less
    /// of YAML than before, or policies that load would not load any more.
    fn after(&self, round: &[&Diagnostic], now: Timestamp) -> Option<Self> {
        let mut edits: BTreeMap<SourceId, Vec<&Edit>> = BTreeMap::new();
        let found = round.iter().filter_map(|finding| finding.fix.as_ref());
        for edit in found.flat_map(|fix| &fix.edits) {
            edits.entry(edit.place.source).or_default().push(edit);
        }
        if edits.is_empty() {
            return None;
        }
        let mut files = self.files.clone();
        for (source, mut edits) in edits {
            edits.sort_by_key(|edit| edit.place);
            let source = self.report.diagnostics.sources.get(source)?;
            let text = edited(&source.text, &edits)?;
            let inside = source.path.strip_prefix(&files.root).ok()?.to_str()?;
            let file = files.files.iter_mut().find(|file| file.path == inside)?;
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

/// A text with edits, which stand in the order of their places.
fn edited(text: &str, edits: &[&Edit]) -> Option<String> {
    let (mut new, mut at) = (String::with_capacity(text.len()), 0);
    for Edit { place, text: replacement } in edits {
        let range = place.span.range();
        new += text.get(at..range.start)?;
        new += replacement;
        at = range.end;
    }
    new += text.get(at..)?;
    Some(new)
}

/// The places that are to be edited.
#[derive(Default)]
struct Taken(BTreeMap<(SourceId, u32), u32>);

impl Taken {
    fn take(&mut self, edit: &Edit) {
        let Edit { place, text: _ } = edit;
        self.0.insert((place.source, place.span.start), place.span.end);
    }

    /// Whether an edit touches none of them. What only meets would be one after the other in either
    /// order.
    fn is_free(&self, edit: &Edit) -> bool {
        let Edit { place: Place { source, span }, text: _ } = edit;
        let before = self.0.range((*source, 0)..=(*source, span.end)).next_back();
        before.is_none_or(|(_, end)| *end < span.start)
    }
}
