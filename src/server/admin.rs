//! `/livez` and `/readyz`, for whoever keeps the process alive.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::ServeError;
use super::edge::Edge;
use super::listener::stopped;

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen {
        address: address.to_string(),
        reason: error.to_string(),
    })
}

pub(super) async fn serve(listener: TcpListener, edge: Arc<Edge>, stopping: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state((edge, stopping.clone()));
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped(stopping));
    if let Err(error) = served.await {
        tracing::error!(%error, "health can no longer be asked for");
    }
}

/// Ready once every issuer's keys are known, until stopping begins.
async fn ready(
    State((edge, stopping)): State<(Arc<Edge>, watch::Receiver<bool>)>,
) -> (StatusCode, String) {
    let policy = edge.policy.load();
    let missing = edge.keys.missing();
    let keys = if missing.is_empty() {
        "ok".to_owned()
    } else {
        format!("missing: {}", missing.join(", "))
    };
    let ready = missing.is_empty() && !*stopping.borrow();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "not ready" };
    (status, format!("{word}\npolicy: {}\nkeys: {keys}\n", policy.digest()))
}
