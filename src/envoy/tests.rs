use std::path::Path;

use super::*;
use crate::{config, disk, policy};

fn parts() -> (Config, PolicySet) {
    let path = Path::new("envoy/toolgate.yaml");
    let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
    let policy = policy::load(disk::read_policies("policies".as_ref())).unwrap();
    (config, policy)
}

const OPTIONS: Options = Options { plain: false, admin: None };

#[test]
fn the_rendering_that_is_checked_in_is_the_rendering_of_the_samples() {
    let (config, policy) = parts();
    let envoy = config.envoy.as_ref().unwrap();
    let rendering = render(&config, envoy, &policy, &OPTIONS, ".");
    for (name, value) in [
        (BOOTSTRAP_FILE, &rendering.bootstrap),
        (SECRETS_FILE, rendering.secrets.as_ref().unwrap()),
        (ROUTES_FILE, &rendering.routes),
        (CLUSTERS_FILE, &rendering.clusters),
    ] {
        let path = Path::new("envoy").join(name);
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            checked_in == format!("{value:#}\n"),
            "{} is out of date; run `toolgate envoy`",
            path.display()
        );
    }
}

/// Every object below a value that has all of these keys.
fn find<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key));
            object.values().for_each(|value| find(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn no_route_goes_without_authorization() {
    let (config, policy) = parts();
    let envoy = config.envoy.as_ref().unwrap();
    let options = Options { plain: true, ..OPTIONS };
    let rendered = render_static(&config, envoy, &policy, &options);
    let mut routes = Vec::new();
    find(&rendered, "routes", &mut routes);
    let routes: Vec<&Value> = routes.iter().flat_map(|routes| routes.as_array().unwrap()).collect();
    // Two listeners, six servers in their environments, each with its answers and its metadata.
    assert_eq!(routes.len(), 2 * 6 * 3);
    for route in routes {
        let name = route["name"].as_str().unwrap();
        let path = route["match"]["path"].as_str().unwrap();
        let filters = route["typed_per_filter_config"].as_object().unwrap();
        // Answers go unseen where it says so, and only there.
        let answers = name.ends_with("/answers");
        assert_eq!(filters.len(), 2, "{name}");
        assert_eq!(route["match"]["headers"].is_array(), answers, "{name}");
        let seen = &filters["envoy.filters.http.ext_proc"];
        assert_eq!(seen["disabled"] == true, !answers, "{name}");
        let mode = &seen["overrides"]["processing_mode"];
        assert_eq!(mode["response_header_mode"] == "SEND", answers, "{name}");
        assert_eq!(mode["response_body_mode"] == "STREAMED", answers, "{name}");
        let check = &filters["envoy.filters.http.ext_authz"]["check_settings"];
        assert_eq!(check.as_object().unwrap().len(), 1, "{name}");
        let extensions = &check["context_extensions"];
        assert_eq!(extensions["toolgate.path"], path, "{name}");
        assert_eq!(extensions["toolgate.answers"], "1", "{name}");
        assert_eq!(extensions["toolgate.server"], name.split('/').next().unwrap(), "{name}");
    }
    let mut filters = Vec::new();
    find(&rendered, "http_filters", &mut filters);
    let chains: Vec<&Value> = filters
        .into_iter()
        .filter(|chain| chain[2]["name"] == "envoy.filters.http.router")
        .collect();
    assert_eq!(chains.len(), 2);
    for chain in chains {
        let authorization = &chain[0]["typed_config"];
        assert_eq!(chain[0]["name"], "envoy.filters.http.ext_authz");
        assert_eq!(authorization["failure_mode_allow"], false);
        assert_eq!(authorization["with_request_body"]["allow_partial_message"], false);
        assert_eq!(authorization["encode_raw_headers"], true);
        let answers = &chain[1]["typed_config"];
        assert_eq!(chain[1]["name"], "envoy.filters.http.ext_proc");
        assert_eq!(answers["failure_mode_allow"], false);
        assert!(answers["disabled"].is_null());
        assert_eq!(answers["processing_mode"]["response_header_mode"], "SKIP");
        assert_eq!(answers["processing_mode"]["response_body_mode"], "NONE");
    }
}

/// What Envoy allows a cluster that says nothing, in answers to wait for and in requests at once.
const REQUESTS_UNLESS_TOLD: u64 = 1024;

#[test]
fn answers_that_last_do_not_keep_toolgate_from_deciding() {
    let (config, policy) = parts();
    let envoy = config.envoy.as_ref().unwrap();
    let rendering = render(&config, envoy, &policy, &OPTIONS, ".");
    let mut upstreams = Vec::new();
    find(&rendering.clusters, "resources", &mut upstreams);
    let upstreams = upstreams.iter().flat_map(|list| list.as_array().unwrap()).count();
    let mut thresholds = Vec::new();
    find(&rendering.bootstrap, "thresholds", &mut thresholds);
    let [thresholds] = thresholds.as_slice() else { panic!("{thresholds:?}") };
    let allowed = thresholds[0]["max_requests"].as_u64().unwrap_or(REQUESTS_UNLESS_TOLD);
    let held = REQUESTS_UNLESS_TOLD * u64::try_from(upstreams).unwrap();
    assert!(held > 0 && allowed >= 2 * held, "{upstreams} servers may hold {held} of {allowed}");
}

#[test]
fn a_header_that_proves_workloads_may_be_removed() {
    let (mut config, policy) = parts();
    let envoy = config.envoy.clone().unwrap();
    config.workloads.jwt_svid = Some(config::JwtSvidConfig {
        audiences: vec!["us".into()],
        header: Some("x-workload-token".into()),
    });
    let options = Options { plain: true, ..OPTIONS };
    let rendered = render_static(&config, &envoy, &policy, &options);
    let mut rules = Vec::new();
    find(&rendered, "decoder_header_mutation_rules", &mut rules);
    assert_eq!(rules.len(), 2);
    for rule in rules {
        let rule = format!("(?-u){}", rule["allow_expression"]["regex"].as_str().unwrap());
        let rule = regex::bytes::Regex::new(&rule).unwrap();
        for name in [
            "x-workload-token",
            "authorization",
            "x-forwarded-user",
            "x-forwarded-access-token",
            "x-auth-request-user",
            "x-remote-user",
            "x-toolgate-surface",
            "remote-user",
            "mcp-name",
        ] {
            assert!(rule.is_match(name.as_bytes()), "{name}");
        }
        for name in ["x-workload-tokens", "x-forwarded-for", "host", "x-token", "content-type"] {
            assert!(!rule.is_match(name.as_bytes()), "{name}");
        }
    }
}

#[test]
fn the_plain_listener_is_there_only_when_asked_for() {
    let (config, policy) = parts();
    let envoy = config.envoy.as_ref().unwrap();
    let names = |plain| {
        let options = Options { plain, ..OPTIONS };
        let rendered = render_static(&config, envoy, &policy, &options);
        let listeners = rendered["static_resources"]["listeners"].as_array().unwrap().clone();
        listeners.iter().map(|l| l["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["mtls"]);
    assert_eq!(names(true), ["mtls", "plain"]);
}

/// The samples, with an agent in the place of files, and one upstream that proves its identity.
#[test]
fn from_an_agent_every_certificate_and_every_bundle_comes_from_the_agent() {
    let path = Path::new("envoy/toolgate.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let files = "  certificate: { cert: ../run/certs/envoy.pem, key: ../run/certs/envoy.key }
  bundles: ../run/certs/bundles.json
";
    assert!(text.contains(files));
    let text = text.replace(files, "  spire: unix:/run/spire/agent.sock\n");
    let config = config::parse(path, &text).unwrap_or_else(|problems| panic!("{problems}"));
    let mut policies = disk::read_policies("policies".as_ref());
    for file in &mut policies.files {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        let https = "\"https://127.0.0.1:7104/mcp\", upstream_identity: \"spiffe://td/up\"";
        file.bytes = text.replace("\"http://127.0.0.1:7104/mcp\"", https).into_bytes().into();
    }
    let policy = policy::load(policies).unwrap_or_else(|problems| panic!("{problems}"));
    let envoy = config.envoy.as_ref().unwrap();
    assert_eq!(render(&config, envoy, &policy, &OPTIONS, ".").secrets, None);
    let rendered = render_static(&config, envoy, &policy, &OPTIONS);
    let mut contexts = Vec::new();
    find(&rendered, "common_tls_context", &mut contexts);
    assert_eq!(contexts.len(), 2, "the listener's and the upstream's");
    for context in &contexts {
        let keys: Vec<_> = context.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(!keys.contains(&"tls_certificates") && !keys.contains(&"validation_context"));
        let own = &context["tls_certificate_sds_secret_configs"];
        let peers = &context["combined_validation_context"];
        let bundles = &peers["validation_context_sds_secret_config"];
        assert_eq!((own[0]["name"].as_str(), own[1].as_str()), (Some("default"), None));
        assert_eq!(bundles["name"], "ALL");
        for secret in [&own[0], bundles] {
            let source = &secret["sds_config"]["api_config_source"];
            let cluster = &source["grpc_services"][0]["envoy_grpc"]["cluster_name"];
            assert_eq!(cluster, "spire_agent");
        }
    }
    let mut names = Vec::new();
    find(&rendered, "match_typed_subject_alt_names", &mut names);
    assert_eq!(names.len(), 1);
    assert_eq!(names[0][0]["matcher"]["exact"], "spiffe://td/up");
    let clusters = rendered["static_resources"]["clusters"].as_array().unwrap();
    let agent = clusters.iter().find(|cluster| cluster["name"] == "spire_agent").unwrap();
    let mut pipes = Vec::new();
    find(agent, "pipe", &mut pipes);
    assert_eq!(pipes, [&json!({ "path": "/run/spire/agent.sock" })]);
    let mut required = Vec::new();
    find(&rendered, "require_client_certificate", &mut required);
    assert_eq!(required, [&json!(true)]);
}
