//! `surfaces.yaml`, `groups.yaml`, `reviews.yaml` and `guardrails.yaml`

use serde_json::{Value, json};

use super::build::{
    both, day, described, digest, group_name, list, map, matching, name, object, review_name, some,
    text, version, words, workloads,
};
use super::{items, rules};
use crate::policy::model::{Effect, Trait};
use crate::policy::names::pattern;

pub(super) fn surfaces() -> Value {
    let reaches = || some("The environments that can be reached from here.", name());
    let workload_list = || some("SPIFFE IDs, or `…/*` for all below one.", workloads());
    let surface = object(
        "A place where people work.",
        &["workloads", "reaches"],
        [
            (
                "workloads",
                json!({
                    "description": "The workloads that speak from here; `none` for callers without one.",
                    "anyOf": [{ "const": "none" }, workload_list()],
                }),
            ),
            ("reaches", reaches()),
            (
                "channels",
                map(
                    "Channels by name; the channel header is believed from here.",
                    name(),
                    some("Identifiers, since names can be taken.", matching(pattern::TOOL)),
                ),
            ),
            (
                "clients",
                some("The OAuth clients that tokens from here are issued to.", text("A client.")),
            ),
        ],
    );
    let service = object(
        "A workload that acts without a person.",
        &["workloads", "reaches"],
        [("workloads", workload_list()), ("reaches", reaches())],
    );
    let place = || both(name(), json!({ "not": { "enum": ["any-surface", "any-service"] } }));
    object(
        "From where people and services call. A workload is one surface or one service.",
        &["toolgate"],
        [
            ("toolgate", version()),
            ("surfaces", map("Where people work; a user token is needed.", place(), surface)),
            ("services", map("No person in the loop.", place(), service)),
        ],
    )
}

pub(super) fn groups() -> Value {
    let claims = some(
        "Claim values as `issuer:value`; then only these mean the group, never its name.",
        text("`issuer:value`"),
    );
    let group = object("`{}`: the claim value is the name.", &[], [("claims", claims)]);
    object(
        "The groups of users.",
        &["toolgate", "groups"],
        [
            ("toolgate", version()),
            ("groups", map("Every group that policies may name.", group_name(), group)),
        ],
    )
}

pub(super) fn reviews() -> Value {
    let covers = map(
        "By server, the digest of its tools; `toolgate reviews stamp` writes it.",
        json!({ "type": "string" }),
        digest("A digest, in quotes."),
    );
    let review = object(
        "An approval, or the reason why none is needed.",
        &["kind", "approved", "last_day", "covers"],
        [
            ("kind", described("What was reviewed, such as `security`.", name())),
            ("approved", day("The first UTC day on which it counts.")),
            ("last_day", day("The last UTC day on which it counts.")),
            ("covers", covers),
            ("not_applicable", both(text("Why the review does not apply."), matching(r"\S"))),
        ],
    );
    object(
        "What was reviewed, and until when that counts.",
        &["toolgate"],
        [
            ("toolgate", version()),
            ("reviews", map("Reviews by their identifier.", review_name(), review)),
        ],
    )
}

pub(super) fn guardrails() -> Value {
    let environment = object(
        "An environment.",
        &["reviews", "upstreams"],
        [
            ("reviews", list("The kinds of review needed; `[]` for none.", text("A kind."))),
            ("upstreams", list("The `host:port` of every upstream.", text("`host:port`"))),
        ],
    );
    let effects = Effect::ALL.map(|(word, _)| word);
    let traits = Trait::ALL.map(|(word, _)| word);
    let floors = map(
        "The least approval, by effect or trait.",
        words("An effect or a trait.", effects.into_iter().chain(traits)),
        items::approver("The least approval."),
    );
    let weights = map(
        "What lint rules weigh, by their names.",
        name(),
        words("`off`, or what its findings are.", ["off", "warning", "error"]),
    );
    object(
        "What holds on every server; nothing can grant it back.",
        &["toolgate", "environments"],
        [
            ("toolgate", version()),
            ("environments", map("The environments there are.", name(), environment)),
            ("approval", floors),
            ("bans", rules::bans(true)),
            ("lint", weights),
        ],
    )
}
