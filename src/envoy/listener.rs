//! Listeners, and the filter chain that every request goes through.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::cluster::TOOLGATE;
use super::identity::Files;
use super::{
    ANSWERS_FILTER, ANSWERS_HEADER, CODE_DETAILS, MAX_BODY_BYTES, identity, socket, typed,
};
use crate::config::EnvoyConfig;

/// A stream or connection does not outlive this: identities are looked at again.
const MAX_DURATION: &str = "900s";

/// Headers that only Toolgate may set.
const IDENTITY_HEADERS: [&str; 8] = [
    "x-forwarded-user",
    "x-forwarded-groups",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "remote-user",
    "x-remote-user",
    "x-remote-groups",
];

/// Headers by which some servers and frameworks take a request for another one's or for another
/// one, and credentials that are not for the server.
const MISLEADING_HEADERS: [&str; 10] = [
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-user",
    "cookie",
    "proxy-authorization",
];

/// What such headers begin with: what other gateways say, and Envoy's own.
const STRIPPED_PREFIXES: [&str; 7] = [
    "x-auth-request-",
    "x-webauth-",
    "x-goog-authenticated-",
    "x-amzn-oidc-",
    "cf-access-",
    "tailscale-",
    "x-envoy-",
];

/// What Toolgate may change: the identity headers, its own, the token, and the headers that mirror
/// an MCP message; RE2, the whole name. Envoy refuses an expression of more than a hundred
/// instructions, so it is short.
const MUTABLE_HEADERS: &str = "^(x-(toolgate-|auth-request-|remote-|forwarded-(u|g|e|pre|a)).*\
                               |remote-user|authorization|mcp-([mns]|pa).*)$";

/// The same with one header more, which is called `x-PROOF`. The others are cut shorter for it.
const MUTABLE_WITH_PROOF: &str = "^(x-(PROOF|(toolg|auth-r|rem|forwarded-(u|g|e|pre|a)).*)|remote-user|authorization|mcp-([mns]|pa).*)$";

pub(super) fn mtls(
    envoy: &EnvoyConfig,
    files: Files<'_>,
    routes: &Value,
    proof: Option<&str>,
) -> Value {
    let common = json!({
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
    });
    let context = json!({
        "require_client_certificate": true,
        // A resumed session would skip the check of the caller's certificate.
        "disable_stateless_session_resumption": true,
        "disable_stateful_session_resumption": true,
        "common_tls_context": identity::common(common, envoy, files, None),
    });
    let socket = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            context,
        ),
    });
    let chain = json!({
        "transport_socket": socket,
        "filters": [connection_manager("mtls", routes, proof)],
    });
    json!({ "name": "mtls", "address": super::socket(envoy.mtls), "filter_chains": [chain] })
}

pub(super) fn plain(address: SocketAddr, routes: &Value, proof: Option<&str>) -> Value {
    let chain = json!({ "filters": [connection_manager("plain", routes, proof)] });
    json!({ "name": "plain", "address": socket(address), "filter_chains": [chain] })
}

fn connection_manager(name: &str, routes: &Value, proof: Option<&str>) -> Value {
    let mut manager = json!({
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": true,
        // What this Envoy knows about its caller goes to Toolgate and nowhere else.
        "forward_client_cert_details": "SANITIZE",
        // Paths are compared as they come: nothing is made to match that did not.
        "normalize_path": false,
        "merge_slashes": false,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "strip_any_host_port": true,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": MAX_DURATION,
        "http2_protocol_options": { "max_concurrent_streams": 100 },
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 100,
            "max_connection_duration": MAX_DURATION,
            "max_stream_duration": MAX_DURATION,
        },
        "early_header_mutation_extensions": [strip_before_anything_else()],
        "access_log": [access_log()],
        "http_filters": [authorization(proof), answers(), {
            "name": "envoy.filters.http.router",
            "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({})),
        }],
    });
    if let (Some(manager), Some(routes)) = (manager.as_object_mut(), routes.as_object()) {
        manager.extend(routes.clone());
    }
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        ),
    })
}

/// `proof` is the header that workloads prove themselves by, besides `Authorization`.
fn authorization(proof: Option<&str>) -> Value {
    let mutable = proof.map_or_else(
        || MUTABLE_HEADERS.to_owned(),
        |proof| MUTABLE_WITH_PROOF.replace("PROOF", proof.trim_start_matches("x-")),
    );
    let rules = json!({
        "disallow_all": true,
        "disallow_is_error": true,
        "allow_expression": { "regex": mutable },
    });
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", json!({
            "transport_api_version": "V3",
            "stat_prefix": TOOLGATE,
            "grpc_service": {
                "envoy_grpc": { "cluster_name": TOOLGATE, "skip_envoy_headers": true },
                // Said here and nowhere else: routes change without the listener.
                "initial_metadata": [{ "key": ANSWERS_HEADER, "value": "1" }],
                "timeout": "2s",
                // A restart of Toolgate is waited for, within the timeout. (Envoy takes the longest
                // interval as the timeout of each try, so it is no shorter than the whole.)
                "retry_policy": {
                    "retry_on": "connect-failure,refused-stream,unavailable",
                    "num_retries": 12,
                    "retry_back_off": { "base_interval": "0.05s", "max_interval": "2s" },
                },
            },
            // Whatever goes wrong: refused.
            "failure_mode_allow": false,
            "status_on_error": { "code": "ServiceUnavailable" },
            "validate_mutations": true,
            "decoder_header_mutation_rules": rules,
            "clear_route_cache": true,
            // What Toolgate reads is byte for byte what is forwarded.
            "encode_raw_headers": true,
            "with_request_body": {
                "max_request_bytes": MAX_BODY_BYTES,
                "allow_partial_message": false,
                "pack_as_bytes": true,
            },
            "include_peer_certificate": true,
        })),
    })
}

/// Brings answers to Toolgate on the routes that say so, and on no others: what Envoy's codec
/// refuses has no route, and its connection is closed before an answer could come back from here.
/// Check sees to it that a request goes by such a route (`ANSWERS_CONTEXT`), or does not go.
fn answers() -> Value {
    let rules = json!({
        "disallow_all": true,
        "disallow_is_error": true,
        "allow_expression": { "regex": "^(content-(length|type)|cache-control|mcp-session-id|x-toolgate-.*)$" },
    });
    json!({
        "name": ANSWERS_FILTER,
        "typed_config": typed("envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", json!({
            "stat_prefix": TOOLGATE,
            // No timeout of the whole: an answer may be a stream, which the listener bounds.
            "grpc_service": { "envoy_grpc": { "cluster_name": TOOLGATE, "skip_envoy_headers": true } },
            // Whatever goes wrong: refused, or cut off.
            "failure_mode_allow": false,
            "status_on_error": { "code": "ServiceUnavailable" },
            "message_timeout": "5s",
            "processing_mode": super::processing_mode("SKIP", "NONE"),
            "allow_mode_override": true,
            "mutation_rules": rules,
            "response_attributes": [CODE_DETAILS],
            "metadata_options": {
                "forwarding_namespaces": { "untyped": ["envoy.filters.http.ext_authz"] },
                // What has been read need not come with every piece.
                "receiving_namespaces": { "untyped": ["envoy.filters.http.ext_authz"] },
            },
        })),
    })
}

/// Takes away what no client may send, before routing and before Toolgate sees it. The channel
/// stays: Toolgate needs it, and removes it.
fn strip_before_anything_else() -> Value {
    let own = format!("x-toolgate-({})?", everything_but("channel"));
    // By name where there is one: a matcher is asked about every header of every request, and a
    // regular expression takes longest.
    let names = IDENTITY_HEADERS.into_iter().chain(MISLEADING_HEADERS);
    let mut mutations: Vec<_> = names.map(|name| json!({ "remove": name })).collect();
    let matching = |matcher: Value| json!({ "remove_on_match": { "key_matcher": matcher } });
    mutations.extend(STRIPPED_PREFIXES.map(|prefix| matching(json!({ "prefix": prefix }))));
    mutations.push(matching(json!({ "safe_regex": { "regex": own } })));
    json!({
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            json!({ "mutations": mutations }),
        ),
    })
}

/// A regular expression for every non-empty text but one word: RE2 has no "not".
fn everything_but(word: &str) -> String {
    let mut alternatives = Vec::new();
    for (at, next) in word.char_indices() {
        let (before, _) = word.split_at(at);
        if !before.is_empty() {
            alternatives.push(before.to_owned());
        }
        alternatives.push(format!("{before}[^{next}].*"));
    }
    alternatives.push(format!("{word}.+"));
    alternatives.join("|")
}

/// One line per request, from what Toolgate says: headers of a refused request are the client's.
fn access_log() -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": typed(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            json!({
                "path": "/dev/stdout",
                "log_format": { "json_format": {
                    "time": "%START_TIME%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ:ORIG_OR_PATH:256)%",
                    "route": "%ROUTE_NAME%",
                    "status": "%RESPONSE_CODE%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "duration_ms": "%DURATION%",
                    "peer": "%DOWNSTREAM_PEER_URI_SAN%",
                    "toolgate": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:toolgate)%",
                } },
            }),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::everything_but;

    #[test]
    fn everything_but_a_word() {
        assert_eq!(everything_but("ab"), "[^a].*|a|a[^b].*|ab.+");
    }
}
