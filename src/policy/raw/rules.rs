//! Grants and bans, as they are written.

use jiff::Timestamp;

use super::limits::limits;
use super::{
    RawBan, RawBannedServices, RawGrant, RawVerbs, RawVia, Text, named, not_empty, optional_list,
    words,
};
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::identity::UserName;
use crate::policy::model::{Effect, Trait};
use crate::policy::names;
use crate::yaml::{Fields, Keys, Kind, Node, Reader, Spanned};

/// In a ban: every service.
const ANY_SERVICE: &str = "any-service";

fn via<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<Spanned<RawVia<'n>>> {
    let list = optional_list(reader, fields, "via")?;
    Some(match list.value.as_slice() {
        [Spanned { value: "any-surface", .. }] => list.map(|_| RawVia::AnySurface),
        _ => list.map(RawVia::Places),
    })
}

fn people<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<Spanned<Vec<Text<'n>>>> {
    if let Some(Node { kind: Kind::Text(text), span }) = fields.get("people")
        && names::means_anyone(text)
    {
        let message = "expected a list, found a text";
        let diagnostic = Diagnostic::error(Code::WrongType, reader.place(*span), message)
            .help(format!("write `[{}]` for everybody with a valid token", names::ANYONE));
        reader.report(diagnostic);
        return None;
    }
    optional_list(reader, fields, "people")
}

/// A text, or a list of them.
fn one_or_more<'n>(
    reader: &mut Reader<'_>,
    fields: Fields<'n>,
    key: &str,
) -> Option<Spanned<Vec<Text<'n>>>> {
    let node = fields.get(key)?;
    if matches!(node.kind, Kind::Sequence(_)) {
        return optional_list(reader, fields, key);
    }
    let text = reader.text(node)?;
    Some(Spanned { value: vec![text], place: text.place })
}

/// The services of a grant, each by its name.
fn services<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<Spanned<Vec<Text<'n>>>> {
    let any = |node: &Node| matches!(&node.kind, Kind::Text(text) if text == ANY_SERVICE);
    let node = fields.get("services")?;
    let listed = match &node.kind {
        Kind::Sequence(items) => items.iter().find(|item| any(item)),
        Kind::Text(_) | Kind::Plain(..) | Kind::Mapping(_) => Some(node).filter(|node| any(node)),
    };
    let Some(listed) = listed else {
        return optional_list(reader, fields, "services");
    };
    let place = reader.place(listed.span);
    let message = format!("a grant names its services, and `{ANY_SERVICE}` is all of them");
    let diagnostic = Diagnostic::error(Code::BadValue, place, message)
        .help("list each service; only a ban may say `any-service`");
    reader.report(diagnostic);
    None
}

fn users(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Spanned<Vec<UserName>>> {
    let list = optional_list(reader, fields, "users")?;
    let place = list.place;
    let name = |text: Text<'_>| reader.parse_text(text, "a user's name", str::parse::<UserName>);
    let value = list.value.into_iter().filter_map(name).map(|name| name.value).collect();
    Some(Spanned { value, place })
}

/// The instant that ends a rule. A bad one is a problem, and nothing is loaded.
fn until(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<Timestamp> {
    fields.get(key).and_then(|node| reader.instant(node)).map(|instant| instant.value)
}

fn ticket(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Place> {
    let text = fields.get("ticket").and_then(|node| reader.text(node))?;
    if text.value.trim().is_empty() {
        let message = "the ticket has no name";
        reader.report(
            Diagnostic::error(Code::BadValue, text.place, message)
                .help("name the ticket in which the grant was asked for"),
        );
    }
    Some(text.place)
}

fn scopes<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<Spanned<Vec<Text<'n>>>> {
    let list = optional_list(reader, fields, "scopes")?;
    let scope = |text| named(reader, text, "an OAuth scope", names::scope);
    let value = list.value.into_iter().filter_map(scope).collect();
    Some(Spanned { value, place: list.place })
}

fn verbs<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> RawVerbs<'n> {
    let mut verb =
        |key| optional_list(reader, fields, key).map(|list| list.value).unwrap_or_default();
    RawVerbs { call: verb("call"), read: verb("read"), prompt: verb("prompt") }
}

pub(super) fn grant<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
) -> Option<RawGrant<'n>> {
    const KEYS: Keys = Keys {
        known: &[
            "people", "also_in", "except", "users", "ticket", "services", "via", "in", "call",
            "read", "prompt", "limits", "scopes", "last_day", "until",
        ],
        later: &[],
    };
    let before = reader.noted();
    let fields = reader.fields(node, KEYS)?;
    Some(RawGrant {
        name,
        people: people(reader, fields),
        also_in: one_or_more(reader, fields, "also_in"),
        except: optional_list(reader, fields, "except"),
        users: users(reader, fields),
        ticket: ticket(reader, fields),
        services: services(reader, fields),
        via: via(reader, fields),
        environments: optional_list(reader, fields, "in").map(|list| list.value),
        verbs: verbs(reader, fields),
        limits: limits(reader, fields),
        scopes: scopes(reader, fields),
        // A bad date does not become "no end": it is a problem, and nothing is loaded.
        last_day: fields.get("last_day").and_then(|node| reader.date(node)).map(|day| day.value),
        until: until(reader, fields, "until"),
        flawed: reader.noted() > before,
    })
}

pub(super) const SERVER_BAN: Keys = Keys {
    known: &[
        "people",
        "users",
        "services",
        "via",
        "in",
        "call",
        "read",
        "prompt",
        "effects",
        "traits",
        "everything",
        "until",
        "trial_until",
    ],
    later: &[],
};

pub(super) const GUARDRAIL_BAN: Keys = Keys {
    known: &[
        "people",
        "users",
        "services",
        "via",
        "in",
        "servers",
        "call",
        "read",
        "prompt",
        "effects",
        "traits",
        "everything",
        "until",
        "trial_until",
    ],
    later: &[],
};

pub(super) fn ban<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    node: &'n Node,
    keys: Keys,
) -> Option<RawBan<'n>> {
    let before = reader.noted();
    let fields = reader.fields(node, keys)?;
    let services = match fields.get("services") {
        Some(Node { kind: Kind::Text(text), .. }) if text == ANY_SERVICE => {
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
        people: people(reader, fields).map(|list| list.value),
        users: users(reader, fields).map(|list| list.value).unwrap_or_default(),
        services,
        via: via(reader, fields),
        environments: optional_list(reader, fields, "in").map(|list| list.value),
        servers: optional_list(reader, fields, "servers").map(|list| list.value),
        everything: everything.is_some_and(|everything| everything.value),
        verbs: verbs(reader, fields),
        effects: some_words(reader, fields.get("effects"), &Effect::ALL),
        traits: some_words(reader, fields.get("traits"), &Trait::ALL),
        until: until(reader, fields, "until"),
        trial_until: until(reader, fields, "trial_until"),
        flawed: reader.noted() > before,
    })
}

/// Words of a list that has any.
fn some_words<T: Copy>(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    all: &[(&'static str, T)],
) -> Vec<T> {
    match node {
        Some(Node { kind: Kind::Sequence(items), .. }) if items.is_empty() => {
            node.and_then(|node| not_empty(reader, node));
            Vec::new()
        }
        Some(_) | None => words(reader, node, all),
    }
}
