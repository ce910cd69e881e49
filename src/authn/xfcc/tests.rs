use rcgen::{CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};

use super::XfccError::*;
use super::*;

const NOW: i64 = 1_795_000_000;
const CALLER: &str = "spiffe://td/ns/a/sa/b";
const GATEWAY: &str = "spiffe://td/ns/edge/sa/gateway";
const ENVOY: &str = "spiffe://td/ns/mcp/sa/envoy";
/// What Envoy writes of whoever has shown a certificate.
const GOOD: &str = "By=ENVOY;Hash=HASH;Subject=\"\";URI=CALLER";

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A certificate, URL-encoded, and its hash.
fn certificate(uri: &str, minutes: i64) -> (String, String) {
    let at = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(NOW + seconds).unwrap();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (at(-3600), at(60 * minutes));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let pem =
        percent_encoding::utf8_percent_encode(&made.pem(), percent_encoding::NON_ALPHANUMERIC)
            .to_string();
    let hash = hex(&Sha256::digest(made.der()));
    (pem, hash)
}

fn filled(text: &str) -> String {
    text.replace("ENVOY", ENVOY)
        .replace("GATEWAY", GATEWAY)
        .replace("CALLER", CALLER)
        .replace("HASH", &"ab".repeat(32))
}

fn trust(mode: Mode) -> Trust {
    Trust { mode, by: [ENVOY, GATEWAY].map(|id| Workload::new(id).unwrap()).into() }
}

fn ask(mode: Mode, header: &str, peer: Peer<'_>) -> Result<Option<String>, XfccError> {
    let header = filled(header);
    let found = workload(Some(header.as_bytes()), peer, &trust(mode), &["td".into()], now());
    found.map(|found| found.map(|workload| workload.to_string()))
}

const SET: Mode = Mode::SanitizeSet;
const ONE: Mode = Mode::AppendLast { trusted_hops: 1 };
const TWO: Mode = Mode::AppendLast { trusted_hops: 2 };

fn by(principal: &str) -> Peer<'_> {
    Peer { certificate: "", principal }
}

#[test]
fn what_envoy_writes_names_the_caller() {
    let before = "By=spiffe://other/x;Hash=y;URI=z;DNS=a";
    for (mode, header, principal) in [
        (SET, GOOD.to_owned(), CALLER),
        (SET, "By=ENVOY;Hash=HASH;URI=CALLER".to_owned(), CALLER),
        (SET, "By=ENVOY;Hash=HASH;Chain=\"x%0A\";Subject=\"\";URI=CALLER".to_owned(), CALLER),
        (SET, GOOD.replace("\"\"", "\"CN=a\\, b\\;c,O=\\\"d\\\\\""), CALLER),
        (SET, GOOD.replace("\"\"", "\"CN=a;b,URI=c\""), CALLER),
        (ONE, GOOD.to_owned(), CALLER),
        // The caller's word is not read, as long as it has an end.
        (ONE, format!("{before},{GOOD}"), CALLER),
        (ONE, format!("x,Subject=\"a,b\",{GOOD}"), CALLER),
        (TWO, "By=GATEWAY;Hash=HASH;URI=CALLER,By=ENVOY;Hash=HASH;URI=GATEWAY".into(), GATEWAY),
    ] {
        let found = ask(mode, &header, by(principal));
        assert_eq!(found, Ok(Some(CALLER.to_owned())), "{header}");
    }
}

#[test]
fn whatever_else_it_says_names_nobody() {
    let good = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replace(from, to)
    };
    let raw = |uri: &str| good("CALLER", uri);
    let twice = format!("{GOOD},{GOOD}");
    let long_way = "By=GATEWAY;Hash=HASH;URI=CALLER,By=ENVOY;Hash=HASH;URI=GATEWAY";
    for (mode, header, expected) in [
        (SET, String::new(), Malformed),
        // What a URI SAN may hold, since Envoy writes it raw.
        (SET, raw("CALLER;URI=spiffe://td/admin"), Malformed),
        (SET, raw("spiffe://td/x;URI=CALLER"), Malformed),
        (SET, raw("CALLER;By=ENVOY"), Malformed),
        (SET, raw("CALLER;DNS=a.b"), Malformed),
        (SET, raw("CALLER;Subject=\"\""), Malformed),
        (SET, raw("CALLER;x"), Malformed),
        (SET, raw("CALLER;"), Malformed),
        (SET, raw("CALLER,"), Malformed),
        (SET, raw("CALLER\""), Malformed),
        (SET, raw("\"CALLER\""), NotASpiffeId),
        (SET, raw("x=\"CALLER"), Malformed),
        (SET, raw("spiffe://td/x,By=ENVOY;Hash=HASH;URI=CALLER"), Elements),
        (TWO, raw("spiffe://td/x,By=ENVOY;Hash=HASH;URI=CALLER"), Chain),
        (TWO, format!("{long_way},{long_way}"), Elements),
        (SET, raw(""), NotASpiffeId),
        (SET, raw("spiffe://td"), NotASpiffeId),
        (SET, raw("spiffe://td/%61"), NotASpiffeId),
        (SET, raw(" CALLER"), NotASpiffeId),
        // Another order, other keys, none at all.
        (SET, "Hash=HASH;By=ENVOY;URI=CALLER".into(), Malformed),
        (SET, "By=ENVOY;Hash=HASH;URI=CALLER;Subject=\"\"".into(), Malformed),
        (SET, "By=ENVOY;By=ENVOY;Hash=HASH;URI=CALLER".into(), Malformed),
        (SET, "By=ENVOY;Hash=HASH;Hash=HASH;URI=CALLER".into(), Malformed),
        (SET, "By=ENVOY;URI=CALLER".into(), Malformed),
        (SET, "Hash=HASH;URI=CALLER".into(), Malformed),
        (SET, "URI=CALLER".into(), Malformed),
        (SET, "By=ENVOY;Hash=HASH".into(), Malformed),
        (SET, good("By", "by"), Malformed),
        (SET, good("URI", "Uri"), Malformed),
        (SET, good(";Hash", "; Hash"), Malformed),
        (SET, good(";Hash", ";;Hash"), Malformed),
        (SET, good("HASH", "AB"), Malformed),
        (SET, good("HASH", &"AB".repeat(32)), Malformed),
        (SET, good("HASH", "\"HASH\""), Malformed),
        (SET, good("\"\"", "CN=a"), Malformed),
        (SET, good("\"\"", "\"a\"b"), Malformed),
        (SET, good("\"\"", "\"a"), Malformed),
        (SET, good("\"\"", "\"a\\\""), Malformed),
        (SET, good("\"\"", "\"\n\""), Malformed),
        (SET, good("\"\"", "\"é\""), Malformed),
        (SET, "[{\"By\":\"ENVOY\",\"Hash\":\"HASH\",\"URI\":\"CALLER\"}]".into(), Malformed),
        // Somebody else's.
        (SET, good("ENVOY", "spiffe://td/ns/mcp/sa/other"), By),
        (SET, good("ENVOY", "envoy"), By),
        (ONE, format!("{GOOD},{}", good("ENVOY", "spiffe://td/x")), By),
        (TWO, long_way.replace("GATEWAY", "spiffe://td/x"), By),
        (TWO, long_way.replacen("By=GATEWAY", "By=ENVOY", 1), Chain),
        // More elements, or fewer.
        (SET, twice.clone(), Elements),
        (TWO, GOOD.into(), Elements),
        (TWO, format!("x,{twice}"), Elements),
        (TWO, format!("x,{long_way}"), Elements),
        (ONE, format!("{GOOD},"), Malformed),
        (ONE, format!(",{GOOD}"), Malformed),
        // What the caller sent may not swallow what Envoy adds.
        (ONE, format!("Subject=\",{GOOD}"), Malformed),
        (ONE, format!("Subject=\"\\,{GOOD}"), Malformed),
        (ONE, format!("x\",{GOOD}"), Malformed),
        (ONE, "Subject=\",By=ENVOY;Hash=HASH;URI=CALLER".into(), Malformed),
        (SET, good("CALLER", "spiffe://other/x"), Principal),
    ] {
        let peer = by(if mode == TWO { GATEWAY } else { CALLER });
        assert_eq!(ask(mode, &header, peer), Err(expected), "{header}");
    }
    let other = ask(SET, &raw("spiffe://other/x"), by("spiffe://other/x"));
    assert_eq!(other, Err(TrustDomain));
}

#[test]
fn the_last_element_is_about_the_peer() {
    let forged = filled("spiffe://td/x,By=ENVOY;Hash=HASH;Subject=\"\";URI=CALLER");
    for (mode, header, principal) in [
        (SET, GOOD.to_owned(), ""),
        (SET, GOOD.to_owned(), ENVOY),
        (ONE, GOOD.to_owned(), ""),
        // A URI SAN with a comma reads as another element, and stands in the principal as it is.
        (ONE, GOOD.replace("CALLER", &forged), &forged),
        (TWO, "By=GATEWAY;Hash=HASH;URI=CALLER,By=ENVOY;Hash=HASH;URI=GATEWAY".into(), CALLER),
    ] {
        assert_eq!(ask(mode, &header, by(principal)), Err(Principal), "{header}");
    }
    let without = |peer| workload(None, peer, &trust(SET), &["td".into()], now());
    assert_eq!(without(by("")), Ok(None));
    assert_eq!(without(by(CALLER)), Err(Missing));
    assert_eq!(without(Peer { certificate: "x", principal: "" }), Err(Missing));
}

#[test]
fn certificates_that_are_shown_hold_too() {
    let (good, hash) = certificate(CALLER, 60);
    let (other, other_hash) = certificate(CALLER, 60);
    let (stranger, stranger_hash) = certificate("spiffe://td/stranger", 60);
    let (expired, expired_hash) = certificate(CALLER, -1);
    let (gateway, gateway_hash) = certificate(GATEWAY, 60);
    let named = |hash: &str| GOOD.replace("HASH", hash);
    let with = |hash: &str, pem: &str| {
        let certificate = format!("HASH;Cert=\"{pem}\"");
        GOOD.replace("HASH", &certificate).replace("HASH", hash)
    };
    let hops = |caller: &str, gateway: &str| {
        format!("By=GATEWAY;Hash={caller};URI=CALLER,By=ENVOY;Hash={gateway};URI=GATEWAY")
    };
    let invalid = Certificate(SvidError::Validity);
    for (mode, header, certificate, expected) in [
        (SET, named(&hash), &good, None),
        (ONE, named(&hash), &good, None),
        (SET, with(&hash, &good), &good, None),
        (TWO, hops(&"cd".repeat(32), &gateway_hash), &gateway, None),
        (SET, named(&other_hash), &good, Some(OtherCertificate)),
        (ONE, named(&other_hash), &good, Some(OtherCertificate)),
        (SET, named(&stranger_hash), &stranger, Some(OtherCertificate)),
        (SET, named(&expired_hash), &expired, Some(invalid)),
        (SET, with(&hash, &other), &good, Some(OtherCertificate)),
        (SET, with(&stranger_hash, &stranger), &good, Some(OtherCertificate)),
        (SET, with(&expired_hash, &expired), &good, Some(invalid)),
        (SET, with(&hash, ""), &good, Some(Certificate(SvidError::NotACertificate))),
        (TWO, hops(&hash, &hash), &gateway, Some(OtherCertificate)),
    ] {
        let principal = if mode == TWO { GATEWAY } else { CALLER };
        let found = ask(mode, &header, Peer { certificate, principal });
        assert_eq!(found.err(), expected, "{header}");
    }
}

proptest::proptest! {
    /// Whatever a SAN holds that Envoy writes raw, nobody is named but by the whole of it.
    #[test]
    fn nobody_is_named_by_a_part_of_a_name(san in "(spiffe://td/[ab]|By=|Hash=|URI=|DNS=|Subject=|ENVOY|CALLER|[;,=\"\\\\])*", sent in "([a=;,\"\\\\]|By=|URI=)*") {
        let san = filled(&san);
        let written = GOOD.replace("CALLER", &san);
        for (mode, header) in [(SET, written.clone()), (ONE, format!("{sent},{written}"))] {
            if let Ok(Some(found)) = ask(mode, &header, by(&san)) {
                proptest::prop_assert_eq!(found, san.clone());
            }
        }
        // Where another Envoy is the peer, nothing else vouches for the caller.
        let header = format!("{},By=ENVOY;Hash=HASH;URI=GATEWAY", written.replace("By=ENVOY", "By=GATEWAY"));
        if let Ok(Some(found)) = ask(TWO, &header, by(GATEWAY)) {
            proptest::prop_assert_eq!(found, san);
        }
    }
}
