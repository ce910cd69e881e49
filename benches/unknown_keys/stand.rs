//! A real Toolgate with one server to call, and a provider that counts how often its keys are
//! fetched.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use toolgate::{disk, policy};

/// The least time between two fetches because of unknown keys.
pub(crate) const REFETCH: Duration = Duration::from_secs(5);

pub(crate) const ISSUER: &str = "https://login.example.com";

pub(crate) struct Stand {
    pub(crate) key: EncodingKey,
    pub(crate) grpc: u16,
    pub(crate) route: String,
    fetches: Arc<AtomicU64>,
    toolgate: Child,
    _directory: TempDir,
}

impl Stand {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let fetches = Arc::new(AtomicU64::new(0));
        let provider = provider(&key, Arc::clone(&fetches)).await?;
        let (grpc, http) = (free_port().await?, free_port().await?);
        let directory = tempfile::tempdir()?;
        let config = write(directory.path(), grpc, http, provider)?;
        let set = policy::load(disk::read_policies(&directory.path().join("policies")));
        let set = set.map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let server = set.server("lab").context("the server")?;
        let route = server.environments.first().context("its environment")?.route.to_string();
        let toolgate = Command::new(env!("CARGO_BIN_EXE_toolgate"))
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .spawn()?;
        let stand = Self { key, grpc, route, fetches, toolgate, _directory: directory };
        for _ in 0..200 {
            let up = tokio::net::TcpStream::connect(("127.0.0.1", grpc)).await.is_ok();
            if up && stand.fetches() > 0 {
                return Ok(stand);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("Toolgate did not come up")
    }

    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.toolgate.kill().ok();
        self.toolgate.wait().ok();
    }
}

/// Serves the key set, and says that it is good for an hour.
async fn provider(key: &EncodingKey, fetches: Arc<AtomicU64>) -> anyhow::Result<u16> {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, Algorithm::ES256)?)?;
    if let Some(jwk) = jwk.as_object_mut() {
        jwk.insert("kid".to_owned(), json!("good"));
    }
    let set = json!({ "keys": [jwk] }).to_string();
    let answer = move || {
        fetches.fetch_add(1, Ordering::Relaxed);
        async move { ([("cache-control", "max-age=3600")], set) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let app = Router::new().route("/jwks", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(port)
}

async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

fn write(
    directory: &Path,
    grpc: u16,
    http: u16,
    provider: u16,
) -> anyhow::Result<std::path::PathBuf> {
    let policies = directory.join("policies");
    std::fs::create_dir_all(policies.join("servers"))?;
    for (name, text) in [
        ("groups.yaml", "groups: { ads: {} }\n"),
        ("surfaces.yaml", "surfaces: { laptop: { workloads: none, reaches: [dev] } }\n"),
        (
            "guardrails.yaml",
            "environments: { dev: { reviews: [], upstreams: ['127.0.0.1:7301'] } }\n",
        ),
        (
            "servers/lab.yaml",
            "server: lab\nenvironments: { dev: { upstream: 'http://127.0.0.1:7301/mcp' } }\n\
             tools: { look: { effect: read } }\n\
             grants: { ads: { people: [ads], via: [laptop], call: [look] } }\n",
        ),
    ] {
        std::fs::write(policies.join(name), format!("toolgate: 1\n{text}"))?;
    }
    let path = directory.join("toolgate.yaml");
    let refetch = REFETCH.as_secs();
    let text = format!(
        "toolgate: 1\nlisten: {{ grpc: '127.0.0.1:{grpc}', http: '127.0.0.1:{http}' }}\n\
         policies: policies\npublic_url: https://mcp.example.com\n\
         issuers:\n  corp:\n    issuer: {ISSUER}\n    audiences: ['https://mcp.example.com']\n    \
         keys: {{ url: 'http://127.0.0.1:{provider}/jwks', refetch_seconds: {refetch} }}\n    \
         algorithms: [ES256]\nworkloads: {{ trust_domains: [td] }}\n\
         decisions: {{ file: {{ path: decisions.log, max_megabytes: 1, keep: 0 }} }}\n"
    );
    std::fs::write(&path, text)?;
    Ok(path)
}
