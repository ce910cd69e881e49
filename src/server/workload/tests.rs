//! What is kept of a workload's credential never says more than the credential itself would.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::server::bundles::{self, ByDomain, HeldBundles};

const NOW: i64 = 1_795_000_000;
const ID: &str = "spiffe://td/ns/a/sa/b";
const ROOM: u64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// A configuration with these trust domains and audiences.
fn configured(domains: &str, audiences: &str) -> Config {
    let path = std::path::Path::new("envoy/toolgate.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let workloads = format!(
        "trust_domains: [{domains}]\n  jwt_svid: {{ audiences: [{audiences}] }}\n  verify_certificates: true\n  bundles: b.json"
    );
    let text = text.replacen("trust_domains: [prod.example.com]", &workloads, 1);
    config::parse(path, &text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A trust bundle as a document, of these keys in `td`.
fn document(keys: &[&Value]) -> Vec<u8> {
    json!({ "trust_domains": { "td": { "keys": keys } } }).to_string().into_bytes()
}

fn kept<T: ByDomain>(held: &HeldBundles<T>) -> (u64, u64) {
    held.at(Instant::now()).unwrap().verified.size()
}

fn held<T: ByDomain>(bundles: T) -> HeldBundles<T> {
    let held = HeldBundles::new(ROOM);
    held.accept(bundles, Instant::now());
    held
}

/// A key, and how bundles spell it.
fn key() -> (EncodingKey, Value) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_der(&pair.serialize_der());
    let mut jwk =
        serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
    jwk["kid"] = json!("k");
    jwk["use"] = json!("jwt-svid");
    (key, jwk)
}

fn svid(key: &EncodingKey, subject: &str) -> String {
    let header = json!({ "alg": "ES256", "kid": "k" });
    let claims = json!({ "sub": subject, "aud": ["us", "others"], "exp": NOW + 300, "iat": NOW });
    let signed = [header, claims].map(|part| B64.encode(part.to_string())).join(".");
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, Algorithm::ES256).unwrap();
    format!("{signed}.{signature}")
}

fn by_svid(
    config: &Config,
    held: &HeldBundles<Bundles>,
    now: Timestamp,
    token: &str,
) -> Result<String, WorkloadError> {
    let bundles = held.at(Instant::now());
    let verifier =
        WorkloadVerifier { config, bundles, authorities: None, leaves: &Verified::new(0), now };
    verifier.jwt_svid(token).map(|proved| proved.workload.to_string())
}

#[test]
fn a_kept_jwt_svid_is_believed_where_and_when_a_new_one_would_be() {
    use JwtSvidError::{Audience, Expired, NotYet, TrustDomain};
    let _ = crate::authn::install_crypto();
    let (key, jwk) = key();
    let bundles = || bundles::jwt(&document(&[&jwk])).unwrap();
    let token = svid(&key, ID);
    let usual = configured("td, other", "us");
    for (config, seconds, expected) in [
        (&usual, 0, None),
        (&usual, 299, None),
        (&usual, 300, Some(Expired)),
        (&usual, -30, None),
        (&usual, -31, Some(NotYet)),
        (&usual, -100_000, Some(NotYet)),
        (&configured("td", "them, others"), 0, None),
        (&configured("td", "them"), 0, Some(Audience)),
        (&configured("other", "us"), 0, Some(TrustDomain)),
    ] {
        let expected = expected.map_or(Ok(ID.to_owned()), |error| Err(error.into()));
        let (cold, warm) = (held(bundles()), held(bundles()));
        assert_eq!(by_svid(&usual, &warm, at(0), &token), Ok(ID.to_owned()));
        assert_eq!(kept(&warm).0, 1);
        for held in [cold, warm] {
            assert_eq!(by_svid(config, &held, at(seconds), &token), expected, "{seconds}");
            assert!(kept(&held).0 == 1 || expected.is_err(), "what does not hold is not kept");
        }
    }
}

#[test]
fn what_is_kept_of_a_jwt_svid_ends_with_the_bundle() {
    use JwtSvidError::{NoBundle, Signature, UnknownKey};
    let _ = crate::authn::install_crypto();
    let ((key, jwk), (_, other)) = (key(), key());
    let (token, config) = (svid(&key, ID), configured("td", "us"));
    let ask = |held: &HeldBundles<Bundles>| by_svid(&config, held, at(0), &token);
    for (next, expected) in [
        (document(&[&other]), Signature),
        (document(&[]), UnknownKey),
        (br#"{"trust_domains":{}}"#.to_vec(), NoBundle),
    ] {
        let held = held(bundles::jwt(&document(&[&jwk])).unwrap());
        assert_eq!(ask(&held), Ok(ID.to_owned()));
        // A request that began under the former bundles keeps nothing for those after.
        let former = held.at(Instant::now()).unwrap();
        held.accept(bundles::jwt(&next).unwrap(), Instant::now());
        let now = at(0);
        let began = WorkloadVerifier {
            config: &config,
            bundles: Some(former),
            authorities: None,
            leaves: &Verified::new(0),
            now,
        };
        assert!(began.jwt_svid(&token).is_ok());
        assert_eq!(ask(&held), Err(expected.into()));
        assert_eq!(kept(&held).0, 0);
    }
    let held = held(bundles::jwt(&document(&[&jwk])).unwrap());
    assert_eq!(ask(&held), Ok(ID.to_owned()));
    held.withdraw("taken back");
    assert_eq!(ask(&held), Err(WorkloadError::Unavailable));
    // Seen once more, bundles are what they were.
    held.accept(bundles::jwt(&document(&[&jwk])).unwrap(), Instant::now());
    assert_eq!(ask(&held), Ok(ID.to_owned()));
    held.confirm(Instant::now());
    assert_eq!(kept(&held).0, 1);
}

#[test]
fn a_kept_credential_is_found_by_its_whole_text() {
    let _ = crate::authn::install_crypto();
    let (key, jwk) = key();
    let (token, config) = (svid(&key, ID), configured("td", "us"));
    let held = held(bundles::jwt(&document(&[&jwk])).unwrap());
    assert!(by_svid(&config, &held, at(0), &token).is_ok());
    // Whatever else stands in the place of the signature, or of what is signed.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = svid(&key, "spiffe://td/ns/a/sa/other");
    let (foreign, _) = other.rsplit_once('.').unwrap();
    for forged in [
        format!("{foreign}.{signature}"),
        format!("{signed}.{}", "A".repeat(signature.len())),
        format!("{token}="),
        format!("{token}."),
        format!(" {token}"),
        signed.to_owned(),
    ] {
        assert!(by_svid(&config, &held, at(0), &forged).is_err(), "{forged}");
    }
    assert_eq!(kept(&held).0, 1);
}

#[test]
fn what_is_kept_is_bounded_by_what_it_weighs() {
    let _ = crate::authn::install_crypto();
    let (key, jwk) = key();
    let config = configured("td", "us");
    for (room, some) in [(20_000, true), (0, false)] {
        let held = HeldBundles::new(room);
        held.accept(bundles::jwt(&document(&[&jwk])).unwrap(), Instant::now());
        for workload in 0..60 {
            let token = svid(&key, &format!("spiffe://td/w-{workload}"));
            assert!(by_svid(&config, &held, at(0), &token).is_ok());
        }
        let (entries, bytes) = kept(&held);
        assert!(bytes <= room && entries < 60 && (entries > 0) == some, "{entries} {bytes}");
    }
}

// === certificates ===

type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority that is one from this second to that.
fn authority(from: i64, to: i64) -> (Authority, Value) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    (params.not_before, params.not_after) = (time_at(from), time_at(to));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let x5c = STANDARD.encode(authority.der());
    (authority, json!({ "use": "x509-svid", "kty": "EC", "x5c": [x5c] }))
}

/// A leaf that is valid for ten minutes.
fn leaf(authority: &Authority) -> String {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (time_at(0), time_at(600));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::URI(ID.try_into().unwrap())];
    let pem = params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().pem();
    percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn time_at(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(NOW + seconds).unwrap()
}

fn by_leaf(
    config: &Config,
    held: &HeldBundles<Authorities>,
    now: Timestamp,
    certificate: &str,
) -> Result<Option<String>, WorkloadError> {
    let authorities = held.at(Instant::now());
    let verifier =
        WorkloadVerifier { config, bundles: None, authorities, leaves: &Verified::new(0), now };
    let (headers, peer) = (Headers::default(), Peer { certificate, principal: ID });
    let proved = verifier.peer(peer, &headers)?;
    Ok(proved.map(|proved| proved.workload.to_string()))
}

#[test]
fn a_kept_certificate_is_believed_when_a_new_one_would_be() {
    use SvidError::{NoBundle, TrustDomain, Untrusted, Validity};
    // It ends before the leaf does.
    let (authority, good) = authority(-100, 500);
    let (_, other) = self::authority(-100, 500);
    let certificate = leaf(&authority);
    let (usual, elsewhere) = (configured("td", "us"), configured("other", "us"));
    let authorities = |document: &[u8]| bundles::x509(document).unwrap();
    for (config, seconds, next, expected) in [
        (&usual, 0, None, None),
        (&usual, 500, None, None),
        (&usual, 501, None, Some(Untrusted)),
        (&usual, 601, None, Some(Validity)),
        (&usual, -1, None, Some(Validity)),
        (&elsewhere, 0, None, Some(TrustDomain)),
        (&usual, 0, Some(document(&[&other])), Some(Untrusted)),
        (&usual, 0, Some(document(&[])), Some(Untrusted)),
        (&usual, 0, Some(br#"{"trust_domains":{}}"#.to_vec()), Some(NoBundle)),
        (&usual, 0, Some(document(&[&other, &good])), None),
    ] {
        let expected = expected.map_or(Ok(Some(ID.to_owned())), |error| Err(error.into()));
        let [cold, warm] = [(); 2].map(|()| held(authorities(&document(&[&good]))));
        assert_eq!(by_leaf(&usual, &warm, at(0), &certificate), Ok(Some(ID.to_owned())));
        assert_eq!(kept(&warm).0, 1);
        for held in [cold, warm] {
            if let Some(next) = &next {
                held.accept(authorities(next), Instant::now());
            }
            let found = by_leaf(config, &held, at(seconds), &certificate);
            assert_eq!(found, expected, "{seconds} {next:?}");
        }
    }
}

#[test]
fn a_certificate_that_was_read_is_believed_when_a_new_one_would_be() {
    use SvidError::{NoCertificate, Principal, TrustDomain, Validity};
    let (authority, _) = authority(-100, 500);
    let certificate = leaf(&authority);
    let [usual, elsewhere] = ["td", "other"].map(|domain| plain(configured(domain, "us")));
    let ask = |leaves: &Verified<Arc<Leaf>>, config: &Config, seconds, certificate, principal| {
        let now = at(seconds);
        let verifier = WorkloadVerifier { config, bundles: None, authorities: None, leaves, now };
        let proved = verifier.peer(Peer { certificate, principal }, &Headers::default());
        proved.map(|proved| proved.map(|proved| proved.workload.to_string()))
    };
    for (config, seconds, shown, principal, expected) in [
        (&usual, 0, &*certificate, ID, None),
        (&usual, 600, &certificate, ID, None),
        (&usual, 601, &certificate, ID, Some(Validity)),
        (&usual, -1, &certificate, ID, Some(Validity)),
        (&usual, 0, &certificate, "spiffe://td/ns/a/sa/c", Some(Principal)),
        (&usual, 0, &certificate, "", Some(Principal)),
        (&usual, 0, "", ID, Some(NoCertificate)),
        (&elsewhere, 0, &certificate, ID, Some(TrustDomain)),
    ] {
        let expected = expected.map_or(Ok(Some(ID.to_owned())), |error| Err(error.into()));
        let [cold, warm] = [(); 2].map(|()| Verified::new(ROOM));
        assert_eq!(ask(&warm, &usual, 0, &certificate, ID), Ok(Some(ID.to_owned())));
        assert_eq!(warm.size().0, 1);
        for leaves in [cold, warm] {
            let found = ask(&leaves, config, seconds, shown, principal);
            assert_eq!(found, expected, "{seconds} {principal}");
            assert!(leaves.size().0 == 1 || expected.is_err(), "what does not hold is not kept");
        }
    }
}

/// Where Envoy alone verifies certificates.
fn plain(mut config: Config) -> Config {
    config.workloads.verify_certificates = false;
    config
}
