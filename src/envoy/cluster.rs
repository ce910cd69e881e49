//! Clusters: Toolgate itself, and the upstream servers.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::identity::Files;
use super::{grpc_address, identity, route, socket_address, typed};
use crate::config::{EnvoyConfig, GrpcListener, GrpcTls};
use crate::policy::PolicySet;
use crate::policy::model::{ServerEnvironment, Upstream};

/// The name under which the filter finds Toolgate.
pub(super) const TOOLGATE: &str = "toolgate";

/// While Toolgate restarts every request is a retry, and Envoy allows three unless told.
const MAX_RETRIES: u32 = 1024;

/// An answer that Toolgate looks at is a request to it for as long as it lasts, which whoever asked
/// decides. Envoy allows 1,024 of them unless told, and a server may have as many answers at once:
/// one person who reads streams again would leave nobody a request to be let through by.
const MAX_REQUESTS: u32 = 65_536;

pub(super) const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(super) fn toolgate(listener: &GrpcListener, envoy: &EnvoyConfig, files: Files<'_>) -> Value {
    // A peer that is gone without a word is noticed, and not waited for.
    let keepalive = json!({ "interval": "5s", "timeout": "1s" });
    let http2 = json!({
        "explicit_http_config": {
            "http2_protocol_options": { "connection_keepalive": keepalive },
        },
    });
    let mut cluster = json!({
        "name": TOOLGATE,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {
            "thresholds": [{ "max_requests": MAX_REQUESTS, "max_retries": MAX_RETRIES }],
        },
        "load_assignment": endpoint(TOOLGATE, &grpc_address(listener)),
        "typed_extension_protocol_options": { HTTP_OPTIONS: typed(HTTP_OPTIONS, http2) },
    });
    if let (GrpcListener::Tcp { tls: Some(GrpcTls { identity, .. }), .. }, Some(cluster)) =
        (listener, cluster.as_object_mut())
    {
        // Any other workload at this address could answer "allow".
        let common = json!({ "alpn_protocols": ["h2"] });
        let common = identity::common(common, envoy, files, Some(identity));
        let context = json!({ "common_tls_context": common });
        cluster.insert("transport_socket".to_owned(), upstream_tls(context));
    }
    cluster
}

/// A cluster is named with the hash of where it leads: a route of another mind has no cluster, and
/// never somebody else's.
pub(super) fn name(route: &str, environment: &ServerEnvironment) -> String {
    format!("{route}/{}", environment.route)
}

pub(super) fn upstreams(envoy: &EnvoyConfig, policy: &PolicySet, files: Files<'_>) -> Vec<Value> {
    let mut clusters = Vec::new();
    for server in policy.servers() {
        for environment in &server.environments {
            let name = route::name(policy, server, environment);
            let name = self::name(&name, environment);
            clusters.push(upstream(&name, &environment.upstream, envoy, files));
        }
    }
    clusters
}

fn upstream(name: &str, upstream: &Upstream, envoy: &EnvoyConfig, files: Files<'_>) -> Value {
    let Upstream { tls, host, port, path: _ } = upstream;
    // A bracketed IPv6 address is a URL's way to write it.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_address = host.parse::<IpAddr>().is_ok();
    let options = json!({
        "explicit_http_config": { "http_protocol_options": {} },
        "http_filters": [remove_own_response_headers(), {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", json!({})),
        }],
    });
    let mut cluster = json!({
        "name": name,
        "type": if is_address { "STATIC" } else { "STRICT_DNS" },
        "connect_timeout": "2s",
        "load_assignment": endpoint(name, &socket_address(host, *port)),
        "typed_extension_protocol_options": { HTTP_OPTIONS: typed(HTTP_OPTIONS, options) },
    });
    if let (Some(identity), Some(cluster)) = (tls, cluster.as_object_mut()) {
        let common = json!({ "alpn_protocols": ["http/1.1"] });
        let common = identity::common(common, envoy, files, Some(identity));
        let mut context = json!({ "common_tls_context": common });
        if let (false, Some(context)) = (is_address, context.as_object_mut()) {
            context.insert("sni".to_owned(), host.into());
        }
        cluster.insert("transport_socket".to_owned(), upstream_tls(context));
    }
    cluster
}

/// By which one server could send the clients of all of them elsewhere: they share an origin.
const STEERING_HEADERS: [&str; 4] = ["location", "set-cookie", "alt-svc", "refresh"];

/// Nobody behind Envoy speaks as Toolgate. At the cluster, and not in the listener's chain: there
/// it would also take the headers off Toolgate's own refusals.
fn remove_own_response_headers() -> Value {
    let own = json!({
        "remove_on_match": { "key_matcher": { "safe_regex": { "regex": "x[-_]toolgate[-_].*" } } }
    });
    let mut mutations = vec![own];
    mutations.extend(STEERING_HEADERS.map(|name| json!({ "remove": name })));
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": typed(
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            json!({ "mutations": { "response_mutations": mutations } }),
        ),
    })
}

pub(super) fn endpoint(cluster: &str, address: &Value) -> Value {
    json!({
        "cluster_name": cluster,
        "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
    })
}

fn upstream_tls(context: Value) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            context,
        ),
    })
}
