//! `servers/NAME.yaml`

use url::Url;

use super::items::{item, tool};
use super::protocol::protocol;
use super::rules::{SERVER_BAN, ban, grant};
use super::{
    RawBan, RawGrant, RawServer, RawServerEnvironment, Text, entries, named, not_empty, texts,
    version, word,
};
use crate::diagnostics::{Code, Diagnostic};
use crate::identity::Workload;
use crate::policy::digest;
use crate::policy::model::Lists;
use crate::policy::names;
use crate::yaml::{Fields, Keys, Kind, Node, Reader};

/// Leaving the key out is the only other thing to say.
const AUDIT: &[(&str, ())] = &[("required", ())];

pub(in crate::policy) fn server<'n>(
    reader: &mut Reader<'_>,
    root: &'n Node,
) -> Option<RawServer<'n>> {
    const KEYS: Keys = Keys {
        known: &[
            "toolgate",
            "server",
            "about",
            "environments",
            "discovery",
            "forward_groups",
            "forward_token",
            "resource",
            "tools",
            "resources",
            "prompts",
            "grants",
            "bans",
            "audit",
            "refusal",
            "tasks",
            "methods",
            "lists",
        ],
        later: &[],
    };
    let fields = reader.fields(root, KEYS)?;
    version(reader, fields);
    if let Some(node) = fields.get("about") {
        about(reader, node);
    }
    let name_node = reader.required(fields, "server", "name the server, as its file is named");
    let name = name_node
        .and_then(|node| reader.text(node))
        .and_then(|text| named(reader, text, "a server's name", names::plain));
    let environments = reader.required(fields, "environments", "say where the server runs");
    if let Some(Node { span, kind: Kind::Mapping(list) }) = environments
        && list.is_empty()
    {
        let place = reader.place(*span);
        let message = "the server runs in no environment";
        reader.report(
            Diagnostic::error(Code::BadValue, place, message)
                .help("add one of those in guardrails.yaml, with the server's `upstream` there"),
        );
    }
    let has_environments = is_mapping(environments);
    let environments =
        entries(reader, environments, ("an environment's name", names::plain), server_environment);
    let without_user = fields.get("discovery").and_then(|node| {
        const KEYS: Keys = Keys { known: &["without_user"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        let cure = "list the surfaces that may connect before anybody signs in";
        reader.required(fields, "without_user", cure).and_then(|node| not_empty(reader, node))
    });
    let forward_groups = only_referenced_groups(reader, fields);
    let (forward_token, own_resource) = token(reader, fields);
    let tools = reader.required(fields, "tools", "list what the reviews covered");
    let (resources, prompts) = (fields.get("resources"), fields.get("prompts"));
    let tools_digest = digest::of_tools(tools, resources, prompts);
    let has_tools = is_mapping(tools);
    let tools = entries(reader, tools, ("a tool's name", names::tool), tool);
    let resources = entries(reader, resources, ("a resource's URI", names::uri), item);
    let prompts = entries(reader, prompts, ("a prompt's name", names::tool), item);
    let grants = entries(reader, fields.get("grants"), ("a grant's name", names::plain), grant);
    let bans = entries(
        reader,
        fields.get("bans"),
        ("a ban's name", names::plain),
        |reader, name, node| ban(reader, name, node, SERVER_BAN),
    );
    let audit_required = match fields.get("audit") {
        None => false,
        Some(node) => reader.text(node).and_then(|text| word(reader, text, AUDIT)).is_some(),
    };
    let protocol = protocol(reader, fields);
    let lists = lists(reader, fields);
    excuse(reader, (has_environments, has_tools), &grants, &bans);
    Some(RawServer {
        name: name?,
        environments,
        without_user: without_user.unwrap_or_default(),
        only_referenced_groups: forward_groups?,
        forward_token,
        own_resource,
        tools,
        resources,
        prompts,
        grants,
        bans,
        tools_digest,
        audit_required,
        protocol,
        lists,
    })
}

/// What rules name of a block that could not be read is not a second problem.
fn excuse(
    reader: &mut Reader<'_>,
    (has_environments, has_tools): (bool, bool),
    grants: &[RawGrant<'_>],
    bans: &[RawBan<'_>],
) {
    let of_grants = grants.iter().map(|grant| (&grant.environments, &grant.verbs));
    let of_bans = bans.iter().map(|ban| (&ban.environments, &ban.verbs));
    for (environments, verbs) in of_grants.chain(of_bans) {
        let environments = environments.iter().flatten().filter(|_| !has_environments);
        let items = verbs.names().filter(|_| !has_tools);
        for name in environments.chain(items) {
            reader.declare_broken(name.value);
        }
    }
}

/// What its lists show.
fn lists(reader: &mut Reader<'_>, fields: Fields<'_>) -> Lists {
    let words = [("filtered", Lists::Filtered), ("full", Lists::Full)];
    let text = fields.get("lists").and_then(|node| reader.text(node));
    text.and_then(|text| word(reader, text, &words)).unwrap_or_default()
}

/// Whether the upstream is told only about groups that the file names.
fn only_referenced_groups(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<bool> {
    let Some(node) = fields.get("forward_groups") else {
        return Some(false);
    };
    let text = reader.text(node)?;
    word(reader, text, &[("all", false), ("referenced", true)])
}

/// Whether the server is given its callers' tokens, and the one audience that those have.
fn token<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> (bool, Option<Text<'n>>) {
    let forwards = fields.get("forward_token").and_then(|node| reader.boolean(node));
    let forwards = forwards.is_some_and(|forwards| forwards.value);
    let resource = fields.get("resource").and_then(|node| {
        let text = reader.text(node)?;
        reader.parse_text(text, "a resource", names::resource)?;
        Some(text)
    });
    // ⚠ A token with another audience is one for others, too.
    if let (true, None, Some(place)) =
        (forwards, fields.get("resource"), fields.key_place("forward_token"))
    {
        let message = "tokens are forwarded, and the server has no `resource`";
        reader.report(Diagnostic::error(Code::MissingKey, place, message).help(
            "add `resource: https://…`: a token is forwarded only if the server is its one audience",
        ));
    }
    (forwards, resource)
}

fn is_mapping(node: Option<&Node>) -> bool {
    matches!(node, Some(Node { kind: Kind::Mapping(_), .. }))
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
        Keys { known: &["upstream", "upstream_identity", "reviews", "mode"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let upstream = reader
        .required(fields, "upstream", "give the URL of the server's MCP endpoint")
        .and_then(|node| {
            reader.parsed(node, "a URL", |text| {
                Url::parse(text).map_err(|_| "write `http://host:port/path`, or `https://…`")
            })
        });
    let upstream_identity = fields
        .get("upstream_identity")
        .and_then(|node| reader.parsed(node, "a workload's SPIFFE ID", Workload::new));
    let reviews = texts(reader, fields.get("reviews"));
    let shadow_until = fields.get("mode").and_then(|node| {
        const KEYS: Keys = Keys { known: &["shadow_until"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        // ⚠ A shadow without an end would be a gate that is never closed.
        let until = reader.required(fields, "shadow_until", "say when the shadow ends");
        until.and_then(|node| reader.instant(node)).map(|until| until.value)
    });
    let upstream = upstream?;
    Some(RawServerEnvironment { name, upstream, upstream_identity, reviews, shadow_until })
}
