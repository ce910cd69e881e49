//! The matrix as Markdown tables (GitHub's dialect), for wikis and pull requests.

use std::fmt::Write as _;

use super::table::{Clause, Matrix, Row, Section};
use super::words;

/// A heading and a table for each section.
#[must_use]
pub fn markdown(matrix: &Matrix) -> String {
    let Matrix { at, digest, sections } = matrix;
    let mut text = String::from("# Who may call what\n");
    let _ = writeln!(text, "\nAt {}, policy `{}`.", words::instant(*at), escaped(digest));
    for one in sections {
        section(&mut text, one);
    }
    text
}

fn section(text: &mut String, section: &Section) {
    let Section { server, title, environment, columns: _, rows, notes } = section;
    let _ = write!(text, "\n## {}@{}", escaped(server), escaped(environment));
    if let Some(title) = title {
        let _ = write!(text, ": {}", escaped(title));
    }
    text.push_str("\n\n");
    let (busy, idle) = section.busy();
    text.push_str("| item | effect |");
    for (_, column) in &busy {
        let _ = write!(text, " {} |", escaped(&column.name));
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" --- |".repeat(busy.len()));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| {} | {} |", escaped(&row.name), about(row));
        for (index, _) in &busy {
            let clauses: Vec<_> = row.clauses(*index).iter().map(clause).collect();
            let cell = if clauses.is_empty() { "–".to_owned() } else { clauses.join("<br>") };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    if !idle.is_empty() {
        let names: Vec<_> = idle.into_iter().map(escaped).collect();
        let _ = writeln!(text, "\nNobody from {}.", names.join(", "));
    }
    for note in notes {
        let _ = writeln!(text, "\n{}", escaped(note));
    }
}

/// Effect, traits, limits and approval of a row.
fn about(row: &Row) -> String {
    let Row { name: _, kind, effect, traits, limited, approval, cells: _ } = row;
    let mut words: Vec<_> = effect.map(words::effect).into_iter().map(str::to_owned).collect();
    words.extend(traits.iter().map(|found| words::quality(*found).to_owned()));
    if *limited {
        words.push("limits".to_owned());
    }
    if let Some(approval) = approval {
        words.push(format!("approval: {}", escaped(&words::approval(approval))));
    }
    match kind {
        super::ItemKind::Resource | super::ItemKind::Prompt => {
            words.insert(0, words::kind(*kind).to_owned());
        }
        super::ItemKind::Tool | super::ItemKind::Looking => {}
    }
    words.join(", ")
}

fn clause(clause: &Clause) -> String {
    let mut words = vec![escaped(&words::subject(clause))];
    words.extend(words::conditions(clause).iter().map(|condition| escaped(condition)));
    words.extend(clause.until.map(words::ends));
    words.join(", ")
}

/// Text that is text: no markup, no HTML, no link, no mention, and one line.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            // A bare URL or `www.` would become a link.
            ':' if rest.peek() == Some(&'/') => out.push_str("&#58;"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
