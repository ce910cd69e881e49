use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::diagnostics::Diagnostic;

const GOOD: &str = "toolgate: 1
listen:
  grpc: unix:run/t.sock
  http: 127.0.0.1:9192
policies: policies
public_url: https://mcp.example.com
issuers:
  corp:
    issuer: https://login.example.com
    audiences: [https://mcp.example.com]
    keys: { file: jwks.json }
    algorithms: [RS256]
workloads:
  trust_domains: [prod.example.com]
";

fn read(text: &str) -> Result<Config, Diagnostics> {
    parse(Path::new("etc/toolgate.yaml"), text)
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.policies, Path::new("etc/policies"));
    let GrpcListener::Unix(socket) = &config.grpc else { panic!("a socket") };
    assert_eq!(
        (socket.path.as_path(), socket.written.as_str()),
        (Path::new("etc/run/t.sock"), "run/t.sock")
    );
    assert_eq!(config.issuers[0].keys, keys::KeysSource::File("etc/jwks.json".into()));
    assert_eq!(config.resource("/a/mcp"), "https://mcp.example.com/a/mcp");
    assert_eq!(
        config.resource_metadata("/a/mcp"),
        "https://mcp.example.com/.well-known/oauth-protected-resource/a/mcp"
    );
}

#[test]
fn keys_come_from_where_they_are_configured_to_be() {
    use keys::{Discovery, KeysSource, KeysStart, RemoteKeys};
    const HOUR: Duration = Duration::from_secs(3600);
    const HALF_A_MINUTE: Duration = Duration::from_secs(30);
    const KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let remote = |start, max_stale, refetch| {
        KeysSource::Remote(RemoteKeys { start, ca: None, max_stale, refetch })
    };
    let discovery = |document: &str, hosts: &[&str]| {
        KeysStart::Discovery(Discovery {
            document: format!("https://login.example.com/.well-known/{document}").parse().unwrap(),
            hosts: hosts.iter().map(|host| Box::from(*host)).collect(),
        })
    };
    let url = KeysStart::Url("https://a.example/b".parse().unwrap());
    let openid = || discovery("openid-configuration", &[]);
    for (written, expected) in [
        ("discovery", remote(openid(), HOUR, HALF_A_MINUTE)),
        ("{ discovery: openid-configuration }", remote(openid(), HOUR, HALF_A_MINUTE)),
        (
            "{ discovery: oauth-authorization-server, hosts: [a.example, 10.0.0.1, '[fd00::1]'] }",
            remote(
                discovery("oauth-authorization-server", &["a.example", "10.0.0.1", "[fd00::1]"]),
                HOUR,
                HALF_A_MINUTE,
            ),
        ),
        (
            "{ url: 'https://a.example/b', max_stale_minutes: 1440, refetch_seconds: 5 }",
            remote(url.clone(), 24 * HOUR, Duration::from_secs(5)),
        ),
        (
            "{ url: 'https://a.example/b', ca: ca.pem, max_stale_minutes: 1, refetch_seconds: 300 }",
            KeysSource::Remote(RemoteKeys {
                start: url,
                ca: Some("etc/ca.pem".into()),
                max_stale: HOUR / 60,
                refetch: HOUR / 12,
            }),
        ),
        ("{ file: a.json }", KeysSource::File("etc/a.json".into())),
        (&format!("{{ inline: '{KEY}' }}"), KeysSource::Inline(KEY.into())),
    ] {
        let text = GOOD.replacen("{ file: jwks.json }", written, 1);
        let config = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.issuers[0].keys, expected, "{written}");
    }
}

/// What is said about the good file with each of these changes.
fn told(changes: &[(&str, &str)]) -> String {
    let mut told = String::new();
    for (from, to) in changes {
        assert!(GOOD.contains(from), "{from}");
        let problems = read(&GOOD.replacen(from, to, 1)).expect_err(to);
        assert!(!problems.list.is_empty(), "{to}");
        let _ = writeln!(told, "{to}");
        for Diagnostic { message, label, help, .. } in &problems.list {
            let said = label.as_deref().or(help.as_deref());
            let _ = writeln!(told, "    {message}: {}", said.unwrap_or("NO CURE"));
        }
    }
    told
}

#[test]
fn keys_from_unsafe_places_do_not_load() {
    let changes = [
        ("keys: { file: jwks.json }", "keys: {}"),
        ("keys: { file: jwks.json }", "keys: { file: a, url: 'https://b/c' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'http://login.example.com/jwks' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'http://169.254.169.254/jwks' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'http://localhost/jwks' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'https://u:p@login.example.com/jwks' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'file:///etc/jwks' }"),
        ("keys: { file: jwks.json }", "keys: metadata"),
        ("keys: { file: jwks.json }", "keys: [discovery]"),
        ("keys: { file: jwks.json }", "keys: { discovery: jwks }"),
        ("keys: { file: jwks.json }", "keys: { discovery: openid-configuration, file: a }"),
        (
            "keys: { file: jwks.json }",
            "keys: { discovery: openid-configuration, hosts: ['169.254.169.254'] }",
        ),
        (
            "keys: { file: jwks.json }",
            "keys: { discovery: openid-configuration, hosts: [Keys.example.com, 'a:443', 'a/b'] }",
        ),
        (
            "keys: { file: jwks.json }",
            "keys: { url: 'https://a/b', hosts: [a], max_stale_minutes: 0 }",
        ),
        ("keys: { file: jwks.json }", "keys: { url: 'https://a/b', max_stale_minutes: 1441 }"),
        ("keys: { file: jwks.json }", "keys: { url: 'https://a/b', refetch_seconds: 4 }"),
        ("keys: { file: jwks.json }", "keys: { url: 'https://a/b', refetch_seconds: soon }"),
        ("keys: { file: jwks.json }", "keys: { url: 'http://127.0.0.1/b', ca: a.pem }"),
        ("keys: { file: jwks.json }", "keys: { url: 'https://169.254.169.254/b' }"),
        ("keys: { file: jwks.json }", "keys: { url: 'https://[::ffff:a9fe:a9fe]/b' }"),
        ("keys: { file: jwks.json }", "keys: { file: a, ca: b, refetch_seconds: 30 }"),
        ("keys: { file: jwks.json }", "keys: { inline: '[]' }"),
        ("keys: { file: jwks.json }", "keys: { inline: '{\"keys\": []}' }"),
        (
            "keys: { file: jwks.json }",
            "keys: { inline: '{\"keys\": [{\"kty\": \"oct\", \"kid\": \"a\", \"k\": \"AAAA\"}]}' }",
        ),
    ];
    insta::assert_snapshot!(told(&changes));
}

#[test]
fn what_would_be_unsafe_does_not_load() {
    let tls = "tls: { certificate: c, key: k, identity: spiffe://td/t, ca: a, accept: [spiffe://td/envoy] }";
    let changes = [
        ("grpc: unix:run/t.sock", "grpc: 0.0.0.0:9191"),
        ("grpc: unix:run/t.sock", "grpc: 10.0.0.1:9191"),
        ("grpc: unix:run/t.sock", "grpc: localhost:9191"),
        ("grpc: unix:run/t.sock", &format!("grpc: unix:run/t.sock\n  {tls}")),
        (
            "grpc: unix:run/t.sock",
            "grpc: 0.0.0.0:9191\n  tls: { certificate: c, key: k, identity: spiffe://td/t, ca: a, accept: [] }",
        ),
        (
            "grpc: unix:run/t.sock",
            "grpc: 0.0.0.0:9191\n  tls: { certificate: c, key: k, identity: spiffe://td/t, ca: a }",
        ),
        ("https://mcp.example.com\nissuers", "http://mcp.example.com\nissuers"),
        ("https://mcp.example.com\nissuers", "https://mcp.example.com/path\nissuers"),
        ("https://mcp.example.com\nissuers", "https://MCP.example.com\nissuers"),
        ("issuer: https://login", "issuer: http://login"),
        ("algorithms: [RS256]", "algorithms: [HS256]"),
        ("algorithms: [RS256]", "algorithms: [none]"),
        ("algorithms: [RS256]", "algorithms: []"),
        ("audiences: [https://mcp.example.com]", "audiences: []"),
        ("    audiences: [https://mcp.example.com]\n", ""),
        ("issuer: https://login.example.com", "issuer: http://127.0.0.1.example.com"),
        ("issuer: https://login.example.com", "issuer: http://169.254.169.254"),
        ("algorithms: [RS256]", "algorithms: [RS256]\n    claims: { groups: [groups] }"),
        ("algorithms: [RS256]", "algorithms: [RS256]\n    claims: { groups: ['/a~2'] }"),
        ("algorithms: [RS256]", "algorithms: [RS256]\n    claims: { groups: [] }"),
        (
            "algorithms: [RS256]",
            "algorithms: [RS256]\n    claims: { subject: /email, groups: [/groups] }",
        ),
        ("algorithms: [RS256]", "algorithms: [RS256]\n    token_kind: id"),
        ("algorithms: [RS256]", "algorithms: [RS256]\n    leeway: 60"),
        ("trust_domains: [prod.example.com]", "trust_domains: [PROD.example.com]"),
        ("trust_domains: [prod.example.com]", "trust_domains: ['spiffe://prod.example.com']"),
        (
            "trust_domains: [prod.example.com]",
            "trust_domains: [prod.example.com]\n  from: principal",
        ),
        ("workloads:", "origins: ['https://x/']\nworkloads:"),
        ("workloads:", "origins: ['null']\nworkloads:"),
        ("workloads:", "origins: ['*']\nworkloads:"),
        ("workloads:", "compatibility: [everything]\nworkloads:"),
        ("workloads:", "compatibility: null-params\nworkloads:"),
        (
            "workloads:",
            "envoy: { listen: { mtls: 0.0.0.0:1, plain: 0.0.0.0:2 }, certificate: { cert: a, key: b }, bundles: c }\nworkloads:",
        ),
        (
            "workloads:",
            "envoy: { listen: { mtls: 0.0.0.0:1 }, spire: 'unix:a', bundles: c }\nworkloads:",
        ),
        ("workloads:", "envoy: { listen: { mtls: 0.0.0.0:1 }, spire: 'unix:' }\nworkloads:"),
        ("workloads:", "envoy: { listen: { mtls: 0.0.0.0:1 }, spire: 127.0.0.1:1 }\nworkloads:"),
        ("workloads:", "envoy: { listen: { mtls: 0.0.0.0:1 } }\nworkloads:"),
        ("workloads:", "failure_mode_allow: true\nworkloads:"),
        ("toolgate: 1", "toolgate: 2"),
        ("toolgate: 1\n", ""),
    ];
    // For a tired reviewer to read.
    insta::assert_snapshot!(told(&changes));
    for (from, to) in [
        ("grpc: unix:run/t.sock", "grpc: 127.0.0.1:9191".to_owned()),
        ("grpc: unix:run/t.sock", format!("grpc: 0.0.0.0:9191\n  {tls}")),
        ("keys: { file: jwks.json }", "keys: { url: 'http://127.0.0.1:1/jwks' }".to_owned()),
        ("keys: { file: jwks.json }", "keys: { url: 'https://login.example.com/jwks' }".to_owned()),
        ("issuer: https://login.example.com", "issuer: http://127.0.0.1:7080".to_owned()),
        (
            "workloads:",
            "envoy: { listen: { mtls: 0.0.0.0:1 }, spire: 'unix:a.sock' }\nworkloads:".to_owned(),
        ),
    ] {
        assert!(read(&GOOD.replacen(from, &to, 1)).is_ok(), "{to}");
    }
}

#[test]
fn jwt_svids_are_accepted_only_as_they_are_configured() {
    const DOMAINS: &str = "trust_domains: [prod.example.com]";
    let with = |more: &str| format!("{DOMAINS}\n  {more}");
    let good = "jwt_svid: { audiences: [us], header: x-workload-token }\n  bundles: b.json";
    let config = read(&GOOD.replacen(DOMAINS, &with(good), 1)).unwrap();
    let expected =
        JwtSvidConfig { audiences: vec!["us".into()], header: Some("x-workload-token".into()) };
    assert_eq!(config.workload_header(), Some("x-workload-token"));
    assert_eq!(config.workloads.jwt_svid, Some(expected));
    assert_eq!(config.workloads.bundles, Some(BundlesSource::File("etc/b.json".into())));
    assert_eq!(read(GOOD).unwrap().workloads.jwt_svid, None);
    let good = "jwt_svid: { audiences: [us] }\n  spire: unix:/run/agent.sock";
    let config = read(&GOOD.replacen(DOMAINS, &with(good), 1)).unwrap();
    assert_eq!(config.workloads.bundles, Some(BundlesSource::Spire("/run/agent.sock".into())));
    assert!(!config.workloads.verify_certificates);
    let good = "verify_certificates: true\n  bundles: b.json";
    let config = read(&GOOD.replacen(DOMAINS, &with(good), 1)).unwrap();
    assert!(config.workloads.verify_certificates);
    let changes: Vec<String> = [
        "bundles: b.json",
        "jwt_svid: { audiences: [us] }",
        "jwt_svid: {}\n  bundles: b.json",
        "jwt_svid: { audiences: [] }\n  bundles: b.json",
        "jwt_svid: { audiences: [us, ''] }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], bundles: b.json }",
        "spire: unix:/run/agent.sock",
        "verify_certificates: true",
        "verify_certificates: false\n  bundles: b.json",
        "jwt_svid: { audiences: [us] }\n  spire: /run/agent.sock",
        "jwt_svid: { audiences: [us] }\n  spire: 'unix:'",
        "jwt_svid: { audiences: [us] }\n  spire: unix:/run/agent.sock\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: authorization }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: X-Workload-Token }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: x_workload }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: x-forwarded-user }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: x-toolgate-channel }\n  bundles: b.json",
        "jwt_svid: { audiences: [us], header: x-123456789012345678901234 }\n  bundles: b.json",
    ]
    .map(with)
    .into();
    let changes: Vec<_> = changes.iter().map(|to| (DOMAINS, to.as_str())).collect();
    insta::assert_snapshot!(told(&changes));
}

#[test]
fn our_own_certificate_comes_from_one_place() {
    const GRPC: &str = "grpc: unix:run/t.sock";
    const DOMAINS: &str = "trust_domains: [prod.example.com]";
    let tls = |more: &str| {
        format!(
            "grpc: 0.0.0.0:9191\n  tls: {{ {more}identity: 'spiffe://td/toolgate', accept: ['spiffe://td/envoy'] }}"
        )
    };
    let agent = format!("{DOMAINS}\n  spire: unix:agent.sock");
    let read =
        |tls: &str, domains: &str| read(&GOOD.replacen(GRPC, tls, 1).replacen(DOMAINS, domains, 1));
    let config = read(&tls("from: spire, "), &agent).unwrap();
    let GrpcListener::Tcp { tls: Some(tls_of), .. } = config.grpc else { panic!("no TLS") };
    assert_eq!(tls_of.source, TlsSource::Spire);
    let mut told = String::new();
    for (more, domains) in [
        ("from: spire, ", DOMAINS),
        ("from: agent, ", &agent),
        ("from: spire, ca: ca.pem, ", &agent),
        ("", &agent),
        ("", DOMAINS),
    ] {
        let problems = read(&tls(more), domains).unwrap_err();
        let list = problems.list.iter();
        let said: Vec<_> = list
            .map(|one| format!("{}: {}", one.message, one.help.as_deref().unwrap_or("")))
            .collect();
        let _ = writeln!(told, "{more}| {domains}\n    {}", said.join("\n    "));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_proves_a_workload_is_stated() {
    const DOMAINS: &str = "trust_domains: [prod.example.com]";
    const ENVOY: &str = "spiffe://prod.example.com/ns/mcp/sa/envoy";
    let with = |more: &str| format!("{DOMAINS}\n  {}", more.replace("ENVOY", ENVOY));
    let from = |more: &str| read(&GOOD.replacen(DOMAINS, &with(more), 1)).unwrap().workloads.from;
    let xfcc =
        |mode| WorkloadsFrom::Xfcc(xfcc::Trust { mode, by: vec![Workload::new(ENVOY).unwrap()] });
    let principal = "from: principal\n  trust_principal_without_certificate: true";
    for (more, expected) in [
        ("from: certificate", WorkloadsFrom::Certificate),
        (principal, WorkloadsFrom::Principal),
        ("from: xfcc\n  xfcc: { mode: sanitize_set, by: [ENVOY] }", xfcc(xfcc::Mode::SanitizeSet)),
        (
            "from: xfcc\n  xfcc: { mode: append_last, trusted_hops: 2, by: [ENVOY] }",
            xfcc(xfcc::Mode::AppendLast { trusted_hops: 2 }),
        ),
    ] {
        assert_eq!(from(more), expected, "{more}");
    }
    assert_eq!(read(GOOD).unwrap().workloads.from, WorkloadsFrom::Certificate);
    let mut changes: Vec<String> = [
        "from: header",
        "from: principal",
        "from: principal\n  trust_principal_without_certificate: false",
        "from: principal\n  trust_principal_without_certificate: yes please",
        "trust_principal_without_certificate: true",
        "from: xfcc\n  trust_principal_without_certificate: true",
        "from: xfcc",
        "xfcc: { mode: sanitize_set, by: [ENVOY] }",
        "from: xfcc\n  xfcc: {}",
        "from: xfcc\n  xfcc: { mode: forward_only, by: [ENVOY] }",
        "from: xfcc\n  xfcc: { mode: sanitize_set, by: [] }",
        "from: xfcc\n  xfcc: { mode: sanitize_set, by: ['spiffe://prod.example.com/*'] }",
        "from: xfcc\n  xfcc: { mode: sanitize_set, trusted_hops: 1, by: [ENVOY] }",
        "from: xfcc\n  xfcc: { mode: append_last, by: [ENVOY] }",
        "from: xfcc\n  xfcc: { mode: append_last, trusted_hops: 0, by: [ENVOY] }",
        "from: xfcc\n  xfcc: { mode: append_last, trusted_hops: 9, by: [ENVOY] }",
        "bundles: b.json\n  verify_certificates: true\n  from: principal\n  trust_principal_without_certificate: true",
    ]
    .map(with)
    .into();
    let envoy = "envoy: { listen: { mtls: 0.0.0.0:1 }, spire: 'unix:a.sock' }";
    changes.push(with(&format!("{principal}\n{envoy}")));
    let trust = "from: xfcc\n  xfcc: { mode: sanitize_set, by: [ENVOY] }";
    changes.push(with(&format!("{trust}\n{envoy}")));
    let changes: Vec<_> = changes.iter().map(|to| (DOMAINS, to.as_str())).collect();
    insta::assert_snapshot!(told(&changes));
}

#[test]
fn several_issuers_are_kept_apart() {
    let second = |prefix: &str, url: &str| {
        let one = GOOD.replacen(
            "    algorithms: [RS256]\n",
            "    algorithms: [RS256]\n    group_prefix: 'corp:'\n",
            1,
        );
        let issuer = format!(
            "  partner:\n    issuer: {url}\n    audiences: [x]\n    keys: {{ file: b }}\n    algorithms: [ES256]\n    group_prefix: '{prefix}'\n"
        );
        read(&one.replacen("workloads:", &format!("{issuer}workloads:"), 1))
    };
    let config = second("partner:", "https://p.example.com").unwrap();
    assert!(config.qualifies_users());
    assert!(second("", "https://p.example.com").is_err());
    assert!(second("corp:", "https://p.example.com").is_err());
    assert!(second("corp:x", "https://p.example.com").is_err());
    assert!(second("partner:", "https://login.example.com").is_err());
}

#[test]
fn problems_are_shown_where_they_are() {
    let text = GOOD
        .replace("grpc: unix:run/t.sock", "grpc: 0.0.0.0:9191")
        .replace("RS256", "RS265")
        .replace("policies: policies", "policy: policies");
    insta::assert_snapshot!(read(&text).unwrap_err().to_string());
}
