//! Trust bundles: which keys sign JWT-SVIDs, by trust domain (SPIFFE Trust Domain and Bundle §4).
//! The keys of one domain say nothing about the workloads of another.

use std::collections::BTreeMap;

use spiffe::TrustDomain;
use thiserror::Error;

use super::jwks::{KeySet, KeySetError, Purpose};
use crate::json::{self, Limits, Value};

/// The largest document that is read.
pub const MAX_BUNDLES_BYTES: usize = 1024 * 1024;

const LIMITS: Limits = Limits { max_depth: 8, guarded_keys: &[] };

/// How a bundle marks the keys of JWT-SVIDs (§4.2.2); X.509 authorities are marked otherwise.
const JWT_SVID: &str = "jwt-svid";

/// The keys of JWT-SVIDs by trust domain.
#[derive(Clone, Debug, Default)]
pub struct Bundles(BTreeMap<Box<str>, KeySet>);

/// Why a document is not taken for trust bundles.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BundlesError {
    /// Larger than [`MAX_BUNDLES_BYTES`].
    #[error("larger than {MAX_BUNDLES_BYTES} bytes")]
    TooLarge,
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    NotJson(#[from] json::JsonError),
    /// Not an object with `trust_domains`.
    #[error("not an object with an object `trust_domains`")]
    NotBundles,
    /// Not the name of a trust domain, as SPIFFE IDs have it.
    #[error("`{0}` is no trust domain in lower case, without `spiffe://`")]
    TrustDomain(String),
    /// The bundle of a trust domain is none.
    #[error("`{0}`: {1}")]
    Bundle(String, KeySetError),
}

impl Bundles {
    /// Reads bundles by trust domain, in the form that Envoy's SPIFFE validator reads too:
    /// `{"trust_domains": {"prod.example.com": {"keys": [..]}}}`. Of the keys, those marked
    /// `use: jwt-svid` count, and no others.
    ///
    /// # Errors
    ///
    /// If one bundle is none: a part of the bundles would be other bundles. A bundle without a
    /// usable key is a bundle: it revokes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundlesError> {
        let mut bundles = Self::default();
        each_domain(bytes, |name, bundle| {
            bundles.put(name, bundle, |marked| marked == Some(Some(JWT_SVID)))
        })?;
        Ok(bundles)
    }

    /// Adds or replaces the keys of one trust domain: a JWK Set of its JWT authorities, as the
    /// SPIFFE Workload API gives it (§6.2.2), where keys need not be marked.
    ///
    /// # Errors
    ///
    /// If it is no trust domain or no key set; nothing has changed then.
    pub fn insert(&mut self, trust_domain: &str, authorities: &[u8]) -> Result<(), BundlesError> {
        let bundle = read(authorities)?;
        self.put(trust_domain, &bundle, |marked| matches!(marked, None | Some(Some(JWT_SVID))))
    }

    fn put(
        &mut self,
        name: &str,
        bundle: &Value<'_>,
        is_ours: impl Fn(Option<Option<&str>>) -> bool,
    ) -> Result<(), BundlesError> {
        let wrong = |error| BundlesError::Bundle(name.to_owned(), error);
        let keys = keys_of(name, bundle)?;
        let ours = keys.iter().filter(|key| {
            let marked = key.as_object().and_then(|key| key.get("use"));
            is_ours(marked.map(Value::as_str))
        });
        let keys = KeySet::of(ours, Purpose::JwtSvids).map_err(wrong)?;
        self.0.insert(name.into(), keys);
        Ok(())
    }

    /// The keys of a trust domain's JWT-SVIDs.
    #[must_use]
    pub fn of(&self, trust_domain: &str) -> Option<&KeySet> {
        self.0.get(trust_domain)
    }

    /// Every trust domain with its keys, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KeySet)> {
        self.0.iter().map(|(name, keys)| (&**name, keys))
    }
}

/// Every trust domain of a document, with its bundle.
pub(super) fn each_domain(
    bytes: &[u8],
    mut take: impl FnMut(&str, &Value<'_>) -> Result<(), BundlesError>,
) -> Result<(), BundlesError> {
    let document = read(bytes)?;
    let domains = document
        .as_object()
        .and_then(|object| object.get("trust_domains"))
        .and_then(Value::as_object)
        .ok_or(BundlesError::NotBundles)?;
    domains.iter().try_for_each(|(name, bundle)| take(name, bundle))
}

/// What stands in a trust domain's bundle.
pub(super) fn keys_of<'b>(
    name: &str,
    bundle: &'b Value<'_>,
) -> Result<&'b [Value<'b>], BundlesError> {
    is_trust_domain(name)?;
    let keys = bundle.as_object().and_then(|bundle| bundle.get("keys"));
    let not_a_key_set = || BundlesError::Bundle(name.to_owned(), KeySetError::NotAKeySet);
    keys.and_then(Value::as_array).ok_or_else(not_a_key_set)
}

pub(super) fn is_trust_domain(name: &str) -> Result<(), BundlesError> {
    match TrustDomain::new(name) {
        Ok(domain) if domain.as_str() == name => Ok(()),
        Ok(_) | Err(_) => Err(BundlesError::TrustDomain(name.chars().take(256).collect())),
    }
}

fn read(bytes: &[u8]) -> Result<Value<'_>, BundlesError> {
    if bytes.len() > MAX_BUNDLES_BYTES {
        return Err(BundlesError::TooLarge);
    }
    Ok(json::parse(bytes, LIMITS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An EC key (RFC 7517 §A.1), with more members.
    fn key(more: &str) -> String {
        format!(
            r#"{{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"{more}}}"#
        )
    }

    fn set(keys: &[&str]) -> String {
        let keys: Vec<_> = keys.iter().map(|more| key(more)).collect();
        format!(r#"{{"spiffe_sequence":1,"keys":[{}]}}"#, keys.join(","))
    }

    #[test]
    fn a_bundle_has_the_keys_that_are_marked_for_jwt_svids() {
        let _ = crate::authn::install_crypto();
        // With the marks of a bundle, and as the Workload API gives them.
        for (more, marked, given) in [
            (r#","use":"jwt-svid","kid":"a""#, 1, 1),
            (r#","kid":"a""#, 0, 1),
            (r#","use":"x509-svid","kid":"a""#, 0, 0),
            (r#","use":"sig","kid":"a""#, 0, 0),
            (r#","use":7,"kid":"a""#, 0, 0),
            (r#","use":"jwt-svid""#, 0, 0),
            (r#","use":"jwt-svid","kid":7"#, 0, 0),
            (r#","use":"jwt-svid","kid":"a","d":"AAAA""#, 0, 0),
            (r#","use":"jwt-svid","kid":"a","key_ops":["sign"]"#, 0, 0),
        ] {
            let set = set(&[more]);
            let bundles =
                Bundles::parse(format!(r#"{{"trust_domains":{{"td":{set}}}}}"#).as_bytes());
            assert_eq!(bundles.unwrap().of("td").map(KeySet::len), Some(marked), "{more}");
            let mut bundles = Bundles::default();
            bundles.insert("td", set.as_bytes()).unwrap();
            assert_eq!(bundles.of("td").map(KeySet::len), Some(given), "{more}");
        }
    }

    #[test]
    fn what_is_no_bundle_is_taken_in_no_part() {
        let good = set(&[]);
        for wrong in [
            String::new(),
            "[]".to_owned(),
            good.clone(),
            r#"{"trust_domains":[]}"#.to_owned(),
            format!(r#"{{"trust_domains":{{"td":{good},"td":{good}}}}}"#),
            format!(r#"{{"trust_domains":{{"TD":{good}}}}}"#),
            format!(r#"{{"trust_domains":{{"spiffe://td":{good}}}}}"#),
            format!(r#"{{"trust_domains":{{"":{good}}}}}"#),
            format!(r#"{{"trust_domains":{{"a":{good},"td":{{}}}}}}"#),
            format!(r#"{{"trust_domains":{{"a":{good},"td":{{"keys":{{}}}}}}}}"#),
        ] {
            assert!(Bundles::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let mut bundles = Bundles::default();
        assert!(bundles.insert("td", good.as_bytes()).is_ok());
        for (name, document) in [("td", "{}"), ("TD", &good), ("other", "nonsense")] {
            assert!(bundles.insert(name, document.as_bytes()).is_err(), "{name} {document}");
        }
        assert_eq!(bundles.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["td"]);
    }
}
