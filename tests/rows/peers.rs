//! Callers' certificates, as Envoy passes them on, and the authorities that signed them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use sha2::{Digest as _, Sha256};

use crate::row::Peer;
use crate::token;

/// A certificate, and what Envoy says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificate {
    /// URL-encoded PEM.
    pub(crate) pem: String,
    /// What Envoy calls it by.
    pub(crate) principal: String,
    /// `x5t#S256`
    pub(crate) thumbprint: String,
    pub(crate) der: Vec<u8>,
    /// The same hash as Envoy writes it.
    pub(crate) hash: String,
}

/// A certificate for each of them, and `none`.
pub(crate) fn make(peers: &BTreeMap<String, Peer>) -> BTreeMap<String, Certificate> {
    let keys: BTreeMap<_, _> =
        peers.keys().map(|name| (name.as_str(), KeyPair::generate().unwrap())).collect();
    let made = peers.iter().map(|(name, peer)| {
        let signer = peer.signed_by.as_ref().unwrap_or(name).as_str();
        let issuer = Issuer::new(params(&peers[signer]), &keys[signer]);
        (name.clone(), certificate(peer, &keys[name.as_str()], &issuer))
    });
    made.chain([("none".to_owned(), Certificate::default())]).collect()
}

fn params(peer: &Peer) -> CertificateParams {
    let Peer { uris, dns, common_name, minutes, usages, authority, .. } = peer;
    let uris: Vec<_> = uris.iter().map(|uri| token::repeated(uri)).collect();
    let mut params = CertificateParams::default();
    if let Some(name) = common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let now = time::OffsetDateTime::now_utc();
    let (from, to) = minutes.unwrap_or((-1, 60));
    params.not_before = now + time::Duration::minutes(from);
    params.not_after = now + time::Duration::minutes(to);
    params.is_ca =
        if *authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params.key_usages = match usages {
        None => vec![KeyUsagePurpose::DigitalSignature],
        Some(names) => names.iter().map(|name| usage(name)).collect(),
    };
    let names = uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap()));
    let dns_names = dns.iter().map(|name| SanType::DnsName(name.as_str().try_into().unwrap()));
    params.subject_alt_names = names.chain(dns_names).collect();
    params
}

fn certificate(peer: &Peer, key: &KeyPair, issuer: &Issuer<'_, &KeyPair>) -> Certificate {
    let Peer { uris, dns, principal, shown, .. } = peer;
    let uris: Vec<_> = uris.iter().map(|uri| token::repeated(uri)).collect();
    let made = params(peer).signed_by(key, issuer).unwrap();
    let pem = shown.as_deref().unwrap_or("PEM").replace("PEM", &made.pem());
    // As Envoy has it: the first URI SAN, or else the first DNS SAN.
    let first = uris.first().or(dns.first()).cloned().unwrap_or_default();
    Certificate {
        pem: percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
        principal: principal.clone().unwrap_or(first),
        thumbprint: B64.encode(Sha256::digest(made.der())),
        der: made.der().to_vec(),
        hash: hex(&Sha256::digest(made.der())),
    }
}

fn usage(name: &str) -> KeyUsagePurpose {
    match name {
        "digitalSignature" => KeyUsagePurpose::DigitalSignature,
        "keyEncipherment" => KeyUsagePurpose::KeyEncipherment,
        "keyCertSign" => KeyUsagePurpose::KeyCertSign,
        "cRLSign" => KeyUsagePurpose::CrlSign,
        _ => panic!("no key usage `{name}`"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}
