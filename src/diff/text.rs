//! A diff as text for people.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{Cause, Diff, Line, Section, Verdict};

/// How wide the first columns may become: beyond, a line goes its own way.
const WIDEST: usize = 40;

/// A section for each server, and a line or two for each difference.
#[must_use]
pub fn text(diff: &Diff) -> String {
    let mut out = String::new();
    for folded in folded(diff) {
        // Writing to a string does not fail.
        writeln!(out, "{}", folded.heading()).ok();
        for line in &folded.lines {
            writeln!(out, "  {line}").ok();
        }
        out.push('\n');
    }
    if let Some(always) = diff.always.line() {
        writeln!(out, "{always}").ok();
        for broken in &diff.always.broken {
            writeln!(out, "  {}", plain(broken)).ok();
        }
    }
    out.push_str(&closing(diff));
    out.push('\n');
    out
}

/// Sections of which the same is said: one ban may change a thousand servers.
pub(super) struct Folded<'d> {
    pub(super) first: &'d Section,
    servers: Vec<&'d str>,
    pub(super) lines: Vec<String>,
}

/// The sections, in their order, each kind once.
pub(super) fn folded(diff: &Diff) -> Vec<Folded<'_>> {
    let mut known = HashMap::new();
    let mut all: Vec<Folded<'_>> = Vec::new();
    for section in &diff.sections {
        let lines = lines(&section.lines);
        let is_shared = section.server.is_none();
        let key = (is_shared, verdict(section), section.presence, lines.clone());
        let index = *known.entry(key).or_insert(all.len());
        match all.get_mut(index) {
            Some(folded) => folded.servers.push(name(section)),
            None => all.push(Folded { first: section, servers: vec![name(section)], lines }),
        }
    }
    all
}

impl Folded<'_> {
    /// `presto, spark and 98 more`
    pub(super) fn names(&self) -> String {
        const MOST: usize = 5;
        let named = self.servers.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
        match self.servers.len().saturating_sub(MOST) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    fn heading(&self) -> String {
        format!("{}  {}", self.names(), verdict(self.first)).trim_end().to_owned()
    }
}

/// The whole, in one line.
pub(super) fn closing(diff: &Diff) -> String {
    let count = |verdict: Verdict| {
        let is = |section: &&Section| section.verdict() == verdict && section.server.is_some();
        diff.sections.iter().filter(is).count()
    };
    let servers = match diff.servers {
        1 => "1 server".to_owned(),
        count => format!("{count} servers"),
    };
    if diff.no_access_changes() {
        let beside = match diff.verdict() {
            Verdict::Wider => ", and something beside access that counts as wider",
            Verdict::Narrower | Verdict::Changed | Verdict::Same => "",
        };
        return format!("No access change on {servers}{beside}.");
    }
    let (wider, narrower) = (count(Verdict::Wider), count(Verdict::Narrower));
    format!("Access: wider on {wider}, narrower on {narrower} of {servers}.")
}

fn name(section: &Section) -> &str {
    section.server.as_deref().unwrap_or("all servers")
}

pub(super) fn verdict(section: &Section) -> &'static str {
    match section.verdict() {
        Verdict::Wider => "WIDER",
        Verdict::Narrower => "NARROWER",
        // What all share changes access on servers, and they say so.
        Verdict::Changed | Verdict::Same if section.server.is_none() => "",
        Verdict::Changed | Verdict::Same => "no access change",
    }
}

/// The lines of a section, in columns. A name with a line feed does not make another line: on a
/// terminal it could say what is not so, and in a workflow's log be a command.
fn lines(lines: &[Line]) -> Vec<String> {
    let width = |of: fn(&Line) -> &str| {
        let columned = lines.iter().filter(|line| is_columned(line));
        columned.map(|line| of(line).chars().count()).filter(|width| *width <= WIDEST).max()
    };
    let (items, places) =
        (width(|line| &line.what).unwrap_or(0), width(|line| &line.place).unwrap_or(0));
    let mut out = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Line { mark, wider: _, what, place, who, because, example } = line;
        let mut text = if is_columned(line) {
            format!("{} {what:<items$}  {place:<places$}  {who}", mark.as_char())
        } else if who.is_empty() {
            format!("{} {what}", mark.as_char())
        } else {
            format!("{} {what}; {who}", mark.as_char())
        };
        text.truncate(text.trim_end().len());
        let own_place = match because.as_slice() {
            [Cause { text, origin: Some(origin) }] if text.is_empty() => Some(origin),
            _ => None,
        };
        if let Some(origin) = own_place {
            text = format!("{text}  {origin}");
        }
        out.push(text);
        // Two lines in a row for the same reason say it once.
        let next = lines.get(index + 1);
        if next.is_some_and(|next| next.because == *because && next.example == *example) {
            continue;
        }
        let indent = " ".repeat(6);
        for Cause { text, origin } in because.iter().filter(|_| own_place.is_none()) {
            let origin = origin.as_ref().map(|origin| format!("  {origin}")).unwrap_or_default();
            out.push(format!("{indent}because {text}{origin}"));
        }
        if let Some(example) = example {
            out.push(format!("{indent}e.g. {example}"));
        }
    }
    out.iter().map(|line| plain(line)).collect()
}

/// One line stays one line.
fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn is_columned(line: &Line) -> bool {
    !line.place.is_empty()
}
