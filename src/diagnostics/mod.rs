//! Problems as data: what is wrong, in which file, where, and how to mend it. Rendering is
//! separate, so that the same problem can be read by a person and by a machine.

mod code;
pub mod github;
pub mod junit;
mod region;
mod render;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

pub use self::code::Code;
pub use self::github::render_github;
pub use self::region::{Lines, Region, plain_path};
pub use self::render::{id, render_excerpts, render_json, render_one, render_text};

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as it is shown to people.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// The files of one run; a [`Place`] points into it.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

/// One file of a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub source: SourceId,
    /// The bytes.
    pub span: Span,
}

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Below `TG100` nothing is loaded while it stands; from there on the policies load, and CI
    /// fails.
    Error,
    /// Worth a look; loads all the same.
    Warning,
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where, if it is in a file that was read.
    pub place: Option<Place>,
    /// The path, for a problem with a file that could not be read.
    pub path: Option<PathBuf>,
    /// A word at the place itself.
    pub label: Option<String>,
    /// A second place that the problem is about, and a word on it.
    pub related: Option<(Place, String)>,
    /// How to mend it.
    pub help: Option<String>,
    /// The one safe way to mend it, as edits of the text.
    pub fix: Option<Fix>,
}

/// Edits that mend a problem and change nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What they do, in a line: `quote the channel`.
    pub title: String,
    /// The edits, all of one file; none overlaps another.
    pub edits: Vec<Edit>,
}

/// A new text for a place; an empty place is an insertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub place: Place,
    /// By what.
    pub text: String,
}

/// All problems of one run, with the files they are in. Displays as the rendered text.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// The files.
    pub sources: Sources,
    /// The problems, in the order of their places.
    pub list: Vec<Diagnostic>,
}

// === impl Sources ===

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(source);
        id
    }

    /// The file.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0 as usize)
    }

    /// The files, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.0)
    }

    /// Line and column of a place, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, place: Place) -> (usize, usize) {
        self.get(place.source).map_or((1, 1), |source| line_column(&source.text, place.span))
    }
}

/// Line and column of a span's start, both from 1; columns count characters.
#[must_use]
pub fn line_column(text: &str, span: Span) -> (usize, usize) {
    let before = text.get(..span.start as usize).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
impl SourceId {
    /// The first file.
    pub(crate) fn default_for_test() -> Self {
        Self(0)
    }
}

// === impl Span ===

impl Span {
    /// A span from byte offsets.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end.max(start)) }
    }

    /// As a range of bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: Some(place),
            path: None,
            label: None,
            related: None,
            help: None,
            fix: None,
        }
    }

    /// An error about a file or directory as a whole.
    #[must_use]
    pub fn about_path(code: Code, path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: None,
            path: Some(path.into()),
            label: None,
            related: None,
            help: None,
            fix: None,
        }
    }

    /// Adds a word at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the one safe way to mend it.
    #[must_use]
    pub fn fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fix = Some(Fix { title: title.into(), edits });
        self
    }

    /// Says how much it weighs.
    #[must_use]
    pub fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds how to mend it, if that is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

// === impl Diagnostics ===

impl Diagnostics {
    /// What a program is told, errors first, and how many are left out: GitHub shows 5,000 at most.
    #[must_use]
    pub fn foremost(&self) -> (Vec<&Diagnostic>, usize) {
        const MOST: usize = 5_000;
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by_key(|diagnostic| diagnostic.severity);
        let left_out = list.len().saturating_sub(MOST);
        list.truncate(MOST);
        (list, left_out)
    }

    /// Sorts by place, problems without one first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.list.sort_by(|a, b| (a.place, &a.path, a.code).cmp(&(b.place, &b.path, b.code)));
        self
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_text(self, false))
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate nearest to a misspelt name, if one is near enough to be meant.
#[must_use]
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Nobody misspells a page, and the distance costs the product of both lengths.
    const LONGEST: usize = 128;
    let near = |candidate: &&str| {
        let apart = candidate.len().abs_diff(name.len());
        name.len() <= LONGEST && apart <= 1 + candidate.len().max(name.len()) / 4
    };
    candidates
        .into_iter()
        .filter(near)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len().max(name.len()) / 4 && *distance < candidate.len()
        })
        .min()
        .map(|(_, candidate)| candidate)
}
