//! Requests as Envoy sends them, with good tokens and bad ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;
use tonic::transport::Channel;

use crate::stand::{ISSUER, Stand};

const BODY: &[u8] =
    br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":{}}}"#;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is nobody's.
    Issuer,
    /// It is signed with a key that nobody knows; another one each time.
    Key,
}

pub(crate) struct Asked {
    key: EncodingKey,
    route: String,
    client: AuthorizationClient<Channel>,
    kept: String,
    number: AtomicU64,
}

impl Asked {
    pub(crate) async fn new(stand: &Stand) -> anyhow::Result<Self> {
        let address = format!("http://127.0.0.1:{}", stand.grpc);
        let mut asked = Self {
            key: stand.key.clone(),
            route: stand.route.clone(),
            client: AuthorizationClient::connect(address).await?,
            kept: String::new(),
            number: AtomicU64::new(0),
        };
        asked.kept = asked.token(ISSUER, "good", "kept", true)?;
        Ok(asked)
    }

    /// A good token: every other time one that was seen before.
    pub(crate) async fn good(&self, number: u64) -> anyhow::Result<()> {
        let token = if number.is_multiple_of(2) {
            self.kept.clone()
        } else {
            self.token(ISSUER, "good", &self.next(), true)?
        };
        let status = self.ask(&token).await?;
        ensure!(status == 200, "a good token got {status}");
        Ok(())
    }

    pub(crate) async fn bad(&self, bad: Bad) -> anyhow::Result<()> {
        let next = self.next();
        let token = match bad {
            Bad::Issuer => self.token("https://nobody.example.com", &next, &next, false)?,
            Bad::Key => self.token(ISSUER, &next, &next, false)?,
        };
        let status = self.ask(&token).await?;
        ensure!(status == 401, "a bad token got {status}");
        Ok(())
    }

    fn next(&self) -> String {
        format!("{:032x}", self.number.fetch_add(1, Ordering::Relaxed))
    }

    fn token(&self, issuer: &str, kid: &str, id: &str, sign: bool) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let part = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header = part(json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }));
        let claims = part(json!({
            "iss": issuer, "sub": "alice", "aud": "https://mcp.example.com", "jti": id,
            "iat": now - 1, "exp": now + 300, "client_id": "bench", "groups": ["ads", "finance"],
        }));
        let signed = format!("{header}.{claims}");
        let signature = if sign {
            jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::ES256)?
        } else {
            URL_SAFE_NO_PAD.encode([7; 64])
        };
        Ok(format!("{signed}.{signature}"))
    }

    /// The HTTP status that Envoy is told to answer with.
    async fn ask(&self, token: &str) -> anyhow::Result<i32> {
        let header = |key: &str, value: &str| HeaderValue {
            key: key.to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        };
        let http = HttpRequest {
            method: "POST".to_owned(),
            path: "/lab/mcp".to_owned(),
            header_map: Some(HeaderMap {
                headers: vec![
                    header("content-type", "application/json"),
                    header("authorization", &format!("Bearer {token}")),
                ],
            }),
            raw_body: BODY.to_vec(),
            ..HttpRequest::default()
        };
        let extension = |name: &str, value: &str| (format!("toolgate.{name}"), value.to_owned());
        let attributes = AttributeContext {
            request: Some(Request { http: Some(http), ..Request::default() }),
            context_extensions: [
                extension("server", "lab@dev"),
                extension("path", "/lab/mcp"),
                extension("route", &self.route),
            ]
            .into(),
            ..AttributeContext::default()
        };
        let request = CheckRequest { attributes: Some(attributes) };
        let answer = self.client.clone().check(request).await?.into_inner();
        let granted = answer.status.as_ref().is_some_and(|status| status.code == 0);
        Ok(match answer.http_response {
            Some(HttpResponse::OkResponse(_)) if granted => 200,
            Some(HttpResponse::DeniedResponse(denied)) if !granted => {
                denied.status.map_or(0, |status| status.code)
            }
            _ => 0,
        })
    }
}
