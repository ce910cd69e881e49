//! A decision allocates nothing: it is on the path of every request, and whoever sends one chooses
//! the arguments.

use std::hint::black_box;

use allocation_counter::measure;
use toolgate::engine::{NoTrace, Query, Reason, decide};
use toolgate::identity::{Caller, GroupSet, Groups, User, Workload};
use toolgate::json::{self, Limits, Object, Value};
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

const FILES: &[(&str, &str)] = &[
    (
        "surfaces.yaml",
        "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [chat-app] }
  bot: { workloads: [spiffe://td/bots/*], reaches: [prod], channels: { help: [C1], other: [C2, C3] } }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
",
    ),
    ("groups.yaml", "toolgate: 1\ngroups: { ads: {}, infra: {}, contractors: {} }\n"),
    (
        "guardrails.yaml",
        "toolgate: 1
environments: { prod: { reviews: [security], upstreams: ['127.0.0.1:1'] } }
bans:
  contractors-destroy: { people: [contractors], effects: [destructive] }
  services-stay-small: { services: any-service, effects: [write, destructive] }
",
    ),
    (
        "reviews.yaml",
        "toolgate: 1
reviews: { SEC: { kind: security, approved: 2026-03-01, last_day: 2026-12-31, covers: { presto: TOOLS } } }
",
    ),
    (
        "servers/presto.yaml",
        "toolgate: 1
server: presto
environments: { prod: { upstream: 'http://127.0.0.1:1/mcp', reviews: [SEC] } }
tools:
  query:
    effect: read
    accepts: [sql, limit, to, kind, deep, Straße]
    limits:
      /limit: { between: [-1.5, 10000] }
      /sql: { max_length: 200, matches: '[a-z]+ [a-z0-9 ]*' }
      /to/*: { domain: example.com }
      /to: { max_items: 3 }
      /kind: { one_of: [one, 2, true] }
      /deep/*/er: { starts_with: 'x-', optional: true }
      /Straße: { optional: true, max_length: 3 }
  drop: { effect: destructive }
  agreed: { effect: read, approval: [infra] }
resources: { 'db://w/*': { effect: read } }
prompts: { ask: { effect: read } }
grants:
  by-name: { users: ['corp:eve'], via: [chat], call: [query], last_day: 2026-12-31, ticket: T-1 }
  scoped: { people: [ads], via: [chat], call: [query], scopes: [presto.query] }
  narrower: { people: [ads], also_in: [infra], except: [contractors], via: [bot/help], call: [query], limits: { /limit: { between: [1, 2] } } }
  wider: { people: [ads, infra, contractors], via: [chat, bot], call: [query, drop, agreed], read: ['db://w/*'], prompt: [ask] }
  nightly: { services: [night], call: [query] }
bans:
  not-from-other: { via: [bot/other], call: [query], until: 2026-12-01T00:00:00Z }
  not-mallory: { users: ['corp:mallory'], call: [query] }
",
    ),
];

fn policies() -> PolicySet {
    let files = |digest: &str| PolicyFiles {
        files: FILES
            .iter()
            .map(|(path, text)| PolicyFile {
                path: (*path).to_owned(),
                bytes: text.replace("TOOLS", &format!("\"{digest}\"")).into_bytes().into(),
            })
            .collect(),
        ..PolicyFiles::default()
    };
    let digests = policy::tools_digests(&files(""));
    policy::load(files(&digests[0].1.to_string())).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Who asks and from where, in short: `ads,infra@chat`, `eve:ads@chat`, `?@chat` (groups unknown),
/// `-@night` (no user).
fn caller(set: &PolicySet, who: &str) -> Caller {
    let (groups, place) = who.split_once('@').unwrap();
    let (subject, groups) = groups.split_once(':').unwrap_or(("alice", groups));
    let known = |names: &str| {
        let ids = names.split(',').map(|name| set.group(name).unwrap());
        Groups::Known(ids.collect::<GroupSet>())
    };
    let groups = match groups {
        "-" => None,
        "?" => Some(Groups::Unknown),
        names => Some(known(names)),
    };
    let user = groups.map(|groups| User {
        client: Some("chat-app".into()),
        ..User::new("corp", subject, groups)
    });
    Caller {
        user: user.map(Into::into),
        workload: Some(Workload::new(&format!("spiffe://td/{place}")).unwrap()),
    }
}

const GOOD: &str = r#"{"sql":"select 1","limit":17,"to":["a@example.com","https://example.com/x"],"kind":2,"deep":[{"er":"x-1"},{}],"Straße":"abc"}"#;

fn parsed(arguments: &str) -> Value<'_> {
    json::parse(arguments.as_bytes(), Limits { max_depth: 8, guarded_keys: &[] }).unwrap()
}

#[test]
fn a_decision_allocates_nothing() {
    use Reason::{
        ApprovalRequired, Banned, Limit, MethodUnknown, NoGrant, NotListed, Surface,
        Unauthenticated,
    };
    let set = policies();
    let none = Object::EMPTY;
    let call = |name| Action::CallTool { name, arguments: &none, task: false };
    let query = |(from, to): (&str, &str)| GOOD.replace(from, to);
    // Who, where in the channel's header, the arguments of `query`, and why not.
    let calls = [
        ("ads@chat", None, query(("", "")), None),
        ("eve:ads@chat", None, query(("", "")), None),
        ("-@night", None, query(("", "")), None),
        ("ads,infra@bots/1", Some("C1"), query(("17", "2")), None),
        // The narrower grant's own limit does not hold; the wider one lets it in.
        ("ads,infra@bots/1", Some("C1"), query(("", "")), None),
        ("ads@bots/1", Some("C3"), query(("", "")), Some(Banned)),
        ("ads@bots/1", None, query(("", "")), Some(Banned)),
        ("ads@bots/1", Some("unheard-of"), query(("", "")), None),
        ("mallory:ads@chat", None, query(("", "")), Some(Banned)),
        ("?@chat", None, query(("", "")), Some(NoGrant)),
        ("ads@nowhere", None, query(("", "")), Some(Surface)),
        ("-@chat", None, query(("", "")), Some(Unauthenticated)),
        ("ads@chat", None, query(("17", "10000.5")), Some(Limit)),
        ("ads@chat", None, query(("17", "1e3")), Some(Limit)),
        ("ads@chat", None, query(("17", "\"17\"")), Some(Limit)),
        ("ads@chat", None, query(("select 1", "SELECT 1")), Some(Limit)),
        ("ads@chat", None, query(("select 1", &"a".repeat(10_000))), Some(Limit)),
        ("ads@chat", None, query(("https://example.com/x", "x@evil.example")), Some(Limit)),
        ("ads@chat", None, query(("x-1", "y")), Some(Limit)),
        ("ads@chat", None, query(("kind", "\\u212Aind")), Some(Limit)),
        ("ads@chat", None, query(("{\"sql", "{\"STRASSE\":1,\"sql")), Some(Limit)),
    ]
    .map(|(who, channel, arguments, reason)| (who, channel, arguments.into_boxed_str(), reason));
    let calls_of_query: Vec<_> = calls.iter().map(|(_, _, text, _)| parsed(text)).collect();
    let calls = calls.iter().zip(&calls_of_query).map(|((who, channel, _, reason), value)| {
        let arguments = value.as_object().unwrap();
        let action = Action::CallTool { name: "query", arguments, task: false };
        (*who, *channel, action, *reason)
    });
    let others = [
        ("ads@chat", None, call("agreed"), Some(ApprovalRequired)),
        ("contractors@chat", None, call("drop"), Some(Banned)),
        ("ads@chat", None, call("unheard-of"), Some(NotListed)),
        ("ads@chat", None, Action::Resource { op: ResourceOp::Read, uri: "db://w/a/b" }, None),
        ("-@night", None, Action::Prompt { op: PromptOp::Get, name: "ask" }, Some(NoGrant)),
        ("ads@chat", None, Action::Discover(Discovery::ListTools), None),
        ("ads@chat", None, Action::Unknown, Some(MethodUnknown)),
    ];
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    for (who, channel, action, reason) in calls.chain(others) {
        let caller = caller(&set, who);
        let query =
            Query { server: "presto", environment: "prod", caller: &caller, channel, action, now };
        // The first match of a pattern in a thread makes what all later ones use.
        assert_eq!(decide(&set, &query, &mut NoTrace).reason, reason, "{who} {action:?}");
        let seen = measure(|| {
            black_box(decide(&set, black_box(&query), &mut NoTrace));
        });
        assert_eq!(seen.count_total, 0, "{who} {action:?}");
    }
}

#[test]
fn an_allocation_is_seen() {
    let seen = measure(|| drop(black_box(Box::new(17))));
    assert_eq!(seen.count_total, 1);
}
