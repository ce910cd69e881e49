//! What a request costs that is answered from what is known.

use allocation_counter::measure;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::Peer;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message as _;
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::json;

use super::*;
use crate::authn;
use crate::config::DecisionsConfig;
use crate::server::tests::{edge, request};
use crate::telemetry::DecisionLog;

/// The reviews of the sample policies are in force.
const NOW: i64 = 1_795_000_000;

const SURFACE: &str = "spiffe://prod.example.com/ns/ai-chat/sa/webapp";

/// A call with everything: a person in several groups, a workload, arguments that are recorded.
fn call(edge: &Edge) -> CheckRequest {
    authn::install_crypto().ok();
    let key = KeyPair::generate().unwrap();
    let key = EncodingKey::from_ec_der(&key.serialize_der());
    let mut jwk = json!(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    jwk["kid"] = json!("k");
    edge.keys.accept("corp", json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    let claims = json!({
        "iss": "https://login.example.com", "aud": "https://mcp.example.com", "sub": "alice",
        "exp": NOW + 300, "iat": NOW - 1, "client_id": "web", "jti": "1", "email": "alice@example.com",
        "groups": ["ads", "ads-eng", "finance", "data-trained"],
    });
    let header = json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" });
    let input = [header, claims].map(|part| B64.encode(part.to_string())).join(".");
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &key, Algorithm::ES256).unwrap();

    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(SURFACE.try_into().unwrap())];
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let leaf = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();

    let header = |name: &str, value: &str| HeaderValue {
        key: name.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    request(edge, |attributes: &mut AttributeContext, http| {
        attributes.source = Some(Peer {
            principal: SURFACE.to_owned(),
            certificate: utf8_percent_encode(&leaf, NON_ALPHANUMERIC).to_string(),
            ..Peer::default()
        });
        let headers = vec![
            header("content-type", "application/json"),
            header("authorization", &format!("Bearer {input}.{signature}")),
            header("mcp-protocol-version", "2025-11-25"),
            header("x-request-id", "9f1b2c"),
        ];
        http.header_map = Some(HeaderMap { headers });
        let params = json!({ "name": "run_query", "arguments": { "sql": "select 1", "limit": 5 } });
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        http.raw_body = call.to_string().into_bytes();
    })
}

/// The most that a hot request may allocate, from Envoy's message to the answer, with its record.
const ALLOCATIONS: u64 = 55;

#[test]
fn a_hot_request_allocates_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _here = runtime.enter();
    let mut edge = edge();
    let file = tempfile::tempdir().unwrap();
    let file = crate::config::FileSink {
        path: file.path().join("decisions.jsonl"),
        max_bytes: 1 << 20,
        keep: 1,
    };
    edge.log = DecisionLog::open(&DecisionsConfig {
        stdout: false,
        file: Some(file),
        ..DecisionsConfig::default()
    })
    .unwrap();
    let message = Bytes::from(call(&edge).encode_to_vec());
    let peers = Peers::new(&edge.config.grpc);
    let service = Service::new(Arc::new(edge), peers);
    let asked = Asked { now: Timestamp::from_second(NOW).unwrap(), began: Instant::now() };
    let answer = || {
        let asks = Asks { message: message.clone(), answers_return: true };
        service.answer_now(service.decide_now(&asks, asked), asked.began).ok().unwrap()
    };
    let response = CheckResponse::decode(&*answer()).unwrap();
    assert!(matches!(response.http_response, Some(HttpResponse::OkResponse(_))), "{response:?}");
    answer();
    let counted = measure(|| drop(answer()));
    assert!(counted.count_total <= ALLOCATIONS, "{counted:?}");
    // The test fails if it would count nothing.
    assert!(counted.count_total > 10, "{counted:?}");
}
