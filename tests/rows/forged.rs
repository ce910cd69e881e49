//! No change of a token yields an identity: every bit, and random edits.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jiff::Timestamp;
use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toolgate::authn::bundle::Bundles;
use toolgate::authn::jwks::{ALGORITHMS, KeySet};
use toolgate::authn::jwt_svid::{self, Accepted};
use toolgate::authn::revocation::Revocations;
use toolgate::authn::token::{
    Circumstances, Issuer, MAX_TOKEN_BYTES, Rules, UnverifiedToken, VerifiedToken,
};

use crate::keys::{self, Keys};
use crate::row::Setup;
use crate::signature;

const NOW: i64 = 1_795_000_000;
const SIGNERS: [&str; 5] = ["rsa-dev", "rsa-pss-dev", "ec-dev", "ec384-dev", "ed-dev"];

/// Good tokens of two people from every key, and what they are verified with.
struct Tokens {
    good: Vec<String>,
    keys: KeySet,
    issuer: Issuer,
}

/// One change, with places as parts of the whole.
#[derive(Clone, Debug)]
enum Edit {
    Replace(f64, u8),
    Insert(f64, u8),
    Delete(f64),
    Swap(f64),
    Cut(Range<f64>),
    Repeat(Range<f64>),
    /// From another token, the parts that are told.
    Parts(usize, [bool; 3]),
}

pub(crate) fn trial(setup: &Setup, keys: &Keys) -> Trial {
    let tokens = Tokens::new(setup, keys);
    Trial::test("no_change_of_a_token_yields_an_identity", move || {
        for token in &tokens.good {
            assert!(tokens.verify(token.as_bytes()).is_some());
            for (at, bit) in (0..token.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut flipped = token.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                assert_eq!(tokens.verify(&flipped), None, "bit {bit} of byte {at} of {token}");
            }
        }
        let places = (0..tokens.good.len(), proptest::collection::vec(edit(), 1..3));
        let mut runner =
            TestRunner::new(Config { cases: 4096, failure_persistence: None, ..Config::default() });
        runner.run(&places, |(which, edits)| {
            let start = tokens.good[which].as_bytes().to_vec();
            let edited = edits.iter().fold(start, |token, edit| tokens.edited(&token, edit));
            let is_good = tokens.good.iter().any(|good| good.as_bytes() == edited);
            prop_assert!(is_good || tokens.verify(&edited).is_none());
            Ok(())
        })?;
        Ok(())
    })
}

/// (r, n - s) is as good an ECDSA signature as (r, s): another text of the same token.
pub(crate) fn revoked(setup: &Setup, keys: &Keys) -> Trial {
    let tokens = Tokens::new(setup, keys);
    let (key, good) = (&keys["ec-dev"], &tokens.good[4]);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let texts = ["own", "ES256 with n - s"].map(|kind| {
        let signature = signature::sign(kind, key, signed.as_bytes());
        format!("{signed}.{}", B64.encode(signature))
    });
    Trial::test("every_spelling_of_a_token_is_revoked", move || {
        let mut revocations = Revocations::default();
        let read = texts.each_ref().map(|text| tokens.verify(text.as_bytes()).unwrap());
        assert!(read.iter().all(|token| !revocations.denies("corp", token)));
        revocations.revoke_token("corp", "alice-1");
        assert!(read.iter().all(|token| revocations.denies("corp", token)));
        Ok(())
    })
}

/// The same of a JWT-SVID.
pub(crate) fn jwt_svid_trial(keys: &Keys) -> Trial {
    let key = &keys["ec-other"];
    let claims = format!(r#"{{"sub":"spiffe://td/a","aud":["us"],"exp":{}}}"#, NOW + 300);
    let signed = format!(
        "{}.{}",
        B64.encode(r#"{"alg":"ES256","kid":"a","typ":"JWT"}"#),
        B64.encode(claims)
    );
    let signature = B64.encode(signature::sign("own", key, signed.as_bytes()));
    let good = format!("{signed}.{signature}");
    let mut jwk = key.jwk.clone();
    jwk["kid"] = "a".into();
    let authorities = serde_json::json!({ "keys": [jwk] }).to_string();
    Trial::test("no_change_of_a_jwt_svid_yields_an_identity", move || {
        let mut bundles = Bundles::default();
        bundles.insert("td", authorities.as_bytes())?;
        let accepted =
            Accepted { audiences: &["us".into()], trust_domains: &["td".into()], max_bytes: 4096 };
        let now = Timestamp::from_second(NOW)?;
        let verify = |token: &[u8]| {
            let token = std::str::from_utf8(token).ok()?;
            jwt_svid::verify(token, &accepted, &bundles, now).ok()
        };
        assert!(verify(good.as_bytes()).is_some());
        for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = good.clone().into_bytes();
            flipped[at] ^= 1 << bit;
            assert_eq!(verify(&flipped), None, "bit {bit} of byte {at} of {good}");
        }
        Ok(())
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = || 0.0..1.0_f64;
    let byte = || prop_oneof![any::<u8>(), proptest::sample::select(b"ABab01-_.=~+/ ".to_vec())];
    let range = || (place(), place()).prop_map(|(a, b)| a.min(b)..a.max(b));
    prop_oneof![
        (place(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (place(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        place().prop_map(Edit::Delete),
        place().prop_map(Edit::Swap),
        range().prop_map(Edit::Cut),
        range().prop_map(Edit::Repeat),
        (any::<prop::sample::Index>(), any::<[bool; 3]>())
            .prop_map(|(which, parts)| Edit::Parts(which.index(SIGNERS.len() * 2), parts)),
    ]
}

impl Tokens {
    fn new(setup: &Setup, keys: &Keys) -> Self {
        let people = ["alice", "ines"].map(|name| {
            format!(
                r#"{{"iss":"https://login.example.com","aud":"https://mcp.example.com","sub":"{name}","exp":{},"jti":"{name}-1","groups":["{name}s"]}}"#,
                NOW + 300
            )
        });
        let tokens = SIGNERS.iter().flat_map(|signer| {
            let key = &keys[signer];
            let header =
                format!(r#"{{"alg":"{}","kid":"{signer}","typ":"at+jwt"}}"#, key.algorithm);
            people.iter().map(move |claims| {
                let signed = format!("{}.{}", B64.encode(&header), B64.encode(claims));
                let signature = signature::sign("own", key, signed.as_bytes());
                format!("{signed}.{}", B64.encode(signature))
            })
        });
        let set = keys::published(keys, &setup.key_sets["usual"], "sig").to_string();
        Self {
            good: tokens.collect(),
            keys: KeySet::parse(set.as_bytes()).unwrap(),
            issuer: Issuer {
                name: "corp".into(),
                issuer: "https://login.example.com".into(),
                audiences: vec!["https://mcp.example.com".into()],
                algorithms: ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect(),
                group_prefix: "".into(),
                rules: Rules::default(),
            },
        }
    }

    fn verify(&self, token: &[u8]) -> Option<VerifiedToken> {
        let now = Timestamp::from_second(NOW).unwrap();
        let here = Circumstances { now, resource: None, certificate: &|| None };
        let token = std::str::from_utf8(token).ok()?;
        let token = UnverifiedToken::parse(token, MAX_TOKEN_BYTES).ok()?;
        let claims = token.claims().ok()?;
        claims.verify(claims.issuer([&self.issuer]).ok()?, &self.keys, &here).ok()
    }

    fn edited(&self, token: &[u8], edit: &Edit) -> Vec<u8> {
        let place = |part: f64| place(part, token.len());
        let mut edited = token.to_vec();
        match edit {
            Edit::Insert(at, byte) => edited.insert(place(*at), *byte),
            _ if token.is_empty() => {}
            Edit::Replace(at, byte) => edited[place(*at)] = *byte,
            Edit::Delete(at) => drop(edited.remove(place(*at))),
            Edit::Swap(at) => edited.swap(place(*at), place(*at).saturating_sub(1)),
            Edit::Cut(range) => drop(edited.drain(place(range.start)..place(range.end))),
            Edit::Repeat(range) => {
                let again = token[place(range.start)..place(range.end)].to_vec();
                let at = place(range.end);
                edited.splice(at..at, again);
            }
            Edit::Parts(which, from) => {
                let split = |token: &[u8]| -> Vec<Vec<u8>> {
                    token.splitn(3, |byte| *byte == b'.').map(<[u8]>::to_vec).collect()
                };
                let (mut parts, others) = (split(token), split(self.good[*which].as_bytes()));
                for ((part, other), from) in parts.iter_mut().zip(others).zip(from) {
                    if *from {
                        *part = other;
                    }
                }
                edited = parts.join(&b'.');
            }
        }
        edited
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a token"
)]
fn place(part: f64, length: usize) -> usize {
    (part * length as f64) as usize
}
