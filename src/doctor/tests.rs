//! Tokens that are refused for every reason there is, and what is said of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use super::*;
use crate::{config, disk, policy};

const NOW: i64 = 1_795_000_000;

const CONFIG: &str = r#"
toolgate: 1
listen: { grpc: "unix:run/t.sock", http: "127.0.0.1:9192" }
policies: policies
public_url: https://mcp.example.com
issuers:
  corp:
    issuer: https://login.example.com
    audiences: ["https://mcp.example.com"]
    keys: { file: jwks.json }
    algorithms: [ES256]
    max_lifetime_minutes: 60
    required_claims: [/jti]
    tenants: [example]
    clients: [ai-chat-web]
    max_actors: 1
    claims: { tenant: /org, email: /email, groups: [/groups] }
workloads: { trust_domains: [prod.example.com] }
"#;

struct Fixture {
    config: Config,
    policy: PolicySet,
    revoked: Revocations,
    keys: KeySet,
    signing: EncodingKey,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let _ = crate::authn::install_crypto();
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let signing = EncodingKey::from_ec_der(&pair.serialize_der());
        let jwk = |kid: &str| {
            let jwk = Jwk::from_encoding_key(&signing, Algorithm::ES256).unwrap();
            let mut jwk = serde_json::to_value(jwk).unwrap();
            jwk["kid"] = json!(kid);
            jwk
        };
        let mut for_encryption = jwk("enc");
        for_encryption["use"] = json!("enc");
        let keys = json!({ "keys": [jwk("one"), jwk("two"), for_encryption] });
        let mut revoked = Revocations::default();
        revoked.revoke_token("corp", "stolen");
        revoked.revoke_user("corp", "mallory");
        Fixture {
            config: config::parse(Path::new("toolgate.yaml"), CONFIG).unwrap(),
            policy: policy::load(disk::read_policies("policies".as_ref())).unwrap(),
            revoked,
            keys: KeySet::parse(keys.to_string().as_bytes()).unwrap(),
            signing,
        }
    })
}

fn with() -> With<'static> {
    let Fixture { config, policy, revoked, keys, signing: _ } = fixture();
    let now = Timestamp::from_second(NOW).unwrap();
    With { config, policy, revoked, keys: Ok(keys), resource: None, now }
}

/// A token with changes to a good one's header and claims; `null` takes a member out.
fn token(header: &Value, claims: &Value) -> String {
    let good = json!({ "alg": "ES256", "kid": "one", "typ": "at+jwt" });
    let said = json!({
        "iss": "https://login.example.com", "aud": "https://mcp.example.com", "sub": "alice",
        "exp": NOW + 300, "iat": NOW - 5, "jti": "1", "org": "example", "azp": "ai-chat-web",
        "groups": ["ads"],
    });
    signed(&changed(good, header).to_string(), &changed(said, claims).to_string())
}

fn changed(mut good: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            good.as_object_mut().unwrap().remove(name);
        } else {
            good[name] = value.clone();
        }
    }
    good
}

fn signed(header: &str, payload: &str) -> String {
    let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
    let key = &fixture().signing;
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), key, Algorithm::ES256).unwrap();
    format!("{input}.{signature}")
}

fn said(claims: &Value) -> String {
    token(&json!({}), claims)
}

/// What the server says, by the functions that it calls.
fn server_says(token: &str, with: &With<'_>) -> Result<(), TokenError> {
    let Fixture { config, keys, revoked, .. } = fixture();
    let parsed = UnverifiedToken::parse(token, config.tokens.max_bytes)?;
    let claims = parsed.claims()?;
    let issuer = claims.issuer(config.issuers.iter().map(|config| &config.issuer))?;
    let certificate = || Some([7; 32]);
    let here = crate::authn::token::Circumstances {
        now: with.now,
        resource: None,
        certificate: &certificate,
    };
    let verified = claims.verify(issuer, keys, &here)?;
    if revoked.denies(&issuer.name, &verified) { Err(TokenError::Revoked) } else { Ok(()) }
}

/// Looks at a token, and checks what holds of every examination.
fn examined(token: &str) -> Examination {
    let with = with();
    let examination = examine(token, &with);
    let expected = match server_says(token, &with) {
        Ok(()) => Verdict::Accepted,
        Err(error) => Verdict::Refused(error),
    };
    assert_eq!(examination.verdict, expected, "the server's word counts");
    let bad = examination.steps.iter().filter(|step| step.outcome == Outcome::Bad).count();
    assert_eq!(bad == 0, expected == Verdict::Accepted, "{}", text(&examination));
    for told in [text(&examination), json(&examination).to_string()] {
        let pieces = token.as_bytes().windows(20);
        for piece in pieces.filter_map(|piece| std::str::from_utf8(piece).ok()) {
            assert!(!told.contains(piece), "{piece} stands in\n{told}");
        }
        assert!(told.lines().count() < 60 && told.len() < 16_000, "{told}");
        assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told}");
    }
    examination
}

/// Tokens, each with what there is to find.
#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<(&'static str, String, Vec<TokenError>)> {
    use TokenError as E;
    let hash = B64.encode([7; 32]);
    let bidi = "al\u{202e}ice\u{1b}[2J\u{200b}";
    let good = said(&json!({}));
    let (content, _) = good.rsplit_once('.').unwrap();
    vec![
        ("good", good.clone(), vec![]),
        ("empty", String::new(), vec![E::NotCompact]),
        ("opaque", "0123456789abcdef0123456789abcdef".to_owned(), vec![E::NotCompact]),
        ("encrypted", "eyJh.eyJh.eyJh.eyJh.eyJh".to_owned(), vec![E::NotCompact]),
        ("cut", good.get(..good.len() - 2).unwrap().to_owned(), vec![E::Signature]),
        ("blanks", good.replacen('.', ". ", 1), vec![E::NotCompact]),
        ("too long", said(&json!({ "x": "x".repeat(20_000) })), vec![E::TooLong]),
        ("hs256", token(&json!({ "alg": "HS256" }), &json!({})), vec![E::Algorithm]),
        (
            "none",
            token(&json!({ "alg": "none" }), &json!({ "exp": NOW - 9 })),
            vec![E::Algorithm, E::Expired],
        ),
        ("rs256", token(&json!({ "alg": "RS256" }), &json!({})), vec![E::Algorithm, E::UnknownKey]),
        (
            "jku",
            token(&json!({ "jku": "https://evil.example" }), &json!({})),
            vec![E::HeaderMember],
        ),
        ("typ", token(&json!({ "typ": "JWT" }), &json!({})), vec![E::Type]),
        ("another typ", token(&json!({ "typ": "logout+jwt" }), &json!({})), vec![E::Type]),
        ("an ID token", said(&json!({ "nonce": "n", "at_hash": "h" })), vec![E::Type]),
        (
            "claims twice",
            signed(
                r#"{"alg":"ES256","kid":"one","typ":"at+jwt"}"#,
                r#"{"iss":"https://login.example.com","sub":"a","sub":"b"}"#,
            ),
            vec![E::BadPayload, E::Required, E::Expired, E::Tenant, E::Client, E::Audience],
        ),
        ("slash", said(&json!({ "iss": "https://login.example.com/" })), vec![E::Issuer]),
        ("http", said(&json!({ "iss": "http://login.example.com" })), vec![E::Issuer]),
        ("case", said(&json!({ "iss": "https://Login.example.com" })), vec![E::Issuer]),
        (
            "near",
            said(&json!({ "iss": "https://login.exampel.com", "aud": "x" })),
            vec![E::Issuer, E::Audience],
        ),
        ("nobody's", said(&json!({ "iss": "https://elsewhere.test/tenant" })), vec![E::Issuer]),
        ("no iss", said(&json!({ "iss": null })), vec![E::Issuer]),
        ("workload", said(&json!({ "sub": "spiffe://td/a" })), vec![E::Workload]),
        ("expired", said(&json!({ "exp": NOW - 200 })), vec![E::Expired]),
        ("endless", said(&json!({ "exp": null })), vec![E::Expired]),
        ("not yet", said(&json!({ "nbf": NOW + 100 })), vec![E::NotYet]),
        ("too long a life", said(&json!({ "exp": NOW + 90_000 })), vec![E::Lifetime]),
        ("audience", said(&json!({ "aud": ["a", "b"] })), vec![E::Audience]),
        ("no audience", said(&json!({ "aud": null })), vec![E::Audience]),
        (
            "audience and time",
            said(&json!({ "aud": "a", "exp": NOW - 200 })),
            vec![E::Expired, E::Audience],
        ),
        (
            "everything",
            token(
                &json!({ "kid": "three", "typ": "JWT" }),
                &json!({
                    "aud": "a", "exp": NOW - 200, "iat": NOW - 90_000, "jti": null, "org": "other",
                    "azp": "other", "groups": [1], "act": {}, "cnf": { "jkt": "x" }, "sub": "",
                }),
            ),
            vec![
                E::Type,
                E::Required,
                E::Tenant,
                E::Client,
                E::Subject,
                E::Groups,
                E::Actors,
                E::Bound,
                E::Expired,
                E::Lifetime,
                E::Audience,
            ],
        ),
        ("required", said(&json!({ "jti": null })), vec![E::Required]),
        ("tenant", said(&json!({ "org": "other" })), vec![E::Tenant]),
        ("client", said(&json!({ "azp": null })), vec![E::Client]),
        ("subject", said(&json!({ "sub": 7 })), vec![E::Subject]),
        ("groups", said(&json!({ "groups": ["ads", 7] })), vec![E::Groups]),
        ("actors", said(&json!({ "act": { "sub": "a", "act": { "sub": "b" } } })), vec![E::Actors]),
        ("type of a claim", said(&json!({ "email": ["a"], "scope": 7 })), vec![E::ClaimType]),
        ("type of a time", said(&json!({ "iat": "yesterday" })), vec![E::ClaimType]),
        ("bound", said(&json!({ "cnf": { "jkt": "x" } })), vec![E::Bound]),
        ("bound to a certificate", said(&json!({ "cnf": { "x5t#S256": hash } })), vec![]),
        ("key", token(&json!({ "kid": "three" }), &json!({})), vec![E::UnknownKey]),
        ("no kid", token(&json!({ "kid": null }), &json!({})), vec![E::UnknownKey]),
        (
            "a key that is left out",
            token(&json!({ "kid": "enc" }), &json!({})),
            vec![E::UnknownKey],
        ),
        ("signature", format!("{content}.{}", B64.encode([1; 64])), vec![E::Signature]),
        ("revoked", said(&json!({ "jti": "stolen" })), vec![E::Revoked]),
        (
            "revoked and expired",
            said(&json!({ "sub": "mallory", "exp": NOW })),
            vec![E::Expired, E::Revoked],
        ),
        ("groups unknown", said(&json!({ "groups": null })), vec![]),
        ("groups elsewhere", said(&json!({ "_claim_names": { "groups": "s" } })), vec![]),
        (
            "renamed groups",
            said(
                &json!({ "groups": ["8c1f6a0e-2f6b-4c1e-9a0b-5d2f3c4b7a11", "ads", "finance", "chess", "x".repeat(200)] }),
            ),
            vec![],
        ),
        (
            "odd texts",
            said(
                &json!({ "sub": bidi.replace('\u{1b}', ""), "email": bidi, "email_verified": true, "groups": [bidi, "\n"], "scope": "a b", "act": { "sub": bidi } }),
            ),
            vec![],
        ),
        (
            "a shell's words",
            said(&json!({ "sub": "a'; rm -rf ~; '", "groups": ["$(id)"] })),
            vec![],
        ),
        ("ten kilobytes", said(&json!({ "aud": "x".repeat(10_000) })), vec![E::Audience]),
        (
            "a token in it",
            said(&json!({ "aud": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0." })),
            vec![E::Audience],
        ),
    ]
}

#[test]
fn everything_that_is_wrong_is_found_and_the_servers_word_comes_first() {
    let mut told = String::new();
    for (name, token, expected) in rows() {
        let examination = examined(&token);
        let with = with();
        let climb = Climb::of(&token, &Reading::of(&token, &with), &with);
        assert_eq!(climb.found, expected, "{name}\n{}", text(&examination));
        let _ = writeln!(told, "=== {name}\n{}", text(&examination));
    }
    // For a tired reviewer to read.
    insta::assert_snapshot!(told);
    let good = examined(&said(&json!({ "scope": "a b", "groups": ["ads", "chess"] })));
    insta::assert_snapshot!(format!("{:#}", json(&good)));
}

#[test]
fn every_error_is_found_by_some_row() {
    use TokenError as E;
    let rows = rows();
    for error in [
        E::TooLong,
        E::NotCompact,
        E::HeaderMember,
        E::Algorithm,
        E::Type,
        E::BadPayload,
        E::Issuer,
        E::Workload,
        E::UnknownKey,
        E::Signature,
        E::Audience,
        E::Expired,
        E::NotYet,
        E::Lifetime,
        E::Required,
        E::Tenant,
        E::Client,
        E::Subject,
        E::ClaimType,
        E::Groups,
        E::Actors,
        E::Bound,
        E::Revoked,
    ] {
        assert!(rows.iter().any(|(_, _, found)| found.contains(&error)), "{error:?}");
    }
}

#[test]
fn without_keys_nobody_knows_unless_something_else_is_wrong() {
    let with = With { keys: Err("nobody answers"), ..with() };
    for (claims, expected) in [
        (json!({}), Verdict::Unknown),
        (json!({ "exp": NOW }), Verdict::Refused(TokenError::Expired)),
        (json!({ "jti": "stolen" }), Verdict::Refused(TokenError::Revoked)),
    ] {
        let examination = examine(&said(&claims), &with);
        assert_eq!(examination.verdict, expected, "{claims}");
        assert!(text(&examination).contains("the keys cannot be had: nobody answers"));
    }
}

#[test]
fn a_server_with_an_audience_of_its_own_takes_no_other() {
    let own = With { resource: Some("https://presto.example.com"), ..with() };
    for (audience, expected) in [
        (json!("https://presto.example.com"), Verdict::Accepted),
        (json!("https://mcp.example.com"), Verdict::Refused(TokenError::Audience)),
        (
            json!(["https://presto.example.com", "https://mcp.example.com"]),
            Verdict::Refused(TokenError::Audience),
        ),
    ] {
        let examination = examine(&said(&json!({ "aud": audience })), &own);
        assert_eq!(examination.verdict, expected, "{audience}");
        assert_eq!(text(&examination).contains("alone"), expected != Verdict::Accepted);
    }
}

#[test]
fn a_token_is_taken_as_people_have_it() {
    for (input, expected) in [
        ("a.b.c", "a.b.c"),
        ("a.b.c\n", "a.b.c"),
        ("a.b.c\r\n", "a.b.c"),
        ("Bearer a.b.c\n", "a.b.c"),
        ("bearer a.b.c", "a.b.c"),
        ("a.b.c\n\n", "a.b.c\n"),
        (" a.b.c", " a.b.c"),
        ("Bearer", "Bearer"),
        ("", ""),
        ("é", "é"),
    ] {
        assert_eq!(trimmed(input), expected, "{input:?}");
    }
}

#[test]
fn only_the_tokens_own_issuer_is_asked_for_keys() {
    let config = &fixture().config;
    assert!(issuer_of(&said(&json!({})), config).is_some());
    for claims in [json!({ "iss": "https://login.example.com/" }), json!({ "iss": null })] {
        assert!(issuer_of(&said(&claims), config).is_none());
    }
}

proptest! {
    /// Whatever somebody takes for a token.
    #[test]
    fn any_text_is_examined(text in "[ -~]{0,80}|[a-zA-Z0-9_-]{0,40}(\\.[a-zA-Z0-9_-]{0,40}){1,4}") {
        examined(&text);
    }

    /// Claims of any kind: the server's word comes first, and nothing of the token is shown.
    #[test]
    fn any_claim_is_examined(
        name in prop::sample::select(vec!["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "org",
            "azp", "groups", "act", "cnf", "email", "scope", "typ", "token_use", "events"]),
        value in prop::sample::select(vec![json!(0), json!(""), json!("x"), json!([]), json!({}),
            json!([1]), json!(["x"]), json!(true), json!(-1), json!(1e300), json!({ "sub": "x" })]),
        other in prop::sample::select(vec!["exp", "aud", "groups", "act", "jti"]),
    ) {
        examined(&said(&json!({ name: value.clone(), other: value })));
    }
}
