//! `tests/NAME.yaml`

use serde_json::{Value, json};

use super::build::{
    any_of_keys, both, described, group, group_name, instant, list, map, matching, name, object,
    one_of_keys, sequence, some, text, version, words,
};
use super::rules::user_names;
use crate::engine::Reason;
use crate::policy::model::{Effect, Trait};

pub(super) fn suite() -> Value {
    let groups = json!({
        "description": "The person's groups; `unknown` if the token does not say.",
        "anyOf": [{ "const": "unknown" }, list("Groups; `[]` for none.", text("A group."))],
    });
    let person = object(
        "A person.",
        &["groups"],
        [
            ("groups", groups),
            ("user", text("`issuer:subject`, where a rule names it.")),
            ("scopes", list("The scopes of the person's token.", text("A scope of a grant."))),
        ],
    );
    let people = json!({ "not": { "const": "nobody" } });
    let suite = object(
        "Cases that `toolgate test` decides.",
        &["toolgate", "now"],
        [
            ("toolgate", version()),
            ("now", instant("When everything in the file happens.")),
            ("people", map("People by a name of the file's own.", people, person)),
            ("allowed", sequence("What must be allowed.", case(false))),
            ("refused", sequence("What must be refused, and why.", case(true))),
            ("always", sequence("What must hold, whoever asks, from wherever.", always())),
        ],
    );
    both(suite, any_of_keys(&["allowed", "refused", "always"]))
}

fn always() -> Value {
    let named = |what: &str| some(what, matching("^[^/]+/[\\s\\S]+$"));
    let place = matching("^[a-z0-9-]{1,63}(/[a-z0-9-]{1,63})?$");
    let effects = words("An effect.", Effect::ALL.map(|(name, _)| name));
    let traits = words("A trait.", Trait::ALL.map(|(name, _)| name));
    let server = matching("^[^/]+$");
    let always = object(
        "Proved over every group set, place and service. Verbs, effects and traits add up; every \
         other key narrows.",
        &[],
        [
            ("only", described_callers("Nobody else may. Unknown groups match nothing here.")),
            ("never", described_callers("None of them may. Unknown groups match here.")),
            (
                "call",
                named("Tools: `SERVER/TOOL` in every environment, or `SERVER@ENVIRONMENT/TOOL`."),
            ),
            ("read", named("Resources: `SERVER/URI`, as they are listed or one below.")),
            ("prompt", named("Prompts: `SERVER/NAME`.")),
            ("discover", some("Looking around: servers.", server)),
            ("effects", some("Whatever has one of these effects.", effects)),
            ("traits", some("Whatever has one of these traits.", traits)),
            ("servers", some("Servers; all, if left out.", name())),
            ("in", some("Environments; all, if left out.", name())),
            ("via", some("Surfaces, `surface/channel`, or `any-surface` alone.", place)),
        ],
    );
    let what = any_of_keys(&["call", "read", "prompt", "discover", "effects", "traits"]);
    [one_of_keys(&["only", "never"]), what].into_iter().fold(always, both)
}

fn described_callers(description: &str) -> Value {
    let also_in = json!({
        "description": "A group, or one of several, that they are in as well.",
        "anyOf": [group_name(), some("One of these groups.", group_name())],
    });
    let services = json!({
        "description": "Services, or `any-service`.",
        "anyOf": [{ "const": "any-service" }, some("One of these services.", name())],
    });
    let callers = object(
        description,
        &[],
        [
            ("people", some("Groups, any of them, or `anyone-signed-in` alone.", group())),
            ("also_in", also_in),
            ("except", some("Groups whose members are left out.", group_name())),
            ("users", some("Named users as `issuer:subject`.", user_names())),
            ("services", services),
        ],
    );
    let narrows = json!({ "dependentRequired": { "also_in": ["people"], "except": ["people"] } });
    let somebody = any_of_keys(&["people", "users", "services"]);
    [narrows, somebody].into_iter().fold(callers, both)
}

fn case(refused: bool) -> Value {
    let item = |what: &str| described(what, matching("^[^/]+/[\\s\\S]*$"));
    let mut keys = vec![
        ("who", text("A name of `people`, or `nobody` for a request without a token.")),
        ("service", described("A service, instead of a person.", name())),
        ("via", text("A surface, or `surface/channel`.")),
        ("client", text("The OAuth client of the token; the surface's first, if left out.")),
        ("call", item("`SERVER/TOOL` or `SERVER@ENVIRONMENT/TOOL`.")),
        ("read", item("`SERVER/URI`.")),
        ("prompt", item("`SERVER/NAME`.")),
        ("discover", described("Looking around: a server alone.", matching("^[^/]+$"))),
        ("args", json!({ "description": "The arguments of a call." })),
    ];
    if refused {
        let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
        keys.push(("because", words("The reason.", reasons)));
    }
    let required: &[&str] = if refused { &["because"] } else { &[] };
    let case = object("One request.", required, keys);
    let shape = json!({
        "allOf": [
            one_of_keys(&["who", "service"]),
            one_of_keys(&["call", "read", "prompt", "discover"]),
        ],
        "dependentRequired": { "via": ["who"], "client": ["who"], "args": ["call"] },
    });
    both(case, shape)
}
