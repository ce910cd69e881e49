//! Tools, resources and prompts, as they are written.

use super::later;
use super::limits::limits;
use super::{RawApprover, RawItem, RawTool, Text, named, not_empty, word, words};
use crate::diagnostics::{Code, Diagnostic, did_you_mean};
use crate::policy::limits::Pointer;
use crate::policy::model::{Effect, Trait};
use crate::policy::names;
use crate::yaml::{Fields, Keys, Kind, Node, Reader};

pub(super) fn tool<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
) -> Option<RawTool<'n>> {
    const KEYS: Keys = Keys {
        known: &[
            "effect",
            "traits",
            "sets",
            "minutes_saved",
            "approval",
            "limits",
            "accepts",
            "log_args",
        ],
        later: &["pin"],
    };
    let fields = reader.fields(node, KEYS)?;
    let tool = tool_of(reader, name, fields);
    if tool.is_none() {
        declare_sets(reader, fields);
    }
    tool
}

fn tool_of<'n>(reader: &mut Reader<'_>, name: Text<'n>, fields: Fields<'n>) -> Option<RawTool<'n>> {
    let item = shared(reader, name, fields);
    let minutes_saved = fields
        .get("minutes_saved")
        .and_then(|node| reader.integer(node, 0..=100_000))
        .map_or(Some(0), |minutes| u32::try_from(minutes.value).ok());
    let approval = match fields.get("approval") {
        None => None,
        Some(node) => Some(approver(reader, node)?),
    };
    let limits = limits(reader, fields);
    // An empty list says something here: no argument at all.
    let accepts = fields.get("accepts").map(|node| reader.texts(node));
    let log_args = match fields.get("log_args") {
        None => Vec::new(),
        Some(node) => not_empty(reader, node)?
            .into_iter()
            .filter_map(|text| {
                reader.parse_text(text, "a pointer to an argument", str::parse::<Pointer>)
            })
            .collect(),
    };
    let minutes_saved = minutes_saved?;
    Some(RawTool { item: item?, approval, minutes_saved, limits, accepts, log_args })
}

/// A resource or prompt.
pub(super) fn item<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
) -> Option<RawItem<'n>> {
    const KEYS: Keys = Keys { known: &["effect", "traits", "sets"], later: &["pin"] };
    let fields = reader.fields(node, KEYS)?;
    let item = shared(reader, name, fields);
    if item.is_none() {
        declare_sets(reader, fields);
    }
    item
}

/// The sets of what could not be read are there: a rule that names one is not a second problem.
fn declare_sets(reader: &mut Reader<'_>, fields: Fields<'_>) {
    if let Some(Node { kind: Kind::Sequence(sets), .. }) = fields.get("sets") {
        for set in sets {
            if let Kind::Text(set) = &set.kind {
                reader.declare_broken(set);
            }
        }
    }
}

/// What tools, resources and prompts have in common.
fn shared<'n>(reader: &mut Reader<'_>, name: Text<'n>, fields: Fields<'n>) -> Option<RawItem<'n>> {
    let effect = reader
        .required(fields, "effect", "say `effect: read`, `write` or `destructive`")
        .and_then(|node| reader.text(node))
        .and_then(|text| word(reader, text, &Effect::ALL));
    let traits = words(reader, fields.get("traits"), &Trait::ALL);
    let sets = fields.get("sets").and_then(|node| not_empty(reader, node)).unwrap_or_default();
    let sets = sets
        .into_iter()
        .filter_map(|set| named(reader, set, "a set's name", names::plain))
        .collect();
    later::of_item(reader, fields);
    Some(RawItem { name, effect: effect?, traits, sets })
}

pub(super) fn approver<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<RawApprover<'n>> {
    if matches!(node.kind, Kind::Sequence(_)) {
        return Some(RawApprover::Groups(not_empty(reader, node)?));
    }
    let text = reader.text(node)?;
    match text.value {
        "caller" => Some(RawApprover::Caller),
        "another-person" => Some(RawApprover::AnotherPerson),
        other => {
            let message = format!("`{other}` is neither caller, another-person nor a list");
            let help = did_you_mean(other, ["caller", "another-person"]).map_or_else(
                || format!("a group that approves stands in a list: `[{other}]`"),
                |near| format!("did you mean `{near}`?"),
            );
            reader.report(Diagnostic::error(Code::BadValue, text.place, message).help(help));
            None
        }
    }
}
