//! What a real Envoy would never send, and what it must never be told.

use std::collections::HashMap;
use std::fmt::Write as _;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use jiff::Timestamp;
use prost::Message as _;

use super::answer::Forward;
use super::edge::{Asked, Edge};
use super::keys::{Keys, Keyset};
use super::peer::Leaf;
use super::record::Told;
use super::request::{Headers, Incoming};
use super::response::check_response;
use super::service::Service;
use super::*;
use crate::config::DecisionsConfig;
use crate::identity::{GroupSet, Groups, User};
use crate::mcp::Era;
use crate::{config, disk, policy};

pub(super) fn edge() -> Edge {
    let path = std::path::Path::new("envoy/toolgate.yaml");
    let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
    let policy = policy::load(disk::read_policies("policies".as_ref())).unwrap();
    let sinks = DecisionsConfig { stdout: false, ..DecisionsConfig::default() };
    Edge {
        keys: Arc::new(Keys::new(&config.issuers)),
        trust: Trust::new(&config),
        tokens: Tokens::new(config.tokens.cache_bytes),
        revocations: ArcSwap::default(),
        status: Status::new(&policy, None, Timestamp::UNIX_EPOCH),
        log: DecisionLog::open(&sinks).unwrap(),
        metrics: Metrics::default(),
        arguments_key: ArgumentsKey::new(&[7; 32]).unwrap(),
        session_key: SessionKey::new(&[7; 32]).unwrap(),
        live: ArcSwap::from_pointee(Live::new(policy)),
        config,
    }
}

pub(super) fn request(
    edge: &Edge,
    change: impl FnOnce(&mut AttributeContext, &mut HttpRequest),
) -> CheckRequest {
    let policy = Arc::clone(&edge.live.load().policy);
    let environment = &policy.server("presto").unwrap().environments[0];
    let header = |key: &str, value: &str| HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let mut http = HttpRequest {
        method: "POST".to_owned(),
        path: "/presto/mcp".to_owned(),
        header_map: Some(HeaderMap { headers: vec![header("content-type", "application/json")] }),
        raw_body: br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_vec(),
        ..HttpRequest::default()
    };
    let mut attributes = AttributeContext {
        context_extensions: HashMap::from([
            ("toolgate.server".to_owned(), "presto@prod".to_owned()),
            ("toolgate.path".to_owned(), environment.path.to_string()),
            ("toolgate.route".to_owned(), environment.route.to_string()),
            ("toolgate.answers".to_owned(), "1".to_owned()),
        ]),
        ..AttributeContext::default()
    };
    change(&mut attributes, &mut http);
    attributes.request = Some(Request { http: Some(http), ..Request::default() });
    CheckRequest { attributes: Some(attributes) }
}

fn status(response: &CheckResponse) -> (i32, i32) {
    let grpc = response.status.as_ref().unwrap().code;
    match response.http_response.as_ref().unwrap() {
        HttpResponse::DeniedResponse(denied) => (grpc, denied.status.as_ref().unwrap().code),
        HttpResponse::OkResponse(_) => (grpc, 200),
        HttpResponse::ErrorResponse(_) => panic!("never built"),
    }
}

fn ask(edge: &Edge, request: &CheckRequest) -> (i32, i32) {
    let asked = Asked { now: Timestamp::now(), began: Instant::now() };
    let message = request.encode_to_vec();
    let incoming = Incoming::of(&message, true).unwrap();
    let outcome = edge.check(&edge.live.load(), &incoming, asked);
    let response = check_response(outcome.answer, &Told::of(&outcome.record));
    status(&CheckResponse::decode(&*response).unwrap())
}

const DENIED: i32 = 7;

#[test]
fn an_envoy_that_is_configured_otherwise_gets_no_decision() {
    let edge = edge();
    let broken: Vec<CheckRequest> = vec![
        CheckRequest::default(),
        CheckRequest { attributes: Some(AttributeContext::default()) },
        request(&edge, |attributes, _| attributes.context_extensions.clear()),
        request(&edge, |attributes, _| {
            attributes.context_extensions.insert("toolgate.server".to_owned(), "presto".to_owned());
        }),
        request(&edge, |attributes, _| {
            attributes.context_extensions.remove("toolgate.path");
        }),
        request(&edge, |attributes, _| {
            attributes.context_extensions.remove("toolgate.route");
        }),
        request(&edge, |_, http| http.header_map = None),
        request(&edge, |_, http| {
            http.headers.insert("authorization".to_owned(), "Bearer x".to_owned());
        }),
        request(&edge, |_, http| http.body = "{}".to_owned()),
    ];
    for (index, request) in broken.iter().enumerate() {
        assert!(Incoming::of(&request.encode_to_vec(), true).is_err(), "case {index}");
    }
}

#[test]
fn only_a_server_that_is_given_tokens_gets_one() {
    let policy = policy::load(disk::read_policies("policies".as_ref())).unwrap();
    let user = User::new("corp", "alice", Groups::Unknown);
    for (forward_token, user, kept) in
        [(true, Some(&user), true), (true, None, false), (false, Some(&user), false)]
    {
        let identity = forward::Identity {
            user,
            groups: None,
            workload: None,
            qualified: false,
            surface: None,
            channel: None,
            workload_header: None,
            forward_token,
            decision_id: "id",
            answer: None,
            session: None,
        };
        let headers = Headers::for_test(&[("authorization", "Bearer a.b.c")]);
        let Forward { set, remove } =
            forward::forward(&identity, &policy, &headers, Era::Older).unwrap();
        assert!(set.iter().all(|(name, _)| *name != "authorization"));
        assert_eq!(!remove.iter().any(|name| name == "authorization"), kept, "{forward_token}");
        // Never by another name.
        assert!(remove.iter().any(|name| name == "x-forwarded-access-token"));
    }
}

#[test]
fn an_identity_that_does_not_fit_into_headers_is_not_cut() {
    let mut files = disk::read_policies("policies".as_ref());
    let groups = files.files.iter_mut().find(|file| file.path == "groups.yaml").unwrap();
    let mut text = String::from_utf8(groups.bytes.to_vec()).unwrap();
    for number in 0..300 {
        writeln!(text, "  a-group-with-quite-a-long-name-{number:03}: {{}}").unwrap();
    }
    groups.bytes = text.into_bytes().into();
    let policy = policy::load(files).unwrap();
    let forwarded = |count: usize| {
        let names = (0..count).map(|number| format!("a-group-with-quite-a-long-name-{number:03}"));
        let has: GroupSet = names.map(|name| policy.group(&name).unwrap()).collect();
        let user = User::new("corp", "alice", Groups::Known(has));
        let identity = forward::Identity {
            user: Some(&user),
            groups: None,
            workload: None,
            qualified: false,
            surface: None,
            channel: None,
            workload_header: None,
            forward_token: false,
            decision_id: "id",
            answer: None,
            session: None,
        };
        let headers = Headers::for_test(&[]);
        let forward = forward::forward(&identity, &policy, &headers, Era::Older)?;
        let groups = forward.set.into_iter().find(|(name, _)| *name == "x-forwarded-groups")?;
        Some(groups.1.split(',').count())
    };
    assert_eq!(forwarded(200), Some(200));
    assert_eq!(forwarded(300), None);
}

#[test]
fn a_server_is_told_about_the_groups_it_may_know() {
    let policy = policy::load(disk::read_policies("policies".as_ref())).unwrap();
    let groups = |names: &[&str]| -> GroupSet {
        names.iter().map(|name| policy.group(name).unwrap()).collect()
    };
    let told = |has: Groups, told: Option<&GroupSet>| {
        let user = User::new("corp", "alice", has);
        let identity = forward::Identity {
            user: Some(&user),
            groups: told,
            workload: None,
            qualified: false,
            surface: None,
            channel: None,
            workload_header: None,
            forward_token: false,
            decision_id: "id",
            answer: None,
            session: None,
        };
        let headers = Headers::for_test(&[]);
        let Forward { set, .. } =
            forward::forward(&identity, &policy, &headers, Era::Older).unwrap();
        let found = set.into_iter().find(|(name, _)| *name == "x-forwarded-groups");
        found.map(|(_, value)| value)
    };
    let has = || Groups::Known(groups(&["ads", "infra"]));
    assert_eq!(told(has(), None).as_deref(), Some("ads,infra"));
    assert_eq!(told(has(), Some(&groups(&["infra", "finance"]))).as_deref(), Some("infra"));
    assert_eq!(told(has(), Some(&groups(&["finance"]))), None);
    assert_eq!(told(Groups::Unknown, Some(&groups(&["ads"]))), None);
}

#[test]
fn a_route_that_is_not_the_policys_is_no_route() {
    let edge = edge();
    assert_eq!(ask(&edge, &request(&edge, |_, _| {})), (DENIED, 401));
    let stale = request(&edge, |attributes, _| {
        attributes.context_extensions.insert("toolgate.route".to_owned(), "0".repeat(32));
    });
    assert_eq!(ask(&edge, &stale), (DENIED, 503));
    let moved = request(&edge, |attributes, http| {
        attributes.context_extensions.insert("toolgate.path".to_owned(), "/other/mcp".to_owned());
        "/other/mcp".clone_into(&mut http.path);
    });
    assert_eq!(ask(&edge, &moved), (DENIED, 503));
}

#[test]
fn a_token_that_cannot_be_verified_yet_is_neither_good_nor_bad() {
    let edge = edge();
    // The header and claims need not be signed: the keys are not known.
    let part = |json: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
    };
    let claims = r#"{"iss":"https://login.example.com","sub":"a"}"#;
    let token = format!("{}.{}.AAAA", part(r#"{"alg":"ES256","typ":"at+jwt"}"#), part(claims));
    let request = request(&edge, |_, http| {
        http.header_map.as_mut().unwrap().headers.push(HeaderValue {
            key: "authorization".to_owned(),
            raw_value: format!("Bearer {token}").into_bytes(),
            ..HeaderValue::default()
        });
    });
    assert_eq!(ask(&edge, &request), (DENIED, 503));
}

#[test]
fn a_broken_key_set_never_replaces_a_good_one_and_an_empty_one_does() {
    const GOOD: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let edge = edge();
    let known = || match edge.keys.of("corp") {
        Keyset::Known(keys) => Some(keys.set.len()),
        Keyset::Never | Keyset::Stale => None,
    };
    assert_eq!((known(), edge.keys.missing()), (None, vec!["corp"]));
    assert!(edge.keys.accept("corp", GOOD.as_bytes()).is_ok());
    assert_eq!((known(), edge.keys.missing()), (Some(1), vec![]));
    for broken in ["", "<html>", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(edge.keys.accept("corp", broken.as_bytes()).is_err(), "{broken}");
        assert_eq!(known(), Some(1), "{broken}");
    }
    assert!(edge.keys.accept("corp", br#"{"keys":[]}"#).is_ok());
    assert_eq!(known(), Some(0));
}

#[test]
fn nothing_is_both_set_and_removed_and_every_reserved_name_is_one_of_them() {
    let edge = edge();
    let policy = Arc::clone(&edge.live.load().policy);
    let identity = forward::Identity {
        user: None,
        groups: None,
        workload: None,
        qualified: false,
        surface: Some("ai-chat"),
        channel: None,
        workload_header: None,
        forward_token: false,
        decision_id: "id",
        answer: None,
        session: None,
    };
    let names = [
        ("x-forwarded-user", "root"),
        ("x_forwarded_groups", "root"),
        ("x-toolgate-channel", "C1"),
        ("x-toolgate-surface", "root"),
        ("mcp-method", "tools/call"),
        ("mcp-param-region", "eu"),
        ("authorization", "Bearer x"),
        ("accept", "application/json"),
    ];
    let headers = Headers::for_test(&names);
    for (era, mirrors_removed) in [(Era::Older, true), (Era::Modern, false)] {
        let Forward { set, remove } = forward::forward(&identity, &policy, &headers, era).unwrap();
        let is_set = |name: &str| set.iter().any(|(known, _)| *known == name);
        let is_removed = |name: &str| remove.iter().any(|known| known == name);
        assert!(set.iter().all(|(name, _)| !is_removed(name)));
        for name in [
            "x-forwarded-user",
            "x-forwarded-groups",
            "x-forwarded-email",
            "x-forwarded-preferred-username",
            "x_forwarded_groups",
            "x-toolgate-channel",
            "x-toolgate-surface",
            "authorization",
        ] {
            assert!(is_set(name) != is_removed(name), "{name}");
        }
        assert!(!is_set("accept") && !is_removed("accept"));
        assert_eq!(is_removed("mcp-method"), mirrors_removed);
        assert_eq!(is_removed("mcp-param-region"), mirrors_removed);
    }
}

/// What `Check` says: the status of the answer to the client.
async fn check(service: &Arc<Service>, message: Vec<u8>) -> (i32, i32) {
    let (headers, leaf) = (hyper::HeaderMap::new(), Leaf::default());
    let response = service.check(message.into(), &headers, &leaf).await.unwrap();
    status(&CheckResponse::decode(&*response).unwrap())
}

#[test]
fn large_requests_keep_small_ones_waiting_for_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let edge = edge();
        let small = request(&edge, |_, _| {}).encode_to_vec();
        let large = request(&edge, |_, http| http.raw_body.resize(40_000, b' ')).encode_to_vec();
        let peers = Peers::new(&edge.config.grpc);
        let service = Arc::new(Service::new(Arc::new(edge), peers));
        // Whatever is decided beside this thread waits for this.
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let blocked = tokio::task::spawn_blocking(move || waits.recv().is_err());
        let ask = |message: Vec<u8>| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { check(&service, message).await })
        };
        let waiting: Vec<_> = (0..64).map(|_| ask(large.clone())).collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|asked| !asked.is_finished()));
        assert_eq!(ask(small).await.unwrap(), (DENIED, 401), "nobody is signed in");
        assert_eq!(ask(large.clone()).await.unwrap(), (DENIED, 503), "there is no room for more");
        drop(go_on);
        assert!(blocked.await.unwrap());
        for asked in waiting {
            assert_eq!(asked.await.unwrap(), (DENIED, 401));
        }
        assert_eq!(ask(large).await.unwrap(), (DENIED, 401), "there is room again");
    });
}
