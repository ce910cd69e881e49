use crate::engine::{NoTrace, Query, Reason, decide};
use crate::identity::{Caller, GroupSet, Groups, User, Workload};
use crate::json::{self, Limits};
use crate::mcp::Action;
use crate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

/// A set with one tool, `look`.
fn set(tool: &str, grants: &str) -> PolicySet {
    let server = format!(
        "toolgate: 1
server: s
environments: {{ prod: {{ upstream: 'http://127.0.0.1:1/mcp' }} }}
tools: {{ look: {tool} }}
grants: {grants}
"
    );
    let files = [
        (
            "surfaces.yaml",
            "toolgate: 1\nsurfaces: { chat: { workloads: [spiffe://td/chat], reaches: [prod] } }\n",
        ),
        ("groups.yaml", "toolgate: 1\ngroups: { ads: {}, infra: {} }\n"),
        (
            "guardrails.yaml",
            "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: ['127.0.0.1:1'] } }\n",
        ),
        ("servers/s.yaml", server.as_str()),
    ];
    let file = |(path, text): &(&str, &str)| PolicyFile {
        path: (*path).to_owned(),
        bytes: text.as_bytes().into(),
    };
    let files = PolicyFiles { files: files.iter().map(file).collect(), ..PolicyFiles::default() };
    policy::load(files).unwrap_or_else(|problems| panic!("{problems}"))
}

fn reason(set: &PolicySet, groups: &[&str], arguments: &str) -> Option<Reason> {
    let limits = Limits { max_depth: 64, guarded_keys: &[] };
    let value = json::parse(arguments.as_bytes(), limits).unwrap();
    let groups: GroupSet = groups.iter().filter_map(|name| set.group(name)).collect();
    let user = User::new("corp", "alice", Groups::Known(groups));
    let workload = Workload::new("spiffe://td/chat").unwrap();
    let query = Query {
        server: "s",
        environment: "prod",
        caller: &Caller { user: Some(user.into()), workload: Some(workload) },
        channel: None,
        action: Action::CallTool {
            name: "look",
            arguments: value.as_object().unwrap(),
            task: false,
        },
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    decide(set, &query, &mut NoTrace).reason
}

#[test]
fn arguments_keep_to_limits_or_not() {
    let mut current = None;
    let mut rows = 0;
    let cases = include_str!("cases.txt");
    for (index, line) in cases.lines().enumerate() {
        let place = format!("cases.txt:{}: {line}", index + 1);
        match line.split_once(' ') {
            None | Some(("#", _)) => {}
            Some(("limits", written)) => {
                let keys = written.strip_prefix("{ ").unwrap();
                let tool = format!("{{ effect: read, {keys}");
                let grant = "{ g: { people: [ads], via: [chat], call: [look] } }";
                current = Some(set(&tool, grant));
            }
            Some((verdict, arguments)) => {
                rows += 1;
                let expected = (verdict == "no").then_some(Reason::Limit);
                assert!(matches!(verdict, "ok" | "no"), "{place}");
                assert_eq!(
                    reason(current.as_ref().unwrap(), &["ads"], arguments),
                    expected,
                    "{place}"
                );
            }
        }
    }
    assert!(rows > 200, "{rows}");
}

#[test]
fn a_limit_is_reported_only_to_whom_a_grant_matches() {
    let tool = "{ effect: read, limits: { /n: { between: [1, 100] } } }";
    let wide = "wide: { people: [infra], via: [chat], call: [look] }";
    let limits = "limits: { /n: { between: [50, 1000] } }";
    let narrow = format!("narrow: {{ people: [ads], via: [chat], call: [look], {limits} }}");
    let grants = format!("{{ {narrow}, {wide} }}");
    let set = set(tool, &grants);
    for (groups, arguments, expected) in [
        (&[][..], r#"{"n":0}"#, Some(Reason::NoGrant)),
        (&[], r#"{"n":60}"#, Some(Reason::NoGrant)),
        // The tool's limits and the grant's both hold.
        (&["ads"], r#"{"n":60}"#, None),
        (&["ads"], r#"{"n":10}"#, Some(Reason::Limit)),
        (&["ads"], r#"{"n":500}"#, Some(Reason::Limit)),
        // A grant whose limits fail does not stand in the way of another one.
        (&["ads", "infra"], r#"{"n":10}"#, None),
        (&["infra"], r#"{"n":10}"#, None),
        // The tool's own hold for everyone.
        (&["ads", "infra"], r#"{"n":101}"#, Some(Reason::Limit)),
        (&["infra"], "{}", Some(Reason::Limit)),
    ] {
        assert_eq!(reason(&set, groups, arguments), expected, "{groups:?} {arguments}");
    }
}
