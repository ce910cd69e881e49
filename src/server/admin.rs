//! `/livez`, `/readyz`, `/status` and `/metrics`, for whoever keeps the process alive.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::ServeError;
use super::edge::Edge;
use super::listener::stopped;
use super::status::{State as Health, overall};

/// The media type of `OpenMetrics` 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Admin {
    edge: Arc<Edge>,
    stopping: watch::Receiver<bool>,
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen {
        address: address.to_string(),
        reason: error.to_string(),
    })
}

/// Serves until `ended`: while the process drains, it can still be asked how that goes.
pub(super) async fn serve(
    listener: TcpListener,
    edge: Arc<Edge>,
    stopping: watch::Receiver<bool>,
    ended: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(Admin { edge, stopping });
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped(ended));
    if let Err(error) = served.await {
        tracing::error!(%error, "health can no longer be asked for");
    }
}

/// One line on the whole, one on each part. Degraded is ready: requests are decided.
async fn ready(State(Admin { edge, stopping }): State<Admin>) -> (StatusCode, String) {
    let parts = edge.status.parts(&edge, *stopping.borrow());
    let health = overall(&parts);
    let status = match health {
        Health::Ok | Health::Degraded => StatusCode::OK,
        Health::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut text = format!("{}\n", health.overall());
    for part in parts {
        // Writing to a string does not fail.
        writeln!(text, "{:<9} {}: {}", part.state.as_str(), part.name, part.reason).ok();
    }
    (status, text)
}

async fn status(State(Admin { edge, stopping }): State<Admin>) -> impl IntoResponse {
    let document = edge.status.document(&edge, *stopping.borrow());
    ([(CONTENT_TYPE, "application/json")], format!("{document:#}\n"))
}

async fn metrics(State(Admin { edge, .. }): State<Admin>) -> impl IntoResponse {
    let text = edge.metrics.render(edge.status.observed(&edge));
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
