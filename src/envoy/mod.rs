//! Envoy's configuration, rendered from the policies: one exact route and one cluster per server
//! and environment, in front of them one listener, and on every route external authorization.
//!
//! JSON and not YAML: Envoy reads YAML 1.1, where a server called `no` would be a boolean.

mod cluster;
mod identity;
mod listener;
mod route;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use serde_json::{Value, json};

use self::identity::Files;
use crate::config::{Config, EnvoyConfig, GrpcListener};
use crate::policy::PolicySet;

/// The largest body that Envoy buffers and Toolgate reads.
pub const MAX_BODY_BYTES: u32 = 1024 * 1024;

/// The gRPC header by which a listener says that it brings answers to Toolgate (value `1`).
pub const ANSWERS_HEADER: &str = "toolgate-answers";

/// The attribute by which Envoy says who gave an answer.
pub const CODE_DETAILS: &str = "response.code_details";

/// What a route tells Toolgate beside which routes for answers stand. An older one does not.
pub const ANSWERS_CONTEXT: &str = "toolgate.answers";

/// The filter that brings answers to Toolgate.
const ANSWERS_FILTER: &str = "envoy.filters.http.ext_proc";

/// What is rendered.
#[derive(Clone, Debug)]
pub struct Options {
    /// Also the plain listener of the configuration.
    pub plain: bool,
    /// Envoy's administration interface.
    pub admin: Option<SocketAddr>,
}

/// The files that Envoy reads. Routes and clusters are replaced by rename when policies change, and
/// Envoy takes them up live.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The bootstrap: listeners, and where the others are.
    pub bootstrap: Value,
    /// Where Envoy's certificate is, if it is in files.
    pub secrets: Option<Value>,
    /// The route configuration.
    pub routes: Value,
    /// The upstream clusters.
    pub clusters: Value,
}

/// Renders the files, to be kept in `directory` as seen from Envoy's working directory.
#[must_use]
pub fn render(
    config: &Config,
    envoy: &EnvoyConfig,
    policy: &PolicySet,
    options: &Options,
    directory: &str,
) -> Rendering {
    let routes = subscription(directory, ROUTES_FILE);
    let source = json!({ "rds": { "route_config_name": route::NAME, "config_source": routes } });
    let files = Files::Followed(directory);
    let mut bootstrap = bootstrap(config, envoy, options, files, &source, Vec::new());
    let Following { routes, clusters } = following(config, envoy, policy, directory);
    if let Some(bootstrap) = bootstrap.as_object_mut() {
        let dynamic = json!({ "cds_config": subscription(directory, CLUSTERS_FILE) });
        bootstrap.insert("dynamic_resources".to_owned(), dynamic);
    }
    Rendering { bootstrap, secrets: identity::secrets(envoy), routes, clusters }
}

/// A file that Envoy follows.
fn subscription(directory: &str, name: &str) -> Value {
    json!({
        "resource_api_version": "V3",
        "path_config_source": {
            "path": format!("{directory}/{name}"),
            "watched_directory": { "path": directory },
        },
    })
}

/// The two files that follow the policies.
#[derive(Clone, Debug)]
pub struct Following {
    /// The route configuration.
    pub routes: Value,
    /// The upstream clusters.
    pub clusters: Value,
}

/// Renders what follows the policies, to be kept in `envoy.files`.
#[must_use]
pub fn render_routes(config: &Config, envoy: &EnvoyConfig, policy: &PolicySet) -> Following {
    let directory = envoy.files.as_ref().map_or(".", |files| &files.written);
    following(config, envoy, policy, directory)
}

fn following(
    config: &Config,
    envoy: &EnvoyConfig,
    policy: &PolicySet,
    directory: &str,
) -> Following {
    let version = policy.digest().to_string();
    Following {
        routes: json!({
            "version_info": version,
            "resources": [typed("envoy.config.route.v3.RouteConfiguration", route::routes(config, envoy, policy))],
        }),
        clusters: json!({
            "version_info": version,
            "resources": cluster::upstreams(envoy, policy, Files::Followed(directory))
                .into_iter()
                .map(|cluster| typed("envoy.config.cluster.v3.Cluster", cluster))
                .collect::<Vec<_>>(),
        }),
    }
}

/// Renders everything as one static file, as `envoy --mode validate` can check it.
#[must_use]
pub fn render_static(
    config: &Config,
    envoy: &EnvoyConfig,
    policy: &PolicySet,
    options: &Options,
) -> Value {
    let source = json!({ "route_config": route::routes(config, envoy, policy) });
    let files = Files::ReadOnce;
    let upstreams = cluster::upstreams(envoy, policy, files);
    bootstrap(config, envoy, options, files, &source, upstreams)
}

/// What each route tells Toolgate (`context_extensions`), by its path: for an Envoy that somebody
/// else configures.
#[must_use]
pub fn contexts(policy: &PolicySet) -> Value {
    route::contexts(policy)
}

/// The name of the file with the bootstrap.
pub const BOOTSTRAP_FILE: &str = "envoy.json";
/// The name of the file that says where Envoy's certificate is.
pub const SECRETS_FILE: &str = "secrets.json";
/// The name of the file with the routes.
pub const ROUTES_FILE: &str = "routes.json";
/// The name of the file with the upstream clusters.
pub const CLUSTERS_FILE: &str = "clusters.json";

const HEAP: &str = "envoy.resource_monitors.fixed_heap";

/// Bodies are buffered before anybody is known: beyond this Envoy takes no more requests.
const MAX_HEAP_BYTES: u64 = 1 << 30;

fn bootstrap(
    config: &Config,
    envoy: &EnvoyConfig,
    options: &Options,
    files: Files<'_>,
    routes: &Value,
    mut clusters: Vec<Value>,
) -> Value {
    let proof = config.workload_header();
    let mut listeners = vec![listener::mtls(envoy, files, routes, proof)];
    if let (true, Some(plain)) = (options.plain, envoy.plain) {
        listeners.push(listener::plain(plain, routes, proof));
    }
    clusters.insert(0, cluster::toolgate(&config.grpc, envoy, files));
    if let Some(agent) = identity::agent(envoy) {
        // The listener waits for it.
        clusters.insert(0, agent);
    }
    let mut bootstrap = json!({
        "node": { "id": "toolgate-envoy", "cluster": "mcp" },
        "static_resources": { "listeners": listeners, "clusters": clusters },
        "overload_manager": {
            "refresh_interval": "0.25s",
            "actions": [{
                "name": "envoy.overload_actions.stop_accepting_requests",
                "triggers": [{
                    "name": HEAP,
                    "threshold": { "value": 0.95 },
                }],
            }],
            "resource_monitors": [{
                "name": HEAP,
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    json!({ "max_heap_size_bytes": MAX_HEAP_BYTES }),
                ),
            }, {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": typed(
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    json!({ "max_active_downstream_connections": 10_000 }),
                ),
            }],
        },
    });
    if let (Some(admin), Some(bootstrap)) = (options.admin, bootstrap.as_object_mut()) {
        bootstrap.insert("admin".to_owned(), json!({ "address": socket(admin) }));
    }
    bootstrap
}

/// Whether there may be a listener on the loopback, which is called by its names.
fn on_loopback(envoy: &EnvoyConfig) -> bool {
    envoy.mtls.ip().is_loopback() || envoy.plain.is_some()
}

fn typed(message: &str, mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert("@type".to_owned(), format!("type.googleapis.com/{message}").into());
    }
    value
}

fn socket(address: SocketAddr) -> Value {
    socket_address(&address.ip().to_string(), address.port())
}

fn socket_address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// The address at which Envoy finds Toolgate.
fn grpc_address(listener: &GrpcListener) -> Value {
    match listener {
        GrpcListener::Unix(path) => json!({ "pipe": { "path": path.written } }),
        GrpcListener::Tcp { address, .. } => socket(*address),
    }
}

/// What of an answer the filter for answers brings to Toolgate.
fn processing_mode(response_header: &str, response_body: &str) -> Value {
    json!({
        "request_header_mode": "SKIP",
        "response_header_mode": response_header,
        "request_body_mode": "NONE",
        "response_body_mode": response_body,
        "request_trailer_mode": "SKIP",
        "response_trailer_mode": "SKIP",
    })
}
