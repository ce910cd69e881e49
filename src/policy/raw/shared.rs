//! `groups.yaml`, `reviews.yaml` and `guardrails.yaml`

use url::Url;

use super::items::approver;
use super::rules::{GUARDRAIL_BAN, ban};
use super::{
    FloorOf, NameCheck, RawEnvironment, RawFloor, RawGroup, RawGuardrails, RawReview, Text,
    entries, named, not_empty, version, word,
};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::digest::Digest;
use crate::policy::model::{Effect, Trait};
use crate::policy::names;
use crate::yaml::{Fields, Keys, Node, Reader};

/// What a lint rule may weigh.
const LINT_LEVELS: [&str; 3] = ["off", "warning", "error"];

pub(in crate::policy) fn groups<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Vec<RawGroup<'n>> {
    const KEYS: Keys = Keys { known: &["toolgate", "groups"], later: &[] };
    let Some(fields) = reader.fields(root, KEYS) else {
        return Vec::new();
    };
    version(reader, fields);
    let groups = reader.required(fields, "groups", "list every group that policies may name");
    entries(reader, groups, ("a group's name", names::group), |reader, name, node| {
        const KEYS: Keys = Keys { known: &["claims"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        let claims = match fields.get("claims") {
            None => None,
            Some(node) => Some(not_empty(reader, node)?),
        };
        Some(RawGroup { name, claims })
    })
}

pub(in crate::policy) fn reviews<'n>(
    reader: &mut Reader<'_>,
    root: &'n Node,
) -> Vec<RawReview<'n>> {
    const KEYS: Keys = Keys { known: &["toolgate", "reviews"], later: &[] };
    let Some(fields) = reader.fields(root, KEYS) else {
        return Vec::new();
    };
    version(reader, fields);
    entries(reader, fields.get("reviews"), ("a review's name", names::review), review)
}

fn review<'n>(reader: &mut Reader<'_>, name: Text<'n>, node: &'n Node) -> Option<RawReview<'n>> {
    const KEYS: Keys =
        Keys { known: &["kind", "approved", "last_day", "covers", "not_applicable"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    if let Some(node) = fields.get("not_applicable")
        && let Some(reason) = reader.text(node)
        && reason.trim().is_empty()
    {
        let message = "it is not said why the review does not apply";
        reader.report(
            Diagnostic::error(Code::BadValue, reason.place, message)
                .help("write the reason, such as \"no model in the loop\""),
        );
    }
    let kind = reader
        .required(fields, "kind", "say what was reviewed, such as `security`")
        .and_then(|node| reader.text(node))
        .and_then(|text| named(reader, text, "a kind of review", names::plain));
    let approved = reader
        .required(fields, "approved", "give the day of the approval")
        .and_then(|node| reader.date(node));
    let last_day = reader
        .required(fields, "last_day", "give the last day on which the review counts")
        .and_then(|node| reader.date(node));
    let covers = reader
        .required(
            fields,
            "covers",
            "`toolgate reviews stamp` writes it, if a server lists the review; else write \
             `covers: {}`",
        )
        .map(|node| {
            let entries = reader.entries(node);
            entries
                .into_iter()
                .filter_map(|(server, node)| {
                    Some((server, reader.parsed(node, "a digest", str::parse::<Digest>)?))
                })
                .collect()
        });
    let (approved, last_day) = (approved?, last_day?);
    if last_day.value < approved.value {
        let message = "the review ends before it was approved";
        let diagnostic = Diagnostic::error(Code::BadValue, last_day.place, message)
            .related(approved.place, "approved here")
            .help("correct one of the two days");
        reader.report(diagnostic);
    }
    Some(RawReview {
        name,
        kind: kind?,
        approved: approved.value,
        last_day: last_day.value,
        covers: covers?,
    })
}

pub(in crate::policy) fn guardrails<'n>(
    reader: &mut Reader<'_>,
    root: &'n Node,
) -> Option<RawGuardrails<'n>> {
    const KEYS: Keys =
        Keys { known: &["toolgate", "environments", "approval", "bans", "lint"], later: &[] };
    let fields = reader.fields(root, KEYS)?;
    version(reader, fields);
    let environments = reader.required(fields, "environments", "declare the environments");
    let environment = ("an environment's name", names::plain as NameCheck);
    let environments = entries(reader, environments, environment, |reader, name, node| {
        const KEYS: Keys = Keys { known: &["reviews", "upstreams"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        let reviews = reader
            .required(fields, "reviews", "list the kinds of review needed; `[]` for none")
            .map(|node| reader.texts(node));
        let upstreams = reader
            .required(fields, "upstreams", "list the `host:port` of every upstream")
            .map(|node| reader.texts(node));
        for upstream in upstreams.iter().flatten() {
            reader.parse_text(*upstream, "an upstream's `host:port`", host_port);
        }
        Some(RawEnvironment { name, reviews: reviews?, upstreams: upstreams? })
    });
    let bans = entries(
        reader,
        fields.get("bans"),
        ("a ban's name", names::plain),
        |reader, name, node| ban(reader, name, node, GUARDRAIL_BAN),
    );
    let approval = floors(reader, fields);
    weights(reader, fields);
    Some(RawGuardrails { environments, approval, bans })
}

/// The least approval, by effect or trait.
fn floors<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Vec<RawFloor<'n>> {
    let effects = Effect::ALL.map(|(name, effect)| (name, FloorOf::Effect(effect)));
    let traits = Trait::ALL.map(|(name, of)| (name, FloorOf::Trait(of)));
    let words: Vec<_> = effects.into_iter().chain(traits).collect();
    let entries = fields.get("approval").map(|node| reader.entries(node)).unwrap_or_default();
    let floor = |(name, node): (Text<'n>, &'n Node)| {
        let of = word(reader, name, &words);
        let approver = approver(reader, node)?;
        Some(RawFloor { of: of?, approver, place: name.place })
    };
    entries.into_iter().filter_map(floor).collect()
}

/// What lint rules weigh. It decides nothing, and `lint` reads it; that the rules are there is a
/// finding and no problem here, so that a new rule's name keeps no older sidecar from loading.
fn weights(reader: &mut Reader<'_>, fields: Fields<'_>) {
    let rule = ("a lint rule's name", names::plain as NameCheck);
    entries(reader, fields.get("lint"), rule, |reader, _, node| {
        let text = reader.text(node)?;
        word(reader, text, &LINT_LEVELS.map(|level| (level, ())))
    });
}

/// One that no URL could have would be listed for nothing.
fn host_port(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(&format!("https://{text}/")).map_err(|_| "not a host and a port")?;
    // A URL leaves its scheme's own port out.
    let port = url.port().unwrap_or(443);
    match url.host_str() {
        Some(host) if format!("{host}:{port}") == text => Ok(()),
        Some(_) => Err("write the host in lower case, a colon, and the port"),
        None => Err("not a host and a port"),
    }
}
