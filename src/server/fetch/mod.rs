//! Documents of identity providers: bounded in time and size, redirects refused, no proxy from the
//! environment, and no address that could be somebody's metadata service.

mod provider;
mod resolver;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use thiserror::Error;
use url::Url;

use super::keys::Caching;
use crate::authn::jwks::KeySetError;
use crate::config::keys::AddressError;
use crate::disk;

pub(super) use self::provider::{Answer, Provider};
pub use self::provider::{FetchedKeys, fetch_once};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest file of roots that is read.
const MAX_ROOTS_BYTES: usize = 4 * 1024 * 1024;

/// Longer validators are not sent back.
const MAX_VALIDATOR_BYTES: usize = 1024;

/// Why an issuer's keys cannot be had.
#[derive(Clone, Debug, Error)]
pub enum FetchError {
    /// The configured roots cannot be read.
    #[error("{path}: {reason}")]
    Roots {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Nobody answers, or not in time, or not over TLS as it should be.
    #[error("{0}")]
    Transport(String),
    /// Another status than 200, redirects among them.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked.
        url: Url,
        /// The status.
        status: u16,
    },
    /// More than is read.
    #[error("{url} answers more than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: Url,
        /// How much is read.
        limit: usize,
    },
    /// An encoding that nobody asked for.
    #[error("{0} answers compressed, and was not asked to")]
    Compressed(Url),
    /// The provider's metadata cannot be believed.
    #[error("{url}: {problem}")]
    Metadata {
        /// What was asked.
        url: Url,
        /// What is wrong with it.
        problem: MetadataError,
    },
    /// What was answered is no key set.
    #[error("no key set: {0}")]
    NoKeySet(#[from] KeySetError),
    /// The whole took too long, or broke off.
    #[error("{0}")]
    GivenUp(&'static str),
}

/// What is wrong with a provider's metadata.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    /// Not a strict JSON object.
    #[error("not a strict JSON object")]
    NotJson,
    /// Somebody else's.
    #[error("its `issuer` is not the configured one, byte for byte")]
    Issuer,
    /// No address of keys.
    #[error("it has no `jwks_uri`")]
    NoKeys,
    /// An address that is not asked.
    #[error("its `jwks_uri`: {0}")]
    Address(#[from] AddressError),
}

/// What tells a provider which answer we have (RFC 9110 §8.8).
#[derive(Clone, Debug, Default)]
struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// What came of a request.
enum Document {
    /// 304: what we have is what there is.
    NotModified(Caching),
    Body(Vec<u8>, Caching, Validators),
}

/// A client that keeps nothing from one fetch to the next: roots are read anew, and no connection
/// stays open.
async fn client(roots: Option<&Path>) -> Result<Client, FetchError> {
    let roots = roots.map(Path::to_owned);
    let build = tokio::task::spawn_blocking(move || {
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .dns_resolver(resolver::Resolver)
            .user_agent(concat!("toolgate/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = roots {
            builder = builder.tls_certs_only(read_roots(&path)?);
        }
        builder.build().map_err(|error| FetchError::Tls(chain(&error)))
    });
    build.await.map_err(|_| FetchError::GivenUp("TLS cannot be set up: it panics"))?
}

/// The certificates of a PEM file; at least one.
pub(super) fn read_roots(path: &Path) -> Result<Vec<Certificate>, FetchError> {
    let fail = |reason: String| FetchError::Roots { path: path.display().to_string(), reason };
    let pem = disk::read_file(path, MAX_ROOTS_BYTES).map_err(|error| fail(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| fail(chain(&error)))?;
    if roots.is_empty() { Err(fail("it has no certificate".to_owned())) } else { Ok(roots) }
}

/// Asks for a document of at most `limit` bytes.
async fn get(
    client: &Client,
    url: &Url,
    limit: usize,
    known: Option<&Validators>,
) -> Result<Document, FetchError> {
    let mut request = client.get(url.clone());
    if let Some(Validators { etag, last_modified }) = known {
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value.clone());
            }
        }
    }
    let transport = |error: reqwest::Error| FetchError::Transport(chain(&error));
    let mut response = request.send().await.map_err(transport)?;
    let caching = caching(response.headers());
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Document::NotModified(caching)),
        status => return Err(FetchError::Status { url: url.clone(), status: status.as_u16() }),
    }
    if is_encoded(&response) {
        return Err(FetchError::Compressed(url.clone()));
    }
    let mut body = Vec::new();
    // Counted while it streams: a length that is announced need not be true.
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge { url: url.clone(), limit });
        }
        body.extend_from_slice(&chunk);
    }
    let validators = validators(response.headers());
    Ok(Document::Body(body, caching, validators))
}

fn is_encoded(response: &Response) -> bool {
    let encodings = response.headers().get_all(CONTENT_ENCODING).iter();
    let mut encodings = encodings.map(|value| value.as_bytes().to_ascii_lowercase());
    encodings.any(|encoding| encoding != b"identity")
}

fn caching(headers: &HeaderMap) -> Caching {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let one = |name: HeaderName| headers.get(name).map(text);
    Caching {
        control: headers.get_all(CACHE_CONTROL).iter().map(text).collect(),
        expires: one(EXPIRES),
        date: one(DATE),
        age: one(AGE),
    }
}

fn validators(headers: &HeaderMap) -> Validators {
    let short = |name: HeaderName| {
        headers.get(name).filter(|value| value.len() <= MAX_VALIDATOR_BYTES).cloned()
    };
    Validators { etag: short(ETAG), last_modified: short(LAST_MODIFIED) }
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
