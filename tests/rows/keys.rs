//! Keys: those that issuers sign with, and those that no issuer should have.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jsonwebtoken::{Algorithm, EncodingKey};
use num_bigint::BigUint;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData as _, RsaKeySize,
};
use serde_json::{Value, json};

use crate::row::Published;
use crate::small::SMALL;

/// A key with everything that can be done with it.
pub(crate) struct Key {
    /// The JWK, as it should be published.
    pub(crate) jwk: Value,
    /// What a header names.
    pub(crate) algorithm: &'static str,
    pub(crate) encoding: Option<(EncodingKey, Algorithm)>,
    pub(crate) rsa: Option<Rsa>,
    /// `SubjectPublicKeyInfo`, as PEM and DER.
    pub(crate) public: (String, Vec<u8>),
}

/// An RSA key as numbers.
pub(crate) struct Rsa {
    pub(crate) n: BigUint,
    pub(crate) d: BigUint,
}

pub(crate) type Keys = BTreeMap<&'static str, Key>;

pub(crate) fn make() -> Keys {
    let mut keys = Keys::new();
    for (name, algorithm, alg) in [
        ("rsa-dev", Algorithm::RS256, "RS256"),
        ("rsa-pss-dev", Algorithm::PS256, "PS256"),
        ("rsa-other", Algorithm::RS256, "RS256"),
    ] {
        keys.insert(name, rsa(algorithm, alg));
    }
    keys.insert("ec-dev", ec(Algorithm::ES256, &made(&PKCS_ECDSA_P256_SHA256)));
    keys.insert("ec-other", ec(Algorithm::ES256, &made(&PKCS_ECDSA_P256_SHA256)));
    keys.insert("ec-short", ec(Algorithm::ES256, &with_a_leading_zero()));
    keys.insert("ec384-dev", ec(Algorithm::ES384, &made(&PKCS_ECDSA_P384_SHA384)));
    keys.insert("ed-dev", ed(&made(&PKCS_ED25519)));
    for (name, n, d) in SMALL {
        let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
        let (n, d) = (number(n), number(d));
        let jwk = json!({ "kty": "RSA", "n": B64.encode(n.to_bytes_be()), "e": "AQAB" });
        let public = (String::new(), Vec::new());
        let rsa = Some(Rsa { n, d });
        keys.insert(name, Key { jwk, algorithm: "RS256", encoding: None, rsa, public });
    }
    keys.insert(
        "secret",
        Key {
            jwk: json!({}),
            algorithm: "HS256",
            encoding: None,
            rsa: None,
            public: (String::new(), Vec::new()),
        },
    );
    keys
}

/// The key set that shows these keys, all of them for one use.
pub(crate) fn published(keys: &Keys, set: &[Published], for_: &str) -> Value {
    let jwks = set.iter().map(|Published { kid, of, change, without }| {
        let name = of.as_ref().or(kid.as_ref()).unwrap();
        let mut jwk =
            keys.get(name.as_str()).unwrap_or_else(|| panic!("no key {name}")).jwk.clone();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!(for_);
        let number = |name: &str| B64.decode(jwk[name].as_str().unwrap_or_default()).unwrap();
        let change = change.as_deref().unwrap_or("{}");
        let change = change
            .replace("SHORT", &B64.encode(number("x").trim_ascii_start_zeros()))
            .replace("LEADING_ZERO", &B64.encode([&[0], number("n").as_slice()].concat()));
        let change: Value = serde_json::from_str(&change).unwrap();
        let jwk = jwk.as_object_mut().unwrap();
        jwk.extend(change.as_object().unwrap().clone());
        jwk.retain(|name, _| !without.contains(name));
        Value::Object(jwk.clone())
    });
    json!({ "keys": jwks.collect::<Vec<_>>() })
}

trait Zeros {
    fn trim_ascii_start_zeros(&self) -> &[u8];
}

impl Zeros for Vec<u8> {
    fn trim_ascii_start_zeros(&self) -> &[u8] {
        let zeros = self.iter().take_while(|byte| **byte == 0).count();
        &self[zeros..]
    }
}

fn made(kind: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(kind).unwrap()
}

/// One key in 256: a reader that does not mind its length would take it all the same.
fn with_a_leading_zero() -> KeyPair {
    (0..100_000)
        .map(|_| made(&PKCS_ECDSA_P256_SHA256))
        .find(|pair| pair.der_bytes()[1] == 0)
        .unwrap()
}

fn public(pair: &KeyPair) -> (String, Vec<u8>) {
    (pair.public_key_pem(), pair.subject_public_key_info())
}

fn rsa(algorithm: Algorithm, name: &'static str) -> Key {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let pkcs1 = pkcs1(&pair.serialize_der());
    let numbers = integers(&pkcs1);
    let [_, n, e, d, ..] = numbers.as_slice() else { panic!("no RSAPrivateKey") };
    let jwk = json!({
        "kty": "RSA", "n": B64.encode(n.to_bytes_be()), "e": B64.encode(e.to_bytes_be()),
    });
    Key {
        jwk,
        algorithm: name,
        encoding: Some((EncodingKey::from_rsa_der(&pkcs1), algorithm)),
        rsa: Some(Rsa { n: n.clone(), d: d.clone() }),
        public: public(&pair),
    }
}

fn ec(algorithm: Algorithm, pair: &KeyPair) -> Key {
    let (name, curve) =
        if algorithm == Algorithm::ES256 { ("ES256", "P-256") } else { ("ES384", "P-384") };
    // An uncompressed point (SEC 1 §2.3.3): 4, x, y.
    let (x, y) = pair.der_bytes()[1..].split_at(pair.der_bytes().len() / 2);
    let jwk = json!({ "kty": "EC", "crv": curve, "x": B64.encode(x), "y": B64.encode(y) });
    let encoding = Some((EncodingKey::from_ec_der(&pair.serialize_der()), algorithm));
    Key { jwk, algorithm: name, encoding, rsa: None, public: public(pair) }
}

fn ed(pair: &KeyPair) -> Key {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": B64.encode(pair.der_bytes()) });
    let encoding = EncodingKey::from_ed_der(&pair.serialize_der());
    let encoding = Some((encoding, Algorithm::EdDSA));
    Key { jwk, algorithm: "EdDSA", encoding, rsa: None, public: public(pair) }
}

/// The `RSAPrivateKey` (RFC 8017 §A.1.2) in a PKCS #8 document: the octet string at its end.
fn pkcs1(pkcs8: &[u8]) -> Vec<u8> {
    let is_it =
        |w: &[u8]| w[0] == 4 && w[1] == 0x82 && usize::from(w[2]) * 256 + usize::from(w[3]) > 1000;
    let at = pkcs8.windows(4).position(is_it).unwrap();
    pkcs8[at + 4..].to_vec()
}

/// The integers of a sequence of integers (DER).
fn integers(der: &[u8]) -> Vec<BigUint> {
    let (mut numbers, (_, mut rest)) = (Vec::new(), element(der));
    while !rest.is_empty() {
        let (after, content) = element(rest);
        numbers.push(BigUint::from_bytes_be(content));
        rest = after;
    }
    numbers
}

/// What follows an element (DER), and what is in it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, header) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(der[2]), 3),
        _ => (usize::from(der[2]) * 256 + usize::from(der[3]), 4),
    };
    let (content, after) = der[header..].split_at(length);
    (after, content)
}
