//! From a recipe to a token, and from what a row writes to bytes.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

use crate::keys::Key;
use crate::peers::Certificate;
use crate::row::Case;
use crate::signature;
use crate::trials::World;

/// The token that a row presents.
pub(crate) fn token(case: &Case, world: &World) -> String {
    let key = key(&case.key, world).unwrap_or_else(|| panic!("no key `{}`", case.key));
    let (typ, good_claims) = match case.kind.as_str() {
        "user" => ("at+jwt", &world.setup.good_claims),
        "workload" => ("JWT", &world.setup.good_svid_claims),
        other => panic!("no token of a `{other}`"),
    };
    let usual = format!(r#"{{"alg": "{}", "typ": "{typ}", "kid": "{}"}}"#, key.algorithm, case.key);
    let change = case.header.replace("JWK", &key.jwk.to_string());
    let header = changed(&usual, &change, &case.without_header, world);
    let claims = changed(good_claims, &case.claims, &case.without, world);
    let header = written(&case.header_text, &plus(&header, &case.header_members, world), world);
    let payload = written(&case.payload, &plus(&claims, &case.members, world), world);
    let mut parts =
        Parts { header: B64.encode(header), payload: B64.encode(payload), ..Parts::default() };
    parts.signed = parts.fill(&case.signed);
    let signature = signature::sign(&case.signature, key, parts.signed.as_bytes());
    parts.signature = B64.encode(signature);
    for (part, (from, to)) in &case.afterwards {
        let text = if part == "header" { &mut parts.header } else { &mut parts.payload };
        let before = String::from_utf8(B64.decode(&*text).unwrap()).unwrap();
        assert!(before.contains(from), "{from} is not in {before}");
        *text = B64.encode(before.replace(from, to));
        parts.signed = format!("{}.{}", parts.header, parts.payload);
    }
    parts.fill(&unfolded(&case.token, world))
}

/// What a user presents about whom nothing is wrong.
pub(crate) fn good(world: &World) -> String {
    let usual = world.setup.usual.clone();
    token(&serde_json::from_value(usual.into()).unwrap(), world)
}

/// The key of that name, or the one that is published under it.
fn key<'w>(name: &str, world: &'w World) -> Option<&'w Key> {
    let published = || {
        let bundles = world.setup.bundles.values().flat_map(|domains| domains.values());
        let mut published = world.setup.key_sets.values().chain(bundles).flatten();
        published.find(|key| key.kid.as_deref() == Some(name))?.of.as_deref()
    };
    world.keys.get(name).or_else(|| world.keys.get(published()?))
}

#[derive(Default)]
struct Parts {
    header: String,
    payload: String,
    signed: String,
    signature: String,
}

impl Parts {
    /// Puts the parts, perhaps spelled otherwise, where they are named.
    fn fill(&self, template: &str) -> String {
        static PLACES: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\{(signed|h|p|s)(?:: ([a-z]+))?\}").unwrap());
        let place = |found: &Captures<'_>| {
            let part = match &found[1] {
                "h" => &self.header,
                "p" => &self.payload,
                "s" => &self.signature,
                _ => &self.signed,
            };
            match found.get(2).map(|spelling| spelling.as_str()) {
                None => part.clone(),
                Some("standard") => {
                    assert!(part.contains(['-', '_']), "nothing to spell otherwise in {part}");
                    part.replace('-', "+").replace('_', "/")
                }
                Some("loose") => loose(part),
                Some("flipped") => {
                    let mut bytes = B64.decode(part).unwrap();
                    bytes[0] ^= 1;
                    B64.encode(bytes)
                }
                Some(other) => panic!("no spelling `{other}`"),
            }
        };
        PLACES.replace_all(template, place).into_owned()
    }
}

/// With a bit set among those at the end that belong to no byte.
fn loose(part: &str) -> String {
    assert!(!part.len().is_multiple_of(4), "{part} has no loose bits");
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let (start, last) = part.split_at(part.len() - 1);
    let index = alphabet.iter().position(|c| last.starts_with(*c)).unwrap();
    format!("{start}{}", alphabet[index + 1])
}

fn changed(usual: &str, change: &str, without: &[String], world: &World) -> String {
    let object = |text: &str| -> Map<String, Value> {
        let text = unfolded(text, world);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let mut members = object(usual);
    members.extend(object(change));
    for name in without {
        assert!(members.shift_remove(name).is_some(), "there is no `{name}`");
    }
    Value::Object(members).to_string()
}

/// More members, as they are written.
fn plus(object: &str, members: &str, world: &World) -> String {
    if members.is_empty() {
        return object.to_owned();
    }
    let open = object.strip_suffix('}').unwrap();
    format!("{open}, {}}}", unfolded(members, world))
}

fn written(text: &str, good: &str, world: &World) -> Vec<u8> {
    bytes(&unfolded(text, world).replace("GOOD", good))
}

/// `NOW+5` is a time, `<x*3>` is `xxx`, `SHA256(NAME)` a certificate's thumbprint, `HEX(NAME)` the
/// same in hex, and LISTENER an address that nobody should ask.
pub(crate) fn unfolded(text: &str, world: &World) -> String {
    static NOW: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"NOW([+-][0-9]+)?").unwrap());
    static THUMBPRINT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(SHA256|HEX)\(([a-z]+)\)").unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let text = NOW.replace_all(text, |found: &Captures<'_>| {
        let by = found.get(1).map_or(0, |by| by.as_str().parse::<i64>().unwrap());
        (now + by).to_string()
    });
    let text = repeated(&text).replace("LISTENER", &world.listener.url);
    THUMBPRINT
        .replace_all(&text, |found: &Captures<'_>| {
            let Certificate { thumbprint, hash, .. } = &world.peers[&found[2]];
            if &found[1] == "HEX" { hash.clone() } else { thumbprint.clone() }
        })
        .into_owned()
}

/// `<x*3>` is `xxx`.
pub(crate) fn repeated(text: &str) -> String {
    static REPEATED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<(.+?)\*([0-9]+)>").unwrap());
    REPEATED
        .replace_all(text, |found: &Captures<'_>| found[1].repeat(found[2].parse().unwrap()))
        .into_owned()
}

/// `\xff` is that byte.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut rest = text;
    let mut bytes = Vec::new();
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        let (hex, after) = after.split_at(2);
        bytes.push(u8::from_str_radix(hex, 16).unwrap());
        rest = after;
    }
    bytes.extend(rest.bytes());
    bytes
}
