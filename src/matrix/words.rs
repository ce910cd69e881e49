//! The words that the formats share.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::table::{Approval, Clause, ColumnKind, End, ItemKind, Row, Who};
use crate::policy::model::{Effect, Trait};

/// An instant, for people.
pub(super) fn instant(at: Timestamp) -> String {
    let whole_minute = at.subsec_nanosecond() == 0 && at.as_second() % 60 == 0;
    let format = if whole_minute { "%Y-%m-%d %H:%M UTC" } else { "%Y-%m-%d %H:%M:%S%.f UTC" };
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// When a clause ends, for programs: a day that is part of it, or an instant that is not.
pub(super) fn end(end: End) -> String {
    match end {
        End::LastDay(day) => day.to_string(),
        End::Until(at) => at.to_string(),
    }
}

/// What ends a clause, as a condition.
pub(super) fn ends(until: End) -> String {
    match until {
        End::LastDay(day) => format!("to {day}"),
        End::Until(at) => format!("until {}", instant(at)),
    }
}

pub(super) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Destructive => "destructive",
    }
}

pub(super) fn quality(found: Trait) -> &'static str {
    match found {
        Trait::Sensitive => "sensitive",
        Trait::External => "external",
        Trait::Costly => "costly",
    }
}

pub(super) fn kind(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Looking => "looking",
        ItemKind::Tool => "tool",
        ItemKind::Resource => "resource",
        ItemKind::Prompt => "prompt",
    }
}

pub(super) fn column_kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Surface => "surface",
        ColumnKind::Channel => "channel",
        ColumnKind::Service => "service",
    }
}

/// Who must agree, after "approval: ".
pub(super) fn approval(approval: &Approval) -> String {
    match approval {
        Approval::Caller => "the caller".to_owned(),
        Approval::AnotherPerson => "another person".to_owned(),
        Approval::Groups(groups) => groups.join("|"),
    }
}

/// Marks of a row: a letter, and what it stands for.
pub(super) const MARKS: [(char, &str); 5] =
    [('L', "limits"), ('S', "sensitive"), ('X', "external"), ('$', "costly"), ('A', "approval")];

/// The marks that a row carries, in the order of [`MARKS`].
pub(super) fn marks(row: &Row) -> String {
    let carries = |mark: char| match mark {
        'L' => row.limited,
        'S' => row.traits.contains(&Trait::Sensitive),
        'X' => row.traits.contains(&Trait::External),
        '$' => row.traits.contains(&Trait::Costly),
        _ => row.approval.is_some(),
    };
    MARKS.iter().map(|(mark, _)| *mark).filter(|mark| carries(*mark)).collect()
}

/// Whom a clause is about, without its conditions: the alternatives, and the further groups of
/// which one is needed.
pub(super) fn who(who: &Who) -> Vec<&str> {
    match who {
        Who::Groups(names) | Who::Users(names) => names.iter().map(String::as_str).collect(),
        Who::Anyone => vec!["anyone signed in"],
        Who::NobodySignedIn => vec!["yes"],
    }
}

pub(super) fn who_kind(who: &Who) -> &'static str {
    match who {
        Who::Groups(_) => "groups",
        Who::Anyone => "anyone",
        Who::Users(_) => "users",
        Who::NobodySignedIn => "nobody signed in",
    }
}

/// `ads-eng|infra & data-trained & scope:revenue`
pub(super) fn subject(clause: &Clause) -> String {
    let mut text = who(&clause.who).join("|");
    if !clause.also_in.is_empty() {
        text.push_str(" & ");
        text.push_str(&clause.also_in.join("|"));
    }
    for scope in &clause.scopes {
        text.push_str(" & scope:");
        text.push_str(scope);
    }
    text
}

/// What else a clause asks for, apart from its end.
pub(super) fn conditions(clause: &Clause) -> Vec<String> {
    let Clause {
        who,
        also_in,
        not: _,
        not_users: _,
        scopes: _,
        limits,
        until: _,
        unknown_groups,
        remarks,
    } = clause;
    let mut words = Vec::new();
    words.extend(left_out(clause));
    words.extend(limits.iter().map(|limit| format!("only {limit}")));
    words.extend(known_groups(who, also_in, *unknown_groups));
    words.extend(remarks.iter().cloned());
    words
}

/// Who is left out, groups before users.
pub(super) fn left_out(clause: &Clause) -> Option<String> {
    let names: Vec<_> =
        clause.not.iter().chain(&clause.not_users).map(|name| format!("not {name}")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A clause that does not look at groups, but refuses people whose groups are unknown: what is
/// unknown matches a ban.
pub(super) fn known_groups(who: &Who, also_in: &[String], unknown_groups: bool) -> Option<String> {
    let surprising = match who {
        Who::Anyone | Who::Users(_) => !unknown_groups && also_in.is_empty(),
        Who::Groups(_) | Who::NobodySignedIn => false,
    };
    surprising.then(|| "groups must be known".to_owned())
}
