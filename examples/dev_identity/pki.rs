//! The certificates of a small mesh: a CA, its trust bundle, and X.509-SVIDs
//! (SPIFFE X.509-SVID §4) for every workload that the samples know.

use std::{
    net::Ipv4Addr,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use serde_json::json;

use crate::{
    files::{Access, replace},
    keys::ec_coordinates,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Certificates are valid a little before now, for clocks that disagree a little.
const SKEW: Duration = Duration::from_secs(60);

/// Workloads by file name, with the path of their SPIFFE ID.
const WORKLOADS: [(&str, &str); 6] = [
    ("ai-chat", "/ns/ai-chat/sa/webapp"),
    ("ide", "/ns/ide-gateway/sa/gateway"),
    ("chat-bot", "/ns/chat-bot/sa/bot"),
    ("nightly", "/ns/lineage/sa/nightly"),
    ("stranger", "/ns/elsewhere/sa/stranger"),
    ("toolgate", "/ns/mcp/sa/toolgate"),
];

/// A CA that speaks for one trust domain, and the directory its certificates go to.
struct Pki<'a> {
    dir: &'a Path,
    trust_domain: &'a str,
    ca: CertifiedIssuer<'static, KeyPair>,
}

/// Writes a fresh CA and everything signed by it.
pub(crate) fn write(dir: &Path, trust_domain: &str, short_seconds: u64) -> Result<()> {
    let pki = Pki { dir, trust_domain, ca: authority(trust_domain)? };

    let [dns, public] = ["localhost", "mcp.example.com"];
    pki.leaf(
        "envoy",
        DAY,
        vec![
            pki.id("/ns/mcp/sa/envoy")?,
            SanType::DnsName(dns.try_into()?),
            SanType::DnsName(public.try_into()?),
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
        ],
    )?;
    for (name, path) in WORKLOADS {
        pki.leaf(name, DAY, vec![pki.id(path)?])?;
    }

    // Two that a careful reader of certificates has to refuse: an X.509-SVID has exactly one
    // URI SAN, and one that has run out on an open connection is no identity any more.
    pki.leaf(
        "two-ids",
        DAY,
        vec![pki.id("/ns/ai-chat/sa/webapp")?, pki.id("/ns/other/sa/other")?],
    )?;
    pki.leaf("short", Duration::from_secs(short_seconds), vec![pki.id("/ns/ai-chat/sa/webapp")?])?;

    // Last, since Envoy may be watching it: the bundle that makes all of them trusted.
    replace(dir, "ca.pem", pki.ca.pem().as_bytes(), Access::Everybody)?;
    replace(dir, "bundles.json", pki.bundles()?.as_bytes(), Access::Everybody)
}

fn authority(trust_domain: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = params("toolgate development CA", 30 * DAY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{trust_domain}").try_into()?)];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn params(common_name: &str, lifetime: Duration) -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (now - SKEW).into();
    params.not_after = (now + lifetime).into();
    params
}

impl Pki<'_> {
    fn id(&self, path: &str) -> Result<SanType> {
        Ok(SanType::URI(format!("spiffe://{}{path}", self.trust_domain).try_into()?))
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn leaf(&self, name: &str, lifetime: Duration, names: Vec<SanType>) -> Result<()> {
        let mut params = params(name, lifetime);
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;

        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, &self.ca)
            .with_context(|| format!("could not sign the certificate of {name}"))?;
        let key = key.serialize_pem();
        replace(self.dir, &format!("{name}.key"), key.as_bytes(), Access::Owner)?;
        replace(self.dir, &format!("{name}.pem"), certificate.pem().as_bytes(), Access::Everybody)
    }

    /// The CA in the form of Envoy's SPIFFE validator: SPIFFE bundles by trust domain
    /// (SPIFFE Trust Domain and Bundle §4).
    fn bundles(&self) -> Result<String> {
        let (x, y) = ec_coordinates(self.ca.key().der_bytes())?;
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "x509-svid", "x": x, "y": y,
            "x5c": [BASE64_STANDARD.encode(self.ca.der())],
        });
        let bundles = json!({ "trust_domains": { self.trust_domain: { "keys": [key] } } });
        Ok(serde_json::to_string_pretty(&bundles)?)
    }
}
