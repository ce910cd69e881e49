//! The identity provider over HTTP.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    middleware::map_response,
    response::Response,
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    keys::Keys,
    token::{Answer, Defaults, TokenRequest},
};

struct Provider {
    keys: Keys,
    public_keys: Value,
    defaults: Defaults,
    base: String,
}

/// Serves until the process ends.
pub(crate) async fn run(listen: SocketAddr, keys: Keys, defaults: Defaults) -> Result<()> {
    // It gives a token for any user to whoever asks, so nobody else may ask.
    ensure!(listen.ip().is_loopback(), "{listen} is not a loopback address");
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("development identity provider on {base}");

    let public_keys = keys.public()?;
    let app = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks.json", get(jwks))
        .route("/token", get(token))
        .layer(map_response(mark))
        .with_state(Arc::new(Provider { keys, public_keys, defaults, base }));
    Ok(axum::serve(listener, app).await?)
}

/// Says on every response what it is worth.
async fn mark(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("true");
    response.headers_mut().insert("x-development-only", value);
    response
}

/// `OpenID` Connect Discovery 1.0 §3. The endpoints are where we listen, not below the issuer,
/// which is a name in the demo and nothing more.
async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({
        "development": true,
        "issuer": provider.defaults.issuer,
        "jwks_uri": format!("{}/jwks.json", provider.base),
        "token_endpoint": format!("{}/token", provider.base),
        "authorization_endpoint": format!("{}/token", provider.base),
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "EdDSA"],
    }))
}

async fn jwks(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(provider.public_keys.clone())
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Query(request): Query<TokenRequest>,
) -> Result<Json<Answer>, (StatusCode, String)> {
    request
        .sign(&provider.keys, &provider.defaults)
        .map(Json)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("{error:#}\n")))
}
