//! The examples of the standards: what holds there holds here, and is no access token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use libtest_mimic::Trial;
use serde::Deserialize;
use toolgate::authn::jwks::{ALGORITHMS, KeySet};
use toolgate::authn::token::{
    Circumstances, HeaderType, Issuer, MAX_TOKEN_BYTES, Rules, TokenError, UnverifiedToken,
};

use crate::row;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// Where it is printed.
    of: String,
    /// The JWK; none where the token is not signed.
    key: Option<String>,
    token: String,
    verifies: Option<String>,
    left_out: Option<String>,
    answer: String,
}

/// One test for each.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let examples: Examples = row::read(&row::directory().join("standards.yaml"));
    examples.examples.into_iter().map(|example| {
        Trial::test(format!("standards::{}", example.of), move || {
            test(&example);
            Ok(())
        })
    })
}

fn test(example: &Example) {
    let Example { of: _, key, token, verifies, left_out, answer } = example;
    // White space is where a line of the file ends.
    let (token, key) = (token.replace(' ', ""), key.as_deref().unwrap_or("").replace(' ', ""));
    let keys = format!(r#"{{"keys":[{key}]}}"#);
    let keys = KeySet::parse(keys.as_bytes()).unwrap();
    let skipped: Vec<_> = keys.skipped().iter().map(|key| key.error.to_string()).collect();
    assert_eq!(skipped, Vec::from_iter(left_out.clone()));
    assert_eq!(keys.len(), usize::from(verifies.is_some()));
    if let Some(name) = verifies {
        let (_, algorithm) = ALGORITHMS.iter().find(|(known, _)| known == name).unwrap();
        holds(&keys, &token, *algorithm);
    }
    assert_eq!(verify(&token, &keys).unwrap_err().to_string(), *answer);
}

/// The signature holds, and no other text has it.
fn holds(keys: &KeySet, token: &str, algorithm: Algorithm) {
    let key = keys.find(None, algorithm).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = &URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.verifies(signature, signed.as_bytes(), algorithm));
    for at in 0..signed.len() {
        let mut other = signed.as_bytes().to_vec();
        other[at] ^= 1;
        assert!(!key.verifies(signature, &other, algorithm), "byte {at}");
    }
}

/// Everything that is said of an access token of the issuer of the examples.
fn verify(token: &str, keys: &KeySet) -> Result<(), TokenError> {
    let joe = Issuer {
        name: "joe".into(),
        issuer: "joe".into(),
        audiences: vec!["https://mcp.example.com".into()],
        algorithms: ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect(),
        group_prefix: "".into(),
        rules: Rules { header_type: HeaderType::Jwt, ..Rules::default() },
    };
    let now = Timestamp::from_second(1_300_819_370).unwrap();
    let here = Circumstances { now, resource: None, certificate: &|| None };
    let token = UnverifiedToken::parse(token, MAX_TOKEN_BYTES)?;
    let claims = token.claims()?;
    claims.verify(claims.issuer([&joe])?, keys, &here).map(drop)
}
