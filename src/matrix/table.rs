//! The table: what renderers are given. Names and words only; what is exact about it is settled
//! before.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::policy::model::{Effect, Trait};

/// Who may call what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// The instant that it holds for.
    pub at: Timestamp,
    /// The policy digest.
    pub digest: String,
    /// One table for each server and environment, in the order to show.
    pub sections: Vec<Section>,
}

/// One server in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The server's name.
    pub server: String,
    /// The title that its file gives it; decides nothing.
    pub title: Option<String>,
    /// The environment's name.
    pub environment: String,
    /// Places, in the order to show.
    pub columns: Vec<Column>,
    /// What the server offers.
    pub rows: Vec<Row>,
    /// What is worth knowing about the whole, such as a review that is missing.
    pub notes: Vec<String>,
}

/// Where callers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// `ai-chat`, `chat-bot/help`, `nightly-lineage`
    pub name: String,
    /// What the place is.
    pub kind: ColumnKind,
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A surface, or all of its channels that the rules treat alike.
    Surface,
    /// A channel of a surface.
    Channel,
    /// A workload that acts without a person.
    Service,
}

/// What somebody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, or the pattern of a resource.
    pub name: String,
    /// What it is.
    pub kind: ItemKind,
    /// What using it does; `None` for looking around.
    pub effect: Option<Effect>,
    /// What else the review found.
    pub traits: Vec<Trait>,
    /// Whether its arguments are limited, whoever calls.
    pub limited: bool,
    /// Who must agree to each call.
    pub approval: Option<Approval>,
    /// One for each column of the section, in their order.
    pub cells: Vec<Cell>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// Opening a session, lists, streams.
    Looking,
    /// A tool.
    Tool,
    /// A resource, or all below a path.
    Resource,
    /// A prompt.
    Prompt,
}

/// Who must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The caller confirms.
    Caller,
    /// Somebody else.
    AnotherPerson,
    /// Somebody else, from one of these groups.
    Groups(Vec<String>),
}

/// Who may use the row's item from the column's place: all clauses add up, none is nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Sorted by the caller.
    pub clauses: Vec<Clause>,
}

/// Some of those who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Whom it is about.
    pub who: Who,
    /// In one of these groups, too; empty if nothing else is asked for.
    pub also_in: Vec<String>,
    /// In none of these groups: left out by the grant, or banned.
    pub not: Vec<String>,
    /// None of these users, as `issuer:subject`.
    pub not_users: Vec<String>,
    /// The OAuth scopes that the token must have, all of them.
    pub scopes: Vec<String>,
    /// What the grant asks of the arguments, beyond the item's own limits.
    pub limits: Vec<String>,
    /// When it ends.
    pub until: Option<End>,
    /// Whether people whose token does not say which groups they are in are among them.
    pub unknown_groups: bool,
    /// Anything else, such as a ban on trial or a shadow.
    pub remarks: Vec<String>,
}

/// Whom a clause is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// People in one of these groups.
    Groups(Vec<String>),
    /// Everybody who is signed in.
    Anyone,
    /// Named people, as `issuer:subject`.
    Users(Vec<String>),
    /// The service of the column itself, or whoever opens a session before signing in.
    NobodySignedIn,
}

/// When a clause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this UTC day.
    LastDay(Date),
    /// At this instant, which is not part of it.
    Until(Timestamp),
}

// === impl Section, Column, Row, Cell, Clause ===

impl Section {
    /// The columns from which somebody may use something, by their places in the rows, and the
    /// others by name.
    pub(super) fn busy(&self) -> (Vec<(usize, &Column)>, Vec<&str>) {
        let (mut busy, mut idle) = (Vec::new(), Vec::new());
        for (index, column) in self.columns.iter().enumerate() {
            let used = |row: &Row| row.cells.get(index).is_some_and(|cell| !cell.is_nobody());
            if self.rows.iter().any(used) {
                busy.push((index, column));
            } else {
                idle.push(column.name.as_str());
            }
        }
        (busy, idle)
    }
}

impl Section {
    /// Leaves out the columns from which nobody may use anything.
    pub(super) fn keep_busy_columns(&mut self) {
        let busy: Vec<usize> = self.busy().0.into_iter().map(|(index, _)| index).collect();
        let keep = |index: &usize| busy.binary_search(index).is_ok();
        let mut indices = 0..;
        self.columns.retain(|_| indices.next().as_ref().is_some_and(keep));
        for row in &mut self.rows {
            let mut indices = 0..;
            row.cells.retain(|_| indices.next().as_ref().is_some_and(keep));
        }
    }
}

impl Column {
    /// The surface or service.
    pub(super) fn place(&self) -> &str {
        match self.kind {
            ColumnKind::Surface | ColumnKind::Service => &self.name,
            ColumnKind::Channel => {
                self.name.split_once('/').map_or(&*self.name, |(place, _)| place)
            }
        }
    }
}

impl Row {
    /// The cell below a column. Nobody, if there is none.
    pub(super) fn clauses(&self, column: usize) -> &[Clause] {
        self.cells.get(column).map_or(&[], |cell| &cell.clauses)
    }
}

impl Cell {
    /// Nobody may.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.clauses.is_empty()
    }
}

impl Clause {
    /// Every group that it names.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        let Self {
            who,
            also_in,
            not,
            not_users: _,
            scopes: _,
            limits: _,
            until: _,
            unknown_groups: _,
            remarks: _,
        } = self;
        let groups = match who {
            Who::Groups(groups) => groups.as_slice(),
            Who::Anyone | Who::Users(_) | Who::NobodySignedIn => &[],
        };
        groups.iter().chain(also_in).chain(not).map(String::as_str)
    }

    /// A clause without any condition beyond whom it is about.
    #[must_use]
    pub fn of(who: Who) -> Self {
        let unknown_groups = matches!(who, Who::Anyone | Who::Users(_));
        Self {
            who,
            also_in: Vec::new(),
            not: Vec::new(),
            not_users: Vec::new(),
            scopes: Vec::new(),
            limits: Vec::new(),
            until: None,
            unknown_groups,
            remarks: Vec::new(),
        }
    }
}
