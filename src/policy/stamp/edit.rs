//! Editing YAML where it stands, in the style that it is written in.

use super::Change;
use crate::yaml::{Key, Kind, Node, Plain};

/// Edits of one text: what is put where.
pub(super) struct Edits<'t> {
    text: &'t str,
    /// From, to, and what stands there afterwards.
    list: Vec<(usize, usize, String)>,
}

impl<'t> Edits<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Writes what a review covers.
    pub(super) fn stamp(&mut self, review: &Node, changes: &[&Change]) {
        let covers = entry(review, "covers");
        let mut missing = Vec::new();
        for change in changes {
            match covers.and_then(|(_, covers)| entry(covers, &change.server)) {
                Some((key, node)) => self.value(key, node, &format!("\"{}\"", change.digest)),
                None => missing.push(format!("{}: \"{}\"", quoted(&change.server), change.digest)),
            }
        }
        if missing.is_empty() {
            return;
        }
        match covers {
            Some((key, covers)) if !matches!(covers.kind, Kind::Mapping(_)) => {
                // `covers:` alone, or `covers: null`
                if self.is_flow(review) || !self.is_absent(covers) {
                    self.value(key, covers, &flow(&missing));
                } else {
                    let at = key.span.range().end;
                    self.lines(at, self.column(review) + 2, &missing);
                }
            }
            Some((_, covers)) => self.append(covers, &missing),
            None if self.is_flow(review) => {
                self.append(review, &[format!("covers: {}", flow(&missing))]);
            }
            None => {
                let mut lines = vec!["covers:".to_owned()];
                lines.extend(missing.iter().map(|entry| format!("  {entry}")));
                self.append(review, &lines);
            }
        }
    }

    /// Replaces a value. One that is not there stands behind its key's colon.
    fn value(&mut self, key: &Key, node: &Node, new: &str) {
        if self.is_absent(node) {
            let end = key.span.range().end;
            let colon = self.text.get(end..).and_then(|rest| rest.find(':')).unwrap_or_default();
            self.list.push((end + colon + 1, end + colon + 1, format!(" {new}")));
        } else {
            let range = node.span.range();
            self.list.push((range.start, range.end, new.to_owned()));
        }
    }

    /// Adds entries behind the last of a mapping.
    fn append(&mut self, mapping: &Node, new: &[String]) {
        let Some((key, last)) = entries(mapping).last() else {
            // Behind the brace, before any comment.
            let at = mapping.span.range().start + 1;
            self.list.push((at, at, format!(" {} ", new.join(", "))));
            return;
        };
        let end = if self.is_absent(last) { key.span.range().end } else { last.span.range().end };
        if self.is_flow(mapping) {
            self.list.push((end, end, format!(", {}", new.join(", "))));
        } else {
            self.lines(end, self.column(mapping), new);
        }
    }

    /// Adds lines below the one that a byte is in, as deep as the given column.
    fn lines(&mut self, at: usize, column: usize, new: &[String]) {
        // A block scalar ends with its line break.
        let at = self.text.get(..at).map_or(at, |before| before.trim_end().len());
        let rest = self.text.get(at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let (line, newline) = match line.strip_suffix('\r') {
            Some(line) => (line, "\r\n"),
            None => (line, "\n"),
        };
        let at = at + line.len();
        let start = format!("{newline}{}", " ".repeat(column));
        self.list.push((at, at, format!("{start}{}", new.join(&start))));
    }

    /// How deep a block mapping's keys stand.
    fn column(&self, mapping: &Node) -> usize {
        let first = entries(mapping).next().map(|(key, _)| key.span.range().start);
        let before = first.and_then(|start| self.text.get(..start)).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default().chars().count()
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text.get(node.span.range()).is_some_and(|text| text.starts_with('{'))
    }

    /// A key without a value.
    fn is_absent(&self, node: &Node) -> bool {
        matches!(node.kind, Kind::Plain(Plain::Null, _))
            && self.text.get(node.span.range()).is_none_or(str::is_empty)
    }

    /// The edited text.
    pub(super) fn apply(mut self) -> String {
        self.list.sort_by_key(|(from, ..)| std::cmp::Reverse(*from));
        let mut text = self.text.to_owned();
        for (from, to, new) in self.list {
            text.replace_range(from..to, &new);
        }
        text
    }
}

/// The entry of a mapping.
pub(super) fn entry<'n>(node: &'n Node, name: &str) -> Option<(&'n Key, &'n Node)> {
    entries(node).find(|(key, _)| key.text == name)
}

/// The entries of a mapping; what is none has none.
pub(super) fn entries(node: &Node) -> impl Iterator<Item = (&Key, &Node)> {
    let entries = match &node.kind {
        Kind::Mapping(entries) => entries.as_slice(),
        Kind::Text(_) | Kind::Plain(..) | Kind::Sequence(_) => &[],
    };
    entries.iter().map(|(key, node)| (key, node))
}

fn flow(entries: &[String]) -> String {
    format!("{{ {} }}", entries.join(", "))
}

/// A server's name as a key: one that YAML could take for something else stands in quotes.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain && !matches!(name, "null" | "true" | "false") {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}
