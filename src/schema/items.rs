//! Tools, resources, prompts, limits, approvals.

use serde_json::{Value, json};

use super::build::{
    both, described, group_name, integer, list, map, matching, name, object, pointer, some, stated,
    text, tool_name, uri, words,
};
use crate::policy::model::{Effect, Trait};

/// More than any argument holds.
const MOST: i64 = 1 << 30;

pub(super) fn effect() -> Value {
    let effects = Effect::ALL.map(|(word, _)| word);
    words("What using it does: looks, changes, or changes what cannot be changed back.", effects)
}

pub(super) fn traits() -> Value {
    list("What else the review found.", words("A trait.", Trait::ALL.map(|(word, _)| word)))
}

pub(super) fn approver(description: &str) -> Value {
    let groups = some("Somebody else, from one of these groups.", group_name());
    let who = words("The caller confirms, or somebody else agrees.", ["caller", "another-person"]);
    json!({ "description": description, "anyOf": [who, groups] })
}

pub(super) fn tools() -> Value {
    let tool = object(
        "A tool. What stands here grants nothing by itself.",
        &["effect"],
        [
            ("effect", effect()),
            ("traits", traits()),
            ("sets", sets()),
            (
                "minutes_saved",
                integer(
                    "Minutes that one call saves a person, by the owner's estimate.",
                    0,
                    100_000,
                ),
            ),
            ("approval", approver("Who must agree to each call.")),
            ("limits", limits("What arguments must be, whoever calls.")),
            (
                "accepts",
                list("The only arguments it takes; `[]` for none.", text("An argument's name.")),
            ),
            ("log_args", some("Arguments that may stand in the record of a call.", pointer())),
        ],
    );
    map("What the reviews covered; nothing else can be called.", tool_name(), tool)
}

fn item(description: &str) -> Value {
    object(description, &["effect"], [("effect", effect()), ("traits", traits()), ("sets", sets())])
}

pub(super) fn resources() -> Value {
    let item = item("A resource, or all below a path.");
    map("Resources by their URI, or by a pattern such as `db://warehouse/*`.", uri(), item)
}

pub(super) fn prompts() -> Value {
    map("Prompts by their name.", tool_name(), item("A prompt."))
}

fn sets() -> Value {
    some("Sets that it belongs to; a rule that names a set names all in it.", name())
}

pub(super) fn limits(description: &str) -> Value {
    let scalar =
        |description| described(description, json!({ "type": ["string", "number", "boolean"] }));
    let number = json!({ "type": "number" });
    let domain = || matching(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$");
    let limit = object(
        "Tests that add up. Absent, null or of another type, the argument fails them.",
        &[],
        [
            ("is", scalar("It is this value.")),
            ("one_of", some("It is one of these values.", scalar("A value."))),
            (
                "between",
                json!({
                    "description": "It is a number from the first to the second, both included.",
                    "type": "array", "items": number, "minItems": 2, "maxItems": 2,
                }),
            ),
            (
                "matches",
                json!({
                    "description":
                        "The whole text matches: no flags, no anchors, ASCII classes.",
                    "type": "string", "maxLength": 1000,
                }),
            ),
            ("starts_with", both(text("It is a text that starts so."), json!({ "minLength": 1 }))),
            (
                "domain",
                json!({
                    "description": "It is one mail address, or one URL, of this domain.",
                    "anyOf": [domain(), some("One of these domains.", domain())],
                }),
            ),
            ("max_length", integer("It is a text of at most so many Unicode characters.", 0, MOST)),
            ("max_items", integer("It is a list of at most so many elements.", 0, MOST)),
            ("forbidden", stated("It is not there, not even as null.")),
            ("optional", stated("It may be absent.")),
        ],
    );
    let alone = json!({
        "minProperties": 1,
        "not": { "required": ["optional"], "maxProperties": 1 },
        "if": { "required": ["forbidden"] },
        "then": { "maxProperties": 1 },
    });
    let by_pointer = "By JSON Pointer into the arguments; `/to/*` means each element.";
    let limits = map(&format!("{description} {by_pointer}"), pointer(), both(limit, alone));
    both(limits, json!({ "minProperties": 1 }))
}
