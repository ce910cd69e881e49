//! Routes: exact paths, each told to Toolgate by name.

use serde_json::{Map, Value, json};

use super::{ANSWERS_CONTEXT, ANSWERS_FILTER, on_loopback, typed};
use crate::config::{Config, EnvoyConfig, METADATA_PREFIX};
use crate::policy::PolicySet;
use crate::policy::model::{Server, ServerEnvironment};

/// The route configuration's name.
pub(super) const NAME: &str = "mcp";

/// The header by which Toolgate asks to see an answer.
const ANSWER: &str = "x-toolgate-answer";

const AUTHORIZATION: &str = "envoy.filters.http.ext_authz";

pub(super) fn routes(config: &Config, envoy: &EnvoyConfig, policy: &PolicySet) -> Value {
    let mut domains = vec![config.public_url.host.to_string()];
    if on_loopback(envoy) {
        domains.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    let mut routes = Vec::new();
    for server in policy.servers() {
        for environment in &server.environments {
            let name = name(policy, server, environment);
            routes.extend(server_routes(&name, environment));
            routes.push(metadata_route(&name, environment));
        }
    }
    json!({
        "name": NAME,
        "virtual_hosts": [{ "name": "mcp", "domains": domains, "routes": routes }],
        // An upstream's challenge would send clients to another identity provider.
        "response_headers_to_remove": ["www-authenticate"],
        // A route without its cluster must not fall through to another one.
        "validate_clusters": false,
    })
}

/// What each route tells Toolgate, by its path: for routes that somebody else writes.
pub(super) fn contexts(policy: &PolicySet) -> Value {
    let mut contexts = Map::new();
    for server in policy.servers() {
        for environment in &server.environments {
            let name = name(policy, server, environment);
            for path in [environment.path.to_string(), metadata_path(environment)] {
                let context = context(&name, &path, &environment.route);
                contexts.insert(path, context);
            }
        }
    }
    Value::Object(contexts)
}

fn metadata_path(environment: &ServerEnvironment) -> String {
    format!("{METADATA_PREFIX}{}", environment.path)
}

/// `presto@prod`: what the route, the cluster and Toolgate call a server in an environment.
pub(super) fn name(policy: &PolicySet, server: &Server, environment: &ServerEnvironment) -> String {
    format!("{}@{}", server.name, policy.environment_name(environment.id))
}

/// The routes of a server: first that of answers which Toolgate is to see, by a header that only
/// Toolgate sets, then the plain one.
fn server_routes(name: &str, environment: &ServerEnvironment) -> [Value; 2] {
    let ServerEnvironment { path, route, upstream, .. } = environment;
    let action = json!({
        "cluster": super::cluster::name(name, environment),
        // The match is exact, so this replaces the whole path.
        "prefix_rewrite": &*upstream.path,
        "host_rewrite_literal": format!("{}:{}", upstream.host, upstream.port),
        // Streams are bounded by the listener; answers of tools may take their time.
        "timeout": "0s",
    });
    let authorization = authorization(name, path, route);
    let answers = json!({
        "name": format!("{name}/answers"),
        "match": { "path": path, "headers": [{ "name": ANSWER, "present_match": true }] },
        "route": action,
        // Answers that are looked at come as they are.
        "request_headers_to_remove": [ANSWER, "accept-encoding"],
        "typed_per_filter_config": { AUTHORIZATION: authorization, ANSWERS_FILTER: seen() },
    });
    let plain = json!({
        "name": name,
        "match": { "path": path },
        "route": action,
        // Sessions are opened by answers that are looked at, and by no others.
        "response_headers_to_remove": ["mcp-session-id"],
        "typed_per_filter_config": { AUTHORIZATION: authorization, ANSWERS_FILTER: unseen() },
    });
    [answers, plain]
}

/// Metadata that Toolgate answers itself. Should it ever not, this refuses.
fn metadata_route(name: &str, environment: &ServerEnvironment) -> Value {
    let path = metadata_path(environment);
    json!({
        "name": format!("{name}/metadata"),
        "match": { "path": path },
        "direct_response": { "status": 503 },
        "typed_per_filter_config": {
            AUTHORIZATION: authorization(name, &path, &environment.route),
            ANSWERS_FILTER: unseen(),
        },
    })
}

fn authorization(name: &str, path: &str, route: &str) -> Value {
    let mut extensions = context(name, path, route);
    if let Some(extensions) = extensions.as_object_mut() {
        // The routes of answers stand beside this one.
        extensions.insert(ANSWERS_CONTEXT.to_owned(), json!("1"));
    }
    typed(
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
        json!({ "check_settings": { "context_extensions": extensions } }),
    )
}

/// The headers come to Toolgate, and the body unless it says that it need not.
fn seen() -> Value {
    let mode = super::processing_mode("SEND", "STREAMED");
    let overrides = json!({ "overrides": { "processing_mode": mode } });
    typed("envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute", overrides)
}

/// ⚠ The filter itself is never `disabled`: Envoy makes the chain from the first route that matches,
/// and a filter that is off by then stays off.
fn unseen() -> Value {
    typed("envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute", json!({ "disabled": true }))
}

fn context(name: &str, path: &str, route: &str) -> Value {
    json!({ "toolgate.server": name, "toolgate.path": path, "toolgate.route": route })
}
