//! Real Toolgates, each started when the first row needs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as B64;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use crate::keys;
use crate::peers::Certificate;
use crate::row::{self, Setup};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Sidecars {
    directory: tempfile::TempDir,
    running: BTreeMap<String, OnceLock<Sidecar>>,
}

pub(crate) struct Sidecar {
    process: Mutex<Child>,
    pub(crate) client: AuthorizationClient<Channel>,
    record: PathBuf,
}

impl Sidecars {
    pub(crate) fn new(
        setup: &Setup,
        keys: &keys::Keys,
        peers: &BTreeMap<String, Certificate>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, set) in &setup.key_sets {
            let document = keys::published(keys, set, "sig").to_string();
            fs::write(directory.path().join(format!("{name}.json")), document).unwrap();
        }
        for (name, domains) in &setup.bundles {
            let bundle = |set| keys::published(keys, set, "jwt-svid");
            let domains: serde_json::Map<_, _> =
                domains.iter().map(|(domain, set)| (domain.clone(), bundle(set))).collect();
            let document = serde_json::json!({ "trust_domains": domains }).to_string();
            fs::write(directory.path().join(format!("bundles-{name}.json")), document).unwrap();
        }
        for (name, domains) in &setup.authorities {
            let entry = |authority: &row::Authority| {
                let marked = authority.r#use.as_deref().unwrap_or("x509-svid");
                let certificates = authority.of.iter().map(|peer| B64.encode(&peers[peer].der));
                serde_json::json!({ "use": marked, "kty": "EC", "x5c": certificates.collect::<Vec<_>>() })
            };
            let bundle = |list: &Vec<row::Authority>| serde_json::json!({ "keys": list.iter().map(entry).collect::<Vec<_>>() });
            let domains: serde_json::Map<_, _> =
                domains.iter().map(|(domain, list)| (domain.clone(), bundle(list))).collect();
            let document = serde_json::json!({ "trust_domains": domains }).to_string();
            fs::write(directory.path().join(format!("authorities-{name}.json")), document).unwrap();
        }
        let running = setup.sidecars.keys().map(|name| (name.clone(), OnceLock::new()));
        Self { directory, running: running.collect() }
    }

    pub(crate) fn of(
        &self,
        name: &str,
        setup: &Setup,
        runtime: &tokio::runtime::Runtime,
    ) -> &Sidecar {
        let place = self.running.get(name).unwrap_or_else(|| panic!("no sidecar `{name}`"));
        place.get_or_init(|| start(self.directory.path(), name, setup, runtime))
    }
}

fn start(
    directory: &Path,
    name: &str,
    setup: &Setup,
    runtime: &tokio::runtime::Runtime,
) -> Sidecar {
    let row::Sidecar { issuers, workloads, more, policies } = &setup.sidecars[name];
    let own = directory.join(name);
    fs::create_dir_all(&own).unwrap();
    let (socket, record) = (own.join("grpc/toolgate.sock"), own.join("decisions.jsonl"));
    let policies = row::directory().join(policies.as_deref().unwrap_or("policies"));
    let issuers = issuers.replace("KEYS", &directory.display().to_string());
    let issuers = issuers.trim_end().replace('\n', "\n  ");
    let workloads = workloads.replace("KEYS", &directory.display().to_string());
    let workloads = workloads.trim_end().replace('\n', "\n  ");
    let config = format!(
        "toolgate: 1\nlisten: {{ grpc: \"unix:{}\", http: 127.0.0.1:0 }}\npolicies: {}\n\
         public_url: https://mcp.example.com\nissuers:\n  {issuers}\n\
         workloads:\n  {workloads}\n\
         decisions: {{ file: {{ path: {} }} }}\n{more}",
        socket.display(),
        policies.display(),
        record.display(),
    );
    let path = own.join("toolgate.yaml");
    fs::write(&path, config).unwrap();
    let log = fs::File::create(own.join("log")).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_toolgate"))
        .args(["serve", "--config"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !socket.exists() {
        let told = || fs::read_to_string(own.join("log")).unwrap();
        assert!(process.try_wait().unwrap().is_none(), "`{name}` does not start\n{}", told());
        assert!(Instant::now() < deadline, "`{name}` does not listen\n{}", told());
        std::thread::sleep(Duration::from_millis(10));
    }
    let endpoint = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap();
    let channel = {
        let _inside = runtime.enter();
        endpoint.connect_lazy()
    };
    Sidecar { process: Mutex::new(process), client: AuthorizationClient::new(channel), record }
}

impl Sidecar {
    /// What is recorded of a decision, a moment after it was answered.
    pub(crate) fn recorded(&self, id: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&self.record).unwrap_or_default();
            if let Some(line) =
                text.split_inclusive('\n').find(|line| line.contains(id) && line.ends_with('\n'))
            {
                return serde_json::from_str(line).unwrap();
            }
            assert!(Instant::now() < deadline, "decision {id} is not recorded");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
}
