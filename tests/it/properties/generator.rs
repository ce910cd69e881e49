//! Random policies that load, and every query that could be put to them.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use toolgate::identity::{Caller, GroupSet, Groups, User, Workload};
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

pub(super) const GROUPS: [&str; 3] = ["a", "b", "c"];
pub(super) const TOOLS: [&str; 5] = ["read", "write", "drop", "secret", "asked"];
pub(super) const URIS: [&str; 2] = ["db://w/a/x", "db://w/b"];
pub(super) const PROMPTS: [&str; 1] = ["ask"];
/// The scopes that tokens may have; grants ask for `x`, `y` or both.
pub(super) const SCOPES: [&[&str]; 4] = [&[], &["x"], &["y"], &["x", "y"]];
pub(super) const NOW: &str = "2026-11-20T12:00:00Z";

/// A server's file and the guardrails' bans, as lines that can be turned round.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) tools: Vec<String>,
    pub(super) grants: Vec<String>,
    pub(super) bans: Vec<String>,
    pub(super) guardrails: Vec<String>,
    pub(super) shadow: bool,
    pub(super) without_user: bool,
}

/// How a policy is written down; it never matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) reversed: bool,
    /// Names of rules start with this.
    pub(super) name: &'static str,
    pub(super) blank: bool,
}

pub(super) const PLAIN: Style = Style { reversed: false, name: "r", blank: false };

impl Policy {
    pub(super) fn load(&self) -> PolicySet {
        self.load_as(PLAIN)
    }

    pub(super) fn load_as(&self, style: Style) -> PolicySet {
        let file = |(path, text): (&str, String)| PolicyFile {
            path: path.to_owned(),
            bytes: text.into_bytes().into(),
        };
        let files = [
            ("surfaces.yaml", SURFACES.to_owned()),
            ("groups.yaml", "toolgate: 1\ngroups: { a: {}, b: {}, c: {} }\n".to_owned()),
            ("guardrails.yaml", self.guardrails(style)),
            ("servers/s.yaml", self.server(style)),
        ];
        let files = files.into_iter().map(file).collect();
        policy::load(PolicyFiles { files, ..PolicyFiles::default() })
            .unwrap_or_else(|problems| panic!("{problems}\n{}", self.server(style)))
    }

    fn server(&self, style: Style) -> String {
        let mode = if self.shadow { ", mode: { shadow_until: 2026-12-01T00:00:00Z }" } else { "" };
        let mut text = format!(
            "toolgate: 1\nserver: s\nenvironments:\n  \
             prod: {{ upstream: 'http://127.0.0.1:1/mcp'{mode} }}\n  \
             dev: {{ upstream: 'http://127.0.0.1:2/mcp' }}\n"
        );
        if self.without_user {
            text.push_str("discovery: { without_user: [chat, bot] }\n");
        }
        block(&mut text, "tools", &self.tools, style, None);
        text.push_str(
            "resources:\n  db://w/a/*: { effect: read }\n  \
             db://w/b: { effect: write, traits: [sensitive] }\n\
             prompts: { ask: { effect: read } }\n",
        );
        block(&mut text, "grants", &self.grants, style, Some("g"));
        block(&mut text, "bans", &self.bans, style, Some("b"));
        text
    }

    fn guardrails(&self, style: Style) -> String {
        let mut text = "toolgate: 1\nenvironments:\n  \
                        prod: { reviews: [], upstreams: ['127.0.0.1:1'] }\n  \
                        dev: { reviews: [], upstreams: ['127.0.0.1:2'] }\n"
            .to_owned();
        block(&mut text, "bans", &self.guardrails, style, Some("x"));
        text
    }
}

/// Writes a mapping of lines; those without a name of their own get one.
fn block(text: &mut String, key: &str, lines: &[String], style: Style, name: Option<&str>) {
    if lines.is_empty() && name.is_some() {
        return;
    }
    let mut named: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match name {
            Some(name) => format!("{}-{name}{index}: {line}", style.name),
            None => line.clone(),
        })
        .collect();
    if style.reversed {
        named.reverse();
    }
    let _ = writeln!(text, "{key}:{}", if style.blank { " # said\n" } else { "" });
    for line in named {
        let line = if style.blank { line.replace(", ", ",   ") } else { line };
        let _ = writeln!(text, "    {line}");
    }
}

const SURFACES: &str = "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod, dev] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { help: [C1], other: [C2] } }
  laptop: { workloads: none, reaches: [prod, dev] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
";

fn list(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    subsequence(all.to_vec(), 1..=all.len()).prop_map(|some| format!("[{}]", some.join(", ")))
}

/// A key that may be left out.
fn key(name: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::option::of(value)
        .prop_map(move |value| value.map(|v| format!(", {name}: {v}")).unwrap_or_default())
}

fn via() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[any-surface]".to_owned()),
        list(&["chat", "bot", "laptop"]),
        list(&["chat", "bot/help"]),
        Just("[bot/other]".to_owned()),
    ]
}

fn people() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("[anyone-signed-in]".to_owned()), 3 => list(&GROUPS)]
}

const VERBS: &[&str] = &[
    "call: [read]",
    "call: [write, drop]",
    "call: [secret]",
    "call: [asked, looks]",
    "call: [looks]",
    "read: ['db://w/a/*']",
    "read: ['db://w/b'], prompt: [ask]",
    "call: [read, write, drop, secret, asked], read: ['db://w/a/*', 'db://w/b'], prompt: [ask]",
];

pub(super) fn scopes() -> impl Strategy<Value = String> {
    proptest::option::weighted(0.2, list(&["x", "y"]))
        .prop_map(|scopes| scopes.map(|list| format!(", scopes: {list}")).unwrap_or_default())
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => Just(", until: 2026-11-20T12:00:00Z".to_owned()),
        1 => Just(", until: 2026-11-20T12:00:01Z".to_owned()),
    ]
}

fn grant() -> impl Strategy<Value = String> {
    let environments = list(&["prod", "dev"]);
    let who = prop_oneof![
        4 => (people(), key("also_in", list(&GROUPS)), key("except", list(&GROUPS)), via())
            .prop_map(|(people, also, except, via)| format!("people: {people}{also}{except}, via: {via}")),
        1 => via().prop_map(|via| {
            format!("users: ['corp:alice'], ticket: T-1, last_day: 2026-12-31, via: {via}")
        }),
    ];
    let limits = prop_oneof![
        3 => Just(""),
        1 => Just(", call: [read, write], limits: { /n: { between: [1, 9] } }"),
    ];
    let for_people = (who, environments, select(VERBS), limits, scopes(), time()).prop_map(
        |(who, environments, verbs, limits, scopes, time)| {
            let verbs = if limits.is_empty() { format!(", {verbs}") } else { limits.to_owned() };
            format!("{{ {who}, in: {environments}{verbs}{scopes}{time} }}")
        },
    );
    let plain = "{ services: [night], in: [prod], call: [read], read: ['db://w/a/*'] }";
    prop_oneof![5 => for_people, 1 => Just(plain.to_owned())]
}

fn what() -> impl Strategy<Value = String> {
    prop_oneof![
        select(VERBS).prop_map(str::to_owned),
        list(&["read", "write", "destructive"]).prop_map(|list| format!("effects: {list}")),
        list(&["sensitive", "external"]).prop_map(|list| format!("traits: {list}")),
        Just("everything: true".to_owned()),
    ]
}

fn ban_of(what: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let who = prop_oneof![
        people().prop_map(|people| format!(", people: {people}")),
        Just(", users: ['corp:alice']".to_owned()),
        Just(", services: any-service".to_owned()),
        (people(), via()).prop_map(|(people, via)| format!(", people: {people}, via: {via}")),
        via().prop_map(|via| format!(", via: {via}")),
        Just(String::new()),
    ];
    let trial = prop_oneof![3 => Just(""), 1 => Just(", trial_until: 2026-12-01T00:00:00Z")];
    (what, who, key("in", list(&["prod", "dev"])), time(), trial).prop_map(
        |(what, who, place, time, trial)| format!("{{ {what}{who}{place}{time}{trial} }}"),
    )
}

pub(super) fn ban() -> impl Strategy<Value = String> {
    ban_of(what())
}

/// A tool that nobody has granted; it may carry a set of its own.
pub(super) fn new_tool() -> impl Strategy<Value = String> {
    let effect = select(&["read", "write", "destructive"][..]);
    (
        effect,
        key("traits", list(&["sensitive", "external"])),
        key("sets", Just("[fresh]".to_owned())),
    )
        .prop_map(|(effect, traits, sets)| format!("extra: {{ effect: {effect}{traits}{sets} }}"))
}

pub(super) fn policy() -> impl Strategy<Value = Policy> {
    let tools = [
        "read: { effect: read, sets: [looks] }",
        "write: { effect: write, limits: { /n: { between: [5, 20], optional: true } } }",
        "drop: { effect: destructive, traits: [external] }",
        "secret: { effect: read, traits: [sensitive], sets: [looks] }",
        "asked: { effect: write, approval: caller }",
    ];
    let effects = list(&["write", "destructive"]).prop_map(|list| format!("effects: {list}"));
    (
        prop::collection::vec(grant(), 0..5),
        prop::collection::vec(ban(), 0..3),
        prop::collection::vec(ban_of(effects), 0..2),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(move |(grants, bans, guardrails, shadow, without_user)| Policy {
            tools: tools.map(str::to_owned).to_vec(),
            grants,
            bans,
            guardrails,
            shadow,
            without_user,
        })
}

/// Who asks, from where.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) caller: Caller,
    pub(super) channel: Option<&'static str>,
    pub(super) environment: &'static str,
}

pub(super) fn subsets(set: &PolicySet) -> Vec<Groups> {
    let subset = |bits: usize| {
        let names = GROUPS.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        let ids = names.filter_map(|(_, name)| set.group(name));
        Groups::Known(ids.collect::<GroupSet>())
    };
    (0..1 << GROUPS.len()).map(subset).collect()
}

pub(super) fn user(subject: &str, groups: Groups) -> User {
    User::new("corp", subject, groups)
}

/// The same person with other tokens.
pub(super) fn with_scopes(user: &User) -> impl Iterator<Item = User> {
    SCOPES.into_iter().map(|scopes| {
        let scopes = scopes.iter().map(|scope| (*scope).into()).collect();
        User { scopes, ..user.clone() }
    })
}

/// Every kind of caller, from everywhere.
pub(super) fn askers(set: &PolicySet) -> Vec<Asker> {
    let mut users = vec![user("alice", Groups::Unknown), user("bob", Groups::Unknown)];
    for groups in subsets(set) {
        users.push(user("alice", groups.clone()));
        users.push(user("bob", groups));
    }
    let users = users.iter().flat_map(with_scopes).map(Some).chain([None]);
    let places = [
        ("chat", None),
        ("bot", None),
        ("bot", Some("C1")),
        ("bot", Some("C2")),
        ("bot", Some("C9")),
        ("", None),
        ("night", None),
        ("nowhere", None),
    ];
    let mut askers = Vec::new();
    for user in users {
        for (place, channel) in places {
            for environment in ["prod", "dev"] {
                let workload = Workload::new(&format!("spiffe://td/{place}")).ok();
                let caller = Caller { user: user.clone().map(Into::into), workload };
                askers.push(Asker { caller, channel, environment });
            }
        }
    }
    askers
}

/// Some of them: enough to find what is wrong in a few hundred policies.
pub(super) fn some<T>(all: Vec<T>, start: Index) -> Vec<T> {
    const STEP: usize = 7;
    let start = start.index(STEP);
    all.into_iter().skip(start).step_by(STEP).collect()
}
