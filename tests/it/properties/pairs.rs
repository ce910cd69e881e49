//! Random pairs of policy sets that are nearly alike, and every query that could tell them apart.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

use super::generator::scopes;

/// What a pair is about: more at once would be too many queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    People,
    Arguments,
}

/// One side.
#[derive(Clone, Debug)]
pub(super) struct Side {
    groups: &'static str,
    surfaces: &'static str,
    tools: Vec<String>,
    resources: &'static str,
    grants: Vec<String>,
    bans: Vec<String>,
    guardrails: Vec<String>,
    shadow: &'static str,
    without_user: bool,
}

const GROUPS: &[&str] = &[
    "{ a: {}, b: {}, c: { claims: ['corp:v1'] } }",
    "{ a: {}, b: {}, c: { claims: ['corp:v1', 'corp:v2'] } }",
    "{ b: {}, a: {}, c: { claims: ['corp:v2'] } }",
    "{ a: { claims: ['corp:v1'] }, b: {}, c: { claims: ['corp:v1', 'corp:v2'] } }",
];

const SURFACES: &[&str] = &[
    "surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod, dev], clients: [k1, k2] }
  bot: { workloads: [spiffe://td/bot/*], reaches: [prod], channels: { help: [C1], other: [C2, C3] } }
  lap: { workloads: none, reaches: [prod, dev] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
",
    "surfaces:
  bot: { workloads: [spiffe://td/bot/*], reaches: [prod, dev], channels: { help: [C1, C2], other: [C3] } }
  chat: { workloads: [spiffe://td/chat, spiffe://td/more], reaches: [prod, dev], clients: [k2] }
  lap: { workloads: none, reaches: [prod] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
",
    "surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod] }
  bot: { workloads: [spiffe://td/bot/one], reaches: [prod], channels: { other: [C1], help: [C2] } }
  lap: { workloads: [spiffe://td/night], reaches: [prod] }
services:
  night: { workloads: [spiffe://td/bot/two], reaches: [prod, dev] }
",
];

pub(super) const WORKLOADS: &[&str] =
    &["", "chat", "more", "bot/one", "bot/two", "bot/three", "night", "no"];
pub(super) const CHANNELS: &[Option<&str>] =
    &[None, Some("C1"), Some("C2"), Some("C3"), Some("C9")];
pub(super) const CLIENTS: &[Option<&str>] = &[None, Some("k1"), Some("k2"), Some("k9")];
pub(super) const CLAIMS: &[&str] = &["a", "b", "v1", "v2"];
pub(super) const USERS: &[&str] = &["alice", "bob"];
pub(super) const TOOLS: &[&str] = &["read", "write", "drop", "more"];
pub(super) const URIS: &[&str] = &["db://w/a/x", "db://w/a/b/x", "db://w/one", "db://w/a/one"];
pub(super) const PROMPTS: &[&str] = &["ask"];
pub(super) const NOW: &str = "2026-11-20T12:00:00Z";
pub(super) const TIMES: &[&str] =
    &[NOW, "2026-11-20T18:00:00Z", "2026-11-21T00:00:00Z", "2027-02-01T00:00:00Z"];

const RESOURCES: &[&str] = &[
    "{ 'db://w/a/*': { effect: read }, 'db://w/one': { effect: write, traits: [sensitive] } }",
    "{ 'db://w/a/b/*': { effect: read }, 'db://w/one': { effect: read } }",
    "{ 'db://w/a/*': { effect: read, traits: [external] }, 'db://w/one': { effect: write } }",
    "{ 'db://w/a/b/*': { effect: read }, 'db://w/a/one': { effect: read }, 'db://w/one': { effect: read } }",
];

/// Arguments to try, near every end of [`limit`].
pub(super) const ARGUMENTS: &[&str] = &[
    "{}",
    r#"{"n":null}"#,
    r#"{"n":1}"#,
    r#"{"n":5}"#,
    r#"{"n":7.5}"#,
    r#"{"n":9}"#,
    r#"{"n":10}"#,
    r#"{"n":21}"#,
    r#"{"n":-3}"#,
    r#"{"n":"ab"}"#,
    r#"{"n":true}"#,
    r#"{"n":5,"N":5}"#,
    r#"{"N":5}"#,
    r#"{"s":"ab"}"#,
    r#"{"s":"abc"}"#,
    r#"{"s":"abcd"}"#,
    r#"{"s":"abcdefg"}"#,
    r#"{"s":"xy"}"#,
    r#"{"s":"xyzxyz"}"#,
    r#"{"s":"a@ex.com"}"#,
    r#"{"s":"https://other.org/x"}"#,
    r#"{"s":"123"}"#,
    r#"{"s":1}"#,
    r#"{"n":5,"s":"abc"}"#,
    r#"{"n":9,"s":"ab"}"#,
    r#"{"n":20,"x":1}"#,
    r#"{"x":1}"#,
    r#"{"to":[]}"#,
    r#"{"to":["a@ex.com"]}"#,
    r#"{"to":["a@ex.com","b@other.org"]}"#,
    r#"{"to":["x","y","z"]}"#,
    r#"{"to":["a@ex.com","c@ex.com","d@ex.com"]}"#,
    r#"{"to":"a@ex.com"}"#,
    r#"{"o":{}}"#,
    r#"{"o":{"a":1,"b":true}}"#,
    r#"{"o":{"a":3,"b":true}}"#,
    r#"{"o":{"a":3,"A":3,"b":false}}"#,
    r#"{"o":{"b":true}}"#,
    r#"{"n":5,"o":{"a":1}}"#,
    r#"{"__proto__":1,"n":5}"#,
];

fn list(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    subsequence(all.to_vec(), 1..=all.len()).prop_map(|some| format!("[{}]", some.join(", ")))
}

fn key(name: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::option::weighted(0.4, value)
        .prop_map(move |value| value.map(|v| format!(", {name}: {v}")).unwrap_or_default())
}

const GROUP_NAMES: &[&str] = &["a", "b", "c"];

fn people() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("[anyone-signed-in]".to_owned()), 4 => list(GROUP_NAMES)]
}

fn via(theme: Theme) -> BoxedStrategy<String> {
    match theme {
        Theme::Arguments => Just("[chat]".to_owned()).boxed(),
        Theme::People => prop_oneof![
            Just("[any-surface]".to_owned()),
            list(&["chat", "bot", "lap"]),
            list(&["chat", "bot/help"]),
            Just("[bot/other]".to_owned()),
        ]
        .boxed(),
    }
}

fn ends() -> impl Strategy<Value = String> {
    let at = select(&["2026-11-20T12:00:00Z", "2026-11-20T18:00:00Z", "2027-01-01T00:00:00Z"][..]);
    prop_oneof![
        4 => Just(String::new()),
        1 => at.prop_map(|at| format!(", until: {at}")),
    ]
}

fn limit(theme: Theme) -> BoxedStrategy<String> {
    let number = select(
        &[
            "/n: { between: [1, 9] }",
            "/n: { between: [5, 20] }",
            "/n: { between: [5, 20], optional: true }",
            "/n: { is: 5 }",
            "/n: { one_of: [5, 7.5, ab] }",
            "/n: { forbidden: true }",
            "/N: { between: [1, 9], optional: true }",
        ][..],
    );
    let text = select(
        &[
            "/s: { starts_with: ab }",
            "/s: { starts_with: abc, max_length: 5 }",
            "/s: { max_length: 3 }",
            "/s: { is: abc }",
            "/s: { one_of: [ab, xy], optional: true }",
            "/s: { domain: ex.com }",
            "/s: { domain: [ex.com, other.org], max_length: 9 }",
            "/s: { matches: '[a-c]+' }",
            "/s: { matches: '[0-9]{3}' }",
            "/s: { matches: '[a-c]+', max_length: 3 }",
        ][..],
    );
    let nested = select(
        &[
            "/to/*: { domain: ex.com }",
            "/to/*: { max_length: 8 }",
            "/to: { max_items: 2 }",
            "/to: { max_items: 1, optional: true }",
            "/o/a: { between: [1, 2] }",
            "/o/a: { between: [1, 3], optional: true }, /o/b: { is: true }",
            "/o/b: { is: true, optional: true }",
        ][..],
    );
    match theme {
        Theme::People => Just("/n: { between: [1, 9], optional: true }".to_owned()).boxed(),
        Theme::Arguments => prop_oneof![
            3 => number.clone().prop_map(str::to_owned),
            2 => text.clone().prop_map(str::to_owned),
            2 => nested.prop_map(str::to_owned),
            1 => (number, text).prop_map(|(a, b)| format!("{a}, {b}")),
        ]
        .boxed(),
    }
}

fn limits(theme: Theme) -> impl Strategy<Value = String> {
    let weight = if theme == Theme::Arguments { 0.6 } else { 0.1 };
    proptest::option::weighted(weight, limit(theme))
        .prop_map(|limits| limits.map(|l| format!(", limits: {{ {l} }}")).unwrap_or_default())
}

fn tool(theme: Theme, name: &'static str) -> impl Strategy<Value = String> {
    let effect = match name {
        "read" => Just("read").boxed(),
        "drop" => Just("destructive").boxed(),
        _ => select(&["read", "write"][..]).boxed(),
    };
    let traits = if name == "read" {
        Just(String::new()).boxed()
    } else {
        key("traits", list(&["sensitive", "external"])).boxed()
    };
    let approval = prop_oneof![4 => Just(""), 1 => Just(", approval: caller")];
    let accepts = if theme == Theme::Arguments {
        prop_oneof![
            3 => Just(""),
            1 => Just(", accepts: [n, N, s, to, o]"),
            1 => Just(", accepts: [n, N, s, to, o, x]"),
        ]
        .boxed()
    } else {
        Just("").boxed()
    };
    let sets = prop_oneof![2 => Just(""), 1 => Just(", sets: [looks]")];
    (effect, traits, approval, sets, limits(theme), accepts).prop_map(
        move |(effect, traits, approval, sets, limits, accepts)| {
            // A service may be granted the tool that only reads.
            let approval = if name == "read" { "" } else { approval };
            let sets = if name == "drop" { "" } else { sets };
            format!("{name}: {{ effect: {effect}{traits}{approval}{sets}{limits}{accepts} }}")
        },
    )
}

const VERBS: &[&str] = &[
    "call: [read]",
    "call: [write, drop]",
    "call: [looks]",
    "call: [read, write, drop, looks]",
    "read: ['db://w/one'], prompt: [ask]",
    "call: [read], prompt: [ask]",
];

fn grant(theme: Theme) -> BoxedStrategy<String> {
    let who = prop_oneof![
        5 => (people(), key("also_in", list(GROUP_NAMES)), key("except", list(GROUP_NAMES)), via(theme))
            .prop_map(|(who, also, except, via)| format!("people: {who}{also}{except}, via: {via}")),
        1 => (select(&["2026-11-20", "2026-12-31"][..]), via(theme)).prop_map(|(day, via)| {
            format!("users: ['corp:alice'], ticket: T-1, last_day: {day}, via: {via}")
        }),
    ];
    let environments = list(&["prod", "dev"]);
    let with_limits = (Just("call: [read, write]"), limits(theme));
    let verbs = prop_oneof![
        3 => select(VERBS).prop_map(str::to_owned),
        1 => with_limits.prop_map(|(verbs, limits)| format!("{verbs}{limits}")),
    ];
    let for_people = (who, environments, verbs, scopes(), ends()).prop_map(
        |(who, places, verbs, scopes, ends)| {
            format!("{{ {who}, in: {places}, {verbs}{scopes}{ends} }}")
        },
    );
    let for_service = Just("{ services: [night], in: [prod], call: [read] }".to_owned());
    match theme {
        Theme::People => prop_oneof![8 => for_people, 1 => for_service].boxed(),
        Theme::Arguments => (select(&["anyone-signed-in", "a"][..]), limits(theme), ends())
            .prop_map(|(who, limits, ends)| {
                let rest = format!("via: [chat], in: [prod], call: [read, write]{limits}{ends}");
                format!("{{ people: [{who}], {rest} }}")
            })
            .boxed(),
    }
}

fn ban(theme: Theme, guardrail: bool) -> BoxedStrategy<String> {
    let what = prop_oneof![
        list(&["read", "write", "destructive"]).prop_map(|list| format!("effects: {list}")),
        list(&["sensitive", "external"]).prop_map(|list| format!("traits: {list}")),
        Just("everything: true".to_owned()),
    ];
    let what = if guardrail {
        what.boxed()
    } else {
        prop_oneof![select(VERBS).prop_map(str::to_owned), what].boxed()
    };
    let who = prop_oneof![
        4 => list(GROUP_NAMES).prop_map(|people| format!(", people: {people}")),
        1 => Just(", people: [anyone-signed-in]".to_owned()),
        1 => Just(", users: ['corp:alice']".to_owned()),
        1 => Just(", services: any-service".to_owned()),
        2 => (list(GROUP_NAMES), via(theme)).prop_map(|(who, via)| format!(", people: {who}, via: {via}")),
        1 => (list(GROUP_NAMES)).prop_map(|who| format!(", people: {who}, users: ['corp:bob']")),
        1 => via(theme).prop_map(|via| format!(", via: {via}")),
        1 => Just(String::new()),
    ];
    let trial = prop_oneof![
        3 => Just(""),
        1 => Just(", trial_until: 2026-11-20T18:00:00Z"),
        1 => Just(", trial_until: 2027-01-01T00:00:00Z"),
    ];
    (what, who, key("in", list(&["prod", "dev"])), ends(), trial)
        .prop_map(|(what, who, place, ends, trial)| {
            format!("{{ {what}{who}{place}{ends}{trial} }}")
        })
        .boxed()
}

fn side(theme: Theme) -> impl Strategy<Value = Side> {
    let shadow = prop_oneof![
        3 => Just(""),
        1 => Just(", mode: { shadow_until: 2026-11-20T18:00:00Z }"),
        1 => Just(", mode: { shadow_until: 2026-12-01T00:00:00Z }"),
    ];
    let last = proptest::option::of(tool(theme, "more"));
    let tools = (tool(theme, "read"), tool(theme, "write"), tool(theme, "drop"), last);
    let tools = tools.prop_map(|(read, write, drop, more)| {
        let read = read.replace("effect: read", "effect: read, sets: [looks]");
        let read = read.replace("sets: [looks], sets: [looks]", "sets: [looks]");
        let read = match read.matches("sets").count() {
            2 => read.replacen(", sets: [looks]", "", 1),
            _ => read,
        };
        [read, write, drop].into_iter().chain(more).collect()
    });
    let people = theme == Theme::People;
    let groups = select(if people { GROUPS } else { &GROUPS[..1] });
    let surfaces = select(if people { SURFACES } else { &SURFACES[..1] });
    let shadow = if people { shadow.boxed() } else { Just("").boxed() };
    let bans = || if people { 0..3 } else { 0..1 };
    (
        (groups, surfaces, tools, select(RESOURCES)),
        prop::collection::vec(grant(theme), if people { 0..4 } else { 1..3 }),
        prop::collection::vec(ban(theme, false), bans()),
        prop::collection::vec(ban(theme, true), bans()),
        shadow,
        any::<bool>(),
    )
        .prop_map(
            |(
                (groups, surfaces, tools, resources),
                grants,
                bans,
                guardrails,
                shadow,
                without_user,
            )| {
                Side {
                    groups,
                    surfaces,
                    tools,
                    resources,
                    grants,
                    bans,
                    guardrails,
                    shadow,
                    without_user,
                }
            },
        )
}

/// Two sides; each part of the second one is mostly that of the first.
pub(super) fn pair(theme: Theme) -> impl Strategy<Value = (Side, Side)> {
    let kept = prop::collection::vec(prop::bool::weighted(0.75), 12);
    (side(theme), side(theme), kept).prop_map(|(old, other, kept)| {
        let keep = |index: usize| kept[index];
        let lists = |old: &[String], other: &[String], index: usize| {
            let mut list = old.to_vec();
            if !keep(index) {
                list.pop();
            }
            if !keep(index + 1) {
                list.extend(other.first().cloned());
            }
            list
        };
        let new = Side {
            groups: if keep(0) { old.groups } else { other.groups },
            surfaces: if keep(1) { old.surfaces } else { other.surfaces },
            tools: if keep(2) { old.tools.clone() } else { other.tools },
            resources: if keep(3) { old.resources } else { other.resources },
            grants: lists(&old.grants, &other.grants, 4),
            bans: lists(&old.bans, &other.bans, 6),
            guardrails: lists(&old.guardrails, &other.guardrails, 8),
            shadow: if keep(10) { old.shadow } else { other.shadow },
            without_user: if keep(11) { old.without_user } else { other.without_user },
        };
        (old, new)
    })
}

impl Side {
    pub(super) fn load(&self) -> Result<PolicySet, String> {
        policy::load(self.files()).map_err(|problems| problems.to_string())
    }

    pub(super) fn files(&self) -> PolicyFiles {
        let file = |(path, text): (&str, String)| PolicyFile {
            path: path.to_owned(),
            bytes: text.into_bytes().into(),
        };
        let mut guardrails = "toolgate: 1\nenvironments:\n  \
            prod: { reviews: [], upstreams: ['127.0.0.1:1'] }\n  \
            dev: { reviews: [], upstreams: ['127.0.0.1:2'] }\n"
            .to_owned();
        block(&mut guardrails, "bans", "x", &self.guardrails);
        let mut server = format!(
            "toolgate: 1\nserver: s\nenvironments:\n  \
             prod: {{ upstream: 'http://127.0.0.1:1/mcp'{} }}\n  \
             dev: {{ upstream: 'http://127.0.0.1:2/mcp' }}\n",
            self.shadow
        );
        if self.without_user {
            server.push_str("discovery: { without_user: [chat, bot] }\n");
        }
        server.push_str("tools:\n");
        for tool in &self.tools {
            let _ = writeln!(server, "  {tool}");
        }
        let _ = writeln!(
            server,
            "resources: {}\nprompts: {{ ask: {{ effect: read }} }}",
            self.resources
        );
        block(&mut server, "grants", "g", &self.grants);
        block(&mut server, "bans", "b", &self.bans);
        let files = [
            ("surfaces.yaml", format!("toolgate: 1\n{}", self.surfaces)),
            ("groups.yaml", format!("toolgate: 1\ngroups: {}\n", self.groups)),
            ("guardrails.yaml", guardrails),
            ("servers/s.yaml", server),
        ];
        let files = files.into_iter().map(file).collect();
        PolicyFiles { files, ..PolicyFiles::default() }
    }
}

fn block(text: &mut String, key: &str, name: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "{key}:");
    for (index, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "  {name}{index}: {line}");
    }
}
