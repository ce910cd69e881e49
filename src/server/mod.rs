//! Envoy's side: external authorization over gRPC, the keys of the issuers, policies that change,
//! the record of every decision, health, shutdown.
//!
//! `edge::Edge::check` is the whole request path, and `ext_proc` looks at answers. `request`,
//! `response` and the files of `ext_proc` are the only ones that know Envoy's types.

mod admin;
mod answer;
mod asked;
mod bundles;
mod credentials;
mod edge;
mod envoy_files;
mod ext_proc;
#[cfg(feature = "faults")]
mod faults;
mod fetch;
mod forward;
mod grpc;
mod keys;
mod listener;
mod live;
mod peer;
mod process;
mod protobuf;
mod record;
mod refusal;
mod reload;
mod request;
mod response;
mod revoked;
mod service;
mod sessions;
mod spire;
mod status;
mod supervisor;
mod tls;
mod tokens;
mod trust;
mod workers;
mod workload;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use self::edge::Edge;
use self::envoy_files::EnvoyFiles;
use self::keys::Keys;
use self::live::Live;
use self::peer::Peers;
use self::record::ArgumentsKey;
use self::reload::{Follower, Reload};
use self::sessions::SessionKey;
use self::status::Status;
use self::tokens::Tokens;
use self::trust::Trust;
use crate::authn::revocation::Revocations;
use crate::config::keys::{KeysSource, RemoteKeys};
use crate::config::{BundlesSource, Config};
use crate::disk;
use crate::policy::{Loaded, PolicySet};
use crate::telemetry::{DecisionLog, Metrics, OpenError};

pub use self::fetch::{FetchError, FetchedKeys, MetadataError, fetch_once};

/// The largest key file that is read.
const MAX_KEY_BYTES: usize = 4096;

/// Why the server cannot run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
    /// TLS material cannot be read.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key of the arguments' digests cannot be read.
    #[error("{path}: {reason}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The decision log cannot be opened.
    #[error(transparent)]
    Decisions(#[from] OpenError),
    /// The threads that answer Envoy cannot be started, or one of them ended by itself.
    #[error("the threads that answer Envoy: {0}")]
    Workers(String),
}

/// What a process serves.
#[derive(Debug)]
pub struct Serving {
    /// The sidecar's configuration.
    pub config: Config,
    /// The policies, with the files that they were made of.
    pub loaded: Loaded,
    /// The deny-list as it was read.
    pub revoked: Revocations,
}

/// What a process is told while it runs.
pub struct Signals<S> {
    /// Resolves when it is to stop.
    pub stop: S,
    /// Has an item whenever the policies are to be read again.
    pub reread: mpsc::Receiver<()>,
}

/// How long what is in flight may take once stopping has begun.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the decision log may take after that.
const FLUSH: Duration = Duration::from_secs(5);

/// How long the first requests wait for the keys at most: a restart should cost nobody an answer.
const FIRST_KEYS: Duration = Duration::from_millis(500);

/// How often it is looked whether the keys are there by then.
const KEYS_INTERVAL: Duration = Duration::from_millis(5);

/// How often it is looked whether the whole is ready.
const READY_INTERVAL: Duration = Duration::from_millis(100);

/// Serves until it is told to stop, and what is in flight has been answered and recorded.
///
/// # Errors
///
/// If a listener or the decision log cannot be opened, or a listener ends by itself.
pub async fn run(
    serving: Serving,
    signals: Signals<impl Future<Output = ()> + Send + 'static>,
) -> Result<(), ServeError> {
    let Serving { config, loaded, revoked } = serving;
    let grpc = config.grpc.clone();
    // Before anything is written: another process that serves here has the log open too.
    let bound = listener::bind(&grpc).await?;
    let admin = admin::bind(config.http).await?;
    let edge = Arc::new(edge(config, loaded.set().clone(), revoked.clone())?);
    for issuer in edge.config.issuers.clone() {
        tokio::spawn(keys::follow(Arc::clone(&edge.keys), issuer));
    }
    edge.trust.follow(&edge.config)?;
    follow_policies(&edge, loaded, signals.reread)?;
    revoked::follow(&edge, revoked).map_err(|error| ServeError::Listen {
        address: "the deny-list".to_owned(),
        reason: error.to_string(),
    })?;

    let (stopped, stopping) = watch::channel(false);
    tokio::spawn(stop(signals.stop, stopped));
    let (end, ended) = watch::channel(false);
    let admin = tokio::spawn(admin::serve(admin, Arc::clone(&edge), stopping.clone(), ended));
    let (ready, is_ready) = watch::channel(false);
    tokio::spawn(follow_readiness(Arc::clone(&edge), ready, stopping.clone()));
    // Those who ask meanwhile wait at the listener.
    wait_for_keys(&edge).await;
    supervisor::tell_ready();

    let peers = Peers::new(&grpc);
    let processor = ext_proc::Processor::new(Arc::clone(&edge), peers.clone());
    let services = (service::Service::new(Arc::clone(&edge), peers), processor);
    let own = edge.trust.own();
    let served = listener::serve(bound, own, services, is_ready, stopping.clone());
    let outcome = tokio::select! {
        outcome = served => outcome,
        () = too_long(stopping) => {
            tracing::error!("requests are still in flight, and are given up");
            Ok(())
        }
    };
    edge.log.close(FLUSH).await;
    // Nobody asks any more: nothing left to end.
    end.send(true).ok();
    tokio::time::timeout(Duration::from_secs(1), admin).await.ok();
    tracing::info!("stopped");
    outcome
}

/// What would keep a process from serving under this configuration, as far as that can be known
/// without opening anything. A key set that is not there yet is none of it: it may come later.
#[must_use]
pub fn check(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(listener::check(&config.grpc).err().map(|error| error.to_string()));
    let key = arguments_key(config.decisions.arguments_key.as_deref());
    problems.extend(key.err().map(|error| error.to_string()));
    let key = session_key(config.session_key.as_deref());
    problems.extend(key.err().map(|error| error.to_string()));
    for issuer in &config.issuers {
        match &issuer.keys {
            KeysSource::File(path) if path.exists() => {
                let problem = keys::check_file(path).err();
                problems.extend(problem.map(|problem| format!("{}: {problem}", path.display())));
            }
            KeysSource::Remote(RemoteKeys { ca: Some(ca), .. }) => {
                problems.extend(fetch::read_roots(ca).err().map(|error| error.to_string()));
            }
            KeysSource::File(_) | KeysSource::Inline(_) | KeysSource::Remote(_) => {}
        }
    }
    if let Some(BundlesSource::File(path)) = &config.workloads.bundles {
        let problem = path.exists().then(|| bundles::check_file(path).err()).flatten();
        problems.extend(problem.map(|problem| format!("{}: {problem}", path.display())));
    }
    let file = config.decisions.file.as_ref().map(|file| file.path.as_path());
    let envoy = config.envoy.as_ref().and_then(|envoy| envoy.files.as_ref());
    let envoy = envoy.map(|files| files.path.join("routes.json"));
    for path in file.into_iter().chain(envoy.as_deref()) {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            problems.push(format!("{}: there is no such directory", directory.display()));
        }
    }
    problems
}

fn edge(config: Config, policy: PolicySet, revoked: Revocations) -> Result<Edge, ServeError> {
    let servers = policy.servers_count();
    tracing::info!(policy = %policy.digest(), servers, "policies in force");
    Ok(Edge {
        keys: Arc::new(Keys::new(&config.issuers)),
        trust: Trust::new(&config),
        tokens: Tokens::new(config.tokens.cache_bytes),
        status: Status::new(&policy, config.tokens.revoked.is_some().then(|| revoked.len()), now()),
        revocations: ArcSwap::from_pointee(revoked),
        log: DecisionLog::open(&config.decisions)?,
        metrics: Metrics::default(),
        arguments_key: arguments_key(config.decisions.arguments_key.as_deref())?,
        session_key: session_key(config.session_key.as_deref())?,
        live: ArcSwap::from_pointee(Live::new(policy)),
        config,
    })
}

fn arguments_key(path: Option<&Path>) -> Result<ArgumentsKey, ServeError> {
    key(path, record::KEY_BYTES, ArgumentsKey::new)
}

fn session_key(path: Option<&Path>) -> Result<SessionKey, ServeError> {
    key(path, sessions::KEY_BYTES, SessionKey::new)
}

/// The configured key, or one for the life of this process.
fn key<K>(
    path: Option<&Path>,
    least: usize,
    new: impl Fn(&[u8]) -> Option<K>,
) -> Result<K, ServeError> {
    let shown = path.map_or("a key".to_owned(), |path| path.display().to_string());
    let fail = |reason: String| ServeError::Key { path: shown.clone(), reason };
    let bytes = if let Some(path) = path {
        disk::read_file(path, MAX_KEY_BYTES).map_err(|error| fail(error.to_string()))?
    } else {
        let ids = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        ids.iter().flat_map(|id| *id.as_bytes()).collect()
    };
    new(&bytes).ok_or_else(|| fail(format!("a key has at least {least} bytes")))
}

/// Looks after the policy directory, on a thread of its own.
fn follow_policies(
    edge: &Arc<Edge>,
    loaded: Loaded,
    reread: mpsc::Receiver<()>,
) -> Result<(), ServeError> {
    let prefixes: Vec<(String, String)> = edge
        .config
        .group_prefixes()
        .into_iter()
        .map(|(name, prefix)| (name.to_owned(), prefix.to_owned()))
        .collect();
    let issuers = edge.config.issuers.iter().map(|issuer| &issuer.issuer);
    let audiences: Vec<Box<str>> = issuers.flat_map(|issuer| &issuer.audiences).cloned().collect();
    let check = move |set: &PolicySet| {
        let audiences: Vec<_> = audiences.iter().map(|audience| &**audience).collect();
        let shared = set.servers_with_audience(&audiences);
        if !shared.is_empty() {
            return Err(format!(
                "servers/: the `resource` of `{}` is an audience of an issuer: a token for any server would be one for it",
                shared.join("`, `")
            ));
        }
        let prefixes: Vec<_> = prefixes.iter().map(|(n, p)| (n.as_str(), p.as_str())).collect();
        match set.unclaimable(&prefixes) {
            none if none.is_empty() => Ok(()),
            groups => Err(format!(
                "groups.yaml: no configured issuer can claim `{}`: a ban on such a group would ban nobody",
                groups.join("`, `")
            )),
        }
    };
    let reload = Reload::new(edge.config.policies.clone(), loaded, Box::new(check));
    let mut envoy = EnvoyFiles::of(&edge.config);
    if let Some(envoy) = &mut envoy {
        envoy.keep(&edge.config, &edge.live.load().policy, &edge.status, Instant::now());
    }
    let follower = Follower::new(reload, Arc::clone(edge), envoy);
    thread::Builder::new()
        .name("policies".to_owned())
        .spawn(move || follower.run(&reread))
        .map(drop)
        .map_err(|error| ServeError::Listen {
            address: "the policy directory".to_owned(),
            reason: error.to_string(),
        })
}

async fn stop(stop: impl Future<Output = ()>, stopped: watch::Sender<bool>) {
    stop.await;
    tracing::info!("stopping");
    supervisor::tell_stopping();
    // Nobody listens any more: nothing left to stop.
    stopped.send(true).ok();
}

/// Resolves once all keys are known, or nobody should wait for them any longer.
async fn wait_for_keys(edge: &Edge) {
    let known = async {
        while !edge.knows_all_keys() {
            tokio::time::sleep(KEYS_INTERVAL).await;
        }
    };
    tokio::time::timeout(FIRST_KEYS, known).await.ok();
}

/// Ready once all keys are known, until stopping begins.
async fn follow_readiness(
    edge: Arc<Edge>,
    ready: watch::Sender<bool>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let now = !*stopping.borrow() && edge.knows_all_keys();
        let changed = ready.send_if_modified(|ready| std::mem::replace(ready, now) != now);
        if changed && now {
            tracing::info!("ready: the keys of every issuer are known");
        }
        if *stopping.borrow() {
            return;
        }
        tokio::time::timeout(READY_INTERVAL, stopping.changed()).await.ok();
    }
}

/// Resolves once stopping has taken too long.
async fn too_long(stopping: watch::Receiver<bool>) {
    listener::stopped(stopping).await;
    tokio::time::sleep(DRAIN).await;
}

/// The time. The tests with faults move it.
fn now() -> Timestamp {
    #[cfg(feature = "faults")]
    return faults::now();
    #[cfg(not(feature = "faults"))]
    Timestamp::now()
}
