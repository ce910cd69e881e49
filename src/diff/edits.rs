//! What differs between the texts of a file, entry by entry, beyond spelling and order.

use std::collections::BTreeSet;

use serde_json::Value;

use super::renames::{Renames, sorted};
use super::side::Side;
use super::{Cause, Origin, value};
use crate::yaml::{Key, Kind, Node};

/// Keys whose entries are named by people.
const NAMED: &[&str] = &[
    "bans",
    "environments",
    "grants",
    "groups",
    "prompts",
    "resources",
    "reviews",
    "services",
    "surfaces",
    "tools",
];

/// Keys that decide nothing, wherever they stand.
const DECIDE_NOTHING: &[&str] = &["about", "lint", "minutes_saved", "ticket", "toolgate"];

/// An entry that differs.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// The file's path inside the directory.
    pub(super) path: String,
    /// `grants`, or another key at the top of a file.
    pub(super) block: String,
    /// The entry's name; empty for a key that has no named entries.
    pub(super) name: String,
    pub(super) state: State,
    /// Where it stands: in the new file, unless it has gone.
    pub(super) origin: Option<Origin>,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Gone,
    Changed,
    /// It was called so, and says the same.
    Renamed(String),
}

/// What differs between the two versions of a file; nothing for a file that only one side has.
pub(super) fn of_file(old: &Side, new: &Side, path: &str, renames: &Renames) -> Vec<Edit> {
    let nothing =
        Node { span: crate::diagnostics::Span::default(), kind: Kind::Mapping(Vec::new()) };
    let (a, b) = match (old.node(path), new.node(path)) {
        (None, None) => return Vec::new(),
        // A server that is new or gone says so itself.
        (None, Some(_)) | (Some(_), None) if path.starts_with("servers/") => return Vec::new(),
        (a, b) => (a.unwrap_or(&nothing), b.unwrap_or(&nothing)),
    };
    if old.text(path) == new.text(path) && renames.is_empty() {
        return Vec::new();
    }
    let renames = &renames.with_sets(a, b);
    let mut edits = Vec::new();
    for block in keys(a, b) {
        let (old_block, new_block) = (a.entry(&block), b.entry(&block));
        if !NAMED.contains(&block.as_str()) {
            let edit = Edit::new(old, new, path, &block, "", [old_block, new_block], renames);
            edits.extend(edit);
            continue;
        }
        let old_block = old_block.map_or(&nothing, |(_, node)| node);
        let new_block = new_block.map_or(&nothing, |(_, node)| node);
        for name in keys(old_block, new_block) {
            if renames.is_other_name(&block, &name) {
                continue;
            }
            let both = [old_block.entry(&name), new_block.entry(&name)];
            edits.extend(Edit::new(old, new, path, &block, &name, both, renames));
        }
    }
    renamed(edits)
}

fn keys(old: &Node, new: &Node) -> BTreeSet<String> {
    old.entries().iter().chain(new.entries()).map(|(key, _)| key.text.clone()).collect()
}

/// Rules that went and came back under another name.
fn renamed(edits: Vec<Edit>) -> Vec<Edit> {
    let is_rule = |edit: &&Edit| edit.block == "grants" || edit.block == "bans";
    let content = |value: Option<&Value>| value.map(sorted);
    let mut dropped = BTreeSet::new();
    let mut names = Vec::new();
    for (index, new) in edits.iter().enumerate() {
        if new.state != State::New || !is_rule(&new) {
            continue;
        }
        let found = edits.iter().enumerate().find(|(at, old)| {
            old.state == State::Gone
                && old.block == new.block
                && !dropped.contains(at)
                && content(old.old.as_ref()) == content(new.new.as_ref())
        });
        if let Some((at, old)) = found {
            dropped.insert(at);
            names.push((index, old.name.clone()));
        }
    }
    let mut kept = Vec::new();
    for (index, mut edit) in edits.into_iter().enumerate() {
        if dropped.contains(&index) {
            continue;
        }
        if let Some((_, name)) = names.iter().find(|(at, _)| *at == index) {
            edit.state = State::Renamed(name.clone());
        }
        kept.push(edit);
    }
    kept
}

impl Edit {
    fn new(
        old: &Side,
        new: &Side,
        path: &str,
        block: &str,
        name: &str,
        [a, b]: [Option<(&Key, &Node)>; 2],
        renames: &Renames,
    ) -> Option<Self> {
        let key = if name.is_empty() { block } else { name };
        let old_value = a.map(|(_, node)| value::of(key, node, renames));
        let new_value = b.map(|(_, node)| value::of(key, node, &Renames::default()));
        if old_value.as_ref().map(sorted) == new_value.as_ref().map(sorted) {
            return None;
        }
        let state = match (a, b) {
            (None, Some(_)) => State::New,
            (Some(_), None) => State::Gone,
            (Some(_), Some(_)) | (None, None) => State::Changed,
        };
        let origin = match (a, b) {
            (_, Some((key, _))) => new.origin(path, key.span),
            (Some((key, _)), None) => old.origin(path, key.span),
            (None, None) => None,
        };
        Some(Self {
            path: path.to_owned(),
            block: block.to_owned(),
            name: name.to_owned(),
            state,
            origin,
            old: old_value,
            new: new_value,
        })
    }

    /// The values of a key on both sides.
    pub(super) fn key(&self, key: &str) -> [Option<&Value>; 2] {
        [self.old.as_ref(), self.new.as_ref()].map(|value| value.and_then(|value| value.get(key)))
    }

    /// Whether the values of a key differ.
    pub(super) fn changes(&self, key: &str) -> bool {
        let [old, new] = self.key(key);
        old.map(sorted) != new.map(sorted)
    }

    /// The keys that differ.
    pub(super) fn keys(&self) -> Vec<&str> {
        let objects = [self.old.as_ref(), self.new.as_ref()];
        let objects = objects.into_iter().flatten().filter_map(Value::as_object);
        let keys: BTreeSet<&str> =
            objects.flat_map(|object| object.keys().map(String::as_str)).collect();
        keys.into_iter().filter(|key| self.changes(key)).collect()
    }

    /// `grant revenue`
    pub(super) fn title(&self) -> String {
        let word = match self.block.as_str() {
            "bans" => "ban",
            "environments" => "environment",
            "grants" => "grant",
            "groups" => "group",
            "prompts" => "prompt",
            "resources" => "resource",
            "reviews" => "review",
            "services" => "service",
            "surfaces" => "surface",
            "tools" => "tool",
            other => return other.to_owned(),
        };
        format!("{word} {}", self.name)
    }

    /// `grant revenue: people + finance`, without the differences of some keys.
    pub(super) fn told(&self, except: &[&str]) -> String {
        let title = self.title();
        match &self.state {
            State::New if !self.name.is_empty() => format!("{title} (new)"),
            State::Gone if !self.name.is_empty() => format!("{title} removed"),
            State::Renamed(old) => format!("{title} (was {old})"),
            State::New | State::Gone | State::Changed => {
                let words = self.words(except).join("; ");
                let is_map = [&self.old, &self.new]
                    .iter()
                    .all(|side| side.as_ref().is_some_and(Value::is_object));
                // Without entries of its own, the words begin with the key.
                if self.name.is_empty() && !is_map { words } else { format!("{title}: {words}") }
            }
        }
    }

    /// As the cause of something.
    pub(super) fn cause(&self, except: &[&str]) -> Cause {
        Cause { text: self.told(except), origin: self.origin.clone() }
    }

    /// How many of its differences decide nothing.
    pub(super) fn deciding_nothing(&self) -> Vec<(&str, usize)> {
        if DECIDE_NOTHING.contains(&self.block.as_str()) {
            let words = value::differences("", self.old.as_ref(), self.new.as_ref());
            return vec![(&self.block, words.len())];
        }
        if self.state != State::Changed {
            return Vec::new();
        }
        let keys = self.keys().into_iter().filter(|key| DECIDE_NOTHING.contains(key));
        keys.map(|key| (key, 1)).collect()
    }

    /// What differs, but for what decides nothing and for these keys.
    pub(super) fn words(&self, except: &[&str]) -> Vec<String> {
        match (&self.old, &self.new) {
            (Some(Value::Object(_)), Some(Value::Object(_))) => {
                let keys = self.keys();
                let keys = keys
                    .into_iter()
                    .filter(|key| !DECIDE_NOTHING.contains(key) && !except.contains(key));
                keys.flat_map(|key| {
                    let [old, new] = self.key(key);
                    value::differences(key, old, new)
                })
                .collect()
            }
            (old, new) => value::differences(&self.block, old.as_ref(), new.as_ref()),
        }
    }
}
