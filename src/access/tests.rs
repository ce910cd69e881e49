use std::fmt::Write as _;

use super::*;
use crate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

/// A policy set, as the parts that tests change.
#[derive(Clone, Copy)]
struct Parts {
    groups: &'static str,
    surfaces: &'static str,
    tools: &'static str,
    grants: &'static str,
    bans: &'static str,
}

const PARTS: Parts = Parts {
    groups: "{ ads: {}, fin: {}, trained: {}, away: {} }",
    surfaces: "{ chat: { workloads: [spiffe://td/chat], reaches: [prod] }, \
               bot: { workloads: [spiffe://td/bot/*], reaches: [prod], channels: { help: [C1], ops: [C2] } } }",
    tools: "{ t: { effect: read } }",
    grants: "{ g: { people: [ads], via: [chat], call: [t] } }",
    bans: "{}",
};

impl Parts {
    fn load(self) -> PolicySet {
        let Self { groups, surfaces, tools, grants, bans } = self;
        let mut server = format!(
            "toolgate: 1\nserver: s\nenvironments: {{ prod: {{ upstream: 'http://127.0.0.1:1/mcp' }} }}\n\
             tools: {tools}\ngrants: {grants}\n"
        );
        if bans != "{}" {
            let _ = writeln!(server, "bans: {bans}");
        }
        let guardrails =
            "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: ['127.0.0.1:1'] } }\n";
        let files = [
            ("surfaces.yaml", format!("toolgate: 1\nsurfaces: {surfaces}\n")),
            ("groups.yaml", format!("toolgate: 1\ngroups: {groups}\n")),
            ("guardrails.yaml", guardrails.to_owned()),
            ("servers/s.yaml", server),
        ];
        let file = |(path, text): (&str, String)| PolicyFile {
            path: path.to_owned(),
            bytes: text.into_bytes().into(),
        };
        let files = files.into_iter().map(file).collect();
        policy::load(PolicyFiles { files, ..PolicyFiles::default() })
            .unwrap_or_else(|problems| panic!("{problems}"))
    }
}

/// Changes as lines: `t wider: {ads} via chat`. What happens to looking around is left out.
fn lines(old: Parts, new: Parts) -> Vec<String> {
    let from = "2026-11-20T12:00:00Z".parse().unwrap();
    let comparison = compare(&old.load(), &new.load(), from).unwrap();
    let of_items = comparison.changes.iter().filter(|change| {
        matches!(change.item, Item::Tool(_) | Item::Resource { .. } | Item::Prompt(_))
    });
    let line = |change: &Change| match &change.witness {
        Some(witness) => format!("{} {}: {witness}", change.item, change.direction),
        None => format!("{} {}", change.item, change.direction),
    };
    of_items.map(line).collect()
}

#[test]
fn the_smallest_caller_is_found() {
    let cases: &[(&str, Parts, &[&str])] = &[
        ("nothing", PARTS, &[]),
        (
            "a grant",
            Parts {
                grants: "{ g: { people: [ads], via: [chat], call: [t] }, \
                         h: { people: [fin], also_in: [trained], except: [away], via: [chat], call: [t] } }",
                ..PARTS
            },
            &["t wider: {fin, trained} via chat"],
        ),
        (
            "the same grant in two halves",
            Parts {
                grants: "{ g: { people: [ads], except: [fin], via: [chat], call: [t] }, \
                         h: { people: [ads], also_in: [fin], via: [chat], call: [t] } }",
                ..PARTS
            },
            &[],
        ),
        (
            "a ban",
            Parts { bans: "{ b: { people: [away], call: [t] } }", ..PARTS },
            &["t narrower: {ads, away} via chat"],
        ),
        (
            "a ban on who has no grant",
            Parts {
                grants: "{ g: { people: [ads], except: [away], via: [chat], call: [t] } }",
                bans: "{ b: { people: [away], call: [t] } }",
                ..PARTS
            },
            &["t narrower: {ads, away} via chat"],
        ),
        (
            "another place",
            Parts { grants: "{ g: { people: [ads], via: [chat, bot/help], call: [t] } }", ..PARTS },
            &["t wider: {ads} via bot/help"],
        ),
        (
            "an approval",
            Parts { tools: "{ t: { effect: read, approval: caller } }", ..PARTS },
            &["t under approval: {ads} via chat"],
        ),
        (
            "a claim more",
            Parts {
                groups: "{ ads: { claims: ['corp:a'] }, fin: {}, trained: {}, away: {} }",
                ..PARTS
            },
            &["t wider: {ads} via chat", "t narrower: {ads} via chat"],
        ),
        (
            "an end",
            Parts {
                grants: "{ g: { people: [ads], via: [chat], call: [t], until: 2026-12-01T00:00:00Z } }",
                ..PARTS
            },
            &["t narrower: {ads} via chat"],
        ),
        (
            "surfaces in another order",
            Parts {
                surfaces: "{ bot: { workloads: [spiffe://td/bot/*], reaches: [prod], channels: { ops: [C2], help: [C1] } }, \
                           chat: { workloads: [spiffe://td/chat], reaches: [prod] } }",
                ..PARTS
            },
            &[],
        ),
        (
            "a workload that moves",
            Parts {
                surfaces: "{ chat: { workloads: [spiffe://td/chat, spiffe://td/bot/one], reaches: [prod] } }",
                ..PARTS
            },
            // From any channel and from none.
            &["t wider: {ads} via chat"; 4],
        ),
        (
            "a client",
            Parts {
                surfaces: "{ chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [web] } }",
                ..PARTS
            },
            &["t narrower: {ads} via chat"],
        ),
    ];
    for (name, new, expected) in cases {
        assert_eq!(lines(PARTS, *new), *expected, "{name}");
    }
}

#[test]
fn scopes_are_held_like_groups() {
    let cases: &[(&str, Parts, &[&str])] = &[
        (
            "a scope",
            Parts {
                grants: "{ g: { people: [ads], via: [chat], call: [t], scopes: [x] } }",
                ..PARTS
            },
            &["t narrower: {ads} via chat"],
        ),
        (
            "a grant by scope",
            Parts {
                grants: "{ g: { people: [ads], via: [chat], call: [t] }, \
                         h: { people: [anyone-signed-in], via: [chat], call: [t], scopes: [y, x] } }",
                ..PARTS
            },
            &["t wider: {scope:x, scope:y} via chat"],
        ),
        (
            "a scope for some of them",
            Parts {
                grants: "{ g: { people: [ads], except: [fin], via: [chat], call: [t] }, \
                         h: { people: [ads], via: [chat], call: [t], scopes: [x] } }",
                ..PARTS
            },
            &["t narrower: {ads, fin} via chat"],
        ),
        (
            "the same grant, and again with a scope",
            Parts {
                grants: "{ g: { people: [ads], via: [chat], call: [t] }, \
                         h: { people: [ads], via: [chat], call: [t], scopes: [x] } }",
                ..PARTS
            },
            &[],
        ),
    ];
    for (name, new, expected) in cases {
        assert_eq!(lines(PARTS, *new), *expected, "{name}");
    }
}

#[test]
fn a_group_or_surface_that_is_only_renamed_is_no_change() {
    let old = Parts {
        groups: "{ ads: { claims: ['corp:a'] }, fin: {}, trained: {}, away: {} }",
        ..PARTS
    };
    let new = Parts {
        groups: "{ fin: {}, marketing: { claims: ['corp:a'] } }",
        surfaces: "{ talk: { workloads: [spiffe://td/chat], reaches: [prod] } }",
        grants: "{ other: { people: [marketing], via: [talk], call: [t] } }",
        ..PARTS
    };
    assert_eq!(lines(old, new), [""; 0]);
}

#[test]
fn limits_are_compared_by_values() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("/n: { between: [1, 9] }", "/n: { between: [1.0, 9] }", &[]),
        (
            "/n: { between: [1, 9] }",
            "/n: { between: [1, 20] }",
            &[r#"wider: {ads} via chat with {"n":20}"#],
        ),
        (
            "/n: { between: [1, 9] }",
            "/n: { between: [1, 9], optional: true }",
            &["wider: {ads} via chat"],
        ),
        (
            "/n: { between: [1, 9] }",
            "/n: { one_of: [1, 2, 10] }",
            &[r#"wider: {ads} via chat with {"n":10}"#, r#"narrower: {ads} via chat with {"n":9}"#],
        ),
        (
            "/s: { starts_with: ab }",
            "/s: { starts_with: abc }",
            &[r#"narrower: {ads} via chat with {"s":"ab"}"#],
        ),
        ("/s: { is: ab, max_length: 2 }", "/s: { one_of: [ab] }", &[]),
        (
            "/s: { max_length: 3 }",
            "/s: { max_length: 4 }",
            &[r#"wider: {ads} via chat with {"s":"zzzz"}"#],
        ),
        (
            "/to/*: { domain: ex.com }",
            "/to/*: { domain: [ex.com, other.org] }",
            &[r#"wider: {ads} via chat with {"to":["z@other.org"]}"#],
        ),
        (
            "/to/*: { max_length: 1 }, /to: { max_items: 2 }",
            "/to/*: { max_length: 1 }, /to: { max_items: 3 }",
            &[r#"wider: {ads} via chat with {"to":["","",""]}"#],
        ),
        (
            "/o/a: { is: 1 }, /o/b: { is: true }",
            "/o/a: { is: 1 }",
            &[r#"wider: {ads} via chat with {"o":{"a":1}}"#],
        ),
        ("/s: { matches: 'a+' }", "/s: { matches: 'a+' }", &[]),
        ("/s: { matches: 'a+' }", "/s: { matches: 'aa*' }", &["changed, not comparable"]),
        (
            "/s: { matches: 'a+' }",
            "/s: { matches: 'a+', optional: true }",
            &["wider: {ads} via chat"],
        ),
        ("/s: { matches: 'a+', max_length: 5 }", "/s: { max_length: 5, matches: 'a+' }", &[]),
        (
            "/n: { is: 1 }",
            "/n: { is: 1 }, /m: { forbidden: true }",
            &[r#"narrower: {ads} via chat with {"m":null,"n":1}"#],
        ),
    ];
    for (old, new, expected) in cases {
        let parts = |limits: &str| Parts {
            tools: format!("{{ t: {{ effect: read, limits: {{ {limits} }} }} }}").leak(),
            ..PARTS
        };
        let expected: Vec<_> = expected.iter().map(|line| format!("t {line}")).collect();
        assert_eq!(lines(parts(old), parts(new)), expected, "{old} -> {new}");
    }
}

#[test]
fn arguments_that_a_tool_no_longer_accepts_are_found() {
    let old = Parts { tools: "{ t: { effect: read } }", ..PARTS };
    let new = Parts { tools: "{ t: { effect: read, accepts: [n] } }", ..PARTS };
    assert_eq!(lines(old, new), [r#"t narrower: {ads} via chat with {"other":null}"#]);
    let other = Parts { tools: "{ t: { effect: read, accepts: [m, n] } }", ..PARTS };
    assert_eq!(lines(new, other), [r#"t wider: {ads} via chat with {"m":null}"#]);
    // The argument that is tried is never one that could be taken for a limited one.
    let limits = "effect: read, limits: { /Other: { optional: true, is: 1 } }";
    let closed = format!("{{ t: {{ {limits}, accepts: [Other] }} }}").leak();
    let open = format!("{{ t: {{ {limits} }} }}").leak();
    let (closed, open) = (Parts { tools: closed, ..PARTS }, Parts { tools: open, ..PARTS });
    assert_eq!(lines(closed, open), [r#"t wider: {ads} via chat with {"other_":null}"#]);
}
