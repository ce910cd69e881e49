//! The matrix as comma-separated values (RFC 4180), for spreadsheets and `grep`: one line for
//! each clause of each cell, and one for each item that nobody may use.

use super::table::{Clause, Matrix, Row, Section};
use super::words;

const HEADER: [&str; 17] = [
    "server",
    "environment",
    "item",
    "kind",
    "effect",
    "marks",
    "place",
    "who_kind",
    "who",
    "also_in",
    "not",
    "limits",
    "until",
    "unknown_groups",
    "remarks",
    "approval",
    "scopes",
];

/// One line for each clause, below a line of names.
#[must_use]
pub fn csv(matrix: &Matrix) -> String {
    let Matrix { at: _, digest: _, sections } = matrix;
    let mut text = String::new();
    line(&mut text, &HEADER);
    for section in sections {
        let Section { server, title: _, environment, columns, rows, notes: _ } = section;
        for row in rows {
            let about = About { server, environment, row };
            let mut nobody = true;
            for (index, column) in columns.iter().enumerate() {
                for clause in row.clauses(index) {
                    nobody = false;
                    about.line(&mut text, &column.name, Some(clause));
                }
            }
            if nobody {
                about.line(&mut text, "", None);
            }
        }
    }
    text
}

struct About<'m> {
    server: &'m str,
    environment: &'m str,
    row: &'m Row,
}

impl About<'_> {
    fn line(&self, text: &mut String, place: &str, clause: Option<&Clause>) {
        let Row { name, kind, effect, traits: _, limited: _, approval, cells: _ } = self.row;
        let marks = words::marks(self.row);
        let approval = approval.as_ref().map(words::approval).unwrap_or_default();
        let [who_kind, who, also_in, not, scopes, limits, until, unknown_groups, remarks] =
            match clause {
                None => ["nobody", "", "", "", "", "", "", "", ""].map(str::to_owned),
                Some(Clause {
                    who,
                    also_in,
                    not,
                    not_users,
                    scopes,
                    limits,
                    until,
                    unknown_groups,
                    remarks,
                }) => [
                    words::who_kind(who).to_owned(),
                    words::who(who).join("|"),
                    also_in.join("|"),
                    [not.as_slice(), not_users].concat().join("|"),
                    scopes.join(" "),
                    limits.join("; "),
                    until.map(words::end).unwrap_or_default(),
                    if *unknown_groups { "yes" } else { "no" }.to_owned(),
                    remarks.join("; "),
                ],
            };
        line(
            text,
            &[
                self.server,
                self.environment,
                name,
                words::kind(*kind),
                effect.map(words::effect).unwrap_or_default(),
                &marks,
                place,
                &who_kind,
                &who,
                &also_in,
                &not,
                &limits,
                &until,
                &unknown_groups,
                &remarks,
                &approval,
                &scopes,
            ],
        );
    }
}

fn line(text: &mut String, fields: &[&str; HEADER.len()]) {
    for (index, value) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        field(text, value);
    }
    text.push('\n');
}

/// Characters with which spreadsheets begin a formula, their full-width forms included. An
/// apostrophe before them makes it text; so it does before itself, so that it is known what was
/// there.
const FORMULA: [char; 12] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A value. What is not plain is quoted, a semicolon and a tab, too: some spreadsheets take them
/// for the end of a value.
pub(super) fn field(text: &mut String, value: &str) {
    let formula = value.trim_start_matches(' ').starts_with(FORMULA);
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-./:|@$*".contains(c);
    if !formula && value.chars().all(plain) {
        text.push_str(value);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}
