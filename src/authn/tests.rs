use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use serde_json::{Value, json};

use super::jwks::{KeyError, KeySet, KeySetError};
use super::svid::{self, Peer, SvidError};
use super::token::{
    Circumstances, ClaimedGroups, HeaderType, Issuer, MAX_TOKEN_BYTES, Rules, Texts, TokenError,
    UnverifiedToken, VerifiedToken,
};
use super::{bundle, jwks, jwt_svid};

const NOW: i64 = 1_795_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// One key of each kind, made once.
struct TestKeys {
    keys: Vec<(&'static str, Algorithm, EncodingKey)>,
    jwks: Value,
}

fn keys() -> &'static TestKeys {
    static KEYS: std::sync::OnceLock<TestKeys> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| {
        let _ = super::install_crypto();
        let rsa = || {
            let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            EncodingKey::from_rsa_der(&pkcs1(&pair))
        };
        let ec =
            |kind| EncodingKey::from_ec_der(&KeyPair::generate_for(kind).unwrap().serialize_der());
        let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let made = [
            ("rs", Algorithm::RS256, rsa()),
            ("ps", Algorithm::PS256, rsa()),
            ("es", Algorithm::ES256, ec(&PKCS_ECDSA_P256_SHA256)),
            ("es3", Algorithm::ES384, ec(&PKCS_ECDSA_P384_SHA384)),
            ("ed", Algorithm::EdDSA, EncodingKey::from_ed_der(&ed.serialize_der())),
        ];
        let jwks = made.iter().map(|(id, algorithm, key)| {
            let mut jwk = if *algorithm == Algorithm::EdDSA {
                let x = B64.encode(ed.public_key_raw());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            } else {
                serde_json::to_value(Jwk::from_encoding_key(key, *algorithm).unwrap()).unwrap()
            };
            jwk["kid"] = json!(id);
            jwk["use"] = json!("sig");
            jwk
        });
        let jwks = json!({ "keys": jwks.collect::<Vec<_>>() });
        TestKeys { keys: made.into_iter().collect(), jwks }
    })
}

/// The `RSAPrivateKey` inside a PKCS#8 document: what the signing side wants.
fn pkcs1(key: &KeyPair) -> Vec<u8> {
    let der = key.serialize_der();
    // PKCS#8 ends with an OCTET STRING that holds the PKCS#1 key; its header is 4 bytes.
    let at = der
        .windows(4)
        .position(|w| {
            w[0] == 0x04 && w[1] == 0x82 && usize::from(w[2]) * 256 + usize::from(w[3]) > 1000
        })
        .unwrap();
    der[at + 4..].to_vec()
}

fn key_set() -> KeySet {
    KeySet::parse(keys().jwks.to_string().as_bytes()).unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        name: "corp".into(),
        issuer: "https://login.example.com".into(),
        audiences: vec!["https://mcp.example.com".into()],
        algorithms: keys().keys.iter().map(|(_, algorithm, _)| *algorithm).collect(),
        group_prefix: "".into(),
        rules: Rules::default(),
    }
}

fn here() -> Circumstances<'static> {
    Circumstances { now: now(), resource: None, certificate: &|| None }
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "es", "typ": "at+jwt" })
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example.com", "aud": "https://mcp.example.com", "sub": "alice",
        "exp": NOW + 300, "iat": NOW - 1, "nbf": NOW - 1, "client_id": "web", "jti": "1",
        "groups": ["ads", "finance"],
    })
}

/// Signs with the key that the header's `kid` names, or with the ES256 key.
fn sign_raw(header: &str, payload: &str) -> String {
    let id = serde_json::from_str::<Value>(header)
        .ok()
        .and_then(|h| h["kid"].as_str().map(str::to_owned));
    let signer = keys().keys.iter().find(|(known, _, _)| Some(*known) == id.as_deref());
    let (_, algorithm, key) = signer.unwrap_or(&keys().keys[2]);
    let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), key, *algorithm).unwrap();
    format!("{input}.{signature}")
}

fn sign(header: &Value, claims: &Value) -> String {
    sign_raw(&header.to_string(), &claims.to_string())
}

fn verify_with(token: &str, issuer: &Issuer) -> Result<VerifiedToken, TokenError> {
    verify_by(token, issuer, &key_set(), &here())
}

fn verify_by(
    token: &str,
    issuer: &Issuer,
    keys: &KeySet,
    here: &Circumstances<'_>,
) -> Result<VerifiedToken, TokenError> {
    let token = UnverifiedToken::parse(token, MAX_TOKEN_BYTES)?;
    let claims = token.claims()?;
    claims.verify(claims.issuer([issuer])?, keys, here)
}

fn verify(token: &str) -> Result<VerifiedToken, TokenError> {
    verify_with(token, &issuer())
}

fn with(mut base: Value, name: &str, value: Value) -> Value {
    base[name] = value;
    base
}

fn without(mut base: Value, name: &str) -> Value {
    base.as_object_mut().unwrap().remove(name);
    base
}

#[test]
fn a_good_token_says_who() {
    let claims = with(with(claims(), "email", json!("a@x")), "email_verified", json!(true));
    for (id, algorithm, _) in &keys().keys {
        let header = json!({ "alg": format!("{algorithm:?}"), "kid": id, "typ": "at+jwt" });
        let verified = verify(&sign(&header, &claims)).unwrap();
        assert_eq!(&*verified.subject, "alice");
        assert_eq!(verified.groups, ClaimedGroups::Known(Texts::new(&["ads", "finance"])));
        assert_eq!(verified.email.as_deref(), Some("a@x"));
        assert_eq!(verified.client.as_deref(), Some("web"));
        assert_eq!(verified.expires.as_second(), NOW + 300);
    }
    for typ in ["application/at+jwt", "AT+JWT", "at+JWT"] {
        assert!(verify(&sign(&with(header(), "typ", json!(typ)), &claims)).is_ok(), "{typ}");
    }
    for aud in [json!(["x", "https://mcp.example.com"]), json!(["https://mcp.example.com"])] {
        assert!(verify(&sign(&header(), &with(claims.clone(), "aud", aud))).is_ok());
    }
}

#[test]
fn headers_that_change_what_a_token_means_are_refused() {
    use TokenError::*;
    let set = |name: &str, value: Value| with(header(), name, value);
    let cases = [
        (set("alg", json!("none")), Algorithm),
        (set("alg", json!("None")), Algorithm),
        (set("alg", json!("HS256")), Algorithm),
        (set("alg", json!("RS512")), Algorithm),
        (set("alg", json!("es256")), Algorithm),
        (set("alg", json!(null)), Algorithm),
        (set("alg", json!(["ES256"])), Algorithm),
        (without(header(), "alg"), Algorithm),
        // The algorithm of another key, or of the same kind of key.
        (set("alg", json!("RS256")), UnknownKey),
        (set("alg", json!("ES384")), UnknownKey),
        (set("alg", json!("EdDSA")), UnknownKey),
        (json!({ "alg": "PS256", "kid": "rs", "typ": "at+jwt" }), UnknownKey),
        (set("crit", json!(["exp"])), HeaderMember),
        (set("crit", json!([])), HeaderMember),
        (set("crit", json!(null)), HeaderMember),
        (set("b64", json!(false)), HeaderMember),
        (set("zip", json!("DEF")), HeaderMember),
        (set("enc", json!("A128GCM")), HeaderMember),
        (set("jwk", keys().jwks["keys"][2].clone()), HeaderMember),
        (set("jku", json!("https://evil.example/jwks")), HeaderMember),
        (set("x5u", json!("https://evil.example/x")), HeaderMember),
        (set("x5c", json!(["MII"])), HeaderMember),
        (set("cty", json!("JWT")), HeaderMember),
        (set("kid", json!("other")), UnknownKey),
        (set("kid", json!("../../es")), UnknownKey),
        (set("kid", json!(7)), BadHeader),
        (set("typ", json!("JWT")), Type),
        (set("typ", json!("logout+jwt")), Type),
        (set("typ", json!("dpop+jwt")), Type),
        (set("typ", json!(7)), BadHeader),
        (without(header(), "typ"), Type),
    ];
    for (header, expected) in cases {
        assert_eq!(verify(&sign(&header, &claims())).unwrap_err(), expected, "{header}");
    }
    // Without a `kid`, only a key that is alone verifies.
    let nameless = sign(&without(header(), "kid"), &claims());
    assert_eq!(verify(&nameless).unwrap_err(), UnknownKey);
    let alone = json!({ "keys": [keys().jwks["keys"][2]] }).to_string();
    let alone = KeySet::parse(alone.as_bytes()).unwrap();
    let corp = issuer();
    assert!(verify_by(&nameless, &corp, &alone, &here()).is_ok());
    let lenient = super::token::Issuer {
        rules: Rules { header_type: HeaderType::Jwt, ..Rules::default() },
        ..corp.clone()
    };
    for typ in [json!("JWT"), json!("at+jwt")] {
        assert!(verify_with(&sign(&set("typ", typ), &claims()), &lenient).is_ok());
    }
    assert!(verify_with(&sign(&without(header(), "typ"), &claims()), &lenient).is_ok());
    let only_rs =
        super::token::Issuer { algorithms: vec![jsonwebtoken::Algorithm::RS256], ..corp.clone() };
    assert_eq!(verify_with(&sign(&header(), &claims()), &only_rs).unwrap_err(), Algorithm);
}

#[test]
fn claims_that_do_not_hold_are_refused() {
    use TokenError::*;
    let set = |name: &str, value: Value| with(claims(), name, value);
    let long = "x".repeat(257);
    let cases = [
        (without(claims(), "iss"), Issuer),
        (set("iss", json!(5)), Issuer),
        (set("iss", json!(["evil", "https://login.example.com"])), Issuer),
        (set("iss", json!("https://login.example.com/")), Issuer),
        (set("iss", json!("https://LOGIN.example.com")), Issuer),
        (set("iss", json!("http://login.example.com")), Issuer),
        (without(claims(), "aud"), Audience),
        (set("aud", json!(null)), Audience),
        (set("aud", json!(123)), Audience),
        (set("aud", json!({})), Audience),
        (set("aud", json!([])), Audience),
        (set("aud", json!(["https://mcp.example.com", 1])), ClaimType),
        (set("aud", json!("https://mcp.example.com.evil")), Audience),
        (set("aud", json!("https://mcp.example.com/")), Audience),
        (set("aud", json!("https://mcp.example.com/presto")), Audience),
        (set("aud", json!("web")), Audience),
        (without(claims(), "exp"), Expired),
        (set("exp", json!(NOW)), Expired),
        (set("exp", json!(NOW - 1)), Expired),
        (set("exp", json!(-5)), Expired),
        (set("exp", json!(NOW + 90_000)), Lifetime),
        (set("exp", json!("9999999999")), ClaimType),
        (set("exp", json!(null)), ClaimType),
        (set("exp", json!(1_795_000_300.5)), ClaimType),
        (set("exp", json!(u64::MAX)), ClaimType),
        (set("exp", json!(i64::MAX)), ClaimType),
        (set("nbf", json!(NOW + 31)), NotYet),
        (set("nbf", json!("x")), ClaimType),
        (set("nbf", json!(null)), ClaimType),
        (set("iat", json!(NOW + 31)), NotYet),
        (set("iat", json!("x")), ClaimType),
        (without(claims(), "sub"), Subject),
        (set("sub", json!("")), Subject),
        (set("sub", json!(7)), Subject),
        (set("sub", json!(long)), Subject),
        (set("sub", json!("a\r\nx: y")), Subject),
        (set("sub", json!("a\u{0}")), Subject),
        (set("sub", json!("SPIFFE://td/a")), Subject),
        (set("sub", json!("spiffe://td/a")), Workload),
        (set("nonce", json!("n")), Type),
        (set("at_hash", json!("n")), Type),
        (set("events", json!({})), Type),
        (set("token_use", json!("id")), Type),
        (set("typ", json!("ID")), Type),
        (set("typ", json!("Refresh")), Type),
        (set("cnf", json!({ "jkt": "x" })), Bound),
        (set("cnf", json!(null)), Bound),
        (set("groups", json!(7)), Groups),
        (set("groups", json!({})), Groups),
        (set("groups", json!(null)), Groups),
        (set("groups", json!([1])), Groups),
        (set("groups", json!([null])), Groups),
        (set("groups", json!([["a"]])), Groups),
        (set("groups", json!([long])), Groups),
        (set("azp", json!(7)), ClaimType),
        (set("email", json!(7)), ClaimType),
    ];
    for (claims, expected) in cases {
        let shown = claims.to_string();
        let shown: String = shown.chars().take(400).collect();
        assert_eq!(verify(&sign(&header(), &claims)).unwrap_err(), expected, "{shown}");
    }
    for skew in [
        set("nbf", json!(NOW + 30)),
        set("iat", json!(NOW + 30)),
        set("token_use", json!("access")),
        set("typ", json!("Bearer")),
    ] {
        assert!(verify(&sign(&header(), &skew)).is_ok(), "{skew}");
    }
}

#[test]
fn there_are_only_so_many_groups() {
    for (count, good) in [(4000, true), (4001, false)] {
        let token = sign(&header(), &with(claims(), "groups", json!(vec!["g"; count])));
        let token = UnverifiedToken::parse(&token, 48 * 1024).unwrap();
        let verified = token.claims().unwrap().verify(&issuer(), &key_set(), &here());
        assert_eq!(verified.is_ok(), good, "{count}");
        assert_eq!(verified.is_err_and(|error| error == TokenError::Groups), !good, "{count}");
    }
}

#[test]
fn groups_that_a_token_cannot_carry_are_unknown_and_not_none() {
    let groups = |claims: Value| verify(&sign(&header(), &claims)).unwrap().groups;
    let known = |names: &[&str]| ClaimedGroups::Known(Texts::new(names));
    assert_eq!(groups(with(claims(), "groups", json!([]))), known(&[]));
    assert_eq!(groups(with(claims(), "groups", json!("a b"))), known(&["a b"]));
    let none = without(claims(), "groups");
    assert_eq!(groups(none.clone()), ClaimedGroups::Unknown);
    let overage = with(none.clone(), "_claim_names", json!({ "groups": "src1" }));
    assert_eq!(groups(overage.clone()), ClaimedGroups::Unknown);
    // Even beside a list: it would be a part of the truth.
    assert_eq!(groups(with(overage, "groups", json!(["ads"]))), ClaimedGroups::Unknown);
    assert_eq!(groups(with(claims(), "hasgroups", json!(true))), ClaimedGroups::Unknown);
}

#[test]
fn an_email_is_believed_only_if_the_issuer_verified_it() {
    for (verified, expected) in [
        (json!(true), Some("a@x")),
        (json!(false), None),
        (json!("true"), None),
        (json!(null), None),
    ] {
        let claims = with(with(claims(), "email", json!("a@x")), "email_verified", verified);
        assert_eq!(verify(&sign(&header(), &claims)).unwrap().email.as_deref(), expected);
    }
    let claims = with(claims(), "email", json!("a@x"));
    assert_eq!(verify(&sign(&header(), &claims)).unwrap().email, None);
}

#[test]
fn the_form_of_a_token_is_exact() {
    use TokenError::*;
    let good = sign(&header(), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    let raw = |header: &str, payload: &str| sign_raw(header, payload);
    let head = header().to_string();
    let body = claims().to_string();
    let flipped = if s.starts_with('A') { 'B' } else { 'A' };
    let cases = [
        (String::new(), NotCompact),
        (format!("{h}.{p}"), NotCompact),
        (format!("{h}.{p}."), NotCompact),
        (format!("{h}.{p}.{s}.{s}"), NotCompact),
        (format!("{h}.{p}.{s}.{s}.{s}"), NotCompact),
        (format!("{h}.{p}.{s}="), NotCompact),
        (format!("{h}.{p}.{s} "), NotCompact),
        (format!(" {h}.{p}.{s}"), NotCompact),
        (format!("{h}\n.{p}.{s}"), NotCompact),
        (format!("{h}.{p}.{}+/", s.split_at(2).1), NotCompact),
        (format!("{h}.{p}.{flipped}{}", s.split_at(1).1), Signature),
        (format!("{h}.{}.{s}", B64.encode(body.replace("alice", "admin"))), Signature),
        (format!("{}.{p}.{s}", B64.encode(head.replace('}', r#","x":1}"#))), Signature),
        ("x".repeat(17_000), TooLong),
        (raw("[]", &body), BadHeader),
        (raw("{}x", &body), BadHeader),
        (raw(&head.replace('}', r#","alg":"ES256"}"#), &body), BadHeader),
        (raw(&head, "[]"), BadPayload),
        (raw(&head, r#"["a",1]"#), BadPayload),
        (raw(&head, "null"), BadPayload),
        (raw(&head, ""), BadPayload),
        (raw(&head, &format!("{body} x")), BadPayload),
        (raw(&head, &body.replace('}', r#","groups":["admin"]}"#)), BadPayload),
        (raw(&head, &body.replace('}', r#","gr\u006fups":["admin"]}"#)), BadPayload),
        (raw(&head, &body.replace("alice", "\\ud800")), BadPayload),
        (raw(&head, &format!("\u{feff}{body}")), BadPayload),
        (
            raw(
                &head,
                &body.replace(
                    "\"jti\":\"1\"",
                    &format!("\"jti\":{}1{}", "[".repeat(40), "]".repeat(40)),
                ),
            ),
            BadPayload,
        ),
    ];
    for (token, expected) in cases {
        let shown: String = token.chars().take(80).collect();
        assert_eq!(verify(&token).unwrap_err(), expected, "{shown}");
    }
}

#[test]
fn a_key_set_keeps_the_keys_that_can_verify_and_leaves_out_the_rest() {
    use KeyError::*;
    let base = keys().jwks["keys"].as_array().unwrap().clone();
    let (rs, es, ed) = (&base[0], &base[2], &base[4]);
    let change = |key: &Value, name: &str, value: Value| with(key.clone(), name, value);
    let short = B64.encode([1_u8; 31]);
    let cases = [
        (change(es, "use", json!("enc")), NotForSignatures),
        (change(es, "key_ops", json!(["encrypt"])), NotForSignatures),
        (change(es, "key_ops", json!("verify")), NotAKey),
        (change(es, "alg", json!("ES384")), WrongAlgorithm),
        (change(es, "alg", json!("none")), WrongAlgorithm),
        (change(rs, "alg", json!("RS512")), WrongAlgorithm),
        (change(es, "crv", json!("P-384")), BadNumber),
        (change(es, "crv", json!("P-521")), Unsupported),
        (change(es, "kty", json!("oct")), Unsupported),
        (json!({ "kty": "oct", "kid": "k", "k": "AAAA" }), Private),
        (change(es, "d", json!("AAAA")), Private),
        (change(es, "x", json!(short)), BadNumber),
        (change(es, "x", json!("+/")), BadNumber),
        (change(ed, "x", json!(short)), BadNumber),
        (change(ed, "crv", json!("P-256")), Unsupported),
        (change(rs, "n", json!(B64.encode([0xff_u8; 128]))), BadNumber),
        (change(rs, "n", json!(B64.encode([0_u8; 256]))), BadNumber),
        (change(rs, "e", json!("AQ")), BadNumber),
        (change(rs, "e", json!("Ag")), BadNumber),
        (change(rs, "e", json!("Aw")), BadNumber),
        (change(rs, "e", json!("AAEAAQ")), BadNumber),
        (change(rs, "e", json!("AQAAAAE")), BadNumber),
        (without(rs.clone(), "e"), BadNumber),
        (change(es, "kid", json!(7)), NotAKey),
        (json!("key"), NotAKey),
    ];
    for (key, expected) in cases {
        let document = json!({ "keys": [key, ed] }).to_string();
        let set = KeySet::parse(document.as_bytes()).unwrap();
        let errors: Vec<_> = set.skipped().iter().map(|skipped| skipped.error).collect();
        // A broken Ed25519 key shares its identifier with the good one.
        let shared = key["kid"] == ed["kid"];
        let expected = if shared { vec![expected, DuplicateId] } else { vec![expected] };
        assert_eq!((errors, set.len()), (expected, usize::from(!shared)), "{key}");
    }
    let many = json!({ "keys": vec![json!({}); 100] }).to_string();
    assert_eq!(KeySet::parse(many.as_bytes()).unwrap().skipped().len(), 100);
    // No usable key is still a key set: it revokes.
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
    for bad in [&b"[]"[..], b"{}", br#"{"keys":{}}"#] {
        assert_eq!(KeySet::parse(bad).unwrap_err(), KeySetError::NotAKeySet);
    }
    assert!(matches!(KeySet::parse(b"<html>"), Err(KeySetError::NotJson(_))));
    assert!(matches!(KeySet::parse(br#"{"keys":[],"keys":[]}"#), Err(KeySetError::NotJson(_))));
    assert_eq!(KeySet::parse(&vec![b' '; 300_000]).unwrap_err(), KeySetError::TooLarge);
    let many = json!({ "keys": vec![json!({}); 101] }).to_string();
    assert_eq!(KeySet::parse(many.as_bytes()).unwrap_err(), KeySetError::TooManyKeys);
}

#[test]
fn two_keys_of_one_identifier_are_none_unless_they_are_the_same_key() {
    use KeyError::*;
    let base = keys().jwks["keys"].as_array().unwrap().clone();
    let (rs, es, ed) = (&base[0], &base[2], &base[4]);
    let change = |key: &Value, name: &str, value: Value| with(key.clone(), name, value);
    let cases = [
        (vec![es.clone(), ed.clone()], 2, vec![]),
        (vec![es.clone(), es.clone(), ed.clone(), es.clone()], 2, vec![]),
        (vec![es.clone(), change(rs, "kid", json!("es")), ed.clone()], 1, vec![DuplicateId; 2]),
        (vec![es.clone(), es.clone(), change(rs, "kid", json!("es"))], 0, vec![DuplicateId; 3]),
        (vec![es.clone(), change(es, "use", json!("enc"))], 0, vec![DuplicateId, NotForSignatures]),
        (vec![es.clone(), change(es, "d", json!("AAAA"))], 0, vec![DuplicateId, Private]),
        (vec![rs.clone(), change(rs, "alg", json!("PS256"))], 0, vec![DuplicateId; 2]),
    ];
    for (keys, usable, skipped) in cases {
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let errors: Vec<_> = set.skipped().iter().map(|skipped| skipped.error).collect();
        assert_eq!((set.len(), errors), (usable, skipped), "{keys:?}");
        assert!(set.names("es") || set.names("rs"));
        assert!(!set.names("nobody's"));
    }
}

#[test]
fn key_sets_are_told_apart_by_the_keys_that_verify() {
    let base = keys().jwks["keys"].as_array().unwrap().clone();
    let (rs, es, ed) = (&base[0], &base[2], &base[4]);
    let set = |keys: &[&Value]| {
        KeySet::parse(json!({ "keys": keys, "more": 1 }).to_string().as_bytes()).unwrap()
    };
    let broken = with(rs.clone(), "use", json!("enc"));
    let (renamed, bound) =
        (with(es.clone(), "kid", json!("new")), with(rs.clone(), "alg", json!("PS256")));
    for (other, same) in [
        (set(&[es, ed]), true),
        (set(&[ed, es]), true),
        (set(&[ed, es, es]), true),
        (set(&[es, ed, &broken]), true),
        (set(&[es]), false),
        (set(&[es, ed, rs]), false),
        (set(&[es, ed, &bound]), false),
        (set(&[&renamed, ed]), false),
        (set(&[]), false),
    ] {
        assert_eq!(set(&[es, ed]).verifies_as(&other), same, "{other:?}");
    }
    assert!(!set(&[rs]).verifies_as(&set(&[&bound])));
}

#[test]
fn a_point_that_is_not_on_the_curve_is_no_key() {
    let es = with(keys().jwks["keys"][2].clone(), "y", json!(B64.encode([7_u8; 32])));
    let set = KeySet::parse(json!({ "keys": [es] }).to_string().as_bytes()).unwrap();
    let errors: Vec<_> = set.skipped().iter().map(|skipped| skipped.error).collect();
    assert_eq!((errors, set.len()), (vec![KeyError::BadNumber], 0));
    let text = sign(&header(), &claims());
    assert_eq!(verify_by(&text, &issuer(), &set, &here()), Err(TokenError::UnknownKey));
}

/// The plain way: a key that is parsed anew, and a signature decoded by the library.
fn plainly(token: &str, jwk: &Value, algorithm: Algorithm) -> bool {
    let jwk: Jwk = serde_json::from_value(jwk.clone()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm).unwrap_or(false)
}

#[test]
fn parsed_keys_verify_what_the_library_verifies() {
    let (set, issuer, mut held) = (key_set(), issuer(), 0);
    let agree = |token: &str, jwk: &Value, algorithm| {
        let plain = plainly(token, jwk, algorithm);
        let ours = verify_by(token, &issuer, &set, &here());
        assert_eq!(ours.is_ok(), plain, "{algorithm:?} {token} {ours:?}");
        plain
    };
    for (at, (id, algorithm, _)) in keys().keys.iter().enumerate() {
        let jwk = &keys().jwks["keys"][at];
        let header = json!({ "alg": format!("{algorithm:?}"), "kid": id, "typ": "at+jwt" });
        let token = sign(&header, &claims());
        assert!(agree(&token, jwk, *algorithm));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        // Every character of the signature becomes another: bits that count, and in the last one
        // also bits that have to be zero.
        for place in 0..signature.len() {
            for other in ["A", "Q", "_", "=", "+", ""] {
                let mut changed = signature.to_owned();
                changed.replace_range(place..=place, other);
                held += usize::from(agree(&format!("{signed}.{changed}"), jwk, *algorithm));
            }
        }
        for changed in [
            format!("{signature}A"),
            format!("{signature}AAAA"),
            format!("{signature}="),
            format!("AAAA{signature}"),
            "A".repeat(signature.len()),
            "_".repeat(signature.len()),
            B64.encode(token.as_bytes()),
        ] {
            assert!(!agree(&format!("{signed}.{changed}"), jwk, *algorithm));
        }
        let bytes = B64.decode(signature).unwrap();
        let (r, s) = bytes.split_at(bytes.len() / 2);
        for (first, last) in [(s, r), (r, r), (&[0; 32][..], s), (r, &[0; 32][..])] {
            let changed = B64.encode([first, last].concat());
            assert!(!agree(&format!("{signed}.{changed}"), jwk, *algorithm));
        }
        // What is signed becomes something else; only the signature is compared then.
        for place in 0..signed.len() {
            let mut changed = signed.as_bytes().to_vec();
            changed[place] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            let ours = set.find(Some(id), *algorithm).unwrap();
            assert!(!ours.verifies(&bytes, changed.as_bytes(), *algorithm));
            assert!(!plainly(&format!("{changed}.{signature}"), jwk, *algorithm));
        }
        // The same signature under every key and algorithm that there is.
        for (other, _, _) in &keys().keys {
            for (_, claimed) in jwks::ALGORITHMS {
                let found = set.find(Some(other), claimed);
                let ours = found.is_some_and(|k| k.verifies(&bytes, signed.as_bytes(), claimed));
                assert_eq!(ours, other == id && claimed == *algorithm, "{id} {other} {claimed:?}");
            }
        }
    }
    // A character may be replaced by itself, and by no other.
    assert!((1..200).contains(&held), "{held}");
}

// === certificates ===

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    let at = |seconds: i64| time_at(NOW + seconds);
    params.not_before = at(-60);
    params.not_after = at(60);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![uri("spiffe://td/ns/a/sa/b")];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn time_at(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn workload(certificate: &str, principal: &str) -> Result<Option<String>, SvidError> {
    let domains = ["td".into()];
    let workload = svid::workload(Peer { certificate, principal }, &domains, now())?;
    Ok(workload.map(|workload| workload.to_string()))
}

#[test]
fn a_certificate_proves_exactly_one_workload_or_none() {
    use SvidError::*;
    const ID: &str = "spiffe://td/ns/a/sa/b";
    let good = certificate(|_| {});
    assert_eq!(workload(&good, ID), Ok(Some(ID.to_owned())));
    assert_eq!(workload("", ""), Ok(None));
    let sans = |list: Vec<SanType>| certificate(|params| params.subject_alt_names = list);
    let dns = SanType::DnsName("a.b".try_into().unwrap());
    let cases = [
        (String::new(), ID, NoCertificate),
        (good.clone(), "", Principal),
        (good.clone(), "spiffe://td/other", Principal),
        (format!("{good}{good}"), ID, NotACertificate),
        (format!("x{good}"), ID, NotACertificate),
        ("garbage".to_owned(), ID, NotACertificate),
        (sans(vec![uri(ID), uri("spiffe://td/second")]), ID, UriSans),
        (sans(vec![uri(ID), uri("https://x")]), ID, UriSans),
        (sans(vec![dns.clone()]), "a.b", UriSans),
        (sans(vec![]), "", UriSans),
        (sans(vec![uri("spiffe://td")]), "spiffe://td", NotASpiffeId),
        (sans(vec![uri("https://td/a")]), "https://td/a", NotASpiffeId),
        (sans(vec![uri("spiffe://TD/a")]), "spiffe://TD/a", NotASpiffeId),
        (sans(vec![uri("spiffe://td/a/../b")]), "spiffe://td/a/../b", NotASpiffeId),
        (sans(vec![uri("spiffe://other/a")]), "spiffe://other/a", TrustDomain),
        (certificate(|params| params.not_after = time_at(NOW - 1)), ID, Validity),
        (certificate(|params| params.not_before = time_at(NOW + 1)), ID, Validity),
        (
            certificate(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            ID,
            KeyUsage,
        ),
        (certificate(|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)), ID, KeyUsage),
        (certificate(|params| params.key_usages.push(KeyUsagePurpose::CrlSign)), ID, KeyUsage),
        (
            certificate(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            ID,
            KeyUsage,
        ),
        (certificate(|params| params.key_usages.clear()), ID, KeyUsage),
    ];
    for (index, (pem, principal, expected)) in cases.into_iter().enumerate() {
        assert_eq!(workload(&pem, principal), Err(expected), "case {index}: {principal}");
    }
    // Names that are no URIs may stand beside the one that counts.
    assert_eq!(workload(&sans(vec![dns, uri(ID)]), ID), Ok(Some(ID.to_owned())));
    let (first, last) =
        (certificate(|p| p.not_before = time_at(NOW)), certificate(|p| p.not_after = time_at(NOW)));
    assert!(workload(&first, ID).is_ok() && workload(&last, ID).is_ok());
}

proptest::proptest! {
    #[test]
    fn nothing_panics(token in "[A-Za-z0-9_.=-]{0,80}", bytes in proptest::collection::vec(0_u8.., 0..80)) {
        let _ = verify(&token);
        let _ = KeySet::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = workload(&text, &text);
        let _ = svid::leaf(&bytes, now());
        let _ = bundle::Bundles::parse(&bytes);
        let accepted = jwt_svid::Accepted { audiences: &[], trust_domains: &[], max_bytes: 100 };
        assert!(jwt_svid::verify(&token, &accepted, &bundle::Bundles::default(), now()).is_err());
    }
}
