//! Who Envoy is, and whose certificates it believes: from files, or from the SPIRE agent.

use serde_json::{Value, json};

use super::cluster::{HTTP_OPTIONS, endpoint};
use super::{SECRETS_FILE, subscription, typed};
use crate::config::{EnvoyConfig, EnvoyIdentity};
use crate::identity::Workload;

/// The name of Envoy's certificate in `secrets.json`.
const SECRET: &str = "envoy";

/// How contexts have Envoy's certificate from files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Files<'a> {
    /// By `secrets.json` in this directory, as seen from Envoy: Envoy follows the certificate's
    /// files for nobody else.
    Followed(&'a str),
    /// By their names: read once.
    ReadOnce,
}

/// The cluster that is the SPIRE agent.
const AGENT: &str = "spire_agent";

/// What the agent calls the only identity that Envoy's process has.
const OWN: &str = "default";

/// What it calls all bundles at once, of its own trust domain and of those that Envoy's entry
/// federates with: as a SPIFFE validator. (Its other names give plain roots, or one domain.)
const BUNDLES: &str = "ALL";

/// A TLS context with Envoy's certificate, for peers that prove theirs; if one is given, for this
/// workload only.
///
/// Each SPIFFE ID is checked against its own trust domain's bundle; one trusted root for all
/// would let one domain issue another's IDs.
pub(super) fn common(
    mut context: Value,
    envoy: &EnvoyConfig,
    files: Files<'_>,
    peer: Option<&Workload>,
) -> Value {
    let mut peers = json!({});
    if let (Some(peer), Some(peers)) = (peer, peers.as_object_mut()) {
        let exact = json!({ "san_type": "URI", "matcher": { "exact": peer.to_string() } });
        peers.insert("match_typed_subject_alt_names".to_owned(), json!([exact]));
    }
    let more = match &envoy.identity {
        EnvoyIdentity::Files { certificate, key, bundles } => {
            if let Some(peers) = peers.as_object_mut() {
                peers.insert("custom_validator_config".to_owned(), validator(bundles));
            }
            match files {
                Files::Followed(directory) => json!({
                    "tls_certificate_sds_secret_configs": [{
                        "name": SECRET,
                        "sds_config": subscription(directory, SECRETS_FILE),
                    }],
                    "validation_context": peers,
                }),
                Files::ReadOnce => json!({
                    "tls_certificates": [own(certificate, key)],
                    "validation_context": peers,
                }),
            }
        }
        EnvoyIdentity::Spire { socket: _ } => json!({
            "tls_certificate_sds_secret_configs": [from_agent(OWN)],
            "combined_validation_context": {
                "default_validation_context": peers,
                "validation_context_sds_secret_config": from_agent(BUNDLES),
            },
        }),
    };
    if let (Some(context), Value::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    context
}

fn own(certificate: &str, key: &str) -> Value {
    json!({
        "certificate_chain": { "filename": certificate },
        "private_key": { "filename": key },
    })
}

/// Envoy's certificate, to be followed; there is none if it is not in files.
pub(super) fn secrets(envoy: &EnvoyConfig) -> Option<Value> {
    let EnvoyIdentity::Files { certificate, key, bundles: _ } = &envoy.identity else {
        return None;
    };
    let mut own = own(certificate, key);
    if let Some(own) = own.as_object_mut() {
        let watched = json!({ "path": directory_of(certificate) });
        own.insert("watched_directory".to_owned(), watched);
    }
    let secret = json!({ "name": SECRET, "tls_certificate": own });
    let kind = "envoy.extensions.transport_sockets.tls.v3.Secret";
    Some(json!({ "resources": [typed(kind, secret)] }))
}

fn directory_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    }
}

fn validator(bundles: &str) -> Value {
    json!({
        "name": "envoy.tls.cert_validator.spiffe",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
            json!({
                "trust_bundles": {
                    "filename": bundles,
                    "watched_directory": { "path": directory_of(bundles) },
                },
            }),
        ),
    })
}

fn from_agent(name: &str) -> Value {
    json!({
        "name": name,
        "sds_config": {
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": AGENT } }],
            },
        },
    })
}

/// The agent, if there is one. It knows Envoy by its process, at the other end of the socket.
pub(super) fn agent(envoy: &EnvoyConfig) -> Option<Value> {
    let EnvoyIdentity::Spire { socket } = &envoy.identity else {
        return None;
    };
    let http2 = json!({ "explicit_http_config": { "http2_protocol_options": {} } });
    Some(json!({
        "name": AGENT,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": endpoint(AGENT, &json!({ "pipe": { "path": socket } })),
        "typed_extension_protocol_options": { HTTP_OPTIONS: typed(HTTP_OPTIONS, http2) },
    }))
}
