//! JSON Web Key Sets (RFC 7517): which keys of a document may verify a token, and with what.
//!
//! Keys are looked at one by one: one that cannot be used is left out and counted, and does not
//! take the others with it. Left out are symmetric keys, private keys, keys for encryption, RSA
//! keys outside 2048 to 8192 bits or with an exponent of 3, coordinates of the wrong length, and
//! all different keys that share a key identifier.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use thiserror::Error;

use crate::json::{self, Limits, Object, Value};

const LIMITS: Limits = Limits { max_depth: 8, guarded_keys: &[] };

/// The largest key set that is read.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;

/// More keys than any provider publishes.
const MAX_KEYS: usize = 100;

/// The signature algorithms (RFC 7518, RFC 8037) that tokens may be signed with, by name.
pub const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
}

/// A key that may verify tokens.
#[derive(Clone)]
pub struct Key {
    id: Option<Box<str>>,
    /// What verifies, by algorithm: there is none for an algorithm that does not fit.
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
    /// What the key is made of, as it is written.
    numbers: [Box<str>; 2],
}

/// What keys verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Users' tokens.
    Tokens,
    /// JWT-SVIDs.
    JwtSvids,
}

/// A key that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its identifier, if it has one.
    pub id: Option<Box<str>>,
    /// Why.
    pub error: KeyError,
}

/// Why a whole document is no key set.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeySetError {
    /// Larger than [`MAX_JWKS_BYTES`].
    #[error("larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    NotJson(#[from] json::JsonError),
    /// Not an object with a `keys` array.
    #[error("not an object with an array `keys`")]
    NotAKeySet,
    /// More than a hundred keys.
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
}

/// Why a key is left out.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not an object, or a member of the wrong type.
    #[error("not a JSON Web Key")]
    NotAKey,
    /// A key type or curve that no supported algorithm uses.
    #[error("unsupported key type or curve")]
    Unsupported,
    /// `use` or `key_ops` say that it does not verify.
    #[error("not for signatures")]
    NotForSignatures,
    /// `alg` does not fit the key.
    #[error("`alg` does not fit the key")]
    WrongAlgorithm,
    /// A private or symmetric key was published.
    #[error("a private key was published")]
    Private,
    /// A modulus, exponent or coordinate that is not what it should be.
    #[error("a number of the key has the wrong form or size")]
    BadNumber,
    /// The identifier stands twice.
    #[error("another key has the same identifier")]
    DuplicateId,
    /// The verifier panicked.
    #[error("verifying with it fails")]
    Unusable,
}

impl KeyError {
    /// Every kind, in the order of the metrics.
    pub const ALL: [Self; 8] = [
        Self::NotAKey,
        Self::Unsupported,
        Self::NotForSignatures,
        Self::WrongAlgorithm,
        Self::Private,
        Self::BadNumber,
        Self::DuplicateId,
        Self::Unusable,
    ];

    /// One word, for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAKey => "malformed",
            Self::Unsupported => "unsupported",
            Self::NotForSignatures => "not_for_signatures",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::Private => "private",
            Self::BadNumber => "bad_number",
            Self::DuplicateId => "duplicate_id",
            Self::Unusable => "unusable",
        }
    }
}

impl KeySet {
    /// Reads a key set.
    ///
    /// # Errors
    ///
    /// If the document as a whole is no key set. One without a usable key is a key set: it
    /// revokes.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = json::parse(bytes, LIMITS)?;
        let keys = document
            .as_object()
            .and_then(|object| object.get("keys"))
            .and_then(Value::as_array)
            .ok_or(KeySetError::NotAKeySet)?;
        Self::of(keys, Purpose::Tokens)
    }

    /// The keys of a list that may verify what they are to verify.
    pub(super) fn of<'k>(
        keys: impl IntoIterator<Item = &'k Value<'k>>,
        purpose: Purpose,
    ) -> Result<Self, KeySetError> {
        // Before any is parsed, which costs as much as a signature.
        let keys: Vec<_> = keys.into_iter().collect();
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let parsed = keys.into_iter().map(|key| (id(key), Key::parse(key, purpose)));
        let parsed: Vec<_> = parsed.collect();
        let mut set = Self::default();
        for (at, (id, key)) in parsed.iter().enumerate() {
            let named = || parsed.iter().take(at).filter(|(other, _)| id.is_some() && other == id);
            let others = parsed.iter().filter(|(other, _)| id.is_some() && other == id);
            match key {
                Err(error) => {
                    set.skipped.push(SkippedKey { id: id.map(Into::into), error: *error });
                }
                // Which of them would verify must not depend on their order.
                Ok(_) if others.into_iter().any(|(_, other)| other != key) => {
                    let error = KeyError::DuplicateId;
                    set.skipped.push(SkippedKey { id: id.map(Into::into), error });
                }
                // The same key once more is no other one.
                Ok(_) if named().next().is_some() => {}
                Ok(key) => set.keys.push(key.clone()),
            }
        }
        set.keys.sort_by(|a, b| (&a.id, &a.numbers).cmp(&(&b.id, &b.numbers)));
        Ok(set)
    }

    /// Whether the same keys verify, whatever else the two documents say.
    #[must_use]
    pub fn verifies_as(&self, other: &Self) -> bool {
        self.keys == other.keys
    }

    /// Whether the document has a key of this identifier, usable or not.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
            || self.skipped.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// The identifiers of the keys that can verify.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// The keys that were left out.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// How many keys can verify.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can verify.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key that a token names. A token that names none is verified only if the set has one
    /// key at all: keys are never tried in turn, and which one is meant must not change with the
    /// algorithm that a token's header claims.
    #[must_use]
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let key = match (id, self.keys.as_slice()) {
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        key.filter(|key| key.algorithms().any(|fitting| fitting == algorithm))
    }
}

fn id<'v>(key: &'v Value<'_>) -> Option<&'v str> {
    key.as_object()?.get("kid")?.as_str()
}

impl Key {
    fn parse(value: &Value<'_>, purpose: Purpose) -> Result<Self, KeyError> {
        let key = value.as_object().ok_or(KeyError::NotAKey)?;
        let text = |name: &str| match key.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(KeyError::NotAKey),
        };
        // RFC 7518 §6: members that only private and symmetric keys have.
        if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| key.contains(name)) {
            return Err(KeyError::Private);
        }
        let marked = match purpose {
            Purpose::Tokens => "sig",
            Purpose::JwtSvids => "jwt-svid",
        };
        if text("use")?.is_some_and(|use_| use_ != marked) || !operations_allow_verify(key)? {
            return Err(KeyError::NotForSignatures);
        }
        // SPIFFE Trust Domain and Bundle §4.2.2: such a key has an identifier.
        if purpose == Purpose::JwtSvids && text("kid")?.is_none() {
            return Err(KeyError::NotAKey);
        }
        let number = |name: &str| -> Result<(&str, Vec<u8>), KeyError> {
            let text = text(name)?.ok_or(KeyError::BadNumber)?;
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::BadNumber)?;
            Ok((text, bytes))
        };
        let (fitting, numbers) = match (text("kty")?, text("crv")?) {
            (Some("RSA"), None) => {
                let ((n, modulus), (e, exponent)) = (number("n")?, number("e")?);
                if !is_rsa(&modulus, &exponent) {
                    return Err(KeyError::BadNumber);
                }
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                let rs = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
                let ps = key.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256);
                (vec![(Algorithm::RS256, rs), (Algorithm::PS256, ps)], [n, e])
            }
            (Some("EC"), Some(curve)) => {
                let (algorithm, verifying, length) = match curve {
                    "P-256" => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED, 32),
                    "P-384" => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED, 48),
                    _ => return Err(KeyError::Unsupported),
                };
                let ((x, x_bytes), (y, y_bytes)) = (number("x")?, number("y")?);
                if x_bytes.len() != length || y_bytes.len() != length {
                    return Err(KeyError::BadNumber);
                }
                // SEC 1 §2.3.4: an uncompressed point.
                let point = [&[4][..], &x_bytes, &y_bytes].concat();
                (vec![(algorithm, ParsedPublicKey::new(verifying, point))], [x, y])
            }
            // JWT-SVID §2.1 has no EdDSA.
            (Some("OKP"), Some("Ed25519")) if purpose == Purpose::Tokens => {
                let (x, bytes) = number("x")?;
                if bytes.len() != 32 {
                    return Err(KeyError::BadNumber);
                }
                (vec![(Algorithm::EdDSA, ParsedPublicKey::new(&ED25519, bytes))], [x, ""])
            }
            _ => return Err(KeyError::Unsupported),
        };
        let mut fitting = fitting;
        if let Some(name) = text("alg")? {
            let named = ALGORITHMS.iter().find(|(known, _)| *known == name);
            let (_, named) = named.ok_or(KeyError::WrongAlgorithm)?;
            fitting.retain(|(algorithm, _)| algorithm == named);
            if fitting.is_empty() {
                return Err(KeyError::WrongAlgorithm);
            }
        }
        let id = text("kid")?.map(Into::into);
        let parsed = fitting.into_iter().map(|(algorithm, key)| Ok((algorithm, key?)));
        let parsed = parsed.collect::<Result<_, KeyRejected>>().map_err(|_| KeyError::BadNumber)?;
        let key = Self { id, parsed, numbers: numbers.map(Into::into) };
        // A key that makes the verifier panic does so here, and not in a request.
        catch_unwind(AssertUnwindSafe(|| key.try_out())).map_err(|_| KeyError::Unusable)?;
        Ok(key)
    }

    /// Verifies something that does not hold, with every algorithm.
    fn try_out(&self) {
        for algorithm in self.algorithms() {
            let _ = self.verifies(&[1; 64], b"", algorithm);
        }
    }

    fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.parsed.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Whether `signature` is this key's over `signed`.
    #[must_use]
    pub fn verifies(&self, signature: &[u8], signed: &[u8], algorithm: Algorithm) -> bool {
        let parsed = self.parsed.iter().find(|(fitting, _)| *fitting == algorithm);
        parsed.is_some_and(|(_, key)| key.verify_sig(signed, signature).is_ok())
    }
}

fn operations_allow_verify(key: &Object<'_>) -> Result<bool, KeyError> {
    match key.get("key_ops") {
        None => Ok(true),
        Some(operations) => {
            let operations = operations.as_array().ok_or(KeyError::NotAKey)?;
            Ok(operations.iter().any(|operation| operation.as_str() == Some("verify")))
        }
    }
}

/// A modulus of 2048 to 8192 bits without leading zeros, and an odd exponent from 5 to 2³²−1: 3
/// forgives a verifier nothing, and no provider uses it.
fn is_rsa(modulus: &[u8], exponent: &[u8]) -> bool {
    let (Some(first), Some(last)) = (modulus.first(), exponent.last()) else {
        return false;
    };
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    let canonical = *first != 0 && exponent.first() != Some(&0);
    let odd = last % 2 == 1 && modulus.last().is_some_and(|last| last % 2 == 1);
    let above_three = exponent.len() > 1 || *last > 3;
    canonical && odd && above_three && exponent.len() <= 4 && (2048..=8192).contains(&bits)
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Parsed keys are made of the rest.
        let Self { id, parsed: _, numbers } = self;
        (id, numbers) == (&other.id, &other.numbers) && self.algorithms().eq(other.algorithms())
    }
}

impl Eq for Key {}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
