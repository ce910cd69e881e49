//! Policy files as they are written: one struct per mapping, every value with its place. Nothing
//! here looks at another file.

mod items;
mod later;
mod limits;
mod places;
mod protocol;
mod rules;
mod server;
mod shared;

use jiff::Timestamp;
use jiff::civil::Date;
use url::Url;

use super::digest::Digest;
use super::limits::{Limit, Pointer};
use super::model::{Effect, Lists, Protocol, Trait};
use super::names;
use crate::diagnostics::{Code, Diagnostic, Place, did_you_mean};
use crate::identity::{UserName, Workload, WorkloadPattern};
use crate::yaml::{Fields, Kind, Node, Reader, Spanned};

pub(super) use self::places::surfaces;
pub(super) use self::server::server;
pub(super) use self::shared::{groups, guardrails, reviews};

pub(super) type Text<'n> = Spanned<&'n str>;

/// What a name may look like.
type NameCheck = fn(&str) -> Result<(), names::NameError>;

pub(super) struct RawServer<'n> {
    pub(super) name: Text<'n>,
    pub(super) environments: Vec<RawServerEnvironment<'n>>,
    /// Surfaces that may open a connection before anybody signs in.
    pub(super) without_user: Vec<Text<'n>>,
    /// Whether only groups that the file names reach the upstream.
    pub(super) only_referenced_groups: bool,
    /// Whether the upstream is given its callers' tokens.
    pub(super) forward_token: bool,
    /// What tokens for the server name as their one audience.
    pub(super) own_resource: Option<Text<'n>>,
    pub(super) tools: Vec<RawTool<'n>>,
    pub(super) resources: Vec<RawItem<'n>>,
    pub(super) prompts: Vec<RawItem<'n>>,
    pub(super) grants: Vec<RawGrant<'n>>,
    pub(super) bans: Vec<RawBan<'n>>,
    pub(super) tools_digest: Digest,
    pub(super) audit_required: bool,
    pub(super) protocol: Protocol,
    pub(super) lists: Lists,
}

pub(super) struct RawServerEnvironment<'n> {
    pub(super) name: Text<'n>,
    pub(super) upstream: Spanned<Url>,
    pub(super) upstream_identity: Option<Spanned<Workload>>,
    pub(super) reviews: Vec<Text<'n>>,
    pub(super) shadow_until: Option<Timestamp>,
}

/// A resource or prompt, and what a tool has in common with them.
pub(super) struct RawItem<'n> {
    pub(super) name: Text<'n>,
    pub(super) effect: Effect,
    pub(super) traits: Vec<Trait>,
    pub(super) sets: Vec<Text<'n>>,
}

pub(super) struct RawTool<'n> {
    pub(super) item: RawItem<'n>,
    pub(super) approval: Option<RawApprover<'n>>,
    pub(super) minutes_saved: u32,
    pub(super) limits: Vec<Spanned<Limit>>,
    /// The only arguments it takes; `None` if any are taken.
    pub(super) accepts: Option<Vec<Text<'n>>>,
    pub(super) log_args: Vec<Spanned<Pointer>>,
}

pub(super) enum RawApprover<'n> {
    Caller,
    AnotherPerson,
    Groups(Vec<Text<'n>>),
}

pub(super) struct RawGrant<'n> {
    pub(super) name: Text<'n>,
    pub(super) people: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) also_in: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) except: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) users: Option<Spanned<Vec<UserName>>>,
    /// Where the ticket behind named users stands.
    pub(super) ticket: Option<Place>,
    pub(super) services: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) via: Option<Spanned<RawVia<'n>>>,
    pub(super) environments: Option<Vec<Text<'n>>>,
    pub(super) verbs: RawVerbs<'n>,
    pub(super) limits: Vec<Spanned<Limit>>,
    pub(super) scopes: Option<Spanned<Vec<Text<'n>>>>,
    pub(super) last_day: Option<Date>,
    pub(super) until: Option<Timestamp>,
    /// Something in it could not be read: what it lacks may be that.
    pub(super) flawed: bool,
}

/// What a rule names, by verb.
pub(super) struct RawVerbs<'n> {
    pub(super) call: Vec<Text<'n>>,
    pub(super) read: Vec<Text<'n>>,
    pub(super) prompt: Vec<Text<'n>>,
}

impl<'n> RawVerbs<'n> {
    pub(super) fn names(&self) -> impl Iterator<Item = &Text<'n>> {
        let Self { call, read, prompt } = self;
        call.iter().chain(read).chain(prompt)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }
}

pub(super) enum RawVia<'n> {
    AnySurface,
    Places(Vec<Text<'n>>),
}

pub(super) struct RawBan<'n> {
    pub(super) name: Text<'n>,
    pub(super) people: Option<Vec<Text<'n>>>,
    pub(super) users: Vec<UserName>,
    pub(super) services: Option<RawBannedServices<'n>>,
    pub(super) via: Option<Spanned<RawVia<'n>>>,
    pub(super) environments: Option<Vec<Text<'n>>>,
    pub(super) servers: Option<Vec<Text<'n>>>,
    pub(super) everything: bool,
    pub(super) verbs: RawVerbs<'n>,
    pub(super) effects: Vec<Effect>,
    pub(super) traits: Vec<Trait>,
    pub(super) until: Option<Timestamp>,
    pub(super) trial_until: Option<Timestamp>,
    /// Something in it could not be read: what it lacks may be that.
    pub(super) flawed: bool,
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
    pub(super) clients: Option<Vec<Text<'n>>>,
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

/// The least approval that whatever has an effect or trait needs.
pub(super) struct RawFloor<'n> {
    pub(super) of: FloorOf,
    pub(super) approver: RawApprover<'n>,
    pub(super) place: Place,
}

/// What a floor is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum FloorOf {
    Effect(Effect),
    Trait(Trait),
}

pub(super) struct RawGuardrails<'n> {
    pub(super) environments: Vec<RawEnvironment<'n>>,
    /// The least approval, by effect or trait.
    pub(super) approval: Vec<RawFloor<'n>>,
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

fn named<'n>(
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
        let near = did_you_mean(text.value, all.iter().copied())
            .or_else(|| all.iter().copied().find(|word| text.value.starts_with(word)));
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
        let has_name = named(reader, key, what, check).is_some();
        match read(reader, key, node) {
            Some(entry) if has_name => entries.push(entry),
            Some(_) | None => reader.declare_broken(key.value),
        }
    }
    entries
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
