//! Changes of access in lines: what is the same for several tools, or from several places, is
//! said once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::edits::{Edit, State};
use super::rules::{self, Own, TOLD_APART};
use super::{Access, Cause, Line, Mark};
use crate::access::{Change, Clause, Direction, Item, PlaceWords, Span, Who};
use crate::policy::model::{PlaceKind, Server};
use crate::policy::names;

/// What lines have in common that differ in tools and places only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    direction: Direction,
    who: Vec<String>,
    because: Vec<Cause>,
    environment: Box<str>,
    when: String,
}

#[derive(Default)]
struct Row {
    /// Items by place.
    places: BTreeMap<String, BTreeSet<String>>,
    example: Option<String>,
}

pub(super) fn lines(own: &Own<'_>) -> Vec<Line> {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for access in own.access.iter().filter(|access| !is_folded(own, access)) {
        let change = &access.change;
        let causes = own.causes(access);
        let key = Key {
            direction: change.direction,
            who: who(change, &causes),
            because: because(own, access, &causes),
            environment: change.environment.clone(),
            when: when(&change.when, own.pair.at),
        };
        let row = rows.entry(key).or_default();
        row.places.entry(item(own, change)).or_default().insert(place(own, &change.place));
        if let Some(witness) = &change.witness
            && example_adds(&causes, change.direction)
        {
            let example = rules::example(witness);
            if row.example.as_ref().is_none_or(|shorter| example.len() < shorter.len()) {
                row.example = Some(example);
            }
        }
    }
    let several = own.both.iter().flatten().any(|server| server.environments.len() > 1);
    rows.into_iter().flat_map(|(key, row)| row.lines(own, &key, several)).collect()
}

impl Row {
    fn lines(self, own: &Own<'_>, key: &Key, several: bool) -> Vec<Line> {
        let mut by_places: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
        for (item, places) in self.places {
            by_places.entry(places).or_default().push(item);
        }
        let mark = match key.direction {
            Direction::Wider | Direction::WithoutApproval => Mark::Wider,
            Direction::NotComparable => Mark::Changed,
            Direction::UnderApproval | Direction::Narrower => Mark::Narrower,
        };
        let note = match key.direction {
            Direction::Wider | Direction::Narrower => "",
            Direction::NotComparable => "limits changed, not comparable: counts as wider",
            Direction::WithoutApproval => "no approval needed any more",
            Direction::UnderApproval => "only with approval now",
        };
        let mut who = key.who.join("; or ");
        for more in [note, key.when.as_str()].into_iter().filter(|more| !more.is_empty()) {
            who.push_str(if who.is_empty() { "" } else { "; " });
            who.push_str(more);
        }
        let line = |(places, items): (BTreeSet<String>, Vec<String>)| {
            let mut place = whole_surfaces(own, places).into_iter().collect::<Vec<_>>().join(", ");
            if several {
                place = format!("{place} in {}", key.environment);
            }
            Line {
                mark,
                wider: key.direction.is_wider(),
                what: items.join(", "),
                place,
                who: who.clone(),
                because: key.because.clone(),
                example: self.example.clone(),
            }
        };
        by_places.into_iter().map(line).collect()
    }
}

/// Whether other lines say it: limits their own, and looking around comes with every grant.
fn is_folded(own: &Own<'_>, access: &Access) -> bool {
    if own.is_told_as_limit(access) {
        return true;
    }
    let change = &access.change;
    if !matches!(change.item, Item::Open | Item::Look) {
        return false;
    }
    let beside = |other: &&Access| {
        let other = &other.change;
        !matches!(other.item, Item::Open | Item::Look)
            && (&other.environment, &other.place, other.direction)
                == (&change.environment, &change.place, change.direction)
    };
    let told: Vec<_> = own.access.iter().filter(beside).collect();
    let says = |who: &Who| {
        told.iter().any(|other| other.change.who.iter().any(|other| alike(other) == alike(who)))
    };
    let is_named = |name: &str| {
        let by_name = |who: &Who| match who {
            Who::User { name: other, .. } | Who::UnknownGroups { name: Some(other), .. } => {
                **other == *name
            }
            Who::People(_) | Who::UnknownGroups { name: None, .. } | Who::NobodySignedIn => false,
        };
        told.iter().any(|other| other.change.who.iter().any(by_name))
    };
    let is_told = |who: &Who| match who {
        Who::User { name, clause } => is_named(name) || says(&Who::People(clause.clone())),
        Who::UnknownGroups { name: Some(name), scopes } => {
            is_named(name) || says(&Who::UnknownGroups { name: None, scopes: scopes.clone() })
        }
        Who::People(_) | Who::UnknownGroups { name: None, .. } | Who::NobodySignedIn => says(who),
    };
    !told.is_empty() && change.who.iter().all(is_told)
}

/// Without what the arguments must be, and without scopes, neither of which counts for looking
/// around; and without bans, of which every tool has its own.
fn alike(who: &Who) -> Who {
    match who {
        Who::People(Clause { people, also_in, scopes: _, not: _, limited: _ }) => {
            let (people, also_in) = (people.clone(), also_in.clone());
            Who::People(Clause { people, also_in, ..Clause::default() })
        }
        Who::UnknownGroups { name, scopes: _ } => {
            Who::UnknownGroups { name: name.clone(), scopes: Vec::new() }
        }
        Who::User { .. } | Who::NobodySignedIn => who.clone(),
    }
}

/// A surface with all its channels, any other one and none is the surface.
fn whole_surfaces(own: &Own<'_>, mut places: BTreeSet<String>) -> BTreeSet<String> {
    let sets = [&own.pair.old.set, &own.pair.new.set];
    let names: BTreeSet<&str> = sets.iter().flat_map(|set| set.place_names()).collect();
    for name in names {
        let mut all =
            vec![format!("{name} in another channel"), format!("{name} without a channel")];
        let here = sets.iter().filter_map(|set| set.place_named(name));
        let channels = here.filter_map(|(_, place)| match &place.kind {
            PlaceKind::Surface { channels, verified: _, clients: _ } => Some(channels),
            PlaceKind::Service => None,
        });
        all.extend(channels.flatten().map(|channel| format!("{name}/{}", channel.name)));
        if all.iter().all(|place| places.contains(place)) {
            places.retain(|place| !all.contains(place));
            places.insert(name.to_owned());
        }
    }
    places
}

fn item(own: &Own<'_>, change: &Change) -> String {
    let [old, new] = own.both;
    let known = |server: Option<&Server>| {
        let server = server?;
        Some(match &change.item {
            Item::Open | Item::Look => true,
            Item::Tool(name) => server.tool(name).is_some(),
            Item::Resource { pattern: _, uri } => server.resource(uri).is_some(),
            Item::Prompt(name) => server.prompt(name).is_some(),
            Item::Tasks => server.protocol().tasks,
            Item::Method(name) => server.lets_through(name),
        })
    };
    let word = match &change.item {
        Item::Prompt(_) => "prompt ",
        Item::Open
        | Item::Look
        | Item::Tool(_)
        | Item::Resource { .. }
        | Item::Tasks
        | Item::Method(_) => "",
    };
    let note = match (known(old), known(new)) {
        (Some(false), Some(true)) => " (new)",
        (Some(true), Some(false)) => " (gone)",
        (Some(_) | None, Some(_) | None) => "",
    };
    format!("{word}{}{note}", change.item)
}

/// `ai-chat`, or more where a workload or channel moved.
fn place(own: &Own<'_>, place: &PlaceWords) -> String {
    let other = |side: &super::Side, words: &str| {
        let name = words.split(['/', ' ']).next().unwrap_or_default();
        side.set.place_named(name).is_some()
    };
    match (place.old.as_deref(), place.new.as_deref()) {
        (Some(old), Some(new)) if old == new => new.to_owned(),
        (Some(old), Some(new)) => {
            let same = own.pair.renames.name("via", old) == new;
            if same { new.to_owned() } else { format!("{new} (was {old})") }
        }
        (None, Some(new)) if other(own.pair.old, new) => format!("{new}, workload that joins"),
        (None, Some(new)) => format!("{new} (new)"),
        (Some(old), None) if other(own.pair.new, old) => format!("{old}, workload that leaves"),
        (Some(old), None) => format!("{old} (gone)"),
        (None, None) => String::new(),
    }
}

/// Who gains or loses: where all that a grant does is to take in more groups, those of them that
/// are new.
fn who(change: &Change, causes: &[&Edit]) -> Vec<String> {
    let came = match causes {
        [edit] => groups_that_come(edit, change.direction),
        _ => None,
    };
    let narrowed = |clause: &Clause| -> Clause {
        let mut clause = clause.clone();
        if let (Some(people), Some(came)) = (&mut clause.people, &came) {
            let all = people.clone();
            people.retain(|name| came.iter().any(|came| **came == **name));
            if people.is_empty() {
                *people = all;
            }
        }
        clause
    };
    let is_plain = |user: &str| {
        let plain = |who: &Who| {
            matches!(who, Who::User { name, clause }
                if **name == *user && *clause == Clause::default())
        };
        change.who.iter().any(plain)
    };
    let mut words: Vec<String> = Vec::new();
    for who in &change.who {
        let told = match who {
            Who::People(clause) => words_of(&narrowed(clause)),
            Who::User { name, .. } | Who::UnknownGroups { name: Some(name), .. }
                if is_plain(name) =>
            {
                name.to_string()
            }
            Who::UnknownGroups { .. } => who.to_string(),
            Who::User { name, clause } => match clause.people {
                None => format!("{name}{}", words_of(clause).trim_start_matches(ANYBODY)),
                Some(_) => format!("{name} in {}", words_of(clause)),
            },
            Who::NobodySignedIn if change.item == Item::Open => "before signing in".to_owned(),
            Who::NobodySignedIn => "as a service".to_owned(),
        };
        if !words.contains(&told) {
            words.push(told);
        }
    }
    words
}

const ANYBODY: &str = "anyone signed in";

/// Whether arguments are limited goes without saying: a tool's limits are for everyone.
fn words_of(clause: &Clause) -> String {
    let Clause { people, also_in, scopes, not, limited: _ } = clause;
    let mut words = people.as_ref().map_or(ANYBODY.to_owned(), |people| people.join("|"));
    if let Some(also_in) = also_in {
        words.push_str(" and ");
        words.push_str(&also_in.join("|"));
    }
    for scope in scopes {
        words.push_str(" and scope:");
        words.push_str(scope);
    }
    if !not.is_empty() {
        words.push_str(", not ");
        words.push_str(&not.join(", not "));
    }
    words
}

/// Whether a caller with names shows more than the line says: where it is not said by group who
/// gains or loses, or where arguments are what it is about.
fn example_adds(causes: &[&Edit], direction: Direction) -> bool {
    let adds = |edit: &&Edit| match (&edit.state, edit.block.as_str()) {
        (State::Changed, "grants") => {
            let keys = edit.keys();
            let is_told = groups_that_come(edit, direction).is_some();
            ["people", "also_in", "except", "limits"].iter().any(|key| keys.contains(key))
                && !is_told
        }
        (State::Changed, "tools" | "resources" | "prompts" | "bans" | "groups")
        | (State::Gone, "bans") => true,
        (State::New | State::Gone | State::Changed | State::Renamed(_), _) => false,
    };
    causes.iter().any(adds)
}

/// The groups that a grant takes in, or lets go, if nothing else about it changes.
fn groups_that_come(edit: &Edit, direction: Direction) -> Option<Vec<String>> {
    if edit.block != "grants" || edit.state != State::Changed || edit.keys() != ["people"] {
        return None;
    }
    let list = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let [old, new] = edit.key("people").map(list);
    let (from, to) = match direction {
        Direction::Wider => (old, new),
        Direction::Narrower => (new, old),
        Direction::WithoutApproval | Direction::UnderApproval | Direction::NotComparable => {
            return None;
        }
    };
    let only_more = from.iter().all(|name| to.contains(name));
    let came: Vec<_> = to.into_iter().filter(|name| !from.contains(name)).collect();
    (only_more && !came.iter().any(|name| name == names::ANYONE)).then_some(came)
}

/// The lines that cause a change; without any, the rules that have a part in it.
fn because(own: &Own<'_>, access: &Access, causes: &[&Edit]) -> Vec<Cause> {
    let approval =
        matches!(access.change.direction, Direction::WithoutApproval | Direction::UnderApproval);
    let except = if approval { &[][..] } else { TOLD_APART };
    let mut because: Vec<_> = causes.iter().map(|edit| edit.cause(except)).collect();
    if because.is_empty() {
        let wider = access.change.direction.is_wider();
        let rules = if wider { &access.new_rules } else { &access.old_rules };
        let is_whole = own.both.iter().any(Option::is_none);
        because = rules
            .iter()
            .map(|rule| Cause {
                text: format!(
                    "{} {}{}",
                    rule.kind.as_str(),
                    rule.name,
                    if is_whole { "" } else { " (unchanged)" }
                ),
                origin: Some(rule.origin.clone()),
            })
            .collect();
    }
    because.sort();
    because.dedup();
    because
}

/// Nothing, if it is from now on for ever.
fn when(spans: &[Span], at: jiff::Timestamp) -> String {
    let text =
        |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
    let words = |span: &Span| match (span.from == at, span.until) {
        (true, None) => String::new(),
        (true, Some(until)) => format!("until {}", text(until)),
        (false, None) => format!("from {}", text(span.from)),
        (false, Some(until)) => format!("from {} until {}", text(span.from), text(until)),
    };
    let words: Vec<_> = spans.iter().map(words).filter(|words| !words.is_empty()).collect();
    words.join(", ")
}
