//! Policy files as they are written: one struct per mapping, every value with its place. Nothing
//! here looks at another file.

use jiff::civil::Date;
use url::Url;

use super::digest::Digest;
use super::model::{Effect, Trait};
use super::names;
use crate::diagnostics::{Code, Diagnostic, Place, did_you_mean};
use crate::identity::{Workload, WorkloadPattern};
use crate::yaml::{Fields, Keys, Kind, Node, Reader, Spanned};

pub(super) type Text<'n> = Spanned<&'n str>;

/// What a name may look like.
type NameCheck = fn(&str) -> Result<(), names::NameError>;

pub(super) struct RawServer<'n> {
    pub(super) name: Text<'n>,
    pub(super) environments: Vec<RawServerEnvironment<'n>>,
    pub(super) tools: Vec<RawTool<'n>>,
    pub(super) grants: Vec<RawGrant<'n>>,
    pub(super) bans: Vec<RawBan<'n>>,
    pub(super) tools_digest: Digest,
}

pub(super) struct RawServerEnvironment<'n> {
    pub(super) name: Text<'n>,
    pub(super) upstream: Spanned<Url>,
    pub(super) upstream_identity: Option<Spanned<Workload>>,
    pub(super) reviews: Vec<Text<'n>>,
}

pub(super) struct RawTool<'n> {
    pub(super) name: Text<'n>,
    pub(super) effect: Effect,
    pub(super) traits: Vec<Trait>,
    pub(super) approval: Option<RawApprover<'n>>,
    pub(super) minutes_saved: u32,
}

pub(super) enum RawApprover<'n> {
    Caller,
    AnotherPerson,
    Groups(Vec<Text<'n>>),
}

pub(super) struct RawGrant<'n> {
    pub(super) name: Text<'n>,
    pub(super) people: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) services: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) via: Option<Spanned<RawVia<'n>>>,
    pub(super) environments: Option<Vec<Text<'n>>>,
    pub(super) call: Vec<Text<'n>>,
    pub(super) last_day: Option<Date>,
}

pub(super) enum RawVia<'n> {
    AnySurface,
    Places(Vec<Text<'n>>),
}

pub(super) struct RawBan<'n> {
    pub(super) name: Text<'n>,
    pub(super) people: Option<Vec<Text<'n>>>,
    pub(super) services: Option<RawBannedServices<'n>>,
    pub(super) via: Option<Spanned<RawVia<'n>>>,
    pub(super) environments: Option<Vec<Text<'n>>>,
    pub(super) servers: Option<Vec<Text<'n>>>,
    pub(super) everything: bool,
    pub(super) call: Vec<Text<'n>>,
    pub(super) effects: Vec<Effect>,
    pub(super) traits: Vec<Trait>,
}

pub(super) enum RawBannedServices<'n> {
    Any,
    Only(Vec<Text<'n>>),
}

pub(super) struct RawPlace<'n> {
    pub(super) name: Text<'n>,
    pub(super) service: bool,
    /// `None` stands for `workloads: none`.
    pub(super) workloads: Option<Vec<Spanned<WorkloadPattern>>>,
    pub(super) reaches: Vec<Text<'n>>,
    pub(super) channels: Vec<(Text<'n>, Vec<Text<'n>>)>,
}

pub(super) struct RawGroup<'n> {
    pub(super) name: Text<'n>,
    /// Claim values as `issuer:value`; `None` if the name itself is the claim value.
    pub(super) claims: Option<Vec<Text<'n>>>,
}

pub(super) struct RawReview<'n> {
    pub(super) name: Text<'n>,
    pub(super) kind: Text<'n>,
    pub(super) approved: Date,
    pub(super) last_day: Date,
    pub(super) covers: Vec<(Text<'n>, Spanned<Digest>)>,
}

pub(super) struct RawEnvironment<'n> {
    pub(super) name: Text<'n>,
    pub(super) reviews: Vec<Text<'n>>,
    pub(super) upstreams: Vec<Text<'n>>,
}

pub(super) struct RawGuardrails<'n> {
    pub(super) environments: Vec<RawEnvironment<'n>>,
    pub(super) bans: Vec<RawBan<'n>>,
}

/// Checks the version line that every file starts with.
fn version(reader: &mut Reader<'_>, fields: Fields<'_>) {
    let ok = |node: &Node| matches!(&node.kind, Kind::Plain(_, text) if text == "1");
    let cure = "start the file with `toolgate: 1`, the version of the language";
    match fields.get("toolgate") {
        Some(node) if ok(node) => {}
        Some(node) => {
            let place = reader.place(node.span);
            let message = "this version reads `toolgate: 1` only";
            reader.report(Diagnostic::error(Code::Version, place, message).help(cure));
        }
        None => {
            let place = Place { span: crate::diagnostics::Span::default(), ..fields.place };
            let message = "`toolgate: 1` is missing";
            reader.report(Diagnostic::error(Code::Version, place, message).help(cure));
        }
    }
}

fn name<'n>(
    reader: &mut Reader<'_>,
    text: Text<'n>,
    what: &str,
    check: NameCheck,
) -> Option<Text<'n>> {
    reader.parse_text(text, what, check)?;
    Some(text)
}

fn texts<'n>(reader: &mut Reader<'_>, node: Option<&'n Node>) -> Vec<Text<'n>> {
    node.map(|node| reader.texts(node)).unwrap_or_default()
}

/// A value out of a fixed list of words.
fn word<T: Copy>(
    reader: &mut Reader<'_>,
    text: Text<'_>,
    words: &[(&'static str, T)],
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is none of {}", text.value, all.join(", "));
        let near = did_you_mean(text.value, all.iter().copied());
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let diagnostic = Diagnostic::error(Code::BadValue, text.place, message).maybe_help(help);
        reader.report(diagnostic);
    }
    found
}

fn words<T: Copy>(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    all: &[(&'static str, T)],
) -> Vec<T> {
    texts(reader, node).into_iter().filter_map(|text| word(reader, text, all)).collect()
}

/// Entries of a mapping from names, each read by `read`.
fn entries<'n, T>(
    reader: &mut Reader<'_>,
    node: Option<&'n Node>,
    (what, check): (&str, NameCheck),
    mut read: impl FnMut(&mut Reader<'_>, Text<'n>, &'n Node) -> Option<T>,
) -> Vec<T> {
    let list = node.map(|node| reader.entries(node)).unwrap_or_default();
    let mut entries = Vec::new();
    for (key, node) in list {
        // Read the value even below a bad name: its problems are reported too.
        let named = name(reader, key, what, check).is_some();
        match read(reader, key, node) {
            Some(entry) if named => entries.push(entry),
            Some(_) | None => reader.declare_broken(key.value),
        }
    }
    entries
}

// === servers ===

pub(super) fn server<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Option<RawServer<'n>> {
    const KEYS: Keys = Keys {
        known: &["toolgate", "server", "about", "environments", "tools", "grants", "bans"],
        later: &[
            "resources",
            "prompts",
            "discovery",
            "lists",
            "refusal",
            "forward_token",
            "resource",
            "forward_groups",
            "audit",
            "tasks",
            "methods",
        ],
    };
    let fields = reader.fields(root, KEYS)?;
    version(reader, fields);
    if let Some(node) = fields.get("about") {
        about(reader, node);
    }
    let name_node = reader.required(fields, "server", "name the server, as its file is named");
    let name = name_node
        .and_then(|node| reader.text(node))
        .and_then(|text| name(reader, text, "a server's name", names::plain));
    let environments = reader.required(fields, "environments", "say where the server runs");
    if let Some(Node { span, kind: Kind::Mapping(list) }) = environments
        && list.is_empty()
    {
        let place = reader.place(*span);
        let message = "the server runs in no environment";
        reader.report(Diagnostic::error(Code::BadValue, place, message));
    }
    let environments =
        entries(reader, environments, ("an environment's name", names::plain), server_environment);
    let tools = reader.required(fields, "tools", "list what the reviews covered");
    let tools_digest = super::digest::of_tools(tools, None, None);
    let tools = entries(reader, tools, ("a tool's name", names::tool), tool);
    let grants = entries(reader, fields.get("grants"), ("a grant's name", names::plain), grant);
    let bans = entries(
        reader,
        fields.get("bans"),
        ("a ban's name", names::plain),
        |reader, name, node| ban(reader, name, node, SERVER_BAN),
    );
    Some(RawServer { name: name?, environments, tools, grants, bans, tools_digest })
}

/// What people should know about a server. It decides nothing, but a typo is still a typo.
fn about(reader: &mut Reader<'_>, node: &Node) {
    const KEYS: Keys =
        Keys { known: &["title", "description", "owner", "support", "links"], later: &[] };
    let Some(fields) = reader.fields(node, KEYS) else {
        return;
    };
    for key in ["title", "description", "owner", "support"] {
        if let Some(node) = fields.get(key) {
            reader.text(node);
        }
    }
    if let Some(links) = fields.get("links") {
        for (_, node) in reader.entries(links) {
            reader.text(node);
        }
    }
}

fn server_environment<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
) -> Option<RawServerEnvironment<'n>> {
    const KEYS: Keys =
        Keys { known: &["upstream", "upstream_identity", "reviews"], later: &["mode"] };
    let fields = reader.fields(node, KEYS)?;
    let upstream = reader
        .required(fields, "upstream", "give the URL of the server's MCP endpoint")
        .and_then(|node| reader.parsed(node, "a URL", Url::parse));
    let upstream_identity = fields
        .get("upstream_identity")
        .and_then(|node| reader.parsed(node, "a workload's SPIFFE ID", Workload::new));
    let reviews = texts(reader, fields.get("reviews"));
    Some(RawServerEnvironment { name, upstream: upstream?, upstream_identity, reviews })
}

fn tool<'n>(reader: &mut Reader<'_>, name: Text<'n>, node: &'n Node) -> Option<RawTool<'n>> {
    const KEYS: Keys = Keys {
        known: &["effect", "traits", "minutes_saved", "approval"],
        later: &["limits", "accepts", "sets", "pin", "log_args"],
    };
    let fields = reader.fields(node, KEYS)?;
    let effect = reader
        .required(fields, "effect", "say `effect: read`, `write` or `destructive`")
        .and_then(|node| reader.text(node))
        .and_then(|text| word(reader, text, &Effect::ALL));
    let traits = words(reader, fields.get("traits"), &Trait::ALL);
    let minutes_saved = fields
        .get("minutes_saved")
        .and_then(|node| reader.integer(node, 0..=100_000))
        .map_or(Some(0), |minutes| u32::try_from(minutes.value).ok());
    let approval = match fields.get("approval") {
        None => None,
        Some(node) if matches!(node.kind, Kind::Sequence(_)) => {
            Some(RawApprover::Groups(not_empty(reader, node)?))
        }
        Some(node) => {
            let text = reader.text(node)?;
            let another = word(reader, text, &[("caller", false), ("another-person", true)])?;
            Some(if another { RawApprover::AnotherPerson } else { RawApprover::Caller })
        }
    };
    Some(RawTool { name, effect: effect?, traits, approval, minutes_saved: minutes_saved? })
}

/// A list that means something: an empty one would read as "all" to one and "none" to another.
fn not_empty<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<Vec<Text<'n>>> {
    let list = reader.texts(node);
    if let Kind::Sequence(items) = &node.kind
        && items.is_empty()
    {
        let place = reader.place(node.span);
        let diagnostic = Diagnostic::error(Code::BadValue, place, "an empty list")
            .help("leave the key out, or name what is meant");
        reader.report(diagnostic);
        return None;
    }
    Some(list)
}

fn optional_list<'n>(
    reader: &mut Reader<'_>,
    fields: Fields<'n>,
    key: &str,
) -> Option<Spanned<Vec<Text<'n>>>> {
    let node = fields.get(key)?;
    let place = reader.place(node.span);
    not_empty(reader, node).map(|value| Spanned { value, place })
}

fn via<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<Spanned<RawVia<'n>>> {
    let list = optional_list(reader, fields, "via")?;
    Some(match list.value.as_slice() {
        [Spanned { value: "any-surface", .. }] => list.map(|_| RawVia::AnySurface),
        _ => list.map(RawVia::Places),
    })
}

fn grant<'n>(reader: &mut Reader<'_>, name: Text<'n>, node: &'n Node) -> Option<RawGrant<'n>> {
    const KEYS: Keys = Keys {
        known: &["people", "services", "via", "in", "call", "last_day"],
        later: &[
            "users", "ticket", "also_in", "except", "until", "read", "prompt", "limits", "scopes",
        ],
    };
    let fields = reader.fields(node, KEYS)?;
    Some(RawGrant {
        name,
        people: optional_list(reader, fields, "people"),
        services: optional_list(reader, fields, "services"),
        via: via(reader, fields),
        environments: optional_list(reader, fields, "in").map(|list| list.value),
        call: optional_list(reader, fields, "call").map(|list| list.value).unwrap_or_default(),
        // A bad date does not become "no end": it is a problem, and nothing is loaded.
        last_day: fields.get("last_day").and_then(|node| reader.date(node)).map(|day| day.value),
    })
}

const SERVER_BAN: Keys = Keys {
    known: &["people", "services", "via", "in", "call", "effects", "traits", "everything"],
    later: &["users", "read", "prompt", "until", "trial_until", "servers"],
};

const GUARDRAIL_BAN: Keys = Keys {
    known: &["people", "services", "via", "in", "servers", "effects", "traits", "everything"],
    later: &["users", "call", "read", "prompt", "until", "trial_until"],
};

fn ban<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
    keys: Keys,
) -> Option<RawBan<'n>> {
    let fields = reader.fields(node, keys)?;
    let services = match fields.get("services") {
        Some(Node { kind: Kind::Text(text), .. }) if text == "any-service" => {
            Some(RawBannedServices::Any)
        }
        Some(_) => optional_list(reader, fields, "services")
            .map(|list| RawBannedServices::Only(list.value)),
        None => None,
    };
    let everything = fields.get("everything").and_then(|node| reader.boolean(node));
    if let Some(Spanned { value: false, place }) = everything {
        let diagnostic =
            Diagnostic::error(Code::BadValue, place, "`everything: false` says nothing")
                .help("leave the key out");
        reader.report(diagnostic);
    }
    Some(RawBan {
        name,
        people: optional_list(reader, fields, "people").map(|list| list.value),
        services,
        via: via(reader, fields),
        environments: optional_list(reader, fields, "in").map(|list| list.value),
        servers: optional_list(reader, fields, "servers").map(|list| list.value),
        everything: everything.is_some_and(|everything| everything.value),
        call: optional_list(reader, fields, "call").map(|list| list.value).unwrap_or_default(),
        effects: words(reader, fields.get("effects"), &Effect::ALL),
        traits: words(reader, fields.get("traits"), &Trait::ALL),
    })
}

// === surfaces ===

pub(super) fn surfaces<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Vec<RawPlace<'n>> {
    const KEYS: Keys = Keys { known: &["toolgate", "surfaces", "services"], later: &[] };
    let Some(fields) = reader.fields(root, KEYS) else {
        return Vec::new();
    };
    version(reader, fields);
    let surface = ("a surface's name", names::plain as NameCheck);
    let service = ("a service's name", names::plain as NameCheck);
    let mut places = entries(reader, fields.get("surfaces"), surface, |reader, name, node| {
        const KEYS: Keys =
            Keys { known: &["workloads", "reaches", "channels"], later: &["clients"] };
        let fields = reader.fields(node, KEYS)?;
        place(reader, name, fields, false)
    });
    places.extend(entries(reader, fields.get("services"), service, |reader, name, node| {
        const KEYS: Keys = Keys { known: &["workloads", "reaches"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        place(reader, name, fields, true)
    }));
    places
}

fn place<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    fields: Fields<'n>,
    service: bool,
) -> Option<RawPlace<'n>> {
    let node = reader.required(fields, "workloads", "list the SPIFFE IDs that speak from here");
    let workloads = match node {
        None => return None,
        Some(Node { kind: Kind::Text(text), .. }) if text == "none" && !service => None,
        Some(node) => Some(
            not_empty(reader, node)?
                .into_iter()
                .filter_map(|text| {
                    reader.parse_text(text, "a SPIFFE ID or subtree", str::parse::<WorkloadPattern>)
                })
                .collect(),
        ),
    };
    let reaches = reader
        .required(fields, "reaches", "list the environments that can be reached from here")
        .and_then(|node| not_empty(reader, node));
    let channel = ("a channel's name", names::plain as NameCheck);
    let channels = entries(reader, fields.get("channels"), channel, |reader, name, node| {
        let ids = not_empty(reader, node)?;
        let ids = ids
            .into_iter()
            .filter_map(|id| self::name(reader, id, "a channel's identifier", names::channel_id));
        Some((name, ids.collect()))
    });
    Some(RawPlace { name, service, workloads, reaches: reaches?, channels })
}

// === groups, reviews, guardrails ===

pub(super) fn groups<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Vec<RawGroup<'n>> {
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

pub(super) fn reviews<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Vec<RawReview<'n>> {
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
        let message = "a review that does not apply needs a reason";
        reader.report(Diagnostic::error(Code::BadValue, reason.place, message));
    }
    let kind = reader
        .required(fields, "kind", "say what was reviewed, such as `security`")
        .and_then(|node| reader.text(node))
        .and_then(|text| self::name(reader, text, "a kind of review", names::plain));
    let approved = reader
        .required(fields, "approved", "give the day of the approval")
        .and_then(|node| reader.date(node));
    let last_day = reader
        .required(fields, "last_day", "give the last day on which the review counts")
        .and_then(|node| reader.date(node));
    let covers =
        reader.required(fields, "covers", "run `toolgate reviews stamp` to write it").map(|node| {
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
            .related(approved.place, "approved here");
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

pub(super) fn guardrails<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Option<RawGuardrails<'n>> {
    const KEYS: Keys = Keys { known: &["toolgate", "environments", "bans"], later: &["approval"] };
    let fields = reader.fields(root, KEYS)?;
    version(reader, fields);
    let environments = reader.required(fields, "environments", "declare the environments");
    let environment = ("an environment's name", names::plain as NameCheck);
    let environments = entries(reader, environments, environment, |reader, name, node| {
        const KEYS: Keys = Keys { known: &["reviews", "upstreams"], later: &["mode"] };
        let fields = reader.fields(node, KEYS)?;
        let reviews = reader
            .required(fields, "reviews", "list the kinds of review needed; `[]` for none")
            .map(|node| reader.texts(node));
        let upstreams = reader
            .required(fields, "upstreams", "list the `host:port` of every upstream")
            .map(|node| reader.texts(node));
        Some(RawEnvironment { name, reviews: reviews?, upstreams: upstreams? })
    });
    let bans = entries(
        reader,
        fields.get("bans"),
        ("a ban's name", names::plain),
        |reader, name, node| ban(reader, name, node, GUARDRAIL_BAN),
    );
    Some(RawGuardrails { environments, bans })
}
