//! The provider's signing keys, one per algorithm, and their public halves as a JWK set (RFC 7517).

use std::{io::ErrorKind, path::Path};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PublicKeyData as _, SignatureAlgorithm};
use serde_json::{Value, json};
use x509_parser::{
    asn1_rs::{FromDer as _, Integer, OctetString, Sequence},
    public_key::RSAPublicKey,
};

use crate::files::{Access, replace};

/// What a key is made of.
#[derive(Clone, Copy)]
enum Material {
    Rsa,
    Ec(&'static str, &'static SignatureAlgorithm),
    Ed25519,
}

/// A key that the provider holds. Each signs with one algorithm and says so in its JWK; a key
/// that would do for several invites one to be passed off as another (RFC 8725 §3.1).
struct Spec {
    kid: &'static str,
    algorithm: Algorithm,
    material: Material,
}

static SPECS: [Spec; 5] = [
    Spec { kid: "rsa-dev", algorithm: Algorithm::RS256, material: Material::Rsa },
    Spec { kid: "rsa-pss-dev", algorithm: Algorithm::PS256, material: Material::Rsa },
    Spec {
        kid: "ec-dev",
        algorithm: Algorithm::ES256,
        material: Material::Ec("P-256", &rcgen::PKCS_ECDSA_P256_SHA256),
    },
    Spec {
        kid: "ec384-dev",
        algorithm: Algorithm::ES384,
        material: Material::Ec("P-384", &rcgen::PKCS_ECDSA_P384_SHA384),
    },
    Spec { kid: "ed-dev", algorithm: Algorithm::EdDSA, material: Material::Ed25519 },
];

struct Key {
    spec: &'static Spec,
    pair: KeyPair,
}

/// One key for each algorithm.
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// Reads the keys in `dir`, makes those that are missing, and writes `dir/jwks.json`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let keys = SPECS.iter().map(|spec| Key::open(dir, spec)).collect::<Result<_>>()?;
        let keys = Self(keys);
        let set = serde_json::to_string_pretty(&keys.public()?)?;
        replace(dir, "jwks.json", set.as_bytes(), Access::Everybody)?;
        Ok(keys)
    }

    /// The JWK set that verifies our tokens.
    pub(crate) fn public(&self) -> Result<Value> {
        let keys = self.0.iter().map(Key::public).collect::<Result<Vec<_>>>()?;
        Ok(json!({ "keys": keys }))
    }

    /// The key that signs with `algorithm`, and its `kid`.
    pub(crate) fn signing(&self, algorithm: Algorithm) -> Result<(&'static str, EncodingKey)> {
        let key = self
            .0
            .iter()
            .find(|key| key.spec.algorithm == algorithm)
            .with_context(|| format!("no key signs {algorithm:?}"))?;
        let der = key.pair.serialized_der();
        let encoding = match key.spec.material {
            Material::Rsa => EncodingKey::from_rsa_der(&pkcs1(der)?),
            Material::Ec(..) => EncodingKey::from_ec_der(der),
            Material::Ed25519 => EncodingKey::from_ed_der(der),
        };
        Ok((key.spec.kid, encoding))
    }
}

impl Key {
    fn open(dir: &Path, spec: &'static Spec) -> Result<Self> {
        let name = format!("{}.key", spec.kid);
        let path = dir.join(&name);
        let pair = match std::fs::read_to_string(&path) {
            Ok(pem) => KeyPair::from_pem(&pem)
                .with_context(|| format!("{} is not a PKCS #8 key", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let pair = KeyPair::generate_for(match spec.material {
                    Material::Rsa => &rcgen::PKCS_RSA_SHA256,
                    Material::Ec(_, algorithm) => algorithm,
                    Material::Ed25519 => &rcgen::PKCS_ED25519,
                })?;
                replace(dir, &name, pair.serialize_pem().as_bytes(), Access::Owner)?;
                pair
            }
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        };
        Ok(Self { spec, pair })
    }

    /// RFC 7518 §6 and RFC 8037 §2.
    fn public(&self) -> Result<Value> {
        let raw = self.pair.der_bytes();
        let mut jwk = match self.spec.material {
            Material::Rsa => {
                let (_, key) = RSAPublicKey::from_der(raw)?;
                json!({ "kty": "RSA", "n": unsigned(key.modulus), "e": unsigned(key.exponent) })
            }
            Material::Ec(curve, _) => {
                let (x, y) = ec_coordinates(raw)?;
                json!({ "kty": "EC", "crv": curve, "x": x, "y": y })
            }
            Material::Ed25519 => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(raw) })
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.spec.kid));
            members.insert("alg".to_owned(), json!(self.spec.algorithm));
            members.insert("use".to_owned(), json!("sig"));
        }
        Ok(jwk)
    }
}

/// The coordinates of an uncompressed point (SEC 1 §2.3.3), as a JWK has them.
pub(crate) fn ec_coordinates(point: &[u8]) -> Result<(String, String)> {
    let (&form, coordinates) = point.split_first().context("an empty public key")?;
    ensure!(form == 4, "not an uncompressed point");
    let (x, y) = coordinates
        .split_at_checked(coordinates.len() / 2)
        .context("a point without coordinates")?;
    Ok((BASE64URL.encode(x), BASE64URL.encode(y)))
}

/// A DER integer without the zero that keeps it positive (RFC 7518 §2).
fn unsigned(integer: &[u8]) -> String {
    BASE64URL.encode(integer.strip_prefix(&[0]).unwrap_or(integer))
}

/// The `RSAPrivateKey` inside a PKCS #8 `PrivateKeyInfo` (RFC 5208 §5): jsonwebtoken takes the
/// inner form for RSA, and the outer one for all others.
fn pkcs1(pkcs8: &[u8]) -> Result<Vec<u8>> {
    let (_, key) = Sequence::from_der_and_then(pkcs8, |content| {
        let (rest, _version) = Integer::from_der(content)?;
        let (rest, _algorithm) = Sequence::from_der(rest)?;
        OctetString::from_der(rest)
    })?;
    Ok(key.as_ref().to_vec())
}
