//! `servers/NAME.yaml`

use serde_json::{Value, json};

use super::build::{
    both, described, instant, list, map, matching, name, object, review_name, some, text, version,
    words, workload,
};
use super::{items, rules};
use crate::policy::names::pattern;

pub(super) fn server() -> Value {
    object(
        "Who may call which tool of one MCP server, from where.",
        &["toolgate", "server", "environments", "tools"],
        [
            ("toolgate", version()),
            ("server", described("The server's name, as its file is named.", name())),
            ("about", about()),
            ("environments", environments()),
            (
                "discovery",
                object(
                    "Who may look around.",
                    &["without_user"],
                    [(
                        "without_user",
                        some("Surfaces that may connect before anybody signs in.", name()),
                    )],
                ),
            ),
            (
                "forward_groups",
                words(
                    "Which groups the upstream is told about: all, or those that this file names.",
                    ["all", "referenced"],
                ),
            ),
            (
                "forward_token",
                json!({
                    "description": "Whether the upstream is given the tokens of its callers.",
                    "type": "boolean",
                }),
            ),
            (
                "resource",
                described(
                    "The one audience of tokens for this server.",
                    both(matching(pattern::RESOURCE), json!({ "maxLength": 2048 })),
                ),
            ),
            ("tools", items::tools()),
            ("resources", items::resources()),
            ("prompts", items::prompts()),
            ("grants", rules::grants()),
            ("bans", rules::bans(false)),
            (
                "lists",
                words(
                    "What lists show: what their caller may use (the default), or everything.",
                    ["filtered", "full"],
                ),
            ),
            ("audit", words("Refuse rather than lose a record.", ["required"])),
            (
                "refusal",
                words(
                    "How a refused request is answered: a JSON-RPC error, a tool's result, or 403.",
                    ["error", "result", "http"],
                ),
            ),
            (
                "tasks",
                words(
                    "Let tasks through: the server keeps each for the user who began it.",
                    ["bound_to_user"],
                ),
            ),
            (
                "methods",
                some("Methods of extensions that go through.", matching(pattern::EXTENSION)),
            ),
        ],
    )
}

fn about() -> Value {
    object(
        "What people should know. It decides nothing.",
        &[],
        [
            ("title", text("A name for people.")),
            ("description", text("What the server is for.")),
            ("owner", text("Who looks after it.")),
            ("support", text("Where to ask. Quote a `#channel`.")),
            ("links", map("Where to read more.", json!({ "type": "string" }), text("A URL."))),
        ],
    )
}

fn environments() -> Value {
    let environment = object(
        "Where the server runs.",
        &["upstream"],
        [
            (
                "upstream",
                described(
                    "The URL of its MCP endpoint; `host:port` stands in guardrails.yaml.",
                    matching("^https?://[^?#]+$"),
                ),
            ),
            (
                "upstream_identity",
                described("The SPIFFE ID that an `https` upstream proves.", workload()),
            ),
            (
                "reviews",
                list("Reviews, one of each kind that the environment needs.", review_name()),
            ),
            (
                "mode",
                object(
                    "Record some refusals instead of enforcing them.",
                    &["shadow_until"],
                    [("shadow_until", instant("From then on everything is enforced."))],
                ),
            ),
        ],
    );
    let environments =
        map("Where it runs; guardrails.yaml names the environments.", name(), environment);
    both(environments, json!({ "minProperties": 1 }))
}
