//! Key sets by URL: bounded in time and size, redirects refused, failures backed off.

use std::error::Error;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

use super::keys::Keys;
use crate::authn::jwks::MAX_JWKS_BYTES;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often keys are fetched while that works.
const INTERVAL: Duration = Duration::from_secs(300);

/// The wait after a failure; doubled up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

pub(super) async fn follow_url(keys: &Keys, issuer: &str, url: &Url) {
    let mut retry = FIRST_RETRY;
    loop {
        let fetched = match client() {
            Ok(client) => fetch(&client, url).await.and_then(|body| keys.accept(issuer, &body)),
            Err(error) => Err(error),
        };
        let wait = match fetched {
            Ok(()) => {
                retry = FIRST_RETRY;
                INTERVAL
            }
            Err(error) => {
                tracing::error!(issuer, %url, error, "keys cannot be fetched");
                let wait = retry;
                retry = (retry * 2).min(LAST_RETRY);
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// No redirects, no proxy from the environment, no compression: what is fetched is what the
/// configured address answers.
fn client() -> Result<Client, String> {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .user_agent(concat!("toolgate/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, String> {
    let mut response = client.get(url.clone()).send().await.map_err(|error| chain(&error))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("the answer is {}", response.status()));
    }
    let mut body = Vec::new();
    // Counted while it streams: a length that is announced need not be true.
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error))? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(format!("the answer is larger than {MAX_JWKS_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
