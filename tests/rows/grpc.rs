//! A request as Envoy asks about it, and the answer as Envoy takes it.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use serde_json::{Value, json};

use crate::peers::Certificate;
use crate::row::Case;
use crate::token;
use crate::trials::World;

const MODERN: &str = "2026-07-28";

/// What Envoy was answered.
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    /// The HTTP status of a refusal.
    pub(crate) status: i32,
    /// Headers to set, of the request that is let through or of the refusal.
    pub(crate) set: Vec<(String, String)>,
    pub(crate) removed: Vec<String>,
    pub(crate) body: Value,
}

/// The `CheckRequest`.
pub(crate) fn request(case: &Case, token: &str, peer: &Certificate, world: &World) -> CheckRequest {
    let raw = |name: &str, value: Vec<u8>| HeaderValue {
        key: name.to_ascii_lowercase(),
        raw_value: value,
        ..HeaderValue::default()
    };
    let filled = |text: &str| {
        let text = token::unfolded(text, world).replace("TOKEN", token);
        if text.contains("USER") {
            return token::bytes(&text.replace("USER", &token::good(world)));
        }
        token::bytes(&text)
    };
    let mut headers = vec![
        raw(":method", case.method.clone().into_bytes()),
        raw(":path", case.path.clone().into_bytes()),
        raw("accept", b"application/json, text/event-stream".to_vec()),
    ];
    if case.method == "POST" {
        headers.push(raw("content-type", b"application/json".to_vec()));
        headers.push(raw("mcp-protocol-version", MODERN.into()));
        headers.push(raw("mcp-method", b"tools/call".to_vec()));
        headers.push(raw("mcp-name", case.tool.clone().into_bytes()));
    }
    headers.extend(case.authorization.iter().map(|value| raw("authorization", filled(value))));
    headers.extend(case.headers.iter().map(|(name, value)| raw(name, filled(value))));
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": case.tool, "arguments": { "query": "x" }, "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        }},
    });
    let body = if case.method == "POST" {
        filled(&case.body.replace("CALL", &call.to_string()))
    } else {
        Vec::new()
    };
    let http = HttpRequest {
        method: case.method.clone(),
        path: case.path.replace("TOKEN", token),
        header_map: Some(HeaderMap { headers }),
        raw_body: body,
        ..HttpRequest::default()
    };
    let Certificate { pem, principal, thumbprint: _, hash: _, der: _ } = peer.clone();
    let extensions = [
        ("toolgate.server", "presto@prod"),
        ("toolgate.path", "/presto/mcp"),
        ("toolgate.route", &world.route),
    ];
    let extensions = extensions.map(|(name, value)| (name.to_owned(), value.to_owned()));
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer { certificate: pem, principal, ..Peer::default() }),
            request: Some(Request { http: Some(http), ..Request::default() }),
            context_extensions: HashMap::from(extensions),
            ..AttributeContext::default()
        }),
    }
}

/// Reads an answer as Envoy does: only the status gates, and what it gates has to agree.
pub(crate) fn answer(response: CheckResponse) -> Answer {
    const OK: i32 = 0;
    const PERMISSION_DENIED: i32 = 7;
    let code = response.status.unwrap().code;
    match response.http_response.unwrap() {
        HttpResponse::OkResponse(OkHttpResponse { headers, headers_to_remove, .. }) => {
            assert_eq!(code, OK);
            Answer {
                allowed: true,
                status: 200,
                set: set(headers),
                removed: headers_to_remove,
                body: Value::Null,
            }
        }
        HttpResponse::DeniedResponse(DeniedHttpResponse { status, headers, body }) => {
            assert_eq!(code, PERMISSION_DENIED);
            Answer {
                allowed: false,
                status: status.unwrap().code,
                set: set(headers),
                removed: Vec::new(),
                body: serde_json::from_str(&body).unwrap(),
            }
        }
        HttpResponse::ErrorResponse(_) => panic!("Toolgate never answers so"),
    }
}

fn set(headers: Vec<HeaderValueOption>) -> Vec<(String, String)> {
    headers
        .into_iter()
        .filter_map(|option| option.header)
        .map(|header| (header.key, header.value))
        .collect()
}

impl Answer {
    /// The value of a header that is set once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.set.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "`{name}` is set twice");
        value
    }
}
