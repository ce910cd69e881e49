//! Requests that a real Envoy asked about, asked again. `tests/recorded` says how they came there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{self, HttpRequest};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use libtest_mimic::Trial;
use serde::Deserialize;
use serde_json::Value;

use crate::trials::World;
use crate::{grpc, row, token};

/// One question, and what comes of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    requests: String,
    caller: String,
    sidecar: String,
    /// It is let through: what the record says that proved the workload.
    proof: Option<String>,
    /// It is not: the reason, and what the record says of it.
    refused: Option<String>,
    why: Option<String>,
}

/// As `record.py` writes it. What Toolgate does not read is only known by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    attributes: Attributes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    source: Peer,
    destination: Peer,
    request: Request,
    context_extensions: HashMap<String, String>,
    #[serde(rename = "metadata_context")]
    _metadata_context: Value,
    #[serde(rename = "route_metadata_context")]
    _route_metadata_context: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    #[serde(rename = "address")]
    _address: Value,
    #[serde(default)]
    principal: String,
    #[serde(default)]
    certificate: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "time")]
    _time: Value,
    http: Http,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    id: String,
    method: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    path: String,
    host: String,
    scheme: String,
    size: i64,
    protocol: String,
    raw_body: String,
    header_map: Option<Headers>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Headers {
    headers: Vec<Header>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    key: String,
    #[serde(default)]
    raw_value: String,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

pub(crate) fn trials(world: &Arc<World>) -> Vec<Trial> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        replays: Vec<Replay>,
    }
    let replays = row::read::<File>(&directory().join("replays.yaml")).replays;
    let trial = |replay: Replay| {
        let Replay { requests, caller, sidecar, .. } = &replay;
        let (name, world) = (format!("recorded::{requests} {caller} {sidecar}"), Arc::clone(world));
        Trial::test(name, move || {
            ask(&replay, &world);
            Ok(())
        })
    };
    replays.into_iter().map(trial).collect()
}

fn ask(replay: &Replay, world: &World) {
    let path = directory().join(format!("istio/{}.json", replay.requests));
    let text = std::fs::read_to_string(path).unwrap();
    let mut recorded: BTreeMap<String, Recorded> = serde_json::from_str(&text).unwrap();
    let request = request(recorded.remove(&replay.caller).unwrap(), world);
    let sidecar = world.sidecar(&replay.sidecar);
    let mut client = sidecar.client.clone();
    let answer = world.block_on(client.check(request)).unwrap().into_inner();
    let answer = grpc::answer(answer);
    let record = sidecar.recorded(answer.header("x-toolgate-decision-id").unwrap());
    let said = |field: &str| record.get(field).and_then(Value::as_str);
    assert_eq!(answer.allowed, replay.refused.is_none(), "{record}");
    assert_eq!(said("reason"), replay.refused.as_deref(), "{record}");
    let why = replay.why.as_ref().map(|why| why.escape_default().to_string());
    assert_eq!(said("detail"), why.as_deref(), "{record}");
    if answer.allowed {
        assert_eq!(said("workload_proof"), replay.proof.as_deref());
        assert_eq!(answer.header("x-forwarded-user"), Some("alice"));
        // What Istio's sidecar would tell the server.
        assert!(answer.removed.iter().any(|name| name == "x-forwarded-client-cert"));
    }
}

fn request(recorded: Recorded, world: &World) -> CheckRequest {
    let peer = |Peer { _address, principal, certificate }| attribute_context::Peer {
        principal,
        certificate,
        ..attribute_context::Peer::default()
    };
    let Attributes { source, destination, request, mut context_extensions, .. } =
        recorded.attributes;
    context_extensions.insert("toolgate.route".to_owned(), world.route.clone());
    let Request { _time, http } = request;
    let Http { id, method, headers, path, host, scheme, size, protocol, raw_body, header_map } =
        http;
    let token = token::good(world);
    let header = |Header { key, raw_value }| HeaderValue {
        key,
        raw_value: raw_value.replace("TOKEN", &token).into_bytes(),
        ..HeaderValue::default()
    };
    let header_map = header_map.map(|Headers { headers }| HeaderMap {
        headers: headers.into_iter().map(header).collect(),
    });
    let http = HttpRequest {
        id,
        method,
        headers,
        path,
        host,
        scheme,
        size,
        protocol,
        raw_body: raw_body.into_bytes(),
        header_map,
        ..HttpRequest::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer(source)),
            destination: Some(peer(destination)),
            request: Some(attribute_context::Request {
                http: Some(http),
                ..attribute_context::Request::default()
            }),
            context_extensions,
            ..AttributeContext::default()
        }),
    }
}
