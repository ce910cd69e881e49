//! A test file, as it is written.

use jiff::Timestamp;

use crate::diagnostics::{Code, Diagnostic, Place, did_you_mean};
use crate::engine::Reason;
use crate::yaml::{Fields, Keys, Kind, Node, Plain, Reader, Spanned};

/// Who is not signed in.
pub(super) const NOBODY: &str = "nobody";

/// The reasons that a policy has; the others are about requests, tokens and certificates.
const DECIDED: [Reason; 8] = [
    Reason::Unauthenticated,
    Reason::Review,
    Reason::Surface,
    Reason::NotListed,
    Reason::Banned,
    Reason::NoGrant,
    Reason::Limit,
    Reason::ApprovalRequired,
];

type Text<'n> = Spanned<&'n str>;

pub(super) struct File<'n> {
    /// When everything in it happens: tests do not change their mind overnight.
    pub(super) now: Timestamp,
    pub(super) people: Vec<Person<'n>>,
    pub(super) cases: Vec<Case<'n>>,
    /// What must hold whoever asks.
    pub(super) always: &'n [Node],
}

pub(super) struct Person<'n> {
    pub(super) name: Text<'n>,
    /// `issuer:subject`, where a rule names it.
    pub(super) user: Option<&'n str>,
    /// `None` if they are unknown.
    pub(super) groups: Option<Vec<&'n str>>,
    /// The scopes of their token.
    pub(super) scopes: Vec<&'n str>,
    /// Where they stand.
    pub(super) place: Place,
}

pub(super) struct Case<'n> {
    pub(super) place: Place,
    pub(super) who: Option<Text<'n>>,
    pub(super) service: Option<Text<'n>>,
    pub(super) via: Option<Text<'n>>,
    pub(super) client: Option<Text<'n>>,
    /// `presto/run_query`, or the server alone.
    pub(super) target: Text<'n>,
    pub(super) asked: Asked<'n>,
    /// JSON.
    pub(super) args: Option<String>,
    /// Why it must be refused; without it, it must be allowed.
    pub(super) because: Option<Reason>,
}

#[derive(Clone, Copy)]
pub(super) enum Asked<'n> {
    /// The target's tool.
    Call,
    Read(&'n str),
    Prompt(&'n str),
    Discover,
}

pub(super) fn file<'n>(reader: &mut Reader<'_>, root: &'n Node) -> Option<File<'n>> {
    const KEYS: Keys =
        Keys { known: &["toolgate", "now", "people", "allowed", "refused", "always"], later: &[] };
    let before = reader.noted();
    let fields = reader.fields(root, KEYS)?;
    if let Some(node) = reader.required(fields, "toolgate", "start the file with `toolgate: 1`") {
        reader.integer(node, 1..=1);
    }
    let now = reader
        .required(fields, "now", "say when, as `now: 2026-11-20T12:00:00Z`")
        .and_then(|node| reader.instant(node));
    let people = fields.get("people").map(|node| people(reader, node)).unwrap_or_default();
    let mut cases = Vec::new();
    for (key, refused) in [("allowed", false), ("refused", true)] {
        if let Some(node) = fields.get(key) {
            for node in reader.list(node) {
                cases.extend(case(reader, node, refused));
            }
        }
    }
    let always = fields.get("always").map(|node| reader.list(node)).unwrap_or_default();
    if cases.is_empty() && always.is_empty() && reader.noted() == before {
        let place = reader.place(root.span);
        let problem = Diagnostic::error(Code::BadValue, place, "the file has no case");
        reader.report(problem.help("list cases under `allowed`, `refused` and `always`"));
    }
    // What could be read is looked at all the same: its problems are reported in the same run.
    Some(File { now: now?.value, people, cases, always })
}

fn people<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Vec<Person<'n>> {
    const KEYS: Keys = Keys { known: &["groups", "user", "scopes"], later: &[] };
    let mut people = Vec::new();
    for (name, node) in reader.entries(node) {
        if name.value == NOBODY {
            let problem = Diagnostic::error(Code::BadValue, name.place, "`nobody` is nobody");
            reader.report(problem.help("`who: nobody` is a request without a token"));
        }
        let Some(fields) = reader.fields(node, KEYS) else {
            reader.declare_broken(name.value);
            continue;
        };
        let user = fields.get("user").and_then(|node| reader.text(node)).map(|text| text.value);
        let cure = "list the person's groups: `[]`, or `unknown` if the token does not say";
        let groups = match reader.required(fields, "groups", cure).map(|node| &node.kind) {
            Some(Kind::Text(text)) if text == "unknown" => None,
            Some(_) => fields.get("groups").map(|node| reader.texts(node)),
            None => {
                reader.declare_broken(name.value);
                continue;
            }
        };
        let groups = groups.map(|groups| groups.into_iter().map(|group| group.value).collect());
        let scopes = fields.get("scopes").map(|node| reader.texts(node)).unwrap_or_default();
        let scopes = scopes.into_iter().map(|scope| scope.value).collect();
        people.push(Person { name, user, groups, scopes, place: fields.place });
    }
    people
}

fn case<'n>(reader: &mut Reader<'_>, node: &'n Node, refused: bool) -> Option<Case<'n>> {
    const ALLOWED: Keys = Keys {
        known: &["who", "service", "via", "client", "call", "read", "prompt", "discover", "args"],
        later: &[],
    };
    const REFUSED: Keys = Keys {
        known: &[
            "who", "service", "via", "client", "call", "read", "prompt", "discover", "args",
            "because",
        ],
        later: &[],
    };
    let fields = reader.fields(node, if refused { REFUSED } else { ALLOWED })?;
    let mut text = |key: &str| fields.get(key).and_then(|node| reader.text(node));
    let (who, service, via, client) = (text("who"), text("service"), text("via"), text("client"));
    if who.is_some() == service.is_some() {
        let message = "a case says who: a person or a service";
        let help = "write `who`, with a name of `people` or `nobody`, or `service`";
        reader.report(Diagnostic::error(Code::MissingKey, fields.place, message).help(help));
    }
    let place = fields.key_place("via").or(fields.key_place("client"));
    if let (None, Some(_), Some(place)) = (who, service, place) {
        let message = "a service has no surface and no client";
        reader.report(Diagnostic::error(Code::BadValue, place, message).help("remove it"));
    }
    let (target, asked) = asked(reader, fields)?;
    let args = fields.get("args").and_then(|node| {
        if !matches!(asked, Asked::Call) || !target.contains('/') {
            let place = reader.place(node.span);
            let message = "only calls of tools have arguments";
            reader.report(Diagnostic::error(Code::BadValue, place, message).help("remove `args`"));
        }
        json(reader, node)
    });
    let because = if refused {
        let reasons: Vec<_> = DECIDED.iter().map(|reason| reason.as_str()).collect();
        let cure = format!("say why, one of: {}", reasons.join(", "));
        let text = reader.required(fields, "because", &cure);
        let text = text.and_then(|node| reader.text(node))?;
        let reason = DECIDED.iter().find(|reason| reason.as_str() == text.value);
        if reason.is_none() {
            let message = format!("`{}` is no reason that a case can have", text.value);
            let near = did_you_mean(text.value, reasons.iter().copied());
            let help = near.map_or(cure, |near| format!("did you mean `{near}`?"));
            reader.report(Diagnostic::error(Code::BadValue, text.place, message).help(help));
        }
        Some(*reason?)
    } else {
        None
    };
    Some(Case { place: fields.place, who, service, via, client, target, asked, args, because })
}

/// What is asked for: exactly one of four.
fn asked<'n>(reader: &mut Reader<'_>, fields: Fields<'n>) -> Option<(Text<'n>, Asked<'n>)> {
    let verbs = ["call", "read", "prompt", "discover"];
    let mut found = verbs.into_iter().filter(|key| fields.get(key).is_some());
    let (Some(key), None) = (found.next(), found.next()) else {
        let message = "a case asks for one thing";
        let help = "write one of `call: presto/TOOL`, `read: presto/URI`, `prompt: presto/NAME`, \
                    `discover: presto`";
        reader.report(Diagnostic::error(Code::MissingKey, fields.place, message).help(help));
        return None;
    };
    let text = fields.get(key).and_then(|node| reader.text(node))?;
    let split = text.value.split_once('/');
    let server = split.map(|(server, item)| (text.map(|_| server), item));
    match (key, server) {
        ("call", Some(_)) => Some((text, Asked::Call)),
        ("read", Some((server, uri))) => Some((server, Asked::Read(uri))),
        ("prompt", Some((server, name))) => Some((server, Asked::Prompt(name))),
        ("discover", None) => Some((text, Asked::Discover)),
        _ => {
            let (message, help) = if key == "discover" {
                ("`discover` names a server alone", "write `discover: SERVER`")
            } else {
                ("it does not say what on which server", "write `SERVER/NAME`")
            };
            reader.report(Diagnostic::error(Code::BadValue, text.place, message).help(help));
            None
        }
    }
}

/// Arguments as JSON, numbers as they are written.
fn json(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let mut text = String::new();
    write(reader, node, &mut text).then_some(text)
}

fn write(reader: &mut Reader<'_>, node: &Node, json: &mut String) -> bool {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match &node.kind {
        Kind::Text(text) => json.push_str(&quoted(text)),
        Kind::Plain(Plain::Null, _) => json.push_str("null"),
        Kind::Plain(Plain::Bool(value), _) => json.push_str(if *value { "true" } else { "false" }),
        Kind::Plain(Plain::Integer | Plain::Float, number) => {
            if serde_json::from_str::<serde_json::Number>(number).is_err() {
                let place = reader.place(node.span);
                let message = format!("`{number}` is no number in JSON");
                let help = "write it as a client would send it";
                reader.report(Diagnostic::error(Code::BadValue, place, message).help(help));
                return false;
            }
            json.push_str(number);
        }
        Kind::Sequence(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                if !write(reader, item, json) {
                    return false;
                }
            }
            json.push(']');
        }
        Kind::Mapping(entries) => {
            json.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                json.push_str(&quoted(&key.text));
                json.push(':');
                if !write(reader, value, json) {
                    return false;
                }
            }
            json.push('}');
        }
    }
    true
}
