//! An access token as providers issue them, with twenty groups, and both ways to verify it.

use std::fmt;
use std::fs;
use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};
use toolgate::authn::jwks::{ALGORITHMS, KeySet};
use toolgate::authn::token::{
    Circumstances, ClaimPointer, GroupClaim, Issuer, MAX_TOKEN_BYTES, Rules, UnverifiedToken,
};

const NOW: i64 = 1_795_000_000;

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://mcp.example.com";

/// Rounds of the comparison, and how often each side is called in one.
const ROUNDS: usize = 41;
const CALLS: u32 = 200;

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Rs256,
    Es256,
    EdDsa,
}

/// A token, its issuer's keys, and the bare signature.
pub(crate) struct Signed {
    token: String,
    issuer: Issuer,
    keys: KeySet,
    signature: Vec<u8>,
    key: ParsedPublicKey,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn claims() -> Value {
    let groups: Vec<_> = (0..20).map(|group| format!("engineering-team-{group:02}")).collect();
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": "00u1a2b3c4d5e6f7g8h9", "client_id": "ai-chat-web",
        "exp": NOW + 300, "iat": NOW - 1, "nbf": NOW - 1, "jti": "AT.8b1f6a0e-4c9d-4b7e-9a57-2f1f6b",
        "scope": "openid profile mcp", "email": "alice@example.com", "email_verified": true,
        "preferred_username": "alice", "groups": groups,
    })
}

impl Signed {
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        toolgate::authn::install_crypto().ok();
        let header = json!({ "alg": kind.name(), "kid": "2026-11", "typ": "at+jwt" });
        let parts = [header, claims()].map(|part| B64.encode(part.to_string()));
        let signed = parts.join(".");
        let (signature, key, jwk) = sign(kind, signed.as_bytes())?;
        let token = format!("{signed}.{}", B64.encode(&signature));
        let keys = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes())?;
        let groups =
            GroupClaim { pointer: ClaimPointer::member("groups"), optional: false, split: None };
        let mut rules = Rules::default();
        rules.claims.groups = vec![groups];
        let named = ALGORITHMS.iter().find(|(name, _)| *name == kind.name());
        let (_, algorithm) = named.context("an algorithm that is not accepted")?;
        let issuer = Issuer {
            name: "corp".into(),
            issuer: ISSUER.into(),
            audiences: vec![AUDIENCE.into()],
            algorithms: vec![*algorithm],
            group_prefix: "".into(),
            rules,
        };
        let signed = Self { token, issuer, keys, signature, key };
        ensure!(signed.bare() && signed.verified(), "the token does not hold");
        Ok(signed)
    }

    /// The bare signature check, with a parsed key and decoded signature.
    pub(crate) fn bare(&self) -> bool {
        let signed = self.token.rsplit_once('.').map_or("", |(signed, _)| signed);
        self.key.verify_sig(black_box(signed.as_bytes()), black_box(&self.signature)).is_ok()
    }

    /// From the text to a verified token.
    pub(crate) fn verified(&self) -> bool {
        let now = jiff::Timestamp::from_second(NOW).unwrap_or_default();
        let here = Circumstances { now, resource: None, certificate: &|| None };
        let Ok(token) = UnverifiedToken::parse(black_box(&self.token), MAX_TOKEN_BYTES) else {
            return false;
        };
        let Ok(claims) = token.claims() else { return false };
        let issuer = claims.issuer([&self.issuer]);
        issuer.and_then(|issuer| claims.verify(issuer, &self.keys, &here)).is_ok()
    }

    /// CPU microseconds of both: medians of rounds in turns.
    pub(crate) fn compared(&self) -> Result<(f64, f64)> {
        let mut rounds = [const { Vec::new() }; 2];
        for round in 0..ROUNDS {
            for turn in 0..2 {
                let whole = (round + turn) % 2 == 1;
                let began = cpu()?;
                for _ in 0..CALLS {
                    black_box(if whole { self.verified() } else { self.bare() });
                }
                let spent = (cpu()? - began) / 1000.0 / f64::from(CALLS);
                if let Some(times) = rounds.get_mut(usize::from(whole)) {
                    times.push(spent);
                }
            }
        }
        let [bare, whole] = rounds.map(median);
        Ok((bare, whole))
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds that this thread has had of a CPU.
fn cpu() -> Result<f64> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split(' ').next().context("no CPU time")?.parse()?)
}

/// A signature by a new key, the key parsed, and as a JWK.
fn sign(kind: Kind, signed: &[u8]) -> Result<(Vec<u8>, ParsedPublicKey, Value)> {
    let (random, failed) = (SystemRandom::new(), |_| anyhow!("no signature"));
    let (id, encoded) = ("2026-11", |bytes: &[u8]| B64.encode(bytes));
    match kind {
        Kind::Rs256 => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
            let mut made = vec![0; key.public_modulus_len()];
            key.sign(&signature::RSA_PKCS1_SHA256, &random, signed, &mut made).map_err(failed)?;
            let PublicKeyComponents { n, e } = PublicKeyComponents::from(key.public_key());
            let jwk = json!({ "kty": "RSA", "kid": id, "n": encoded(&n), "e": encoded(&e) });
            let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key())?;
            Ok((made, key, jwk))
        }
        Kind::Es256 => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
            let made = key.sign(&random, signed).map_err(failed)?.as_ref().to_vec();
            let point = key.public_key().as_ref();
            let (x, y) = point.get(1..).context("no point")?.split_at(32);
            let (x, y) = (encoded(x), encoded(y));
            let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y });
            Ok((made, ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)?, jwk))
        }
        Kind::EdDsa => {
            let key = Ed25519KeyPair::generate()?;
            let public = key.public_key().as_ref();
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(public) });
            let parsed = ParsedPublicKey::new(&ED25519, public)?;
            Ok((key.sign(signed).as_ref().to_vec(), parsed, jwk))
        }
    }
}
