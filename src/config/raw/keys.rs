//! Where an issuer's keys come from.

use std::path::Path;
use std::time::Duration;

use url::Url;

use super::refuse;
use crate::authn::jwks::{KeySet, SkippedKey};
use crate::config::keys::{Discovery, KeysSource, KeysStart, RemoteKeys, WellKnown, address};
use crate::diagnostics::Place;
use crate::yaml::{Fields, Keys, Kind, Node, Reader, Spanned};

/// The keys of which exactly one says where the keys are.
const PLACES: [&str; 4] = ["discovery", "url", "file", "inline"];

const CURE: &str =
    "write `discovery`, or one of `{ url: URL }`, `{ file: PATH }`, `{ inline: JSON }`";

/// The keys that the issuer's metadata name, with everything as it is unless configured.
pub(super) fn discovered(
    reader: &mut Reader<'_>,
    issuer: &str,
    place: Place,
) -> Option<KeysSource> {
    let document = document(reader, WellKnown::OpenId, issuer, place)?;
    Some(KeysSource::Remote(RemoteKeys {
        start: KeysStart::Discovery(Discovery { document, hosts: Vec::new() }),
        ca: None,
        max_stale: MAX_STALE,
        refetch: REFETCH,
    }))
}

/// `issuer` is what discovery begins with; `None` if it could not be read.
pub(super) fn keys(
    reader: &mut Reader<'_>,
    node: &Node,
    issuer: Option<&str>,
    directory: &Path,
) -> Option<KeysSource> {
    const KEYS: Keys = Keys {
        known: &[
            "discovery",
            "url",
            "file",
            "inline",
            "ca",
            "hosts",
            "max_stale_minutes",
            "refetch_seconds",
        ],
        later: &[],
    };
    if let Kind::Text(text) = &node.kind {
        let place = reader.place(node.span);
        if text != "discovery" {
            let message = format!("`{text}` does not say where keys are");
            refuse(reader, place, message, CURE);
            return None;
        }
        return discovered(reader, issuer?, place);
    }
    if !matches!(node.kind, Kind::Mapping(_)) {
        refuse(reader, reader.place(node.span), "keys come from one place", CURE);
        return None;
    }
    let fields = reader.fields(node, KEYS)?;
    let named: Vec<_> = PLACES.iter().filter(|key| fields.get(key).is_some()).collect();
    let [only] = named.as_slice() else {
        refuse(reader, fields.place, "keys come from one place", CURE);
        return None;
    };
    let node = fields.get(only)?;
    match **only {
        "file" => {
            alone(reader, fields, "file")?;
            Some(KeysSource::File(directory.join(reader.text(node)?.value)))
        }
        "inline" => {
            alone(reader, fields, "inline")?;
            inline(reader, node)
        }
        "url" => {
            if let Some(place) = fields.key_place("hosts") {
                let help = "remove it: only discovery names another address";
                refuse(reader, place, "`hosts` has no meaning beside `url`", help);
            }
            let url = reader.parsed(node, "a URL of keys", address)?.value;
            remote(reader, fields, KeysStart::Url(url), directory)
        }
        _ => {
            let start = discovery(reader, fields, node, issuer);
            remote(reader, fields, start?, directory)
        }
    }
}

const MAX_STALE: Duration = Duration::from_secs(60 * 60);
const REFETCH: Duration = Duration::from_secs(30);

/// Nothing is fetched: what governs fetching would govern nothing.
fn alone(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<()> {
    let mut alone = Some(());
    for other in ["ca", "hosts", "max_stale_minutes", "refetch_seconds"] {
        if let Some(place) = fields.key_place(other) {
            let message = format!("`{other}` has no meaning beside `{key}`");
            refuse(reader, place, message, "remove it: nothing is fetched");
            alone = None;
        }
    }
    alone
}

fn inline(reader: &mut Reader<'_>, node: &Node) -> Option<KeysSource> {
    const FORM: &str = "write a JSON Web Key Set as text: '{\"keys\": [...]}'";
    let text = reader.text(node)?;
    let problem = match KeySet::parse(text.value.as_bytes()) {
        Err(error) => Some((error.to_string(), FORM)),
        Ok(set) => match set.skipped().first() {
            Some(SkippedKey { id, error }) => {
                let id = id.as_deref().unwrap_or("without `kid`");
                Some((format!("key {id}: {error}"), "every key here must be one that can verify"))
            }
            None if set.is_empty() => Some(("nobody could sign in".to_owned(), FORM)),
            None => None,
        },
    };
    if let Some((problem, help)) = problem {
        refuse(reader, text.place, format!("not a set of keys: {problem}"), help);
        return None;
    }
    Some(KeysSource::Inline(text.value.into()))
}

fn discovery(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    node: &Node,
    issuer: Option<&str>,
) -> Option<KeysStart> {
    let word = reader.text(node)?;
    let kind = match word.value {
        "openid-configuration" => WellKnown::OpenId,
        "oauth-authorization-server" => WellKnown::OAuth,
        other => {
            let message = format!("`{other}` is no metadata document");
            let help = "write `openid-configuration` or `oauth-authorization-server`";
            refuse(reader, word.place, message, help);
            return None;
        }
    };
    let hosts = match fields.get("hosts") {
        None => Vec::new(),
        Some(node) => reader
            .texts(node)
            .into_iter()
            .filter_map(|text| reader.parse_text(text, "a host", host))
            .map(|host| host.value)
            .collect(),
    };
    let document = document(reader, kind, issuer?, word.place)?;
    Some(KeysStart::Discovery(Discovery { document, hosts }))
}

fn document(reader: &mut Reader<'_>, kind: WellKnown, issuer: &str, place: Place) -> Option<Url> {
    reader
        .parse_text(Spanned { value: issuer, place }, "where metadata is", |text| kind.of(text))
        .map(|url| url.value)
}

fn host(text: &str) -> Result<Box<str>, String> {
    let url = address(&format!("https://{text}/")).map_err(|error| error.to_string())?;
    if url.host_str() == Some(text) && url.port().is_none() && url.path() == "/" {
        Ok(text.into())
    } else {
        Err("write a name in lower case, without port and path".to_owned())
    }
}

fn remote(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    start: KeysStart,
    directory: &Path,
) -> Option<KeysSource> {
    let first = match &start {
        KeysStart::Url(url) => url,
        KeysStart::Discovery(discovery) => &discovery.document,
    };
    let ca = match fields.get("ca") {
        None => None,
        Some(node) => {
            let text = reader.text(node)?;
            if first.scheme() != "https" {
                let help = "remove it: without TLS there is no certificate to check";
                refuse(reader, text.place, "`ca` has no meaning with `http`", help);
                return None;
            }
            Some(directory.join(text.value))
        }
    };
    let mut seconds = |key: &str, range: std::ops::RangeInclusive<i64>, unit: u64| {
        let node = fields.get(key)?;
        let count = reader.integer(node, range).and_then(|count| u64::try_from(count.value).ok());
        Some(count.map(|count| Duration::from_secs(count * unit)))
    };
    let max_stale = seconds("max_stale_minutes", 1..=24 * 60, 60).unwrap_or(Some(MAX_STALE));
    let refetch = seconds("refetch_seconds", 5..=300, 1).unwrap_or(Some(REFETCH));
    Some(KeysSource::Remote(RemoteKeys { start, ca, max_stale: max_stale?, refetch: refetch? }))
}
