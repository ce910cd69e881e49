use super::*;
use crate::engine::visible;
use crate::identity::{GroupSet, Groups, Workload};
use crate::json::{self, Limits, Object, Value};
use crate::mcp::{Action, Discovery};
use crate::policy::{self, PolicyFile, PolicyFiles};

const FILES: &[(&str, &str)] = &[
    ("surfaces.yaml", "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod, dev] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
"),
    ("groups.yaml", "toolgate: 1\ngroups: { ads: {}, infra: {}, contractors: {} }\n"),
    ("guardrails.yaml", "toolgate: 1
environments:
  prod: { reviews: [], upstreams: ['127.0.0.1:1'] }
  dev: { reviews: [], upstreams: ['127.0.0.1:2'] }
bans:
  tried: { people: [contractors], call: [read], servers: [s], in: [dev], trial_until: 2027-01-01T00:00:00Z }
"),
    ("servers/s.yaml", "toolgate: 1
server: s
environments:
  prod: { upstream: 'http://127.0.0.1:1/mcp' }
  dev: { upstream: 'http://127.0.0.1:2/mcp', mode: { shadow_until: 2027-01-01T00:00:00Z } }
tools:
  read: { effect: read }
  page: { effect: read, limits: { /n: { between: [1, 9] } } }
  write: { effect: write }
  drop: { effect: destructive }
  asked: { effect: write, approval: caller }
grants:
  all: { people: [anyone-signed-in], via: [chat], in: [prod], call: [read], scopes: [b, a] }
  same: { people: [infra], via: [chat], in: [prod], call: [read], scopes: [c, d] }
  fewer: { people: [infra], via: [chat], in: [prod], call: [read], scopes: [d] }
  named: { users: ['corp:eve'], via: [chat], in: [prod], call: [drop], scopes: [z], last_day: 2026-12-31, ticket: T-1 }
  paged: { people: [ads], via: [chat], in: [prod], call: [page], scopes: [a], limits: { /n: { between: [1, 5] } } }
  approved: { people: [ads], via: [chat], in: [prod], call: [asked], scopes: [a] }
  banned: { people: [ads, contractors], via: [chat], in: [prod, dev], call: [write], scopes: [a] }
  ended: { people: [ads], via: [chat], in: [prod], call: [drop], scopes: [a], last_day: 2026-01-01 }
  dev: { people: [contractors], via: [chat], in: [dev], call: [read, drop], scopes: [a] }
  nightly: { services: [night], in: [prod], call: [read] }
bans:
  not-contractors: { people: [contractors], call: [write] }
"),
];

fn set() -> PolicySet {
    let file = |(path, text): &(&str, &str)| PolicyFile {
        path: (*path).to_owned(),
        bytes: text.as_bytes().to_vec().into(),
    };
    let files = PolicyFiles { files: FILES.iter().map(file).collect(), ..PolicyFiles::default() };
    policy::load(files).unwrap_or_else(|problems| panic!("{problems}"))
}

/// `ads,infra+a,b` is in two groups with a token of two scopes; `?` for unknown groups, `-` for
/// the service.
fn caller(set: &PolicySet, who: &str) -> Caller {
    let (groups, scopes) = who.split_once('+').unwrap_or((who, ""));
    let workload = if groups == "-" { "spiffe://td/night" } else { "spiffe://td/chat" };
    let known = || groups.split(',').filter_map(|name| set.group(name)).collect::<GroupSet>();
    let groups = match groups {
        "-" => None,
        "?" => Some(Groups::Unknown),
        _ => Some(Groups::Known(known())),
    };
    let scopes: Vec<Box<str>> =
        scopes.split(',').filter(|scope| !scope.is_empty()).map(Into::into).collect();
    let user = groups.map(|groups| User { scopes, ..User::new("corp", "eve", groups) });
    Caller { user: user.map(Into::into), workload: Workload::new(workload).ok() }
}

fn object(text: &str) -> Object<'_> {
    match json::parse(text.as_bytes(), Limits { max_depth: 4, guarded_keys: &[] }) {
        Ok(Value::Object(object)) => object,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_with_more_scopes_is_asked_for_only_if_it_would_help() {
    use Reason::{ApprovalRequired, Banned, Limit, NoGrant};
    let set = set();
    // Who calls what: why not, and the scopes to ask for.
    let cases: &[(&str, &str, Option<Reason>, Option<&str>)] = &[
        // Every scope must be there, whatever the groups.
        ("+a,b", "prod/read {}", None, None),
        ("+b,x,a", "prod/read {}", None, None),
        ("?+a,b", "prod/read {}", None, None),
        ("+a", "prod/read {}", Some(NoGrant), Some("a b")),
        ("+A,b", "prod/read {}", Some(NoGrant), Some("a b")),
        ("", "prod/read {}", Some(NoGrant), Some("a b")),
        ("?", "prod/read {}", Some(NoGrant), Some("a b")),
        // The grant that lacks the fewest; of several the first by name; all scopes of that one.
        ("infra", "prod/read {}", Some(NoGrant), Some("d")),
        ("infra+a", "prod/read {}", Some(NoGrant), Some("a b")),
        ("infra+c", "prod/read {}", Some(NoGrant), Some("d")),
        // A service's grant never counts for a person, and a service has no token.
        ("-", "prod/read {}", None, None),
        ("-+a", "prod/page {}", Some(NoGrant), None),
        // Named users, and nobody's way around.
        ("+z", "prod/drop {}", None, None),
        ("", "prod/drop {}", Some(NoGrant), Some("z")),
        // Limits of the grant and of the tool.
        ("ads+a", r#"prod/page {"n":5}"#, None, None),
        ("ads", r#"prod/page {"n":5}"#, Some(NoGrant), Some("a")),
        ("ads", r#"prod/page {"n":7}"#, Some(NoGrant), None),
        ("ads", r#"prod/page {"n":70}"#, Some(NoGrant), None),
        ("ads+a", r#"prod/page {"n":7}"#, Some(Limit), None),
        // Approval would still be missing.
        ("ads", "prod/asked {}", Some(NoGrant), None),
        ("ads+a", "prod/asked {}", Some(ApprovalRequired), None),
        // A ban beats every grant.
        ("ads", "prod/write {}", Some(NoGrant), Some("a")),
        ("ads,contractors", "prod/write {}", Some(Banned), None),
        ("contractors+a", "prod/write {}", Some(Banned), None),
        ("?", "prod/write {}", Some(Banned), None),
        // Other people, and nothing else that is missing.
        ("infra", "prod/write {}", Some(NoGrant), None),
        // In shadow nothing is refused, so nothing is asked for; what shadow leaves refused is.
        ("contractors", "dev/read {}", Some(Banned), None),
        ("ads", "dev/write {}", Some(NoGrant), None),
        ("contractors", "dev/drop {}", Some(NoGrant), Some("a")),
        ("ads", "dev/drop {}", Some(NoGrant), None),
    ];
    for (who, what, reason, expected) in cases {
        let caller = caller(&set, who);
        let (place, arguments) = what.split_once(' ').unwrap();
        let (environment, name) = place.split_once('/').unwrap();
        let arguments = object(arguments);
        let query = Query {
            server: "s",
            environment,
            caller: &caller,
            channel: None,
            action: Action::CallTool { name, arguments: &arguments, task: false },
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
        };
        let decision = decide(&set, &query, &mut NoTrace);
        assert_eq!(decision.reason, *reason, "{who} {what}");
        let scopes = step_up(&set, &query).map(|scopes| scopes.join(" "));
        assert_eq!(scopes.as_deref(), *expected, "{who} {what}");
    }
}

#[test]
fn looking_around_ignores_scopes() {
    let set = set();
    let caller = caller(&set, "");
    for action in [Discovery::Initialize, Discovery::ListTools, Discovery::OpenStream] {
        let query = Query {
            server: "s",
            environment: "prod",
            caller: &caller,
            channel: None,
            action: Action::Discover(action),
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
        };
        assert_eq!(decide(&set, &query, &mut NoTrace).verdict, Verdict::Allow, "{action:?}");
        let (read, _) = set.server("s").unwrap().tool("read").unwrap();
        assert!(visible(&set, &query).call.contains(&read));
    }
}
