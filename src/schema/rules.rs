//! Grants and bans.

use serde_json::{Value, json};

use super::build::{
    any_of_keys, both, day, group, group_name, instant, list, map, matching, name, object,
    one_of_keys, some, stated, text, tool_name, uri,
};
use super::items::{effect, limits, traits};
use crate::policy::names::pattern;

fn via() -> Value {
    let place = matching("^[a-z0-9-]{1,63}(/[a-z0-9-]{1,63})?$");
    some("Surfaces, `surface/channel`, or `any-surface` alone.", place)
}

pub(super) fn user_names() -> Value {
    matching(r"^[a-z0-9-]+:\S([\s\S]*\S)?$")
}

/// What a rule names.
fn verbs() -> [(&'static str, Value); 3] {
    let set = "sets of them";
    [
        ("call", some(&format!("Tools, or {set}."), tool_name())),
        (
            "read",
            some(
                &format!("Resources as they are listed, or {set}."),
                json!({ "anyOf": [uri(), name()] }),
            ),
        ),
        ("prompt", some(&format!("Prompts, or {set}."), tool_name())),
    ]
}

fn scopes() -> Value {
    some("OAuth scopes; the token must carry every one.", matching(pattern::SCOPE))
}

pub(super) fn grants() -> Value {
    let people = "Groups, any of them, or `anyone-signed-in` alone.";
    let mut keys = vec![
        ("people", some(people, group())),
        (
            "also_in",
            json!({
                "description": "A group, or one of several, that the caller is in as well.",
                "anyOf": [group_name(), some("One of these groups.", group_name())],
            }),
        ),
        ("except", some("Groups whose members it is not for.", group_name())),
        (
            "users",
            some("Named users as `issuer:subject`, with `last_day` and `ticket`.", user_names()),
        ),
        ("ticket", both(text("Who asked for named users."), matching(r"\S"))),
        ("services", some("Services, which act without a person.", name())),
        ("via", via()),
        ("in", some("Environments; needed once the server runs in two.", name())),
    ];
    keys.extend(verbs());
    keys.extend([
        ("limits", limits("What arguments must be under this grant, beside the tool's limits.")),
        ("scopes", scopes()),
        ("last_day", day("The last UTC day on which it holds.")),
        ("until", instant("The instant at which it ends.")),
    ]);
    let grant = object("Verbs add up; every other key narrows.", &[], keys);
    let whole = json!({
        "dependentRequired": {
            "people": ["via"],
            "users": ["via", "last_day", "ticket"],
            "also_in": ["people"],
            "except": ["people"],
            "ticket": ["users"],
        },
        "dependentSchemas": {
            "services": { "not": { "anyOf": [{ "required": ["via"] }, { "required": ["scopes"] }] } },
        },
    });
    let who = one_of_keys(&["people", "users", "services"]);
    let what = any_of_keys(&["call", "read", "prompt"]);
    map(
        "Who may do what, from where. Order never matters.",
        name(),
        [whole, who, what].into_iter().fold(grant, both),
    )
}

/// The bans of a server, or of the guardrails.
pub(super) fn bans(guardrails: bool) -> Value {
    let services = json!({
        "description": "Services, or `any-service`.",
        "anyOf": [{ "const": "any-service" }, some("One of these services.", name())],
    });
    let mut keys = vec![
        ("people", some("Groups, any of them, or `anyone-signed-in` alone.", group())),
        ("users", some("Named users as `issuer:subject`.", user_names())),
        ("services", services),
        ("via", via()),
        ("in", some("Environments; all, if left out.", name())),
    ];
    if guardrails {
        keys.push(("servers", some("Servers; all, if left out.", name())));
    }
    keys.extend(verbs());
    keys.extend([
        ("effects", list("Whatever has one of these effects.", effect())),
        ("traits", traits()),
        ("everything", stated("All of it, looking around included.")),
        ("until", instant("The instant at which it ends.")),
        ("trial_until", instant("Until then it is recorded, and not enforced, within bounds.")),
    ]);
    let ban = object("What is unknown matches; a key left out means all.", &[], keys);
    let whole = json!({ "dependentSchemas": { "services": { "not": { "required": ["via"] } } } });
    let what = any_of_keys(&["call", "read", "prompt", "effects", "traits", "everything"]);
    let ban = [whole, what].into_iter().fold(ban, both);
    map("A ban beats every grant.", name(), ban)
}
