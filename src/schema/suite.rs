//! `tests/NAME.yaml`

use serde_json::{Value, json};

use super::build::{
    any_of_keys, both, described, instant, list, map, matching, name, object, one_of_keys,
    sequence, text, version, words,
};
use crate::engine::Reason;

pub(super) fn suite() -> Value {
    let groups = json!({
        "description": "The person's groups; `unknown` if the token does not say.",
        "anyOf": [{ "const": "unknown" }, list("Groups; `[]` for none.", text("A group."))],
    });
    let person = object(
        "A person.",
        &["groups"],
        [("groups", groups), ("user", text("`issuer:subject`, where a rule names it."))],
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
        ],
    );
    both(suite, any_of_keys(&["allowed", "refused"]))
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
