//! The keys of one issuer, from wherever they are configured to be.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::{Document, FetchError, MetadataError, Validators, client, get};
use crate::authn::jwks::{KeySet, MAX_JWKS_BYTES};
use crate::config::IssuerConfig;
use crate::config::keys::{Discovery, KeysSource, KeysStart, RemoteKeys};
use crate::disk;
use crate::json::{self, Limits, Value};

/// The largest metadata that is read.
const MAX_METADATA_BYTES: usize = 64 * 1024;

const METADATA_LIMITS: Limits = Limits { max_depth: 16, guarded_keys: &[] };

/// How long it is believed where metadata says that the keys are, as long as they are there.
const METADATA_FRESH: Duration = Duration::from_secs(60 * 60);

/// An identity provider that is asked for its keys, and what it has answered so far.
#[derive(Debug)]
pub(in crate::server) struct Provider {
    issuer: Box<str>,
    remote: RemoteKeys,
    /// Where metadata says that the keys are, and when it said so.
    discovered: Option<(Url, Timestamp)>,
    /// Which answer we have, and from where.
    known: Option<(Url, Validators)>,
}

/// What a provider answers.
#[derive(Debug)]
pub(in crate::server) enum Answer {
    /// A key set, and how long it is fresh.
    Keys(KeySet, Duration),
    /// The one that it answered last, still.
    NotModified(Duration),
}

impl Provider {
    /// A provider that has not been asked yet.
    pub(in crate::server) fn new(issuer: &str, remote: RemoteKeys) -> Self {
        Self { issuer: issuer.into(), remote, discovered: None, known: None }
    }

    /// Asks for the keys. After a failure nothing of what was known before is relied upon.
    ///
    /// # Errors
    ///
    /// If there is no answer, or one that is not to be believed.
    pub(in crate::server) async fn fetch(&mut self, now: Timestamp) -> Result<Answer, FetchError> {
        let answer = self.ask(now).await;
        if answer.is_err() {
            (self.discovered, self.known) = (None, None);
        }
        answer.map(|(answer, _)| answer)
    }

    async fn ask(&mut self, now: Timestamp) -> Result<(Answer, Url), FetchError> {
        let client = client(self.remote.ca.as_deref()).await?;
        let url = match &self.remote.start {
            KeysStart::Url(url) => url.clone(),
            KeysStart::Discovery(discovery) => match &self.discovered {
                Some((url, when)) if is_recent(*when, now) => url.clone(),
                Some(_) | None => {
                    let url = metadata(&client, discovery, &self.issuer).await?;
                    self.discovered = Some((url.clone(), now));
                    url
                }
            },
        };
        let known = self.known.as_ref().filter(|(known, _)| *known == url);
        let known = known.map(|(_, validators)| validators);
        let answer = match get(&client, &url, MAX_JWKS_BYTES, known).await? {
            Document::NotModified(caching) => Answer::NotModified(caching.fresh_for(now)),
            Document::Body(body, caching, validators) => {
                let keys = KeySet::parse(&body)?;
                let Validators { etag, last_modified } = &validators;
                let any = etag.is_some() || last_modified.is_some();
                self.known = any.then(|| (url.clone(), validators));
                Answer::Keys(keys, caching.fresh_for(now))
            }
        };
        Ok((answer, url))
    }
}

/// A clock that was set back says nothing about how long ago something was.
fn is_recent(when: Timestamp, now: Timestamp) -> bool {
    let ago = now.as_second() - when.as_second();
    u64::try_from(ago).is_ok_and(|ago| Duration::from_secs(ago) < METADATA_FRESH)
}

/// Where a provider's metadata says that its keys are.
async fn metadata(
    client: &reqwest::Client,
    discovery: &Discovery,
    issuer: &str,
) -> Result<Url, FetchError> {
    let url = &discovery.document;
    let refuse = |problem| FetchError::Metadata { url: url.clone(), problem };
    match get(client, url, MAX_METADATA_BYTES, None).await? {
        Document::Body(body, _, _) => keys_of(&body, discovery, issuer).map_err(refuse),
        Document::NotModified(_) => Err(FetchError::Status { url: url.clone(), status: 304 }),
    }
}

fn keys_of(body: &[u8], discovery: &Discovery, issuer: &str) -> Result<Url, MetadataError> {
    let document = json::parse(body, METADATA_LIMITS).map_err(|_| MetadataError::NotJson)?;
    let document = document.as_object().ok_or(MetadataError::NotJson)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(MetadataError::Issuer);
    }
    let uri = text("jwks_uri").ok_or(MetadataError::NoKeys)?;
    Ok(discovery.admit(uri)?)
}

/// The keys of an issuer, as of one moment.
#[derive(Debug)]
pub struct FetchedKeys {
    /// The keys.
    pub set: KeySet,
    /// Where they were fetched from, if they were.
    pub url: Option<Url>,
    /// How long they are fresh, if they were fetched.
    pub fresh_for: Option<Duration>,
}

/// Gets an issuer's keys once, as a process that serves would.
///
/// # Errors
///
/// If they cannot be had.
pub async fn fetch_once(config: &IssuerConfig) -> Result<FetchedKeys, FetchError> {
    let local = |set| FetchedKeys { set, url: None, fresh_for: None };
    match &config.keys {
        KeysSource::File(path) => {
            let file = path.clone();
            let read = tokio::task::spawn_blocking(move || disk::read_file(&file, MAX_JWKS_BYTES));
            let fail = |reason| FetchError::File { path: path.display().to_string(), reason };
            let bytes = read.await.map_err(|error| fail(error.to_string()))?;
            let bytes = bytes.map_err(|error| fail(error.to_string()))?;
            Ok(local(KeySet::parse(&bytes)?))
        }
        KeysSource::Inline(text) => Ok(local(KeySet::parse(text.as_bytes())?)),
        KeysSource::Remote(remote) => {
            let mut provider = Provider::new(&config.issuer.issuer, remote.clone());
            match provider.ask(Timestamp::now()).await? {
                (Answer::Keys(set, fresh_for), url) => {
                    Ok(FetchedKeys { set, url: Some(url), fresh_for: Some(fresh_for) })
                }
                (Answer::NotModified(_), url) => Err(FetchError::Status { url, status: 304 }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use MetadataError::{Issuer, NoKeys, NotJson};

    use super::*;
    use crate::config::keys::AddressError;

    #[test]
    fn metadata_is_believed_only_if_it_is_the_issuers_own() {
        let discovery = Discovery {
            document: "https://a.example/.well-known/openid-configuration".parse().unwrap(),
            hosts: Vec::new(),
        };
        let good =
            r#"{"issuer": "https://a.example", "jwks_uri": "https://a.example/k", "x": [{}]}"#;
        assert_eq!(
            keys_of(good.as_bytes(), &discovery, "https://a.example").unwrap().as_str(),
            "https://a.example/k"
        );
        for (from, to, expected) in [
            (r#""issuer": "https://a.example""#, r#""issuer": "https://a.example/""#, Issuer),
            (r#""issuer": "https://a.example""#, r#""issuer": "https://A.example""#, Issuer),
            (r#""issuer": "https://a.example""#, r#""issuer": "http://a.example""#, Issuer),
            (r#""issuer": "https://a.example""#, r#""issuer": ["https://a.example"]"#, Issuer),
            (r#""issuer": "https://a.example", "#, "", Issuer),
            (r#""issuer""#, r#""issuer": "x", "issuer""#, NotJson),
            (r#""jwks_uri""#, r#""jwks""#, NoKeys),
            (r#""https://a.example/k""#, "null", NoKeys),
            (
                "https://a.example/k",
                "http://a.example/k",
                MetadataError::Address(AddressError::Insecure),
            ),
            (
                "https://a.example/k",
                "https://b.example/k",
                MetadataError::Address(AddressError::Host),
            ),
            ("[{}]", "[{]", NotJson),
        ] {
            assert!(good.contains(from), "{from}");
            let changed = good.replacen(from, to, 1);
            let found = keys_of(changed.as_bytes(), &discovery, "https://a.example");
            assert_eq!(found, Err(expected), "{changed}");
        }
        assert_eq!(keys_of(b"[]", &discovery, "https://a.example"), Err(NotJson));
    }
}
