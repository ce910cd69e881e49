//! Callers' certificates, as Envoy passes them on. Who signed them is Envoy's to look at.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use rcgen::{CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};
use sha2::{Digest as _, Sha256};

use crate::row::Peer;

/// A certificate, and what Envoy says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificate {
    /// URL-encoded PEM.
    pub(crate) pem: String,
    /// The first URI SAN.
    pub(crate) principal: String,
    /// `x5t#S256`
    pub(crate) thumbprint: String,
}

/// A certificate for each of them, and `none`.
pub(crate) fn make(peers: &BTreeMap<String, Peer>) -> BTreeMap<String, Certificate> {
    let made = peers.iter().map(|(name, peer)| (name.clone(), certificate(peer)));
    made.chain([("none".to_owned(), Certificate::default())]).collect()
}

fn certificate(peer: &Peer) -> Certificate {
    let Peer { uris } = peer;
    let mut params = CertificateParams::default();
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::minutes(1);
    params.not_after = now + time::Duration::hours(1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names =
        uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap())).collect();
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let pem =
        percent_encoding::utf8_percent_encode(&made.pem(), percent_encoding::NON_ALPHANUMERIC)
            .to_string();
    Certificate {
        pem,
        principal: uris.first().cloned().unwrap_or_default(),
        thumbprint: B64.encode(Sha256::digest(made.der())),
    }
}
