use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{Protocol, Refusal};

const SURFACES: &str = "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { help: [C1] } }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
";
const GROUPS: &str = "toolgate: 1\ngroups: { ads: {}, infra: {} }\n";
const GUARDRAILS: &str = "toolgate: 1
environments:
  prod: { reviews: [], upstreams: ['127.0.0.1:7001', '10.0.0.1:443'] }
  dev: { reviews: [], upstreams: ['127.0.0.1:7002'] }
";
const SERVER: &str = "toolgate: 1
server: presto
environments:
  prod: { upstream: 'http://127.0.0.1:7001/mcp' }
tools:
  look: { effect: read }
  drop: { effect: destructive, traits: [sensitive] }
grants:
  people: { people: [ads], via: [chat], call: [look] }
";

/// A directory with one file replaced.
fn directory(path: &str, text: &str) -> PolicyFiles {
    let mut files = vec![
        ("surfaces.yaml", SURFACES),
        ("groups.yaml", GROUPS),
        ("guardrails.yaml", GUARDRAILS),
        ("reviews.yaml", "toolgate: 1\nreviews: {}\n"),
        ("servers/presto.yaml", SERVER),
    ];
    files.retain(|(known, _)| *known != path);
    if !text.is_empty() {
        files.push((path, text));
    }
    PolicyFiles {
        root: "policies".into(),
        files: files
            .into_iter()
            .map(|(path, text)| PolicyFile { path: path.to_owned(), bytes: text.as_bytes().into() })
            .collect(),
        ..PolicyFiles::default()
    }
}

thread_local! {
    /// What the mistakes of one test are told, each once.
    static TOLD: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

fn codes(result: Result<PolicySet, Diagnostics>) -> Vec<Code> {
    let problems = result.err().map(|problems| problems.list).unwrap_or_default();
    for Diagnostic { code, message, label, help, .. } in &problems {
        let label = label.iter().map(|label| format!(" [{label}]"));
        let help = help.iter().map(|help| format!("\n    {help}"));
        let told = label.chain(help).collect::<String>();
        TOLD.with_borrow_mut(|all| all.insert(format!("{}: {message}{told}\n", code.as_str())));
    }
    problems.iter().map(|problem| problem.code).collect()
}

/// The texts of the problems so far, for a tired reviewer to read.
fn told() -> String {
    TOLD.take().into_iter().collect()
}

fn server_with(from: &str, to: &str) -> Vec<Code> {
    assert!(SERVER.contains(from), "{from}");
    codes(load(directory("servers/presto.yaml", &SERVER.replace(from, to))))
}

#[test]
fn the_base_of_these_tests_loads() {
    assert_eq!(codes(load(directory("x", ""))), []);
}

#[test]
fn a_server_file_says_what_it_means_or_does_not_load() {
    use Code::*;
    let grant = "people: { people: [ads], via: [chat], call: [look] }";
    let look = "look: { effect: read }";
    let upstream = "'http://127.0.0.1:7001/mcp'";
    let cases: &[(&str, &str, &[Code])] = &[
        ("server: presto", "server: Presto", &[BadValue]),
        ("server: presto", "server: other", &[FileName]),
        ("server: presto", "server: 7", &[WrongType]),
        ("toolgate: 1", "toolgate: 2", &[Version]),
        ("toolgate: 1\n", "", &[Version]),
        ("grants:", "grant:", &[UnknownKey]),
        ("grants:", "resources: {}\ngrants:", &[]),
        (look, "look: { effect: reed }", &[BadValue]),
        (look, "look: {}", &[MissingKey]),
        (look, "look: { effect: read, minutes_saved: x }", &[WrongType]),
        (look, "look: { effect: read, effect: write }", &[DuplicateKey]),
        (look, "look: { effect: read, approval: nobody }", &[BadValue]),
        (look, "look: { effect: read, approval: [] }", &[BadValue]),
        (look, "look: { effect: read, approval: [adds] }", &[UnknownGroup]),
        (look, "'lo ok': { effect: read }", &[BadValue, UnknownTool]),
        (grant, "Bad Name: { people: [ads], via: [chat], call: [look] }", &[BadValue]),
        (grant, "g: { people: [adds], via: [chat], call: [look] }", &[UnknownGroup]),
        (grant, "g: { people: [ads, ads], via: [chat], call: [look] }", &[Repeated]),
        (grant, "g: { people: [], via: [chat], call: [look] }", &[BadValue]),
        (grant, "g: { people: ads, via: [chat], call: [look] }", &[WrongType]),
        // A problem is reported once, and not again by what depends on it.
        (grant, "g: { peoples: [ads], via: [chat], call: [look] }", &[UnknownKey]),
        (grant, "g: { people: [ads], vias: [chat], call: [look] }", &[UnknownKey]),
        (grant, "g: { people: [ads], via: [chat], calls: [look] }", &[UnknownKey]),
        (grant, "g: { people: [ads], via: [chat], call: look }", &[WrongType]),
        ("grants:", "bans:\n  b: { everything: yes }\ngrants:", &[WrongType]),
        ("tools:\n", "tool:\n", &[MissingKey, UnknownKey]),
        ("7001/mcp' }", "7009/mcp' }\nbans:\n  b: { in: [prod], call: [look] }", &[Upstream]),
        (
            "  prod: { upstream: 'http://127.0.0.1:7001/mcp' }",
            "  prod: { upstraem: 'http://127.0.0.1:7001/mcp' }\nbans:\n  b: { in: [prod], call: [look] }",
            &[MissingKey, UnknownKey],
        ),
        (
            "  prod: { upstream: 'http://127.0.0.1:7001/mcp' }",
            "  qa: { upstream: 'http://127.0.0.1:7001/mcp' }\nbans:\n  b: { in: [qa], call: [look] }",
            &[UnknownEnvironment],
        ),
        (grant, "g: { people: [ads], call: [look] }", &[IncompleteGrant]),
        (grant, "g: { via: [chat], call: [look] }", &[IncompleteGrant]),
        (grant, "g: { people: [ads], via: [chat] }", &[IncompleteGrant]),
        (grant, "g: { people: [ads], via: [chat], call: [lok] }", &[UnknownTool]),
        (grant, "g: { people: [ads], via: [chaat], call: [look] }", &[UnknownPlace]),
        (grant, "g: { people: [ads], via: [night], call: [look] }", &[UnknownPlace]),
        (grant, "g: { people: [ads], via: [bot/halp], call: [look] }", &[UnknownPlace]),
        (grant, "g: { people: [ads], via: [any-surface, chat], call: [look] }", &[BadValue]),
        (
            grant,
            "g: { people: [ads], via: [chat], call: [look], in: [staging] }",
            &[UnknownEnvironment],
        ),
        (
            grant,
            "g: { people: [ads], via: [chat], call: [look], in: [dev] }",
            &[UnknownEnvironment],
        ),
        (
            grant,
            "g: { people: [ads], via: [chat], call: [look], last_day: 2026-02-30 }",
            &[BadValue],
        ),
        (
            grant,
            "g: { people: [ads], via: [chat], call: [look], last_day: '2026-02-20T10:00' }",
            &[BadValue],
        ),
        (grant, "g: { people: [ads], services: [night], call: [look] }", &[IncompleteGrant]),
        (grant, "g: { services: [night], via: [chat], call: [look] }", &[IncompleteGrant]),
        (grant, "g: { services: [night], call: [drop] }", &[ServiceReach]),
        (grant, "g: { services: [chat], call: [look] }", &[UnknownPlace]),
        // The tool is the problem, and not what names it or its set.
        (
            "  drop: { effect: destructive, traits: [sensitive] }\ngrants:\n",
            "  list: { effect: reed, sets: [browse] }\n  tail: { effect: read, limits: 1, sets: [tails] }\n\
             grants:\n  g: { people: [ads], via: [chat], call: [browse, tails, list, tail] }\n",
            &[BadValue, WrongType],
        ),
        (grant, "g: { people: [ads], via: [chat], call: [browse] }", &[UnknownTool]),
        (grant, "g: { services: any-service, call: [look] }", &[BadValue]),
        (grant, "g: { services: [night, any-service], call: [look] }", &[BadValue]),
        (upstream, "'http://10.0.0.1:443/mcp'", &[Upstream]),
        (upstream, "'https://10.0.0.1:443/mcp'", &[Upstream]),
        (upstream, "'http://127.0.0.1:7002/mcp'", &[Upstream]),
        (upstream, "'http://localhost:7001/mcp'", &[Upstream]),
        (upstream, "'http://127.0.0.1:7001/mcp?x=1'", &[Upstream]),
        (upstream, "'http://u:p@127.0.0.1:7001/mcp'", &[Upstream]),
        (upstream, "'ftp://127.0.0.1:7001/mcp'", &[Upstream]),
        (upstream, "'127.0.0.1:7001'", &[BadValue]),
        ("  prod: {", "  qa: {", &[UnknownEnvironment]),
    ];
    for (from, to, expected) in cases {
        assert_eq!(server_with(from, to), *expected, "{to}");
    }
    insta::assert_snapshot!(told());
}

#[test]
fn a_ban_of_a_server_says_what_it_bans_or_does_not_load() {
    use Code::*;
    let cases: &[(&str, &str, &[Code])] = &[
        ("grants:", "bans:\n  b: { people: [ads] }\ngrants:", &[IncompleteBan]),
        ("grants:", "bans:\n  b: { call: [look], effects: [] }\ngrants:", &[BadValue]),
        ("grants:", "bans:\n  b: { call: [look], traits: [] }\ngrants:", &[BadValue]),
        ("grants:", "bans:\n  b: { people: [adds], call: [look] }\ngrants:", &[UnknownGroup]),
        ("grants:", "bans:\n  b: { everything: false, call: [look] }\ngrants:", &[BadValue]),
        ("grants:", "bans:\n  b: { call: [look], limits: {} }\ngrants:", &[UnknownKey]),
        ("grants:", "bans:\n  b: { users: ['corp:x'], call: [look] }\ngrants:", &[]),
        ("grants:", "bans:\n  b: { users: ['x'], call: [look] }\ngrants:", &[BadValue]),
        ("grants:", "bans:\n  b: { users: [], call: [look] }\ngrants:", &[BadValue]),
        ("grants:", "bans:\n  b: { users: ['corp:x'] }\ngrants:", &[IncompleteBan]),
        (
            "grants:",
            "bans:\n  b: { people: [ads], except: [infra], call: [look] }\ngrants:",
            &[UnknownKey],
        ),
        ("grants:", "bans:\n  b: { call: [look], until: 2026-12-01T00:00:00Z }\ngrants:", &[]),
        ("grants:", "bans:\n  b: { call: [look], until: 2026-12-01 }\ngrants:", &[BadValue]),
    ];
    for (from, to, expected) in cases {
        assert_eq!(server_with(from, to), *expected, "{to}");
    }
    insta::assert_snapshot!(told());
}

#[test]
fn a_grant_says_whom_it_is_for_or_does_not_load() {
    use Code::*;
    let ends = "last_day: 2026-12-31, ticket: SEC-1";
    let cases: &[(&str, &[Code])] = &[
        ("people: [ads], also_in: infra, via: [chat]", &[]),
        ("people: [ads], also_in: [infra, ads], via: [chat]", &[]),
        ("people: [ads], except: [infra], via: [chat]", &[]),
        ("people: [anyone-signed-in], except: [infra], via: [chat]", &[]),
        ("people: [ads], also_in: [], via: [chat]", &[BadValue]),
        ("people: [ads], also_in: infar, via: [chat]", &[UnknownGroup]),
        // ⚠ A typo would leave nobody out.
        ("people: [ads], except: [infar], via: [chat]", &[UnknownGroup]),
        ("people: [ads], except: [], via: [chat]", &[BadValue]),
        ("people: [ads], except: infra, via: [chat]", &[WrongType]),
        ("services: [night], except: [infra]", &[IncompleteGrant]),
        ("services: [night], also_in: infra", &[IncompleteGrant]),
        ("users: ['corp:alice'], via: [chat], ENDS", &[]),
        ("users: ['corp:alice'], via: [any-surface], ENDS", &[]),
        ("users: [alice], via: [chat], ENDS", &[BadValue]),
        ("users: ['corp:alice', 'corp:alice'], via: [chat], ENDS", &[Repeated]),
        ("users: ['corp:alice'], ENDS", &[IncompleteGrant]),
        // ⚠ Named users end, and say why they are named.
        ("users: ['corp:alice'], via: [chat]", &[IncompleteGrant]),
        ("users: ['corp:alice'], via: [chat], last_day: 2026-12-31", &[IncompleteGrant]),
        ("users: ['corp:alice'], via: [chat], ticket: SEC-1", &[IncompleteGrant]),
        (
            "users: ['corp:alice'], via: [chat], ticket: SEC-1, until: 2026-12-31T00:00:00Z",
            &[IncompleteGrant],
        ),
        ("users: ['corp:alice'], via: [chat], last_day: 2026-12-31, ticket: ' '", &[BadValue]),
        ("users: ['corp:alice'], people: [ads], via: [chat], ENDS", &[IncompleteGrant]),
        ("users: ['corp:alice'], services: [night], via: [chat], ENDS", &[IncompleteGrant]),
        ("users: ['corp:alice'], except: [infra], via: [chat], ENDS", &[IncompleteGrant]),
        ("users: ['corp:alice'], also_in: infra, via: [chat], ENDS", &[IncompleteGrant]),
        ("people: [ads], via: [chat], ticket: SEC-1", &[IncompleteGrant]),
        (
            "people: [ads], via: [chat], scopes: [reports.read, 'https://api.example/a b']",
            &[BadValue],
        ),
        ("people: [ads], via: [chat], scopes: [reports.read, 'https://api.example/a']", &[]),
        ("users: ['corp:alice'], via: [chat], scopes: ['!#[]~'], ENDS", &[]),
        ("people: [ads], via: [chat], scopes: []", &[BadValue]),
        ("people: [ads], via: [chat], scopes: ['']", &[BadValue]),
        ("people: [ads], via: [chat], scopes: [a, b, a]", &[Repeated]),
        ("people: [ads], via: [chat], scopes: [é]", &[BadValue]),
        ("people: [ads], via: [chat], scopes: ['\\']", &[BadValue]),
        ("people: [ads], via: [chat], scopes: ['\"']", &[BadValue]),
        ("people: [ads], via: [chat], scopes: a", &[WrongType]),
        ("people: [ads], via: [chat], scopes: [1]", &[WrongType]),
        ("services: [night], scopes: [a]", &[IncompleteGrant]),
        ("people: [ads], via: [chat], until: 2026-12-01T18:00:00+01:00", &[]),
        ("people: [ads], via: [chat], until: 2026-12-01T18:00Z", &[]),
        ("people: [ads], via: [chat], until: 2026-12-01T18:00:00", &[BadValue]),
        ("people: [ads], via: [chat], until: 2026-12-01", &[BadValue]),
        ("people: [ads], via: [chat], until: 2026-12-01 18:00:00Z", &[BadValue]),
        ("people: [ads], via: [chat], until: '2026-12-01T18:00:00Z[UTC]'", &[BadValue]),
        ("people: [ads], via: [chat], until: 2026-13-01T18:00:00Z", &[BadValue]),
    ];
    for (keys, expected) in cases {
        let keys = keys.replace("ENDS", ends);
        let to = format!("g: {{ {keys}, call: [look] }}");
        let from = "people: { people: [ads], via: [chat], call: [look] }";
        assert_eq!(server_with(from, &to), *expected, "{keys}");
    }
    insta::assert_snapshot!(told());
}

#[test]
fn a_key_that_is_not_enforced_is_read_and_never_skipped() {
    use Code::*;
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let pin = format!("look: {{ effect: read, pin: \"{digest}\" }}");
    let look = "look: { effect: read }";
    let cases: &[(&str, &str, &[Code])] = &[
        (look, &pin, &[NotSupportedYet]),
        (look, "look: { effect: read, pin: x }", &[NotSupportedYet, BadValue]),
    ];
    for (from, to, expected) in cases {
        let mut found = server_with(from, to);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected, "{to}");
    }
    insta::assert_snapshot!(told());
}

#[test]
fn a_server_that_is_given_tokens_is_their_one_audience() {
    use Code::*;
    let cases: &[(&str, &[Code])] = &[
        ("forward_token: false", &[]),
        ("resource: 'https://a.example/mcp'", &[]),
        ("resource: 'https://a.example'", &[]),
        ("resource: 'https://a.example:8443/a%20b'", &[]),
        ("resource: 'https://[::1]/mcp'", &[]),
        ("forward_token: true\nresource: 'https://a.example/mcp'", &[]),
        ("forward_token: true", &[MissingKey]),
        ("forward_token: 'true'\nresource: 'https://a.example/mcp'", &[WrongType]),
        ("forward_token: true\nresource: 'http://a.example/mcp'", &[BadValue]),
        ("resource: ''", &[BadValue]),
        ("resource: 'https:///mcp#'", &[BadValue]),
        ("resource: 'https://a.example/mcp#x'", &[BadValue]),
        ("resource: 'https://a.example/mcp?x=1'", &[BadValue]),
        ("resource: 'https://u@a.example/mcp'", &[BadValue]),
        ("resource: ['https://a.example/mcp']", &[WrongType]),
        // One way to write it: tokens name it byte for byte.
        ("resource: 'https://A.example/mcp'", &[BadValue]),
        ("resource: 'https://a.example:443/mcp'", &[BadValue]),
        ("resource: 'https://a.example/x/../mcp'", &[BadValue]),
        ("resource: ' https://a.example/mcp'", &[BadValue]),
        ("resource: 'https://é.example/mcp'", &[BadValue]),
        ("resource: 'urn:a:b'", &[BadValue]),
    ];
    for (keys, expected) in cases {
        assert_eq!(server_with("grants:", &format!("{keys}\ngrants:")), *expected, "{keys}");
    }
    let of = |text: &str| {
        let text = SERVER.replace("grants:", &format!("{text}\ngrants:"));
        let set = load(directory("servers/presto.yaml", &text)).unwrap();
        let server = set.server("presto").unwrap();
        (server.forwards_token(), server.own_resource().map(str::to_owned))
    };
    let own = Some("https://a.example/mcp".to_owned());
    assert_eq!(of(""), (false, None));
    assert_eq!(of("resource: 'https://a.example/mcp'"), (false, own.clone()));
    assert_eq!(of("forward_token: true\nresource: 'https://a.example/mcp'"), (true, own));
    insta::assert_snapshot!(told());
}

#[test]
fn what_goes_through_beside_tools_is_named_one_by_one() {
    use Code::*;
    let cases: &[(&str, &[Code])] = &[
        ("refusal: error", &[]),
        ("refusal: result", &[]),
        ("refusal: http", &[]),
        ("refusal: none", &[BadValue]),
        ("refusal: [error]", &[WrongType]),
        ("tasks: bound_to_user", &[]),
        ("tasks: true", &[WrongType]),
        ("tasks: bound_to_session", &[BadValue]),
        ("methods: [vendor/ask, com.example/a/B_c-2]", &[]),
        ("methods: [vendor/ask, vendor/ask]", &[Repeated]),
        ("methods: vendor/ask", &[WrongType]),
        ("methods: []", &[BadValue]),
        ("methods: ['a b']", &[BadValue]),
        ("methods: [vendor]", &[BadValue]),
        ("methods: ['vendor/']", &[BadValue]),
        ("methods: ['/ask']", &[BadValue]),
        ("methods: ['vendor//ask']", &[BadValue]),
        ("methods: ['vendor/*']", &[BadValue]),
        ("methods: ['vendor/é']", &[BadValue]),
        ("methods: [notifications/vendor]", &[BadValue]),
        ("methods: [tools/call]", &[BadValue]),
        ("methods: [ping]", &[BadValue]),
        ("methods: [tasks/get]", &[BadValue]),
        // The protocol's own names, as they are or may become.
        ("methods: [tools/describe]", &[BadValue]),
        ("methods: [Tools/Call]", &[BadValue]),
        ("methods: [rpc.system/list]", &[BadValue]),
    ];
    for (keys, expected) in cases {
        assert_eq!(server_with("grants:", &format!("{keys}\ngrants:")), *expected, "{keys}");
    }
    let of = |text: &str| {
        let text = SERVER.replace("grants:", &format!("{text}\ngrants:"));
        let set = load(directory("servers/presto.yaml", &text)).unwrap();
        set.server("presto").unwrap().protocol().clone()
    };
    assert_eq!(of(""), Protocol::default());
    let all = of("refusal: result\ntasks: bound_to_user\nmethods: [vendor/b, vendor/a]");
    let methods = vec!["vendor/a".into(), "vendor/b".into()];
    assert_eq!(
        all,
        Protocol { refusal: Refusal::Result, tasks: true, methods: methods.into_iter().collect() }
    );
    insta::assert_snapshot!(told());
}

#[test]
fn a_token_for_one_environment_is_none_for_another() {
    let of = |keys: &str, environments: &str| {
        let text = SERVER.replace("grants:", &format!("{keys}\ngrants:"));
        let text = text.replace("call: [look] }", "call: [look], in: [prod] }");
        let text = text.replace("tools:", &format!("{environments}tools:"));
        codes(load(directory("servers/presto.yaml", &text)))
    };
    let forwards = "forward_token: true\nresource: 'https://a.example/mcp'";
    let second = "  dev: { upstream: 'http://127.0.0.1:7002/mcp' }\n";
    for (keys, environments, expected) in [
        (forwards, "", &[][..]),
        (forwards, second, &[Code::Conflict]),
        // Nobody is given a token.
        ("resource: 'https://a.example/mcp'", second, &[]),
        ("", second, &[]),
    ] {
        assert_eq!(of(keys, environments), *expected, "{keys} {environments}");
    }
    insta::assert_snapshot!(told());
}

#[test]
fn a_token_for_one_server_is_none_for_another() {
    let two = |first: &str, second: &str| {
        let with = |text: &str, resource: &str| {
            text.replace("grants:", &format!("resource: '{resource}'\ngrants:"))
        };
        let mut files = directory("servers/presto.yaml", &with(SERVER, first));
        let other = with(SERVER, second).replace("server: presto", "server: other");
        let other = other.replace("127.0.0.1:7001", "127.0.0.1:7099");
        let guardrails =
            files.files.iter_mut().find(|file| file.path == "guardrails.yaml").unwrap();
        let text = std::str::from_utf8(&guardrails.bytes).unwrap();
        let text = text.replace("'127.0.0.1:7001'", "'127.0.0.1:7001', '127.0.0.1:7099'");
        guardrails.bytes = text.into_bytes().into();
        files.files.push(PolicyFile {
            path: "servers/other.yaml".to_owned(),
            bytes: other.into_bytes().into(),
        });
        load(files)
    };
    for (second, expected) in [
        ("https://a.example/mcp", &[Code::Conflict][..]),
        ("https://a.example/mcp/", &[Code::Conflict]),
        ("https://a.example/other", &[]),
    ] {
        assert_eq!(codes(two("https://a.example/mcp", second)), *expected, "{second}");
    }
    let set = two("https://a.example", "https://b.example/mcp").unwrap();
    for (audiences, expected) in [
        (&["https://mcp.example.com"][..], &[][..]),
        (&["https://a.example/mcp", "b.example"], &[]),
        (&["x", "https://a.example"], &["presto"]),
        (&["https://A.example:443/"], &["presto"]),
        (&["https://b.example/mcp", "https://a.example"], &["other", "presto"]),
    ] {
        assert_eq!(set.servers_with_audience(audiences), *expected, "{audiences:?}");
    }
}

#[test]
fn a_server_file_says_which_groups_reach_the_upstream() {
    let groups = "toolgate: 1\ngroups: { ads: {}, infra: {}, a: {}, b: {}, c: {}, other: {} }\n";
    let with = |forward: &str| {
        let server = SERVER
            .replace("traits: [sensitive] }", "traits: [sensitive], approval: [infra] }")
            .replace("people: [ads],", "people: [ads], also_in: a, except: [b],")
            .replace(
                "grants:",
                &format!("bans: {{ x: {{ people: [c], call: [look] }} }}\n{forward}\ngrants:"),
            );
        let mut files = directory("servers/presto.yaml", &server);
        files.files.retain(|file| file.path != "groups.yaml");
        let bytes = groups.as_bytes().into();
        files.files.push(PolicyFile { path: "groups.yaml".to_owned(), bytes });
        load(files)
    };
    for all in ["", "forward_groups: all"] {
        assert_eq!(with(all).unwrap().server("presto").unwrap().forwarded_groups(), None);
    }
    let set = with("forward_groups: referenced").unwrap();
    let told = set.server("presto").unwrap().forwarded_groups().unwrap();
    let names: Vec<_> = told.iter().map(|id| set.group_name(id)).collect();
    assert_eq!(names, ["ads", "infra", "a", "b", "c"]);
    assert_eq!(codes(with("forward_groups: none")), [Code::BadValue]);
}

#[test]
fn guardrails_set_the_least_approval() {
    use Code::*;
    let with = |floors: &str, drop: &str| {
        let server = SERVER.replace("drop: { effect: destructive, traits: [sensitive]", drop);
        assert!(server.contains(drop));
        let mut files = directory("servers/presto.yaml", &server);
        let guardrails = format!("{GUARDRAILS}approval: {{ {floors} }}\n");
        files.files.retain(|file| file.path != "guardrails.yaml");
        files.files.push(PolicyFile {
            path: "guardrails.yaml".to_owned(),
            bytes: guardrails.into_bytes().into(),
        });
        load(files)
    };
    let drop = |approval: &str| {
        let approval =
            if approval.is_empty() { String::new() } else { format!(", approval: {approval}") };
        format!("drop: {{ effect: destructive, traits: [sensitive]{approval}")
    };
    // The floors, what the tool says, and what comes out; `-` for none, `!` for a problem.
    for (floors, said, expected) in [
        ("write: caller", "", "-"),
        ("destructive: caller", "", "caller"),
        ("destructive: caller", "caller", "caller"),
        ("destructive: caller", "another-person", "another"),
        ("destructive: caller", "[ads]", "ads"),
        ("destructive: another-person", "", "another"),
        ("destructive: another-person", "caller", "!"),
        ("destructive: another-person", "another-person", "another"),
        ("destructive: another-person", "[ads]", "ads"),
        ("sensitive: [ads, infra]", "", "ads infra"),
        ("sensitive: [ads, infra]", "caller", "!"),
        ("sensitive: [ads, infra]", "another-person", "!"),
        ("sensitive: [ads, infra]", "[ads]", "ads"),
        ("sensitive: [ads, infra]", "[ads, infra]", "ads infra"),
        ("sensitive: [ads]", "[ads, infra]", "!"),
        ("sensitive: [ads]", "[infra]", "!"),
        ("external: [ads]", "caller", "caller"),
        // All floors hold.
        ("destructive: another-person, sensitive: caller", "", "another"),
        ("destructive: caller, sensitive: another-person", "", "another"),
        ("destructive: [ads, infra], sensitive: another-person", "", "ads infra"),
        ("destructive: [ads, infra], sensitive: [ads]", "", "ads"),
        ("destructive: [infra], sensitive: [ads]", "", "!"),
        ("destructive: [ads], sensitive: [ads, infra]", "[infra]", "!"),
    ] {
        let found = match with(floors, &drop(said)) {
            Err(problems) => {
                assert_eq!(codes(Err(problems)), [WeakApproval], "{floors} {said}");
                "!".to_owned()
            }
            Ok(set) => {
                use super::model::Approver;
                match &set.server("presto").unwrap().tool("drop").unwrap().1.approval {
                    None => "-".to_owned(),
                    Some(Approver::Caller) => "caller".to_owned(),
                    Some(Approver::AnotherPerson) => "another".to_owned(),
                    Some(Approver::Groups(groups)) => {
                        let names = groups.iter().map(|id| set.group_name(id).to_owned());
                        names.collect::<Vec<_>>().join(" ")
                    }
                }
            }
        };
        assert_eq!(found, expected, "{floors} / {said}");
    }
    for (floors, expected) in [
        ("destroying: caller", &[BadValue][..]),
        ("destructive: nobody", &[BadValue]),
        ("destructive: [adds]", &[UnknownGroup]),
        ("destructive: []", &[BadValue]),
    ] {
        assert_eq!(codes(with(floors, &drop(""))), expected, "{floors}");
    }
    // A service is granted nothing that somebody has to agree to.
    let read = codes(with("read: caller", &drop("")));
    assert_eq!(read, []);
    let service = "people: { people: [ads], via: [chat], call: [look] }";
    let nightly = SERVER.replace(service, "n: { services: [night], call: [look] }");
    let mut files = directory("servers/presto.yaml", &nightly);
    files.files.retain(|file| file.path != "guardrails.yaml");
    let guardrails = format!("{GUARDRAILS}approval: {{ read: caller }}\n").into_bytes();
    files.files.push(PolicyFile { path: "guardrails.yaml".to_owned(), bytes: guardrails.into() });
    assert_eq!(codes(load(files)), [ServiceReach]);
    insta::assert_snapshot!(told());
}

#[test]
fn shadow_trial_and_opening_say_what_they_mean_or_do_not_load() {
    use Code::*;
    let upstream = "upstream: 'http://127.0.0.1:7001/mcp'";
    let cases: &[(&str, &str, &[Code])] = &[
        (upstream, "UP, mode: { shadow_until: 2026-12-01T00:00:00Z }", &[]),
        // ⚠ A shadow without an end.
        (upstream, "UP, mode: {}", &[MissingKey]),
        (upstream, "UP, mode: shadow", &[WrongType]),
        (upstream, "UP, mode: { shadow_until: 2026-12-01 }", &[BadValue]),
        (upstream, "UP, mode: { shadow_until: never }", &[BadValue]),
        (upstream, "UP, mode: { shadow_until: 2026-12-01T00:00:00Z, bans: true }", &[UnknownKey]),
        ("grants:", "discovery: { without_user: [chat, bot] }\ngrants:", &[]),
        ("grants:", "discovery: {}\ngrants:", &[MissingKey]),
        ("grants:", "discovery: { without_user: [] }\ngrants:", &[BadValue]),
        ("grants:", "discovery: { without_user: [any-surface] }\ngrants:", &[BadValue]),
        ("grants:", "discovery: { without_user: [chaat] }\ngrants:", &[UnknownPlace]),
        ("grants:", "discovery: { without_user: [night] }\ngrants:", &[UnknownPlace]),
        ("grants:", "discovery: { without_user: [bot/help] }\ngrants:", &[BadValue]),
        (
            "grants:",
            "bans: { b: { call: [look], trial_until: 2026-12-01T00:00:00Z } }\ngrants:",
            &[],
        ),
        ("grants:", "bans: { b: { call: [look], trial_until: 2026-12-01 } }\ngrants:", &[BadValue]),
        ("grants:", "bans: { b: { call: [look], trial_until: null } }\ngrants:", &[WrongType]),
    ];
    for (from, to, expected) in cases {
        assert_eq!(server_with(from, &to.replace("UP", upstream)), *expected, "{to}");
    }
    // Guardrails only take away.
    let guardrails =
        GUARDRAILS.replace("dev: {", "dev: { mode: { shadow_until: 2026-12-01T00:00:00Z },");
    assert_eq!(codes(load(directory("guardrails.yaml", &guardrails))), [UnknownKey]);
    insta::assert_snapshot!(told());
}

#[test]
fn sets_resources_and_prompts_say_what_they_mean_or_do_not_load() {
    use Code::*;
    let offered = "tools:
  look: { effect: read, sets: [browse] }
  drop: { effect: destructive, traits: [sensitive] }
resources:
  'db://w/a/*': { effect: read }
  'db://w/b': { effect: read, traits: [sensitive], sets: [deep] }
prompts:
  ask: { effect: read, sets: [deep] }
";
    let start = SERVER.split_once("tools:").unwrap().0;
    let with = |offered: &str, rules: &str| {
        codes(load(directory("servers/presto.yaml", &format!("{start}{offered}{rules}"))))
    };
    let grant = |what: &str| {
        with(offered, &format!("grants: {{ g: {{ people: [ads], via: [chat], {what} }} }}\n"))
    };
    let service =
        |what: &str| with(offered, &format!("grants: {{ g: {{ services: [night], {what} }} }}\n"));
    let ban = |what: &str| with(offered, &format!("bans: {{ b: {{ {what} }} }}\n"));
    let cases: &[(Vec<Code>, &[Code])] = &[
        (grant("call: [browse]"), &[]),
        (grant("call: [browse, look]"), &[]),
        (grant("read: ['db://w/a/*', 'db://w/b'], prompt: [ask]"), &[]),
        (grant("read: [deep], prompt: [deep]"), &[]),
        // A verb names its own kind.
        (grant("call: [deep]"), &[UnknownTool]),
        (grant("call: [ask]"), &[UnknownTool]),
        (grant("read: [browse]"), &[UnknownTool]),
        (grant("prompt: [look]"), &[UnknownTool]),
        // ⚠ No patterns: what is granted is what the server's file lists.
        (grant("call: ['*']"), &[UnknownTool]),
        (grant("call: [brows]"), &[UnknownTool]),
        (grant("read: ['db://w/*']"), &[UnknownTool]),
        (grant("read: ['db://w/a/b']"), &[UnknownTool]),
        (grant("read: [], call: [look]"), &[BadValue]),
        (grant("read: [deep], limits: { /a: { is: 1 } }"), &[IncompleteGrant]),
        (service("call: [browse], read: ['db://w/a/*'], prompt: [ask]"), &[]),
        (service("read: ['db://w/b']"), &[ServiceReach]),
        (service("read: [deep]"), &[ServiceReach]),
        (ban("read: [deep], prompt: [ask]"), &[]),
        (ban("prompt: [asks]"), &[UnknownTool]),
        (with(&offered.replace("[browse]", "[drop]"), ""), &[Conflict]),
        (with(&offered.replace("[browse]", "[ask]"), ""), &[Conflict]),
        (with(&offered.replace("[browse]", "[]"), ""), &[BadValue]),
        (with(&offered.replace("[browse]", "[Browse]"), ""), &[BadValue]),
        (with(&offered.replace("'db://w/b'", "'db://w/a/b'"), ""), &[Conflict]),
        (with(&offered.replace("'db://w/b'", "'db://w/*'"), ""), &[Conflict]),
        (with(&offered.replace("'db://w/b'", "'db://w/../b'"), ""), &[BadValue]),
        (with(&offered.replace("'db://w/b'", "'db://w/b*'"), ""), &[BadValue]),
        (with(&offered.replace("'db://w/b'", "'*'"), ""), &[BadValue]),
        (
            with(
                &offered.replace("ask: { effect: read", "ask: { approval: caller, effect: read"),
                "",
            ),
            &[UnknownKey],
        ),
        (with(&offered.replace("ask: { effect: read,", "ask: {"), ""), &[MissingKey]),
    ];
    for (index, (found, expected)) in cases.iter().enumerate() {
        assert_eq!(found, expected, "case {index}");
    }
    let guardrail = |ban: &str| {
        let text = format!("{GUARDRAILS}bans: {{ b: {{ {ban} }} }}\n");
        codes(load(directory("guardrails.yaml", &text)))
    };
    assert_eq!(guardrail("servers: [presto], call: [look]"), []);
    assert_eq!(guardrail("servers: [presto], call: [lock]"), [UnknownTool]);
    assert_eq!(guardrail("call: [look]"), [IncompleteBan]);
    insta::assert_snapshot!(told());
}

#[test]
fn a_limit_says_what_it_means_or_does_not_load() {
    use Code::*;
    let cases: &[(&str, &[Code])] = &[
        ("limits: { /a: { is: 1 } }", &[]),
        ("limits: { /a: { is: 'null' } }", &[]),
        ("limits: { /a: { one_of: [a, 1, true] }, /b/*: { matches: '[a-z]+' } }", &[]),
        ("limits: { /a: { between: [-1.5, 1.5], optional: true } }", &[]),
        ("limits: { /a: { domain: [example.com, example.org] } }", &[]),
        ("limits: { /a: { forbidden: true } }", &[]),
        ("limits: { /a: { starts_with: x, max_length: 5 } }", &[]),
        ("accepts: []", &[]),
        ("accepts: [a, b], limits: { /a: { is: 1 }, /b/c: { is: 1 } }", &[]),
        ("limits: {}", &[BadValue]),
        ("limits: []", &[WrongType]),
        ("limits: { /a: {} }", &[BadValue]),
        ("limits: { /a: { optional: true } }", &[BadValue]),
        ("limits: { /a: 5 }", &[WrongType]),
        ("limits: { a: { is: 1 } }", &[BadValue]),
        ("limits: { /*: { is: 1 } }", &[BadValue]),
        ("limits: { /a: { iss: 1 } }", &[UnknownKey]),
        ("limits: { /a: { is: null } }", &[WrongType]),
        ("limits: { /a: { is: [1] } }", &[WrongType]),
        ("limits: { /a: { is: 1e3 } }", &[BadValue]),
        ("limits: { /a: { is: 0x10 } }", &[BadValue]),
        ("limits: { /a: { is: .inf } }", &[BadValue]),
        ("limits: { /a: { is: 12345678901234567 } }", &[BadValue]),
        ("limits: { /a: { is: 1, optional: false } }", &[BadValue]),
        ("limits: { /a: { forbidden: false } }", &[BadValue]),
        ("limits: { /a: { forbidden: true, optional: true } }", &[BadValue]),
        ("limits: { /a: { forbidden: true, is: 1 } }", &[BadValue]),
        ("limits: { /a: { one_of: [] } }", &[BadValue]),
        ("limits: { /a: { one_of: a } }", &[WrongType]),
        ("limits: { /a: { one_of: [1, 1.0] } }", &[Repeated]),
        ("limits: { /a: { one_of: [a, null] } }", &[WrongType]),
        // ⚠ A missing end would be no limit.
        ("limits: { /a: { between: [1] } }", &[BadValue]),
        ("limits: { /a: { between: [1, null] } }", &[WrongType]),
        ("limits: { /a: { between: [1, 2, 3] } }", &[BadValue]),
        ("limits: { /a: { between: [10, 1] } }", &[BadValue]),
        ("limits: { /a: { between: 10 } }", &[WrongType]),
        ("limits: { /a: { between: ['1', '2'] } }", &[WrongType, WrongType]),
        ("limits: { /a: { matches: '^a$' } }", &[BadValue]),
        ("limits: { /a: { matches: '(?i)a' } }", &[BadValue]),
        ("limits: { /a: { matches: '(' } }", &[BadValue]),
        ("limits: { /a: { starts_with: '' } }", &[BadValue]),
        ("limits: { /a: { domain: 127.0.0.1 } }", &[BadValue]),
        ("limits: { /a: { domain: '*.example.com' } }", &[BadValue]),
        ("limits: { /a: { domain: [] } }", &[BadValue]),
        ("limits: { /a: { max_length: -1 } }", &[BadValue]),
        ("limits: { /a: { max_items: 1.5 } }", &[WrongType]),
        ("limits: { /a: { max_length: 5, between: [1, 2] } }", &[BadValue]),
        ("limits: { /a: { is: 5, starts_with: a } }", &[BadValue]),
        ("accepts: sql", &[WrongType]),
        ("accepts: [a, a]", &[Repeated]),
        // ⚠ The argument that was meant would have no limit.
        ("accepts: [sql], limits: { /sqll: { is: a } }", &[LimitOutside]),
        ("accepts: [], limits: { /a/b: { forbidden: true } }", &[LimitOutside]),
        ("log_args: [/sql, /to/*, /a/b]", &[]),
        ("log_args: [sql]", &[BadValue]),
        ("log_args: ['']", &[BadValue]),
        ("log_args: []", &[BadValue]),
        ("log_args: [/sql, /sql]", &[Repeated]),
        ("log_args: /sql", &[WrongType]),
        ("accepts: [sql], log_args: [/sql]", &[]),
        ("accepts: [sql], log_args: [/sqll]", &[LimitOutside]),
    ];
    for (keys, expected) in cases {
        let to = format!("look: {{ effect: read, {keys} }}");
        assert_eq!(server_with("look: { effect: read }", &to), *expected, "{keys}");
    }
    let look = "  look: { effect: read }";
    let grant = "people: { people: [ads], via: [chat], call: [look] }";
    let limited = "people: { people: [ads], via: [chat], call: [look], limits: { /a: { is: 1 } } }";
    let with = |tool: &str| {
        codes(load(directory(
            "servers/presto.yaml",
            &SERVER.replace(look, tool).replace(grant, limited),
        )))
    };
    assert_eq!(with("  look: { effect: read, accepts: [a] }"), []);
    assert_eq!(with("  look: { effect: read, accepts: [b] }"), [LimitOutside]);
    // ⚠ Whoever adds an argument would lift the ban.
    let ban = "bans:\n  b: { call: [look], limits: { /a: { is: 1 } } }\ngrants:";
    assert_eq!(server_with("grants:", ban), [UnknownKey]);
    insta::assert_snapshot!(told());
}

#[test]
fn an_https_upstream_off_the_loopback_with_an_identity_loads() {
    let to = "'https://10.0.0.1:443/mcp', upstream_identity: spiffe://td/presto";
    assert_eq!(server_with("'http://127.0.0.1:7001/mcp'", to), []);
}

#[test]
fn the_other_files_say_what_they_mean_or_do_not_load() {
    use Code::*;
    let surfaces = |from: &str, to: &str| directory("surfaces.yaml", &SURFACES.replace(from, to));
    let chat = "chat: { workloads: [spiffe://td/chat], reaches: [prod] }";
    let cases: Vec<(PolicyFiles, &[Code])> = vec![
        (surfaces("spiffe://td/night", "spiffe://td/chat"), &[TwoPlaces]),
        (surfaces("spiffe://td/night", "spiffe://td/*"), &[BadValue]),
        (surfaces("spiffe://td/night", "spiffe://TD/night"), &[BadValue]),
        (surfaces("  night:", "  chat:"), &[Conflict]),
        (surfaces(chat, "chat: { workloads: [], reaches: [prod] }"), &[BadValue]),
        (
            surfaces(chat, "chat: { workloads: [spiffe://td/chat], reaches: [qa] }"),
            &[UnknownEnvironment],
        ),
        (
            surfaces(chat, "chat: { workloads: none, reaches: [prod], channels: { a: [C9] } }"),
            &[BadValue],
        ),
        (surfaces("[C1]", "[C1], more: [C1]"), &[TwoPlaces]),
        (
            surfaces(
                chat,
                "chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [a] }",
            ),
            &[],
        ),
        (
            surfaces(chat, "chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [] }"),
            &[BadValue],
        ),
        (
            surfaces(
                "night: { workloads: [spiffe://td/night]",
                "night: { clients: [a], workloads: [spiffe://td/night]",
            ),
            &[UnknownKey],
        ),
    ];
    check(cases);
    insta::assert_snapshot!(told());
}

#[test]
fn an_upstream_is_listed_as_a_url_has_it() {
    use Code::*;
    for (upstream, expected) in [
        ("dev.example.com:443", &[][..]),
        ("nonsense", &[BadValue]),
        ("a b:1", &[BadValue]),
        ("Dev.example.com:1", &[BadValue]),
    ] {
        let guardrails = GUARDRAILS.replace("127.0.0.1:7002", upstream);
        assert_eq!(codes(load(directory("guardrails.yaml", &guardrails))), expected, "{upstream}");
    }
}

#[test]
fn a_directory_as_a_whole_means_something_or_does_not_load() {
    use Code::*;
    let cases: Vec<(PolicyFiles, &[Code])> = vec![
        (directory("surfaces.yaml", ""), &[Empty]),
        (directory("guardrails.yaml", ""), &[Empty]),
        (directory("servers/presto.yaml", ""), &[Empty]),
        (directory("servers/presto.yml", SERVER), &[UnexpectedFile]),
        // A problem is reported once, and not again by what depends on it.
        (directory("guardrails.yml", GUARDRAILS), &[UnexpectedFile]),
        (covering("a: ["), &[Syntax]),
        (covering(&SERVER.replace("server: presto", "server: prest")), &[FileName]),
        (covering(&SERVER.replace("server: presto", "")), &[MissingKey]),
        (directory("groups.yaml", "toolgate: 1\ngroup: { ads: {} }\n"), &[MissingKey, UnknownKey]),
        (directory("surfaces.yaml", &SURFACES.replace("surfaces:", "surface:")), &[UnknownKey]),
        (directory("tests/presto.yaml", ""), &[]),
        (directory("tests/presto.yaml", "nothing that decides"), &[]),
        (directory("tests/presto.yml", "toolgate: 1"), &[UnexpectedFile]),
        (directory("tests/more/presto.yaml", "toolgate: 1"), &[UnexpectedFile]),
        (directory("guardrails.yaml", &GUARDRAILS.replace("7002", "7001")), &[Conflict]),
        (
            directory(
                "guardrails.yaml",
                &GUARDRAILS.replace("127.0.0.1:7002", "Dev.example.com:1"),
            ),
            &[BadValue],
        ),
        (
            directory(
                "guardrails.yaml",
                &GUARDRAILS.replace("127.0.0.1:7002", "dev.example.com:443"),
            ),
            &[],
        ),
        (
            directory(
                "guardrails.yaml",
                &format!("{GUARDRAILS}bans: {{ b: {{ servers: [prest], everything: true }} }}\n"),
            ),
            &[UnknownServer],
        ),
        (
            directory(
                "guardrails.yaml",
                &format!("{GUARDRAILS}bans: {{ b: {{ servers: [presto] }} }}\n"),
            ),
            &[IncompleteBan],
        ),
        (
            directory("groups.yaml", "toolgate: 1\ngroups: { ads: { claims: [x] }, infra: {} }\n"),
            &[BadValue],
        ),
        // Left out, it declares nothing: whoever names a group is told so.
        (directory("groups.yaml", ""), &[UnknownGroup]),
        (
            directory(
                "guardrails.yaml",
                &format!(
                    "{GUARDRAILS}bans: {{ b: {{ servers: [presto], in: [dev], everything: true }} }}\n"
                ),
            ),
            &[UnknownEnvironment],
        ),
        (
            directory(
                "guardrails.yaml",
                &format!(
                    "{GUARDRAILS}bans: {{ b: {{ services: any-service, via: [chat], everything: true }} }}\n"
                ),
            ),
            &[IncompleteBan],
        ),
        (
            directory("servers/other.yaml", &SERVER.replace("server: presto", "server: other")),
            &[Conflict],
        ),
        (
            directory("groups.yaml", "toolgate: 1\ngroups: { ads: {}, anyone-signed-in: {} }\n"),
            &[BadValue],
        ),
        (
            directory(
                "reviews.yaml",
                "toolgate: 1\nreviews: { S-1: { kind: security, approved: 2026-01-02, last_day: 2026-01-01, covers: {} } }\n",
            ),
            &[BadValue],
        ),
        (
            directory(
                "reviews.yaml",
                "toolgate: 1\nreviews: { S-1: { kind: security, approved: 2026-01-02, last_day: 2026-01-03 } }\n",
            ),
            &[MissingKey],
        ),
        (
            directory(
                "reviews.yaml",
                "toolgate: 1\nreviews: { S-1: { kind: security, approved: 2026-01-02, last_day: 2026-01-03, covers: { prest: '00' } } }\n",
            ),
            &[BadValue],
        ),
    ];
    check(cases);
    insta::assert_snapshot!(told());
}

/// A directory whose review covers `presto`, with this server's file.
fn covering(server: &str) -> PolicyFiles {
    let mut files = directory("servers/presto.yaml", server);
    let digest = "0".repeat(64);
    for file in &mut files.files {
        if file.path == "reviews.yaml" {
            let review = "kind: security, approved: 2026-01-02, last_day: 2026-01-03";
            let text = format!(
                "toolgate: 1\nreviews: {{ S-1: {{ {review}, covers: {{ presto: '{digest}' }} }} }}\n"
            );
            file.bytes = text.into_bytes().into();
        }
    }
    files
}

#[test]
fn problems_say_how_to_mend_them() {
    let base = "people: [ads], via: [chat], call: [look]";
    let grant = format!("people: {{ {base} }}");
    let cases: &[(&str, &str, &str)] = &[
        ("people: [ads]", "people: ads", "write `[ads]`"),
        ("people: [ads]", "people: 'a, b'", "write `[\"a, b\"]`"),
        ("people: [ads]", "people: everyone", "write `[anyone-signed-in]` for everybody"),
        ("people: [ads]", "people: [everyone]", "`[anyone-signed-in]` is everybody"),
        ("people: [ads]", "people: [ads, anyone-signed-in]", "leave the groups out"),
        ("call: [look]", "call: [\"*\"]", "there are no wildcards: name each tool"),
        ("call: [look]", "call: [\"loo*\"]", "there are no wildcards: name each tool"),
        ("call: [look]", "call: [look], last_day: 2026-02-30", "is not a day of the calendar"),
        ("call: [look]", "call: [look], last_day: 30.12.2026", "write year-month-day"),
        ("call: [look]", "call: [look], last_day: 2026-W01-1", "write year-month-day"),
        // What follows from another problem is not told as one.
        ("people: [ads]", "poeple: [ads], except: [ads]", "did you mean `people`?"),
        ("people: [ads]", "people: [], also_in: ads", "an empty list"),
        ("people: [ads]", "people:, except: [ads]", "write a value, or leave the key out"),
        ("people: [ads]", "except: [ads]", "does not say who"),
        (
            "people: [ads]",
            "users: ['corp:a'], last_day: 2026-13-01, ticket: T-1",
            "not a day of the calendar",
        ),
        ("people: [ads]", "usres: ['corp:a'], ticket: T-1", "did you mean `users`?"),
        (
            "people: [ads]",
            "users: ['corp:a'], ticket: T-1, last_day: 2026-12-01, except: [ads]",
            "`except` narrows `people`, and this grant has none",
        ),
        ("people: [ads]", "people: [ads], last_day: [2026-12-31]", "write one value, without `[`"),
    ];
    for (from, to, expected) in cases {
        let text = SERVER.replace(&grant, &grant.replace(from, to));
        let problems = load(directory("servers/presto.yaml", &text)).unwrap_err();
        assert_eq!(problems.list.len(), 1, "{problems}");
        assert!(problems.to_string().contains(expected), "{problems}");
    }
    let told = |path: &str, text: &str| load(directory(path, text)).unwrap_err().to_string();
    let reading = told("servers/presto.yaml", &SERVER.replace("effect: read ", "effect: reading "));
    assert!(reading.contains("did you mean `read`?"), "{reading}");
    let manager = "effect: read, approval: manager ";
    let manager = told("servers/presto.yaml", &SERVER.replace("effect: read ", manager));
    assert!(manager.contains("stands in a list: `[manager]`"), "{manager}");
    let callr = "effect: read, approval: callr ";
    let callr = told("servers/presto.yaml", &SERVER.replace("effect: read ", callr));
    assert!(callr.contains("did you mean `caller`?"), "{callr}");
    let empty = told("servers/spark.yaml", "# later\n");
    assert!(empty.contains("the file is empty: start it with `toolgate: 1`"), "{empty}");
    let yml = told("servers/spark.yml", SERVER);
    assert!(yml.contains("name it `servers/spark.yaml`"), "{yml}");
    // Two reviews with like names are two reviews.
    let mut files = covering(&SERVER.replace("mcp' }", "mcp', reviews: [S-2] }"));
    let review = load(std::mem::take(&mut files)).unwrap_err().to_string();
    assert!(
        review.contains("unknown review `S-2`") && !review.contains("did you mean"),
        "{review}"
    );
}

fn check(cases: Vec<(PolicyFiles, &[Code])>) {
    for (files, expected) in cases {
        let shown = format!(
            "{:?}",
            files.files.last().map(|f| String::from_utf8_lossy(&f.bytes).into_owned())
        );
        assert_eq!(codes(load(files)), expected, "{shown}");
    }
}

#[test]
fn the_digest_is_of_the_files_and_not_of_their_order() {
    let digest = |files: PolicyFiles| load(files).unwrap().digest();
    let base = digest(directory("x", ""));
    let mut reversed = directory("x", "");
    reversed.files.reverse();
    assert_eq!(digest(reversed), base);
    assert_ne!(digest(directory("groups.yaml", &format!("{GROUPS}# a comment\n"))), base);
}

#[test]
fn digests_of_parts_do_not_run_together() {
    use super::digest::Digest;
    let of = |parts: &[&str]| Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    assert_ne!(of(&["a"]), of(&["a", ""]));
    let text = Digest::of(b"").to_string();
    assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(text.parse(), Ok(Digest::of(b"")));
    for bad in ["", "e3b0", &text.to_uppercase(), &format!("{text}0"), &text.replace('e', "g")] {
        assert!(bad.parse::<Digest>().is_err(), "{bad}");
    }
}

#[test]
fn a_review_covers_the_tools_and_not_what_they_save() {
    let digest = |tools: &str| {
        let text = format!("toolgate: 1\nserver: s\nenvironments: {{}}\ntools: {tools}\n");
        tools_digests(&directory("servers/presto.yaml", &text)).pop().unwrap().1
    };
    let base = digest("{ a: { effect: read, traits: [costly] }, b: { effect: write } }");
    // SHA-256 of {"prompts":{},"resources":{},"tools":{"a":{"effect":"read","traits":["costly"]},"b":{"effect":"write"}}}
    assert_eq!(
        base.to_string(),
        "17652d11f62a0f969e33d551c3cd18460dd0b404d23578412a57566bf7a815a1"
    );
    for same in [
        "{ b: { effect: write }, a: { traits: [costly], effect: read } }",
        "{ a: { effect: read, traits: ['costly'], minutes_saved: 5 }, b: { effect: write } }",
    ] {
        assert_eq!(digest(same), base, "{same}");
    }
    for other in [
        "{ a: { effect: read }, b: { effect: write } }",
        "{ a: { effect: read, traits: [costly] }, b: { effect: read } }",
        "{ a: { effect: read, traits: [costly] } }",
        "{ a: { effect: read, traits: [costly], approval: caller }, b: { effect: write } }",
        "{ a: { effect: read, traits: [costly], sets: [s] }, b: { effect: write } }",
        "{ a: { effect: read, traits: [costly], accepts: [] }, b: { effect: write } }",
        "{ a: { effect: read, traits: [costly] }, b: { effect: write } }\nresources: { 'a:b': { effect: read } }",
        "{ a: { effect: read, traits: [costly] }, b: { effect: write } }\nprompts: { p: { effect: read } }",
    ] {
        assert_ne!(digest(other), base, "{other}");
    }
}

#[test]
fn stamping_changes_digests_and_nothing_else() {
    let reviews = "toolgate: 1 # c\nreviews:\n  S-1: { kind: security, approved: 2026-01-02, last_day: 2026-12-31, covers: { presto: stale } } # kept\n";
    let files = directory("reviews.yaml", reviews);
    let stamped = stamp::stamp(&files, &[]).unwrap();
    let digest = tools_digests(&files).pop().unwrap().1;
    assert_eq!(stamped.text, reviews.replace("stale", &format!("\"{digest}\"")));
    let again = stamp::stamp(&directory("reviews.yaml", &stamped.text), &[]).unwrap();
    assert!(again.changes.is_empty() && again.text == stamped.text);
}

#[test]
fn claim_values_stand_for_the_groups_that_list_them() {
    let groups =
        "toolgate: 1\ngroups:\n  ads: {}\n  infra: { claims: ['corp:guid-1'] }\n  'x:ads': {}\n";
    let set = load(directory("groups.yaml", groups)).unwrap();
    let names = |issuer: &str, prefix: &str, values: &[&str]| -> Vec<String> {
        let groups = set.claimed_groups(issuer, prefix, values.iter().copied());
        groups.iter().map(|id| set.group_name(id).to_owned()).collect()
    };
    assert_eq!(names("corp", "", &["ads", "other"]), ["ads"]);
    assert_eq!(names("corp", "", &["guid-1"]), ["infra"]);
    // With `claims`, the name itself means nothing.
    assert!(names("corp", "", &["infra"]).is_empty());
    // A value counts for its issuer only.
    assert!(names("evil", "", &["guid-1"]).is_empty());
    assert_eq!(names("ext", "x:", &["ads"]), ["x:ads"]);
    assert!(names("ext", "y:", &["ads"]).is_empty());
    assert!(names("corp", "", &["ADS", " ads", "ads "]).is_empty());
}

#[test]
fn a_group_that_no_issuer_can_claim_is_found() {
    let groups = "toolgate: 1\ngroups: { ads: {}, infra: { claims: ['corp:g1', 'crop:g2'] } }\n";
    let set = load(directory("groups.yaml", groups)).unwrap();
    assert_eq!(set.unclaimable(&[("corp", "")]), ["crop:g2"]);
    assert_eq!(set.unclaimable(&[("corp", ""), ("crop", "")]), Vec::<String>::new());
    assert_eq!(set.unclaimable(&[("corp", "c:"), ("crop", "d:")]), ["ads"]);
    // The value that would be the group's own name is another group's.
    let taken = "toolgate: 1\ngroups: { ads: {}, infra: { claims: ['corp:ads'] } }\n";
    let set = load(directory("groups.yaml", taken)).unwrap();
    assert_eq!(set.unclaimable(&[("corp", "")]), ["ads"]);
    assert_eq!(set.unclaimable(&[("corp", ""), ("crop", "")]), Vec::<String>::new());
    let ban = "bans: { b: { users: ['corp:eve', 'crop:eve'], call: [look] } }\ngrants:";
    let set = load(directory("servers/presto.yaml", &SERVER.replace("grants:", ban))).unwrap();
    assert_eq!(set.unclaimable(&[("corp", "")]), ["crop:eve"]);
}

#[test]
fn every_mistake_is_reported_at_its_place_in_one_run() {
    let mut files = directory(
        "servers/presto.yaml",
        "toolgate: 1
server: presto
environments:
  prod: { upstream: 'http://127.0.0.1:7009/mcp', reviews: [SEC-9] }
tools:
  look: { effect: raed }
  drop: { effect: destructive }
  drop: { effect: read }
grants:
  people: { people: [adds], via: [chat], call: [drop] }
  nobody: { via: [chat], call: [drop] }
  late: { people: [ads], via: [chatt], call: [drop], last_day: 31.12.2026 }
  nightly: { services: [night], call: [drop] }
bans:
  empty: { people: [ads] }
colour: red
",
    );
    files.files.push(PolicyFile { path: "notes.txt".to_owned(), bytes: (*b"hello").into() });
    files
        .files
        .push(PolicyFile { path: "servers/spark.yaml".to_owned(), bytes: (*b"a: [").into() });
    let more = load_on(files.clone(), Cores::All).unwrap_err();
    let problems = load(files).unwrap_err();
    assert_eq!(more.to_string(), problems.to_string());
    insta::assert_snapshot!(problems.to_string());
}

proptest::proptest! {
    #[test]
    fn no_file_can_make_loading_panic(text in "[-a-z: \\[\\]{},'\n0-9]{0,80}") {
        let _ = load(directory("servers/presto.yaml", &text));
        let _ = load(directory("surfaces.yaml", &text));
        let _ = load(directory("guardrails.yaml", &text));
    }
}
