//! What changes from one policy directory to another: who gains, who loses, and which lines of
//! which files did it.
//!
//! Access comes from [`crate::access`], which is exact. Everything else comes from the files
//! themselves, entry by entry: an entry that differs and changes no access is said to do so, and
//! what no formula looks at (upstreams, approvals, reviews, claims) is put apart. Spelling, order
//! and comments say nothing.

mod access;
mod always;
mod apart;
mod edits;
mod json;
mod markdown;
mod renames;
mod reviews;
mod rules;
mod shared;
mod side;
mod text;
mod value;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

use self::edits::Edit;
use self::renames::Renames;
use crate::access::{self as exact, Change, Disagreement};

pub use self::always::Invariants;
pub use self::json::json;
pub use self::markdown::markdown;
pub use self::side::Side;
pub use self::text::text;

/// Everything that differs.
#[derive(Clone, Debug)]
pub struct Diff {
    /// From when on.
    pub at: Timestamp,
    /// How many servers were asked about.
    pub servers: usize,
    /// Those with a difference, and what they share; wider ones first.
    pub sections: Vec<Section>,
    /// What must always hold, under the new policies.
    pub always: Invariants,
}

/// What differs about one server, or about all of them.
#[derive(Clone, Debug)]
pub struct Section {
    /// The server; `None` for the files that all share.
    pub server: Option<Box<str>>,
    /// Whether it stands on both sides.
    pub presence: Presence,
    /// What differs, wider first.
    pub lines: Vec<Line>,
    /// What is decided differently: exactly that, as data.
    pub access: Vec<Access>,
}

/// On which sides a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// On both.
    Both,
    /// On the new one only.
    New,
    /// On the old one only.
    Gone,
}

/// How a section, or the whole, ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Something became allowed, or might have.
    Wider,
    /// Something is refused now, and nothing became allowed.
    Narrower,
    /// The same calls are allowed; something beside that is worth a look.
    Changed,
    /// Nothing that decides.
    Same,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What kind of difference.
    pub mark: Mark,
    /// Whether it counts as wider.
    pub wider: bool,
    /// What differs.
    pub what: String,
    /// From where; empty if that says nothing.
    pub place: String,
    /// For whom, or how.
    pub who: String,
    /// The lines of the files that cause it.
    pub because: Vec<Cause>,
    /// The smallest caller who is decided upon differently, where it adds something.
    pub example: Option<String>,
}

/// The first character of a line. Sorted by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// `!`: beside access, and worth a look.
    Apart,
    /// `+`: somebody gains.
    Wider,
    /// `~`: a limit, an approval or an end is another one.
    Changed,
    /// `-`: somebody loses.
    Narrower,
    /// `=`: nobody's access changes.
    Nothing,
}

/// A line of a file that causes a difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// `grant revenue: people + finance`
    pub text: String,
    /// Where it stands: in the new files, unless it has gone from there.
    pub origin: Option<Origin>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, as it is shown to people.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// What is decided differently, with the rules that have a part in it.
#[derive(Clone, Debug)]
pub struct Access {
    /// What.
    pub change: Change,
    /// Of the old side.
    pub old_rules: Vec<Rule>,
    /// Of the new one.
    pub new_rules: Vec<Rule>,
}

/// A grant or ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which of the two.
    pub kind: RuleKind,
    /// Its name.
    pub name: Box<str>,
    /// The file's path inside the directory.
    path: String,
    /// Where it stands.
    pub origin: Origin,
}

/// What a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Lets somebody do something.
    Grant,
    /// Takes something away.
    Ban,
}

/// Compares two policy directories from an instant on: all servers, or these.
///
/// # Errors
///
/// If the exact comparison contradicts the decision: then there is nothing to rely on.
pub fn diff(old: &Side, new: &Side, at: Timestamp, only: &[String]) -> Result<Diff, Disagreement> {
    let found = exact::compare(&old.set, &new.set, at)?;
    let wanted = |server: &str| only.is_empty() || only.iter().any(|name| name == server);
    let mut access: BTreeMap<Box<str>, Vec<Access>> = BTreeMap::new();
    for change in found.changes {
        let rules = |side: &Side, ids: &[_]| -> Vec<Rule> {
            ids.iter().filter_map(|id| side.rule(*id)).collect()
        };
        let (old_rules, new_rules) = (rules(old, &change.old_rules), rules(new, &change.new_rules));
        let server = change.server.clone();
        access.entry(server).or_default().push(Access { change, old_rules, new_rules });
    }
    let renames = Renames::shared(old, new);
    let pair = Pair { old, new, at, renames, alone: Cell::new(shared::MOST_ALONE) };
    let shared = pair.shared_edits();
    let mut sections: Vec<Section> = vec![shared::section(&pair, &shared, &access)];
    for name in pair.server_names().into_iter().filter(|name| wanted(name)) {
        let access = access.remove(name).unwrap_or_default();
        sections.push(pair.server(name, &shared, access));
    }
    sections.retain(|section| !section.lines.is_empty() || !section.access.is_empty());
    for section in &mut sections {
        section.lines.sort_by_key(|line| (line.mark != Mark::Apart && !line.wider, line.mark));
    }
    sections.sort_by(|a, b| (a.verdict(), &a.server).cmp(&(b.verdict(), &b.server)));
    let servers = pair.server_names().into_iter().filter(|name| wanted(name)).count();
    Ok(Diff { at, servers, sections, always: always::invariants(new) })
}

/// Two sides, and what has only another name.
struct Pair<'p> {
    old: &'p Side,
    new: &'p Side,
    at: Timestamp,
    renames: Renames,
    /// How many more edits may be looked at alone.
    alone: Cell<usize>,
}

impl<'p> Pair<'p> {
    fn server_names(&self) -> Vec<&'p str> {
        let servers = [self.old, self.new].into_iter().flat_map(|side| side.set.servers());
        let mut names: Vec<_> = servers.map(|server| &*server.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn shared_edits(&self) -> Vec<Edit> {
        let files = ["groups.yaml", "guardrails.yaml", "reviews.yaml", "surfaces.yaml"];
        files.iter().flat_map(|path| self.edits(path)).collect()
    }

    fn edits(&self, path: &str) -> Vec<Edit> {
        edits::of_file(self.old, self.new, path, &self.renames)
    }

    /// One server.
    fn server(&self, name: &str, shared: &[Edit], access: Vec<Access>) -> Section {
        let both = [self.old.set.server(name), self.new.set.server(name)];
        let presence = match both {
            [Some(_), None] => Presence::Gone,
            [None, Some(_)] => Presence::New,
            [Some(_), Some(_)] | [None, None] => Presence::Both,
        };
        let edits = self.edits(&format!("servers/{name}.yaml"));
        let own = rules::Own { pair: self, name, both, edits: &edits, shared, access: &access };
        let mut lines = apart::lines(&own);
        lines.extend(reviews::lines(&own));
        lines.extend(access::lines(&own));
        lines.extend(rules::lines(&own));
        Section { server: Some(name.into()), presence, lines, access }
    }
}

// === impl Diff, Section ===

impl Diff {
    /// How it ends up.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.sections.iter().map(Section::verdict).min().unwrap_or(Verdict::Same)
    }

    /// Whether something became allowed, or might have: what `--deny-widening` refuses.
    #[must_use]
    pub fn is_wider(&self) -> bool {
        self.verdict() == Verdict::Wider
    }

    /// Whether nothing is decided differently.
    #[must_use]
    pub fn no_access_changes(&self) -> bool {
        self.sections.iter().all(|section| section.access.is_empty())
    }
}

impl Section {
    /// How it ends up.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let wider = self.access.iter().any(|access| access.change.direction.is_wider());
        if wider || self.lines.iter().any(|line| line.wider) {
            Verdict::Wider
        } else if !self.access.is_empty() {
            Verdict::Narrower
        } else if self.lines.iter().any(|line| line.mark != Mark::Nothing) {
            Verdict::Changed
        } else {
            Verdict::Same
        }
    }
}

impl Line {
    /// A line that needs no columns.
    fn new(mark: Mark, wider: bool, what: impl Into<String>) -> Self {
        Self {
            mark,
            wider,
            what: what.into(),
            place: String::new(),
            who: String::new(),
            because: Vec::new(),
            example: None,
        }
    }

    fn because(mut self, because: Vec<Cause>) -> Self {
        self.because = because;
        self
    }
}

// === Words ===

impl Mark {
    /// As it is printed.
    #[must_use]
    pub fn as_char(self) -> char {
        match self {
            Self::Apart => '!',
            Self::Wider => '+',
            Self::Changed => '~',
            Self::Narrower => '-',
            Self::Nothing => '=',
        }
    }
}

impl Verdict {
    /// As it is written in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

impl RuleKind {
    /// As it is called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Ban => "ban",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{file}:{}", self.line)
    }
}
