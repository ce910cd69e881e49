//! Signatures, and what could be taken for one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::Algorithm;
use num_bigint::BigUint;
use sha2::{Digest as _, Sha256, Sha512};

use crate::keys::{Key, Rsa};

/// The order of P-256's group (SEC 2 §2.4.2).
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// `DigestInfo` (RFC 8017 §9.2) up to the digest, of SHA-256 and SHA-512.
const SHA256: &str = "3031300d060960864801650304020105000420";
const SHA512: &str = "3051300d060960864801650304020305000440";
/// The same without the NULL that parameters must be.
const SHA256_WITHOUT_NULL: &str = "302f300b06096086480165030402010420";

/// The signature of `kind` over `input`, by `key`.
pub(crate) fn sign(kind: &str, key: &Key, input: &[u8]) -> Vec<u8> {
    match kind {
        "own" => own(key, input),
        "none" => Vec::new(),
        "RS512" => pkcs1(key.rsa(), &[&hex(SHA512), &*Sha512::digest(input)].concat()),
        "PS256" => jose(key, Algorithm::PS256, input),
        "RS256" => jose(key, Algorithm::RS256, input),
        _ if kind.starts_with("HMAC") => hmac(kind, key, input),
        _ if kind.starts_with("RSA") => rsa(kind, key.rsa(), input),
        _ => ecdsa(kind, key, input),
    }
}

fn own(key: &Key, input: &[u8]) -> Vec<u8> {
    match (&key.encoding, &key.rsa) {
        (Some((_, algorithm)), _) => jose(key, *algorithm, input),
        (None, Some(rsa)) => pkcs1(rsa, &sha256(input)),
        (None, None) => {
            mac(&B64.decode("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I").unwrap(), input)
        }
    }
}

fn jose(key: &Key, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
    let (encoding, _) = key.encoding.as_ref().unwrap();
    let text = jsonwebtoken::crypto::sign(input, encoding, algorithm).unwrap();
    B64.decode(text).unwrap()
}

/// What is public, taken for a secret.
fn hmac(kind: &str, key: &Key, input: &[u8]) -> Vec<u8> {
    let n = key.jwk["n"].as_str().unwrap_or_default();
    match kind {
        "HMAC with nothing" => mac(b"", input),
        "HMAC with the PEM" => mac(key.public.0.as_bytes(), input),
        "HMAC with the DER" => mac(&key.public.1, input),
        "HMAC with n as text" => mac(n.as_bytes(), input),
        "HMAC with n" => mac(&B64.decode(n).unwrap(), input),
        "HMAC with the JWK" => mac(key.jwk.to_string().as_bytes(), input),
        _ => panic!("no signature `{kind}`"),
    }
}

fn mac(secret: &[u8], input: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(secret)
        .unwrap()
        .chain_update(input)
        .finalize()
        .into_bytes()
        .to_vec()
}

/// ES256, as it should not be.
fn ecdsa(kind: &str, key: &Key, input: &[u8]) -> Vec<u8> {
    let n = BigUint::parse_bytes(N.as_bytes(), 16).unwrap();
    let signature = own(key, input);
    let (r, s) = signature.split_at(32);
    let fixed = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; 32 - bytes.len()], bytes].concat()
    };
    let number = |bytes: &[u8]| BigUint::from_bytes_be(bytes);
    let none: &[u8] = &[0; 32];
    match kind {
        "ES256 as ASN.1" => {
            let body = [integer(r), integer(s)].concat();
            [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
        }
        "ES256 with r = 0" => [none, s].concat(),
        "ES256 with s = 0" => [r, none].concat(),
        "ES256 of zeros" => [none, none].concat(),
        "ES256 with r = n" => [&fixed(&n), s].concat(),
        "ES256 with s = n" => [r, &fixed(&n)].concat(),
        "ES256 of n" => [fixed(&n), fixed(&n)].concat(),
        "ES256 of ones" => vec![0xff; 64],
        "ES256 with n - s" => [r, &fixed(&(n - number(s)))].concat(),
        "ES256 with s and r swapped" => [s, r].concat(),
        "ES256 with a zero before each" => [&[0], r, &[0], s].concat(),
        "ES256 and a byte" => [&signature[..], &[0]].concat(),
        "ES256 less a byte" => signature[..63].to_vec(),
        _ => panic!("no signature `{kind}`"),
    }
}

/// An integer (DER).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let positive = if bytes[0] < 0x80 { vec![] } else { vec![0] };
    let length = u8::try_from(positive.len() + bytes.len()).unwrap();
    [&[2, length], &positive[..], bytes].concat()
}

/// RS256 with a padding (RFC 8017 §9.2: 0, 1, at least eight bytes of 0xff, 0, `DigestInfo`) that
/// is not what it should be.
fn rsa(kind: &str, key: &Rsa, input: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(input);
    let info = sha256(input);
    let size = usize::try_from(key.n.bits()).unwrap().div_ceil(8);
    let ones = |more: usize| vec![0xff; size - 3 - more];
    let padded = |start: [u8; 2], padding: Vec<u8>, rest: &[u8]| {
        key.power(&[&start[..], &padding, &[0], rest].concat())
    };
    match kind {
        "RSA without exponent" => [&[0, 1], &ones(info.len())[..], &[0], &info].concat(),
        "RSA without NULL" => {
            let info = [&hex(SHA256_WITHOUT_NULL), &digest[..]].concat();
            padded([0, 1], ones(info.len()), &info)
        }
        "RSA without DigestInfo" => padded([0, 1], ones(digest.len()), &digest),
        "RSA of block type 2" => padded([0, 2], ones(info.len()), &info),
        "RSA of block type 0" => padded([0, 0], vec![0; size - 3 - info.len()], &info),
        "RSA that starts with 1" => padded([1, 1], ones(info.len()), &info),
        "RSA padded with zeros" => padded([0, 1], vec![0; size - 3 - info.len()], &info),
        "RSA with a zero in the padding" => {
            let mut padding = ones(info.len());
            padding[20] = 0;
            padded([0, 1], padding, &info)
        }
        // Bleichenbacher 2006: what follows the digest is free for the forger to choose.
        "RSA with bytes after the digest" => {
            let rest = [&info[..], &vec![0x41; size - 3 - 8 - info.len()]].concat();
            padded([0, 1], vec![0xff; 8], &rest)
        }
        "RSA with short padding" => {
            let rest = [&vec![0; size - 3 - 4 - info.len()][..], &info].concat();
            padded([0, 1], vec![0xff; 4], &rest)
        }
        "RSA with the digest of SHA-512" => {
            let info = [hex(SHA512), Sha512::digest(input).to_vec()].concat();
            padded([0, 1], ones(info.len()), &info)
        }
        "RSA with a digest of something else" => {
            let info = sha256(b"something else");
            padded([0, 1], ones(info.len()), &info)
        }
        "RSA and n" => {
            let number = BigUint::from_bytes_be(&pkcs1(key, &info)) + &key.n;
            number.to_bytes_be()
        }
        "RSA with a zero before it" => [vec![0], pkcs1(key, &info)].concat(),
        "RSA less a byte" => pkcs1(key, &info)[..size - 1].to_vec(),
        "RSA of zeros" => vec![0; size],
        "RSA of one" => [vec![0; size - 1], vec![1]].concat(),
        "RSA of n" => key.n.to_bytes_be(),
        _ => panic!("no signature `{kind}`"),
    }
}

fn sha256(input: &[u8]) -> Vec<u8> {
    [hex(SHA256), Sha256::digest(input).to_vec()].concat()
}

/// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1).
fn pkcs1(key: &Rsa, info: &[u8]) -> Vec<u8> {
    let size = usize::try_from(key.n.bits()).unwrap().div_ceil(8);
    let padding = vec![0xff; size - 3 - info.len()];
    key.power(&[&[0, 1], &padding[..], &[0], info].concat())
}

fn hex(text: &str) -> Vec<u8> {
    BigUint::parse_bytes(text.as_bytes(), 16).unwrap().to_bytes_be()
}

impl Key {
    fn rsa(&self) -> &Rsa {
        self.rsa.as_ref().unwrap()
    }
}

impl Rsa {
    /// The private operation, as long as the modulus.
    fn power(&self, message: &[u8]) -> Vec<u8> {
        let size = usize::try_from(self.n.bits()).unwrap().div_ceil(8);
        let bytes = BigUint::from_bytes_be(message).modpow(&self.d, &self.n).to_bytes_be();
        [vec![0; size - bytes.len()], bytes].concat()
    }
}
