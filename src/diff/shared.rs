//! What differs in the files that all servers share, and what one edit alone does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edits::{Edit, State};
use super::rules::{deciding_nothing, ends_later, touches};
use super::{Access, Cause, Line, Mark, Pair, Presence, Section, value};
use crate::access;
use crate::policy::{self, Cores, PolicyFile, PolicyFiles};
use crate::yaml::{Kind, Node, Plain};

/// Looking at one edit alone means reading the policies again: not more of them than this, in
/// servers.
const MOST_SERVERS: usize = 200;

/// And not more often than this: it only adds words, and whoever writes the edits must not decide
/// how long a check takes.
pub(super) const MOST_ALONE: usize = 20;

pub(super) fn section(
    pair: &Pair<'_>,
    edits: &[Edit],
    access: &BTreeMap<Box<str>, Vec<Access>>,
) -> Section {
    let mut lines = Vec::new();
    for edit in edits {
        let line = match (edit.path.as_str(), edit.block.as_str()) {
            ("groups.yaml", "groups") => Some(group(pair, edit)),
            ("guardrails.yaml", "bans") => ban(pair, edit, access),
            ("guardrails.yaml", "environments") => Some(environment(edit)),
            ("guardrails.yaml", "approval") => Some(approval(edit)),
            ("reviews.yaml", "reviews") => review(edit),
            ("surfaces.yaml", _) if edit.block != "toolgate" => {
                Some(Line::new(Mark::Apart, false, edit.told(&[])))
            }
            _ => None,
        };
        lines.extend(line.map(|line| line.because(place_of(edit))));
    }
    lines.extend(deciding_nothing(edits));
    Section { server: None, presence: Presence::Both, lines, access: Vec::new() }
}

/// Only the place: the line itself says the rest.
pub(super) fn place_of(edit: &Edit) -> Vec<Cause> {
    let cause =
        |origin: &super::Origin| Cause { text: String::new(), origin: Some(origin.clone()) };
    edit.origin.iter().map(cause).collect()
}

/// Claims are compared as if they had nothing to do with each other. They do: a value that gets
/// listed stands for the group of its name no longer. So another claim counts as wider, unless
/// only values go that stand for nothing then.
fn group(pair: &Pair<'_>, edit: &Edit) -> Line {
    let claims = |value: Option<&Value>| -> Vec<String> {
        let claims = value.and_then(|value| value.get("claims")).and_then(Value::as_array);
        claims.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (old, new) = (claims(edit.old.as_ref()), claims(edit.new.as_ref()));
    let by_name = |value: &Option<Value>, claims: &[String]| value.is_some() && claims.is_empty();
    let became_by_name =
        by_name(&edit.new, &new) && !by_name(&edit.old, &old) && edit.old.is_some();
    let added = new.iter().any(|value| !old.contains(value));
    let names: Vec<_> = pair.new.set.group_names().collect();
    let stands = |value: &&String| {
        let value = value.split_once(':').map_or("", |(_, value)| value);
        names.iter().any(|name| name.ends_with(value))
    };
    let freed = old.iter().filter(|value| !new.contains(value)).any(|value| stands(&value));
    let wider = added || freed || became_by_name;
    let what = match edit.state {
        State::New if new.is_empty() => format!("{} (new)", edit.title()),
        State::New => format!("{} (new): claims {}", edit.title(), new.join(", ")),
        State::Gone | State::Changed | State::Renamed(_) => edit.told(&[]),
    };
    let who = if wider { "who is in it changes: counts as wider" } else { "" };
    Line { who: who.to_owned(), ..Line::new(Mark::Apart, wider, what) }
}

fn ban(pair: &Pair<'_>, edit: &Edit, access: &BTreeMap<Box<str>, Vec<Access>>) -> Option<Line> {
    if let State::Renamed(old) = &edit.state {
        let what = format!("{} was {old}: another name decides nothing", edit.title());
        return Some(Line::new(Mark::Nothing, false, what));
    }
    if edit.state == State::Changed && edit.words(&[]).is_empty() {
        return None;
    }
    let servers: BTreeSet<_> = access
        .iter()
        .filter(|(_, changes)| changes.iter().any(|change| touches(edit, change)))
        .map(|(name, _)| name)
        .collect();
    let who = match servers.len() {
        0 if access.is_empty() => "no access changes today".to_owned(),
        0 => match pair.matters(edit, "") {
            Some(false) => "no access changes today".to_owned(),
            Some(true) => "has a part in what changes".to_owned(),
            None => "may have a part in what changes".to_owned(),
        },
        1 => "changes access on 1 server".to_owned(),
        count => format!("changes access on {count} servers"),
    };
    let later = ends_later(edit);
    let mark = if servers.is_empty() && !later { Mark::Nothing } else { Mark::Apart };
    Some(Line { who, ..Line::new(mark, later, edit.told(&[])) })
}

fn environment(edit: &Edit) -> Line {
    let words = edit.told(&[]);
    let [old, new] = edit
        .key("reviews")
        .map(|kinds| kinds.and_then(Value::as_array).cloned().unwrap_or_default());
    let fewer = edit.state == State::Changed && old.iter().any(|kind| !new.contains(kind));
    let who = if fewer { "fewer reviews needed: counts as wider" } else { "" };
    Line { who: who.to_owned(), ..Line::new(Mark::Apart, fewer, words) }
}

/// What each tool is under says it by tool.
fn approval(edit: &Edit) -> Line {
    let keys = edit.keys();
    let rank = |value: Option<&Value>| match value {
        None => 0,
        Some(Value::String(word)) if word == "caller" => 1,
        Some(Value::String(_)) => 2,
        Some(_) => 3,
    };
    let weaker = |key: &&str| {
        let [old, new] = edit.key(key);
        let list =
            |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let others = list(new).iter().any(|group| !list(old).contains(group));
        rank(new) < rank(old) || rank(new) == 3 && rank(old) == 3 && others
    };
    // A block that comes or goes as a whole has no keys on one side.
    let gone = edit.new.is_none();
    let wider = gone || keys.iter().any(weaker);
    let who = if wider { "weaker" } else { "stricter" };
    let what = format!("least {}", edit.told(&[]));
    Line { who: who.to_owned(), ..Line::new(Mark::Apart, wider, what) }
}

fn review(edit: &Edit) -> Option<Line> {
    if edit.state != State::Changed {
        return Some(Line::new(Mark::Apart, false, edit.told(&[])));
    }
    // Digests say nothing to a reader.
    let mut words = edit.words(&["covers"]);
    let [old, new] = edit.key("covers");
    let servers = |covers: Option<&Value>| -> BTreeMap<String, String> {
        let entries = covers.and_then(Value::as_object).into_iter().flatten();
        entries.map(|(name, digest)| (name.clone(), value::text(digest))).collect()
    };
    let (old, new) = (servers(old), servers(new));
    for (name, digest) in &new {
        match old.get(name) {
            None => words.push(format!("covers {name}")),
            Some(was) if was != digest => words.push(format!("covers other tools of {name}")),
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    words.extend(gone.map(|name| format!("no longer covers {name}")));
    let [was, is] = edit.key("last_day").map(|day| day.map(value::text));
    let note = if is > was { "a renewal does not count as wider" } else { "" };
    let what = format!("{}: {}", edit.title(), words.join("; "));
    (!words.is_empty())
        .then(|| Line { who: note.to_owned(), ..Line::new(Mark::Apart, false, what) })
}

// === One edit alone ===

impl Pair<'_> {
    /// Whether the new policies decide otherwise without an edit; nothing if that cannot be said,
    /// since they do not load without it, or there are too many edits.
    pub(super) fn matters(&self, edit: &Edit, server: &str) -> Option<bool> {
        self.alone.set(self.alone.get().checked_sub(1)?);
        let own = (!server.is_empty()).then(|| format!("servers/{server}.yaml"));
        let few = self.new.files().files.len() <= MOST_SERVERS;
        let mut files = self.new.files().clone();
        if !few {
            let own = own?;
            files.files.retain(|file| !file.path.starts_with("servers/") || file.path == own);
        }
        let with = policy::load_on(files.clone(), Cores::One).ok()?;
        let tree = self.undone(edit)?;
        let bytes = write(&tree)?.into_bytes();
        files.files.retain(|file| file.path != edit.path);
        files.files.push(PolicyFile { path: edit.path.clone(), bytes: bytes.into() });
        let without = policy::load_on(PolicyFiles { ..files }, Cores::One).ok()?;
        Some(!access::compare(&without, &with, self.at).ok()?.changes.is_empty())
    }

    /// The new file with one entry as it was.
    fn undone(&self, edit: &Edit) -> Option<Node> {
        let mut tree = self.new.node(&edit.path)?.clone();
        let before = self.old.node(&edit.path).and_then(|root| match edit.name.as_str() {
            "" => root.entry(&edit.block),
            name => root.at(&[&edit.block, name]),
        });
        let before = before.map(|(key, node)| (key.clone(), node.clone()));
        let Kind::Mapping(blocks) = &mut tree.kind else { return None };
        if edit.name.is_empty() {
            blocks.retain(|(key, _)| key.text != edit.block);
            blocks.extend(before);
            return Some(tree);
        }
        if !blocks.iter().any(|(key, _)| key.text == edit.block) {
            let (key, node) = self.old.node(&edit.path)?.entry(&edit.block)?;
            let empty = Node { span: node.span, kind: Kind::Mapping(Vec::new()) };
            blocks.push((key.clone(), empty));
        }
        let (_, block) = blocks.iter_mut().find(|(key, _)| key.text == edit.block)?;
        let Kind::Mapping(entries) = &mut block.kind else { return None };
        entries.retain(|(key, _)| key.text != edit.name);
        entries.extend(before);
        Some(tree)
    }
}

/// The tree as a file again. JSON is YAML; what JSON would escape in another way than YAML reads
/// it is nothing that a policy may hold.
fn write(node: &Node) -> Option<String> {
    let quoted = |text: &str| serde_json::to_string(text).ok();
    Some(match &node.kind {
        Kind::Text(text) => quoted(text)?,
        Kind::Plain(Plain::Null, _) => "null".to_owned(),
        Kind::Plain(Plain::Bool(_) | Plain::Integer | Plain::Float, text) => text.clone(),
        Kind::Sequence(items) => {
            let items: Option<Vec<_>> = items.iter().map(write).collect();
            format!("[{}]", items?.join(", "))
        }
        Kind::Mapping(entries) => {
            let entry = |(key, node): &(crate::yaml::Key, Node)| {
                Some(format!("{}: {}", quoted(&key.text)?, write(node)?))
            };
            let entries: Option<Vec<_>> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries?.join(", "))
        }
    })
}
