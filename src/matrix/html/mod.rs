//! The matrix as one page that stands alone: no request leaves it, nothing but its own script and
//! style runs, and everything that the policies say is text.

mod section;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::table::{Clause, ColumnKind, Matrix, Row, Section};
use super::words;
use crate::policy::model::{Effect, Trait};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
#[must_use]
pub fn html(matrix: &Matrix) -> String {
    let index = Index::of(matrix);
    let mut page = String::new();
    for part in PAGE.split("{{") {
        let Some((slot, rest)) = part.split_once("}}") else {
            page.push_str(part);
            continue;
        };
        fill(&mut page, slot, matrix, &index);
        page.push_str(rest);
    }
    page
}

fn fill(page: &mut String, slot: &str, matrix: &Matrix, index: &Index<'_>) {
    match slot {
        "csp" => page.push_str(&content_security_policy()),
        "css" => page.push_str(STYLE),
        "js" => page.push_str(SCRIPT),
        "as-of" => as_of(page, matrix),
        "totals" => totals(page, matrix),
        "groups" => options(page, index.groups.iter().map(|(name, id)| (*name, *id))),
        "places" => index.places(page),
        "sections" => {
            for (number, section) in matrix.sections.iter().enumerate() {
                section::render(page, number, section, index);
            }
        }
        // The page's own text; a test knows every slot.
        other => page.push_str(other),
    }
}

/// What the page may do: run this script, use this style, and nothing else.
fn content_security_policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn as_of(page: &mut String, matrix: &Matrix) {
    let Matrix { at, digest, sections: _ } = matrix;
    let short: String = digest.chars().take(12).collect();
    let _ = write!(
        page,
        "<time datetime=\"{at}\">{}</time>, policy <code title=\"{}\">{}</code>",
        words::instant(*at),
        Escaped(digest),
        Escaped(&short)
    );
}

fn totals(page: &mut String, matrix: &Matrix) {
    let mut servers: Vec<_> = matrix.sections.iter().map(|section| &section.server).collect();
    servers.sort_unstable();
    servers.dedup();
    let rows = || matrix.sections.iter().flat_map(|section| &section.rows);
    let destructive = rows().filter(|row| row.effect == Some(Effect::Destructive)).count();
    let sensitive = rows().filter(|row| row.traits.contains(&Trait::Sensitive)).count();
    let totals = [
        (servers.len(), if servers.len() == 1 { "server" } else { "servers" }),
        (rows().count(), "items"),
        (destructive, "destructive"),
        (sensitive, "sensitive"),
    ];
    for (number, word) in totals {
        let _ = write!(page, "<li><b>{number}</b> {word}</li>");
    }
}

fn options<'n>(page: &mut String, names: impl Iterator<Item = (&'n str, usize)>) {
    for (name, id) in names {
        let _ = write!(page, "<option value=\"{id}\">{}</option>", Escaped(name));
    }
}

/// Numbers of groups and places: short, and free of whatever names hold.
struct Index<'m> {
    groups: BTreeMap<&'m str, usize>,
    places: BTreeMap<&'m str, (usize, ColumnKind)>,
}

impl<'m> Index<'m> {
    fn of(matrix: &'m Matrix) -> Self {
        let mut index = Self { groups: BTreeMap::new(), places: BTreeMap::new() };
        for section in &matrix.sections {
            let Section { server: _, title: _, environment: _, columns, rows, notes: _ } = section;
            for column in columns {
                index.places.entry(&column.name).or_insert((0, column.kind));
            }
            let clauses =
                rows.iter().flat_map(|row: &Row| &row.cells).flat_map(|cell| &cell.clauses);
            for name in clauses.flat_map(Clause::groups) {
                index.groups.insert(name, 0);
            }
        }
        for (number, id) in index.groups.values_mut().enumerate() {
            *id = number;
        }
        for (number, (id, _)) in index.places.values_mut().enumerate() {
            *id = number;
        }
        index
    }

    fn places(&self, page: &mut String) {
        let kinds = [
            ("Surfaces", &[ColumnKind::Surface, ColumnKind::Channel][..]),
            ("Services", &[ColumnKind::Service][..]),
        ];
        for (label, kinds) in kinds {
            let of_kind = self.places.iter().filter(|(_, (_, kind))| kinds.contains(kind));
            let names: Vec<_> = of_kind.map(|(name, (id, _))| (*name, *id)).collect();
            if !names.is_empty() {
                let _ = write!(page, "<optgroup label=\"{label}\">");
                options(page, names.into_iter());
                page.push_str("</optgroup>");
            }
        }
    }

    fn numbers<'a>(&self, names: impl Iterator<Item = &'a String>) -> String {
        let ids = names.filter_map(|name| self.groups.get(name.as_str()));
        ids.map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// Text as text, in an element or in an attribute between double quotes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
