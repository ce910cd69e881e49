//! The matrix for a terminal.

use std::fmt::Write as _;

use super::table::{Clause, Matrix, Row, Section};
use super::words::{self, MARKS};
use crate::policy::model::Effect;

/// The most that a column takes before its cells go on in the next line.
const WIDEST: usize = 30;
/// The same for the names of items: a longer one has a line for itself.
const LONGEST_NAME: usize = 32;
const GAP: &str = "  ";

/// A table for each section, no wider than `width` characters where names allow it.
#[must_use]
pub fn text(matrix: &Matrix, width: usize) -> String {
    let Matrix { at, digest, sections } = matrix;
    let short: String = digest.chars().take(12).collect();
    let mut text = format!("at {}, policy {short}\n", words::instant(*at));
    for section in sections {
        text.push('\n');
        Table::of(section).render(&mut text, width);
    }
    text
}

/// A section as lines of words, with its footnotes.
struct Table<'m> {
    section: &'m Section,
    /// Mark and condition, in the order in which they turn up.
    footnotes: Vec<(String, String)>,
    /// Name, effect, marks.
    heads: Vec<[String; 3]>,
    columns: Vec<Lines>,
}

/// A column: its name, and the lines of each of its cells.
struct Lines {
    name: String,
    cells: Vec<Vec<String>>,
    width: usize,
    nobody: bool,
}

impl<'m> Table<'m> {
    fn of(section: &'m Section) -> Self {
        let heads = section.rows.iter().map(|row| {
            let effect = match row.effect {
                None => "",
                Some(Effect::Read) => "read",
                Some(Effect::Write) => "write",
                Some(Effect::Destructive) => "destr",
            };
            [clean(&row.name), effect.to_owned(), words::marks(row)]
        });
        let mut table =
            Self { section, footnotes: Vec::new(), heads: heads.collect(), columns: Vec::new() };
        for (index, column) in section.columns.iter().enumerate() {
            let mut nobody = true;
            let mut cells = Vec::new();
            for row in &section.rows {
                nobody &= row.clauses(index).is_empty();
                cells.push(table.cell(row, index));
            }
            let name = clean(&column.name);
            let widest = cells.iter().flatten().map(|line| count(line)).max().unwrap_or(0);
            let width = widest.max(count(&name));
            table.columns.push(Lines { name, cells, width, nobody });
        }
        table
    }

    fn cell(&mut self, row: &Row, index: usize) -> Vec<String> {
        let clauses = row.clauses(index);
        if clauses.is_empty() {
            return vec!["-".to_owned()];
        }
        clauses.iter().flat_map(|clause| wrapped(&self.clause(clause))).collect()
    }

    fn clause(&mut self, clause: &Clause) -> String {
        let mut text = clean(&words::subject(clause));
        for condition in words::conditions(clause) {
            let mark = self.mark(clean(&condition));
            let _ = write!(text, " ^{mark}");
        }
        if let Some(until) = clause.until {
            let _ = write!(text, " {}", words::ends(until));
        }
        text
    }

    /// The footnote of a condition: the first letter of what it is about, if that is free.
    fn mark(&mut self, condition: String) -> String {
        if let Some((mark, _)) = self.footnotes.iter().find(|(_, known)| *known == condition) {
            return mark.clone();
        }
        let about = condition.strip_prefix("not ").unwrap_or(&condition);
        let first = about.chars().find(char::is_ascii_lowercase);
        let free =
            |letter: &char| !self.footnotes.iter().any(|(mark, _)| *mark == letter.to_string());
        let mark = match first.into_iter().chain('a'..='z').find(free) {
            Some(letter) => letter.to_string(),
            None => self.footnotes.len().to_string(),
        };
        self.footnotes.push((mark.clone(), condition));
        mark
    }

    fn render(&self, text: &mut String, width: usize) {
        let Section { server, title: _, environment, columns: _, rows, notes } = self.section;
        let marks: String = rows.iter().map(words::marks).collect();
        let legend = MARKS.iter().filter(|(mark, _)| marks.contains(*mark));
        let legend: String =
            legend.fold(String::new(), |text, (mark, word)| format!("{text}{GAP}{mark} {word}"));
        let heading = clean(&format!("{server}@{environment}"));
        let _ = writeln!(text, "{}", format!("{heading:<30}{legend}").trim_end());

        let widths = self.head_widths();
        let head = widths.iter().sum::<usize>() + 2 * GAP.len();
        let total: usize = self.columns.iter().map(|lines| lines.width + GAP.len()).sum();
        let fits = head + total <= width;
        let shown = self.columns.iter().filter(|lines| fits || !lines.nobody).collect::<Vec<_>>();
        for (index, block) in blocks(&shown, width.saturating_sub(head)).into_iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            self.block(text, widths, block);
        }
        let idle = self.columns.iter().filter(|lines| !fits && lines.nobody);
        let idle: Vec<_> = idle.map(|lines| lines.name.as_str()).collect();
        if !idle.is_empty() {
            let _ = writeln!(text, "nobody from {}", idle.join(", "));
        }
        self.notes(text, rows, notes);
    }

    fn notes(&self, text: &mut String, rows: &[Row], notes: &[String]) {
        for (mark, condition) in &self.footnotes {
            let _ = writeln!(text, "^{mark} {condition}");
        }
        for row in rows {
            if let Some(approval) = &row.approval {
                let approval = clean(&words::approval(approval));
                let _ = writeln!(text, "A  {}: {approval}", clean(&row.name));
            }
        }
        for note in notes {
            let _ = writeln!(text, "note: {}", clean(note));
        }
    }

    fn head_widths(&self) -> [usize; 3] {
        let mut widths = [0; 3];
        for head in &self.heads {
            for (width, word) in widths.iter_mut().zip(head) {
                *width = count(word).max(*width);
            }
        }
        let [name, effect, marks] = widths;
        [name.min(LONGEST_NAME), effect, marks]
    }

    /// The rows, with some of the columns.
    fn block(&self, text: &mut String, widths: [usize; 3], block: &[&Lines]) {
        let [name_width, effect_width, marks_width] = widths;
        let head = |name: &str, effect: &str, marks: &str| {
            format!("{name:<name_width$}{GAP}{effect:<effect_width$}{GAP}{marks:<marks_width$}")
        };
        if self.heads.is_empty() {
            return;
        }
        let names = block.iter().map(|lines| Some(lines.name.as_str()));
        push_line(text, head("", "", ""), block, names);
        for (index, [name, effect, marks]) in self.heads.iter().enumerate() {
            let mut name = name.as_str();
            if count(name) > name_width {
                let _ = writeln!(text, "{name}");
                name = "";
            }
            let cells: Vec<_> = block.iter().map(|lines| lines.cells.get(index)).collect();
            let height = cells.iter().flatten().map(|cell| cell.len()).max().unwrap_or(0).max(1);
            for line in 0..height {
                let head = if line == 0 { head(name, effect, marks) } else { head("", "", "") };
                let words = cells.iter().map(|cell| Some(cell.as_ref()?.get(line)?.as_str()));
                push_line(text, head, block, words);
            }
        }
    }
}

fn push_line<'a>(
    text: &mut String,
    mut line: String,
    block: &[&Lines],
    words: impl Iterator<Item = Option<&'a str>>,
) {
    for (lines, word) in block.iter().zip(words) {
        let width = lines.width;
        let _ = write!(line, "{GAP}{:<width$}", word.unwrap_or_default());
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Columns that fit beside each other; each block has at least one.
fn blocks<'a, 'l>(columns: &'a [&'l Lines], width: usize) -> Vec<&'a [&'l Lines]> {
    let mut blocks = Vec::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let mut used = 0;
        let fitting = rest.iter().take_while(|lines| {
            used += lines.width + GAP.len();
            used <= width
        });
        let (block, after) = rest.split_at(fitting.count().max(1));
        blocks.push(block);
        rest = after;
    }
    if blocks.is_empty() {
        blocks.push(&[][..]);
    }
    blocks
}

/// Lines of at most [`WIDEST`] characters, if names are not longer: broken after `|` and blanks,
/// with what goes on indented.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(['|', ' ']) {
        if count(line.trim_end()) + count(word.trim_end()) > WIDEST && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            line.clear();
            line.push_str(GAP);
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
    lines
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// What a terminal would act on is written out.
pub(super) fn clean(text: &str) -> String {
    let escape =
        |c: char| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}
