//! The matrix as one JSON document.

use serde_json::{Value, json as object};

use super::table::{Approval, Cell, Clause, Column, End, Matrix, Row, Section, Who};
use super::words;

/// The whole, exactly.
///
/// A cell is the list of its clauses, and an empty list is nobody. A clause's `who` is
/// `{"groups": [...]}`, `{"users": [...]}`, `"anyone"` or `"nobody signed in"`.
#[must_use]
pub fn json(matrix: &Matrix) -> Value {
    let Matrix { at, digest, sections } = matrix;
    object!({
        "v": 1,
        "at": at.to_string(),
        "policy": digest,
        "sections": sections.iter().map(section).collect::<Vec<_>>(),
    })
}

fn section(section: &Section) -> Value {
    let Section { server, title, environment, columns, rows, notes } = section;
    let column = |Column { name, kind }: &Column| object!({ "name": name, "kind": words::column_kind(*kind) });
    object!({
        "server": server,
        "title": title,
        "environment": environment,
        "places": columns.iter().map(column).collect::<Vec<_>>(),
        "items": rows.iter().map(row).collect::<Vec<_>>(),
        "notes": notes,
    })
}

fn row(row: &Row) -> Value {
    let Row { name, kind, effect, traits, limited, approval, cells } = row;
    let approval = approval.as_ref().map(|approval| match approval {
        Approval::Caller => object!("caller"),
        Approval::AnotherPerson => object!("another-person"),
        Approval::Groups(groups) => object!(groups),
    });
    let cell = |Cell { clauses }: &Cell| clauses.iter().map(clause).collect::<Vec<_>>();
    object!({
        "name": name,
        "kind": words::kind(*kind),
        "effect": effect.map(words::effect),
        "traits": traits.iter().map(|found| words::quality(*found)).collect::<Vec<_>>(),
        "limited": limited,
        "approval": approval,
        "cells": cells.iter().map(cell).collect::<Vec<_>>(),
    })
}

fn clause(clause: &Clause) -> Value {
    let Clause { who, also_in, not, not_users, scopes, limits, until, unknown_groups, remarks } =
        clause;
    let who = match who {
        Who::Groups(groups) => object!({ "groups": groups }),
        Who::Users(users) => object!({ "users": users }),
        Who::Anyone | Who::NobodySignedIn => object!(words::who_kind(who)),
    };
    object!({
        "who": who,
        "also_in": also_in,
        "not": not,
        "not_users": not_users,
        "scopes": scopes,
        "limits": limits,
        "until": until.map(|until| match until {
            End::LastDay(day) => object!({ "last_day": day.to_string() }),
            End::Until(at) => object!({ "until": at.to_string() }),
        }),
        "unknown_groups": unknown_groups,
        "remarks": remarks,
    })
}
