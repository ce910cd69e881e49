//! Envoy's side: external authorization over gRPC, the keys of the issuers, health, shutdown.
//!
//! `edge::Edge::check` is the whole request path. `request` and `response` are the
//! only files that know Envoy's types.

mod admin;
mod answer;
mod asked;
mod credentials;
mod edge;
#[cfg(feature = "faults")]
mod faults;
mod fetch;
mod forward;
mod keys;
mod listener;
mod refusal;
mod request;
mod response;
mod service;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::watch;

use self::edge::Edge;
use self::keys::Keys;
use crate::config::Config;
use crate::policy::PolicySet;

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
    /// The gRPC server ended by itself.
    #[error("the gRPC server failed: {0}")]
    Grpc(#[from] tonic::transport::Error),
}

/// Serves until `stop` resolves.
///
/// # Errors
///
/// If a listener cannot be opened, or ends by itself.
pub async fn run(
    config: Config,
    policy: PolicySet,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let keys = Arc::new(Keys::new(&config.issuers));
    for issuer in config.issuers.clone() {
        tokio::spawn(keys::follow(Arc::clone(&keys), issuer));
    }
    let servers = policy.servers().len();
    tracing::info!(policy = %policy.digest(), servers, "policies loaded");
    let grpc = config.grpc.clone();
    let edge = Arc::new(Edge { config, policy: ArcSwap::from_pointee(policy), keys });

    // Both are open before anybody is told that we are ready.
    let bound = listener::bind(&grpc).await?;
    let admin = admin::bind(edge.config.http).await?;
    let (stopped, stopping) = watch::channel(false);
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping");
        // Nobody listens any more: nothing left to stop.
        stopped.send(true).ok();
    });
    tokio::spawn(admin::serve(admin, Arc::clone(&edge), stopping.clone()));
    listener::serve(bound, &grpc, service::Service::new(edge, &grpc), stopping).await
}
