//! The blast radius: what one group, surface or service reaches, or each of them in turn.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json as object};

use super::csv;
use super::table::{
    Approval, Cell, Clause, Column, ColumnKind, ItemKind, Matrix, Row, Section, Who,
};
use super::text::clean;
use crate::policy::model::{Effect, Trait};

/// What somebody may get hold of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Membership in a group.
    Group,
    /// A surface, with its channels.
    Surface,
    /// A service.
    Service,
}

/// What one of them reaches, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The group, surface or service.
    pub name: String,
    /// Servers on which something is reached.
    pub servers: usize,
    /// Tools, resources and prompts, once for each environment.
    pub items: usize,
    /// Those that write.
    pub write: usize,
    /// Those that destroy.
    pub destructive: usize,
    /// Those that are sensitive.
    pub sensitive: usize,
    /// Those to which members agree when others call.
    pub approves: usize,
}

/// Every group, surface or service that the matrix names, sorted.
#[must_use]
pub fn names(matrix: &Matrix, by: By) -> Vec<String> {
    let mut names = BTreeSet::new();
    for section in &matrix.sections {
        match by {
            By::Group => section.rows.iter().for_each(|row| groups(row, &mut names)),
            By::Surface => names.extend(section.columns.iter().filter_map(surface)),
            By::Service => names.extend(section.columns.iter().filter_map(service)),
        }
    }
    names.into_iter().map(str::to_owned).collect()
}

fn groups<'m>(row: &'m Row, names: &mut BTreeSet<&'m str>) {
    for clause in row.cells.iter().flat_map(|cell| &cell.clauses) {
        names.extend(clause.groups());
    }
    names.extend(approvers(row).iter().map(String::as_str));
}

fn approvers(row: &Row) -> &[String] {
    match &row.approval {
        Some(Approval::Groups(groups)) => groups,
        Some(Approval::Caller | Approval::AnotherPerson) | None => &[],
    }
}

fn surface(column: &Column) -> Option<&str> {
    match column.kind {
        ColumnKind::Surface | ColumnKind::Channel => Some(column.place()),
        ColumnKind::Service => None,
    }
}

fn service(column: &Column) -> Option<&str> {
    (column.kind == ColumnKind::Service).then_some(&*column.name)
}

/// The part of the matrix that one of them reaches. For a group: what membership helps with, that
/// is the clauses that name it, and those for anyone that do not leave it out. Other groups may be
/// needed as well, and the clauses say which. What members agree to when others call is noted.
#[must_use]
pub fn reached(matrix: &Matrix, by: By, name: &str) -> Matrix {
    let Matrix { at, digest, sections } = matrix;
    let sections = sections.iter().filter_map(|section| section_reached(section, by, name));
    Matrix { at: *at, digest: digest.clone(), sections: sections.collect() }
}

fn section_reached(section: &Section, by: By, name: &str) -> Option<Section> {
    let Section { server, title, environment, columns, rows, notes } = section;
    let here = |column: &Column| match by {
        By::Group => true,
        By::Surface => surface(column) == Some(name),
        By::Service => service(column) == Some(name),
    };
    let helps = |clause: &&Clause| by != By::Group || helps(clause, name);
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let cells: Vec<Cell> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let clauses = row.clauses(index).iter().filter(|_| here(column)).filter(helps);
                Cell { clauses: clauses.cloned().collect() }
            })
            .collect();
        if cells.iter().any(|cell| !cell.is_nobody()) {
            let Row { name, kind, effect, traits, limited, approval, cells: _ } = row.clone();
            kept.push(Row { name, kind, effect, traits, limited, approval, cells });
        }
    }
    let mut notes = notes.clone();
    if by == By::Group {
        let approves = rows.iter().filter(|row| approvers(row).iter().any(|group| group == name));
        let names: Vec<_> = approves.map(|row| row.name.as_str()).collect();
        if !names.is_empty() {
            notes.push(format!("{name} agrees to calls of {}", names.join(", ")));
        } else if kept.is_empty() {
            return None;
        }
    } else if kept.is_empty() {
        return None;
    }
    let mut narrowed = Section {
        server: server.clone(),
        title: title.clone(),
        environment: environment.clone(),
        columns: columns.clone(),
        rows: kept,
        notes,
    };
    narrowed.keep_busy_columns();
    Some(narrowed)
}

/// Whether membership in the group helps with the clause.
fn helps(clause: &Clause, group: &str) -> bool {
    let Clause {
        who,
        also_in,
        not,
        not_users: _,
        scopes: _,
        limits: _,
        until: _,
        unknown_groups: _,
        remarks: _,
    } = clause;
    let names = |groups: &[String]| groups.iter().any(|name| name == group);
    if names(not) {
        return false;
    }
    match who {
        Who::Groups(groups) => names(groups) || names(also_in),
        Who::Anyone => also_in.is_empty() || names(also_in),
        Who::Users(_) => names(also_in),
        Who::NobodySignedIn => false,
    }
}

/// Each in turn, counted.
#[must_use]
pub fn reach(matrix: &Matrix, by: By) -> Vec<Reach> {
    names(matrix, by).into_iter().map(|name| counted(matrix, by, name)).collect()
}

fn counted(matrix: &Matrix, by: By, name: String) -> Reach {
    let reached = reached(matrix, by, &name);
    let busy = reached.sections.iter().filter(|section| !section.rows.is_empty());
    let servers: BTreeSet<_> = busy.map(|section| &section.server).collect();
    let rows = || reached.sections.iter().flat_map(|section| &section.rows);
    let items = || rows().filter(|row| row.kind != ItemKind::Looking);
    let with = |effect| items().filter(|row| row.effect == Some(effect)).count();
    let all = matrix.sections.iter().flat_map(|section| &section.rows);
    let approves = all.filter(|row| approvers(row).contains(&name));
    Reach {
        servers: servers.len(),
        items: items().count(),
        write: with(Effect::Write),
        destructive: with(Effect::Destructive),
        sensitive: items().filter(|row| row.traits.contains(&Trait::Sensitive)).count(),
        approves: if by == By::Group { approves.count() } else { 0 },
        name,
    }
}

// === impl By, Reach ===

impl By {
    /// Its word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Surface => "surface",
            Self::Service => "service",
        }
    }
}

const COUNTS: [&str; 6] = ["servers", "items", "write", "destructive", "sensitive", "approves"];

impl Reach {
    fn counts(&self) -> [usize; 6] {
        let Self { name: _, servers, items, write, destructive, sensitive, approves } = self;
        [*servers, *items, *write, *destructive, *sensitive, *approves]
    }
}

/// Text: one line for each.
#[must_use]
pub fn reach_text(by: By, all: &[Reach]) -> String {
    let width = |reach: &Reach| clean(&reach.name).chars().count();
    let width = all.iter().map(width).max().unwrap_or(0).max(by.as_str().len());
    let mut text = format!("{:<width$}", by.as_str());
    for word in COUNTS {
        let _ = write!(text, "  {word}");
    }
    text.push('\n');
    for reach in all {
        let _ = write!(text, "{:<width$}", clean(&reach.name));
        for (word, count) in COUNTS.into_iter().zip(reach.counts()) {
            let shown = if count == 0 { "-".to_owned() } else { count.to_string() };
            let _ = write!(text, "  {shown:>width$}", width = word.len());
        }
        text.push('\n');
    }
    text
}

/// Comma-separated values: one line for each.
#[must_use]
pub fn reach_csv(by: By, all: &[Reach]) -> String {
    let mut text = format!("{},{}\n", by.as_str(), COUNTS.join(","));
    for reach in all {
        csv::field(&mut text, &reach.name);
        for count in reach.counts() {
            let _ = write!(text, ",{count}");
        }
        text.push('\n');
    }
    text
}

/// One JSON document.
#[must_use]
pub fn reach_json(by: By, all: &[Reach]) -> Value {
    let one = |reach: &Reach| {
        let Reach { name, servers, items, write, destructive, sensitive, approves } = reach;
        object!({
            "name": name,
            "servers": servers,
            "items": items,
            "write": write,
            "destructive": destructive,
            "sensitive": sensitive,
            "approves": approves,
        })
    };
    object!({ "v": 1, "by": by.as_str(), "reach": all.iter().map(one).collect::<Vec<_>>() })
}
