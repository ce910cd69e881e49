//! Entries that differ: which of them cause a change of access, and what is said of the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::edits::{Edit, State};
use super::{Access, Line, Mark, Pair, Rule, RuleKind, value};
use crate::access::{Direction, Groups, Item, Witness};
use crate::policy::model::Server;

/// Keys of a tool that are told elsewhere.
pub(super) const TOLD_APART: &[&str] = &["approval", "log_args"];
const LIMITS: &[&str] = &["accepts", "limits"];

/// One server, and what is known of its differences.
pub(super) struct Own<'o> {
    pub(super) pair: &'o Pair<'o>,
    pub(super) name: &'o str,
    pub(super) both: [Option<&'o Server>; 2],
    pub(super) edits: &'o [Edit],
    pub(super) shared: &'o [Edit],
    pub(super) access: &'o [Access],
}

impl<'o> Own<'o> {
    /// The entries that cause a change.
    pub(super) fn causes(&self, access: &Access) -> Vec<&'o Edit> {
        let all = self.edits.iter().chain(self.shared);
        let causes: Vec<_> = all.filter(|edit| touches(edit, access)).collect();
        // A tool or group that comes with the rule that names it is not what lets anybody in.
        let is_item =
            |edit: &&Edit| ["groups", "prompts", "resources", "tools"].contains(&&*edit.block);
        let is_whole = |edit: &&Edit| edit.state != State::Changed;
        let rules = causes.iter().any(|edit| edit.block == "grants" || edit.block == "bans");
        causes.into_iter().filter(|edit| !(rules && is_item(edit) && is_whole(edit))).collect()
    }

    /// Whether all that causes a change is another limit: lines of their own say that.
    pub(super) fn is_told_as_limit(&self, access: &Access) -> bool {
        let causes = self.causes(access);
        !causes.is_empty() && causes.iter().all(|edit| is_limit_only(edit))
    }

    fn changed_by<'s>(&'s self, edit: &'s Edit) -> impl Iterator<Item = &'s Access> + 's {
        self.access.iter().filter(move |access| touches(edit, access))
    }
}

/// Whether an entry can have a part in a change.
pub(super) fn touches(edit: &Edit, access: &Access) -> bool {
    if edit.state == State::Changed && edit.words(TOLD_APART).is_empty() && edit.block != "tools" {
        return false;
    }
    let Access { change, old_rules, new_rules } = access;
    let name = edit.name.as_str();
    let is_rule = |kind: RuleKind| {
        let is = |rule: &Rule| rule.kind == kind && *rule.name == *name && rule.path == edit.path;
        match edit.state {
            State::Renamed(_) => false,
            State::New | State::Gone | State::Changed => {
                old_rules.iter().any(is) || new_rules.iter().any(is)
            }
        }
    };
    match edit.block.as_str() {
        "grants" => is_rule(RuleKind::Grant),
        "bans" => is_rule(RuleKind::Ban),
        "tools" => {
            let approval =
                matches!(change.direction, Direction::WithoutApproval | Direction::UnderApproval);
            let decides = !edit.words(TOLD_APART).is_empty();
            let told = decides || edit.state != State::Changed;
            matches!(&change.item, Item::Tool(tool) if **tool == *name)
                && (told || approval && edit.changes("approval"))
        }
        "resources" => {
            matches!(&change.item, Item::Resource { pattern, uri: _ } if **pattern == *name)
        }
        "prompts" => matches!(&change.item, Item::Prompt(prompt) if **prompt == *name),
        "surfaces" | "services" => {
            let is = |words: &Option<Box<str>>| {
                words.as_deref().is_some_and(|words| words.split(['/', ' ']).next() == Some(name))
            };
            is(&change.place.old) || is(&change.place.new)
        }
        "groups" => change.witness.as_ref().is_some_and(|witness| is_in(witness, name)),
        "environments" if edit.path.starts_with("servers/") => {
            let mode = edit.state != State::Changed || edit.changes("mode");
            *change.environment == *name && mode
        }
        "discovery" => change.item == Item::Open,
        "tasks" => change.item == Item::Tasks,
        "methods" => matches!(change.item, Item::Method(_)),
        "approval" => {
            matches!(change.direction, Direction::WithoutApproval | Direction::UnderApproval)
        }
        _ => false,
    }
}

fn is_in(witness: &Witness, group: &str) -> bool {
    match &witness.groups {
        Groups::Known { old, new } => old.iter().chain(new).any(|name| **name == *group),
        Groups::Unknown | Groups::NobodySignedIn => false,
    }
}

fn is_limit_only(edit: &Edit) -> bool {
    let is_rule = edit.block == "tools" || edit.block == "grants";
    let mut except = TOLD_APART.to_vec();
    except.extend(LIMITS);
    is_rule
        && edit.state == State::Changed
        && LIMITS.iter().any(|key| edit.changes(key))
        && edit.words(&except).is_empty()
}

/// Limits, and all entries that change no access.
pub(super) fn lines(own: &Own<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for edit in own.edits {
        lines.extend(limits(own, edit));
        lines.extend(without_effect(own, edit));
    }
    lines.extend(deciding_nothing(own.edits));
    lines
}

/// Old and new limits of a tool or grant, pointer by pointer.
fn limits(own: &Own<'_>, edit: &Edit) -> Vec<Line> {
    let holds_limits = edit.block == "tools" || edit.block == "grants";
    if !holds_limits || edit.state != State::Changed {
        return Vec::new();
    }
    let for_whom = match edit.block.as_str() {
        "grants" => format!("by grant {}", edit.name),
        _ => "for everyone".to_owned(),
    };
    let about: Vec<_> =
        own.changed_by(edit).filter(|access| own.is_told_as_limit(access)).collect();
    let directions: BTreeSet<_> = about.iter().map(|access| access.change.direction).collect();
    let wider = directions.iter().any(|direction| direction.is_wider());
    let mark = if directions.is_empty() { Mark::Nothing } else { Mark::Changed };
    let how: Vec<_> = directions.iter().map(ToString::to_string).collect();
    let who = |pointer: Option<&str>| match (how.is_empty(), own.changed_by(edit).next()) {
        (false, _) => format!("{}, {for_whom}", pointer.map_or(how.join(" and "), str::to_owned)),
        (true, None) => own.effect(edit),
        (true, Some(_)) => for_whom.clone(),
    };
    // What can be compared says for itself which of several pointers does what.
    let comparable = !directions.contains(&Direction::NotComparable);
    // Of wider access, if there is any.
    let witnesses = about.iter().filter_map(|access| {
        Some((!access.change.direction.is_wider(), example(access.change.witness.as_ref()?)))
    });
    let example = witnesses.min_by_key(|(narrower, text)| (*narrower, text.len()));
    let example = example.map(|(_, text)| text);
    let mut lines = Vec::new();
    let line = |what: String, how: Option<&str>| Line {
        who: who(how.filter(|_| comparable)),
        example: example.clone(),
        ..Line::new(mark, wider, what).because(
            edit.origin
                .iter()
                .map(|origin| super::Cause { text: edit.title(), origin: Some(origin.clone()) })
                .collect(),
        )
    };
    if edit.changes("limits") {
        let empty = Map::new();
        let [old, new] = edit.key("limits").map(|limits| limits.and_then(Value::as_object));
        let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
        let pointers: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for pointer in pointers {
            let (a, b) = (old.get(pointer), new.get(pointer));
            let how = value::limit_direction(a, b);
            let is_same = a == b;
            let (a, b) = (value::limit(a), value::limit(b));
            if !is_same {
                lines.push(line(format!("{} {pointer}  {a} -> {b}", edit.name), how));
            }
        }
    }
    if edit.changes("accepts") {
        let [old, new] = edit.key("accepts");
        let words = match (old, new) {
            (None, Some(new)) => format!("accepts anything -> {}", value::text(new)),
            (Some(old), None) => format!("accepts {} -> anything", value::text(old)),
            (old, new) => value::differences("accepts", old, new).join("; "),
        };
        lines.push(line(format!("{} {words}", edit.name), None));
    }
    lines
}

/// What is said of an entry that changes no access.
fn without_effect(own: &Own<'_>, edit: &Edit) -> Option<Line> {
    let is_rule = edit.block == "grants" || edit.block == "bans";
    let is_item = ["tools", "resources", "prompts"].contains(&edit.block.as_str());
    let is_mode =
        edit.block == "environments" && edit.state == State::Changed && edit.changes("mode");
    if !(is_rule || is_item || is_mode || edit.block == "discovery") {
        return None;
    }
    if let State::Renamed(old) = &edit.state {
        let what = format!("{} was {old}: another name decides nothing", edit.title());
        return Some(Line::new(Mark::Nothing, false, what));
    }
    let mut except = TOLD_APART.to_vec();
    let holds_limits = edit.block == "tools" || edit.block == "grants";
    if holds_limits && edit.state == State::Changed {
        except.extend(LIMITS);
    }
    if is_mode {
        except.extend(["upstream", "upstream_identity", "reviews"]);
    }
    if edit.state == State::Changed && edit.words(&except).is_empty() {
        return None;
    }
    let is_wider = |access: &Access| access.change.direction.is_wider();
    let later = ends_later(edit) && !own.changed_by(edit).any(is_wider);
    if own.changed_by(edit).next().is_some() && !later {
        return None;
    }
    let told = edit.told(&except);
    let origin = edit
        .origin
        .iter()
        .map(|origin| super::Cause { text: String::new(), origin: Some(origin.clone()) });
    // A resource may be named by other patterns than before.
    let is_named = is_item && edit.block != "resources";
    let effect = match (&edit.state, is_named) {
        (State::New, true) => "nobody may use it".to_owned(),
        (State::Gone, true) => "nobody could use it".to_owned(),
        (State::New | State::Gone | State::Changed | State::Renamed(_), _) => own.effect(edit),
    };
    let effect =
        if later { format!("{effect}; ends later, which counts as wider") } else { effect };
    let mark = if later { Mark::Changed } else { Mark::Nothing };
    let line = Line { who: effect, ..Line::new(mark, later, told) };
    Some(line.because(origin.collect()))
}

impl Own<'_> {
    /// What an entry does that no change is put down to.
    fn effect(&self, edit: &Edit) -> String {
        let part =
            if self.access.is_empty() { Some(false) } else { self.pair.matters(edit, self.name) };
        match part {
            Some(false) => "no access changes today",
            Some(true) => "has a part in what changes here",
            None => "may have a part in what changes here",
        }
        .to_owned()
    }
}

/// A caller in words, short enough to be read.
pub(super) fn example(witness: &Witness) -> String {
    const LONGEST: usize = 100;
    let text = witness.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// Whether a grant, shadow or trial ends later than before, or a ban earlier.
pub(super) fn ends_later(edit: &Edit) -> bool {
    if edit.state != State::Changed {
        return false;
    }
    let later = |[old, new]: [Option<&Value>; 2], without_end: bool| match (old, new) {
        (Some(old), Some(new)) => is_later(old, new),
        (Some(_), None) => without_end,
        (None, Some(_)) => !without_end,
        (None, None) => false,
    };
    match edit.block.as_str() {
        "grants" => ["last_day", "until"].iter().any(|key| later(edit.key(key), true)),
        "bans" => later(edit.key("trial_until"), false),
        "environments" => {
            let mode = edit.key("mode");
            later(mode.map(|mode| mode.and_then(|mode| mode.get("shadow_until"))), false)
        }
        _ => false,
    }
}

/// Instants with different offsets cannot be compared as texts.
fn is_later(old: &Value, new: &Value) -> bool {
    let instant = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    match (instant(old), instant(new)) {
        (Some(old), Some(new)) => new > old,
        (Some(_) | None, _) => value::text(new) > value::text(old),
    }
}

/// `about: 2 changes, decide nothing`
pub(super) fn deciding_nothing(edits: &[Edit]) -> Vec<Line> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, count) in edits.iter().flat_map(Edit::deciding_nothing) {
        *counts.entry(key).or_default() += count;
    }
    let line = |(key, count): (&str, usize)| {
        let what = match count {
            1 => format!("{key}: 1 change, decides nothing"),
            _ => format!("{key}: {count} changes, decide nothing"),
        };
        Line::new(Mark::Nothing, false, what)
    };
    counts.into_iter().filter(|(key, _)| *key != "toolgate").map(line).collect()
}
