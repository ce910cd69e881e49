//! Taking a tree apart: keys that are known, keys that come later, values of a given type. Every
//! problem is noted and reading goes on, so that one run reports them all.

use std::collections::HashMap;
use std::ops::Deref;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Kind, Node, Plain};
use crate::diagnostics::{Code, Diagnostic, Place, SourceId, Span, did_you_mean};

/// Beyond so many problems nobody is told what may have been meant.
const MOST_GUESSES: usize = 200;

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// The keys a mapping may have.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Keys that are read.
    pub known: &'static [&'static str],
    /// Keys of the language that this version does not enforce: an error, never skipped.
    pub later: &'static [&'static str],
}

/// Reads the tree of one file.
#[derive(Debug)]
pub struct Reader<'p> {
    source: SourceId,
    problems: &'p mut Vec<Diagnostic>,
    broken: Vec<String>,
}

/// A mapping whose keys were checked.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n> {
    entries: &'n [(super::Key, Node)],
    /// Where the mapping stands.
    pub place: Place,
}

// === impl Spanned ===

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), place: self.place }
    }
}

// === impl Reader ===

impl<'p> Reader<'p> {
    /// A reader of a file's tree.
    pub fn new(source: SourceId, problems: &'p mut Vec<Diagnostic>) -> Self {
        Self { source, problems, broken: Vec::new() }
    }

    /// The place of a span in this file.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        Place { source: self.source, span }
    }

    /// Notes that a declared thing could not be read, so that what names it is not a second
    /// problem.
    pub fn declare_broken(&mut self, name: &str) {
        self.broken.push(name.to_owned());
    }

    /// The declared things that could not be read.
    #[must_use]
    pub fn into_broken(self) -> Vec<String> {
        self.broken
    }

    /// Notes a problem.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// How many problems have been noted so far.
    #[must_use]
    pub fn noted(&self) -> usize {
        self.problems.len()
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let found = match &node.kind {
            Kind::Text(_) => "a text",
            Kind::Plain(Plain::Null, _) => "nothing",
            Kind::Plain(Plain::Bool(_), _) => "a boolean",
            Kind::Plain(Plain::Float, _) if expected == "a whole number" => "another number",
            Kind::Plain(Plain::Integer | Plain::Float, _) => "a number",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        };
        let place = self.place(node.span);
        let message = format!("expected {expected}, found {found}");
        let mut diagnostic = Diagnostic::error(Code::WrongType, place, message);
        match &node.kind {
            Kind::Plain(Plain::Null, text) if text.is_empty() => {
                diagnostic = diagnostic.help("the file is empty: start it with `toolgate: 1`");
            }
            Kind::Plain(Plain::Null, _) => {
                diagnostic = diagnostic.help("write a value, or leave the key out");
            }
            Kind::Sequence(_) if expected == "a text" => {
                diagnostic = diagnostic.help("write one value, without `[` and `]`");
            }
            Kind::Text(_) | Kind::Plain(..) | Kind::Sequence(_) | Kind::Mapping(_) => {}
        }
        if let (Kind::Plain(plain, text), "a text") = (&node.kind, expected)
            && *plain != Plain::Null
        {
            diagnostic = diagnostic.help(format!("put it in quotes: \"{text}\""));
        }
        if let (Kind::Text(text), "a list") = (&node.kind, expected) {
            let bare = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@".contains(c));
            let item = if bare { text.clone() } else { format!("{text:?}") };
            diagnostic = diagnostic.help(format!("write `[{item}]`"));
        }
        self.report(diagnostic);
    }

    /// The node as a mapping whose keys are all in `keys`.
    pub fn fields<'n>(&mut self, node: &'n Node, keys: Keys) -> Option<Fields<'n>> {
        let Kind::Mapping(entries) = &node.kind else {
            self.wrong_type(node, "a mapping");
            return None;
        };
        for (key, _) in entries {
            let name = key.text.as_str();
            let place = self.place(key.span);
            if keys.known.contains(&name) {
                continue;
            }
            self.report(if keys.later.contains(&name) {
                Diagnostic::error(
                    Code::NotSupportedYet,
                    place,
                    format!("`{name}` is not supported yet"),
                )
                .help("remove it: this version would not enforce it")
            } else {
                // Each guess costs more than reading the key, and nobody reads hundreds.
                let guess = self.problems.len() < MOST_GUESSES;
                let near = guess.then(|| did_you_mean(name, keys.known.iter().copied())).flatten();
                Diagnostic::error(Code::UnknownKey, place, format!("unknown key `{name}`")).help(
                    match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("keys here: {}", keys.known.join(", ")),
                    },
                )
            });
        }
        Some(Fields { entries, place: self.place(node.span) })
    }

    /// The node as a mapping from names that the file chooses.
    pub fn entries<'n>(&mut self, node: &'n Node) -> Vec<(Spanned<&'n str>, &'n Node)> {
        let Kind::Mapping(entries) = &node.kind else {
            self.wrong_type(node, "a mapping");
            return Vec::new();
        };
        let spanned = |key: &'n super::Key| Spanned {
            value: key.text.as_str(),
            place: Place { source: self.source, span: key.span },
        };
        entries.iter().map(|(key, node)| (spanned(key), node)).collect()
    }

    /// The node as a list.
    pub fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        if let Kind::Sequence(items) = &node.kind {
            items
        } else {
            self.wrong_type(node, "a list");
            &[]
        }
    }

    /// The node as a list of texts, none of which stands twice.
    pub fn texts<'n>(&mut self, node: &'n Node) -> Vec<Spanned<&'n str>> {
        let mut texts: Vec<Spanned<&'n str>> = Vec::new();
        let mut seen: HashMap<&'n str, Place> = HashMap::new();
        for item in self.list(node) {
            let Some(text) = self.text(item) else {
                continue;
            };
            if let Some(first) = seen.get(text.value) {
                let message = format!("`{}` stands twice", text.value);
                let diagnostic = Diagnostic::error(Code::Repeated, text.place, message)
                    .related(*first, "first here")
                    .help("remove one of them");
                self.report(diagnostic);
            } else {
                seen.insert(text.value, text.place);
                texts.push(text);
            }
        }
        texts
    }

    /// The node as a text.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<Spanned<&'n str>> {
        if let Kind::Text(text) = &node.kind {
            Some(Spanned { value: text, place: self.place(node.span) })
        } else {
            self.wrong_type(node, "a text");
            None
        }
    }

    /// The node as a text that `parse` understands; `expected` says what it should be.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        node: &Node,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        let text = self.text(node)?;
        self.parse_text(text, expected, parse)
    }

    /// A text that `parse` understands; `expected` says what it should be.
    pub fn parse_text<T, E: std::fmt::Display>(
        &mut self,
        text: Spanned<&str>,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        match parse(text.value) {
            Ok(value) => Some(Spanned { value, place: text.place }),
            Err(error) => {
                let message = format!("`{}` is not {expected}", text.value);
                let diagnostic =
                    Diagnostic::error(Code::BadValue, text.place, message).label(error.to_string());
                self.report(diagnostic);
                None
            }
        }
    }

    /// The node as `true` or `false`.
    pub fn boolean(&mut self, node: &Node) -> Option<Spanned<bool>> {
        if let Kind::Plain(Plain::Bool(value), _) = node.kind {
            Some(Spanned { value, place: self.place(node.span) })
        } else {
            self.wrong_type(node, "`true` or `false`");
            None
        }
    }

    /// The node as a whole number in a range.
    pub fn integer(
        &mut self,
        node: &Node,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<Spanned<i64>> {
        let Kind::Plain(Plain::Integer, text) = &node.kind else {
            self.wrong_type(node, "a whole number");
            return None;
        };
        let place = self.place(node.span);
        let value = text.parse().ok().filter(|value| range.contains(value));
        if value.is_none() {
            let message = if range.start() == range.end() {
                format!("`{text}` is not {}, and nothing else is known here", range.start())
            } else {
                format!("`{text}` is not between {} and {}", range.start(), range.end())
            };
            self.report(Diagnostic::error(Code::BadValue, place, message));
        }
        value.map(|value| Spanned { value, place })
    }

    /// The node as a whole UTC day.
    pub fn date(&mut self, node: &Node) -> Option<Spanned<Date>> {
        let text = self.text(node)?;
        // jiff reads other forms too, and times and zones after the date; a day is a day.
        let form = |(at, byte): (usize, u8)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        if text.len() == 10 && text.bytes().enumerate().all(form) {
            self.parse_text(text, "a day of the calendar", |text| {
                text.parse::<Date>().map_err(|_| "no such day")
            })
        } else {
            self.parse_text(text, "a date like 2026-03-02", |_| Err("write year-month-day"))
        }
    }

    /// The node as an instant with an offset.
    pub fn instant(&mut self, node: &Node) -> Option<Spanned<Timestamp>> {
        self.parsed(node, "an instant like 2026-03-02T18:00:00Z", |text| {
            // jiff reads more than people agree on: other separators, weeks, zones in brackets.
            let shape: String =
                text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            let (time, offset) = shape.split_at_checked(16).unwrap_or((&shape, ""));
            let offset = offset.strip_prefix(":00").unwrap_or(offset);
            if time != "0000-00-00T00:00" || !matches!(offset, "Z" | "+00:00" | "-00:00") {
                return Err("write date, `T`, time and offset");
            }
            text.parse::<Timestamp>().map_err(|_| "no such instant")
        })
    }

    /// The value of a key that must be there.
    pub fn required<'n>(&mut self, fields: Fields<'n>, key: &str, cure: &str) -> Option<&'n Node> {
        let node = fields.get(key);
        if node.is_none() {
            let message = format!("`{key}` is missing");
            let start = fields.place.span.start;
            let place = Place { span: Span { start, end: start + 1 }, ..fields.place };
            self.report(Diagnostic::error(Code::MissingKey, place, message).help(cure));
        }
        node
    }
}

// === impl Fields ===

impl<'n> Fields<'n> {
    /// The value of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where a key stands.
    #[must_use]
    pub fn key_place(&self, key: &str) -> Option<Place> {
        let (name, _) = self.entries.iter().find(|(name, _)| name.text == key)?;
        Some(Place { source: self.place.source, span: name.span })
    }
}
