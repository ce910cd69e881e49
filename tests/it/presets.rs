//! Tokens in the shapes that providers send, and what is read from them: `tests/tokens/`.

use std::path::Path;
use std::sync::OnceLock;
use std::{fs, iter};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Map, Value, json};
use toolgate::authn;
use toolgate::authn::jwks::KeySet;
use toolgate::authn::presets::Preset;
use toolgate::authn::token::{
    Circumstances, ClaimedGroups, Issuer, MAX_TOKEN_BYTES, TokenError, UnverifiedToken,
    VerifiedToken,
};
use toolgate::config;

const NOW: i64 = 1_795_000_000;

#[test]
fn every_preset_reads_what_its_provider_sends() {
    for (name, _) in Preset::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/tokens/{name}.json"));
        let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        check(name, &case, &json!({}));
        let variants = case["variants"].as_array().unwrap();
        assert!(variants.len() > 2, "{name}");
        for variant in variants {
            check(name, &case, variant);
        }
    }
}

/// A token as the case has it but for what the variant says otherwise.
fn check(name: &str, case: &Value, variant: &Value) {
    let what = format!("{name}: {}", variant["what"].as_str().unwrap_or("the token itself"));
    let issuer = issuer(case["issuer"].as_str().unwrap(), variant["issuer"].as_str());
    let header = changed(&case["header"], &variant["header"]);
    let claims = changed(&case["claims"], &variant["set"]);
    let answer = verify(&issuer, &token(&header, &claims));
    if let Some(refused) = variant["refused"].as_str() {
        let error = answer.expect_err(&what);
        assert_eq!(format!("{error:?}"), refused, "{what}");
        return;
    }
    let says = says(&answer.unwrap_or_else(|error| panic!("{what}: {error}")));
    // A variant's own expectations, else those of the token itself.
    let expected = if variant["says"].is_object() { &variant["says"] } else { &case["says"] };
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&says[key], value, "{what}: {key}");
    }
}

fn says(token: &VerifiedToken) -> Value {
    json!({
        "subject": token.subject,
        "email": token.email,
        "preferred_username": token.preferred_username,
        "client": token.client,
        "tenant": token.tenant,
        "scopes": token.scopes,
        "id": token.id,
        "groups": match &token.groups {
            ClaimedGroups::Known(groups) => groups.iter().collect(),
            ClaimedGroups::Unknown => json!("unknown"),
        },
    })
}

/// Members of `change` replace those of `base`; `null` takes one away.
fn changed(base: &Value, change: &Value) -> Value {
    let mut members: Map<String, Value> = base.as_object().unwrap().clone();
    for (name, value) in change.as_object().into_iter().flatten() {
        if value.is_null() {
            assert!(members.remove(name).is_some(), "there is no {name} to take away");
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    for value in members.values_mut() {
        let offset = value.as_str().and_then(|text| text.strip_prefix("NOW"));
        if let Some(offset) = offset.map(|offset| offset.parse::<i64>().unwrap()) {
            *value = json!(NOW + offset);
        }
    }
    Value::Object(members)
}

/// The issuer of a configuration; lines of `instead` replace those of the same key.
fn issuer(lines: &str, instead: Option<&str>) -> Issuer {
    let key = |line: &str| line.split(':').next().unwrap().to_owned();
    let instead: Vec<&str> = instead.into_iter().flat_map(str::lines).collect();
    let kept = lines.lines().filter(|line| !instead.iter().any(|other| key(other) == key(line)));
    let mut text = String::from(
        "toolgate: 1\nlisten: { grpc: unix:t.sock, http: 127.0.0.1:1 }\npolicies: p\n\
         public_url: https://mcp.example.com\nworkloads: { trust_domains: [td] }\nissuers:\n  corp:\n",
    );
    for line in kept.chain(instead.iter().copied()).chain(iter::once("keys: { file: jwks.json }")) {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    let parsed = config::parse(Path::new("toolgate.yaml"), &text);
    parsed.unwrap_or_else(|problems| panic!("{problems}")).issuers.remove(0).issuer
}

fn verify(issuer: &Issuer, token: &str) -> Result<VerifiedToken, TokenError> {
    let now = Timestamp::from_second(NOW).unwrap();
    let here = Circumstances { now, resource: None, certificate: &|| None };
    let token = UnverifiedToken::parse(token, MAX_TOKEN_BYTES)?;
    let claims = token.claims()?;
    claims.verify(claims.issuer([issuer])?, &key().1, &here)
}

fn token(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature =
        jsonwebtoken::crypto::sign(signed.as_bytes(), &key().0, Algorithm::RS256).unwrap();
    format!("{signed}.{signature}")
}

/// One RSA key, called `KEY`.
fn key() -> &'static (EncodingKey, KeySet) {
    static KEY: OnceLock<(EncodingKey, KeySet)> = OnceLock::new();
    KEY.get_or_init(|| {
        authn::install_crypto().ok();
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        // PKCS #8 ends with an OCTET STRING that holds the key as PKCS #1 has it.
        let der = pair.serialize_der();
        let inner = der.windows(2).skip(1).position(|bytes| bytes == [0x30, 0x82]).unwrap() + 1;
        let key = EncodingKey::from_rsa_der(&der[inner..]);
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
        jwk["kid"] = json!("KEY");
        let set = json!({ "keys": [jwk] }).to_string();
        (key, KeySet::parse(set.as_bytes()).unwrap())
    })
}
