//! X.509-SVIDs: the leaf certificate that Envoy saw.
//!
//! Envoy's validator has checked the chain to the trust domain's bundle. It looks at the first URI
//! SAN only and at the time of the handshake only; the SPIFFE standard wants exactly one URI SAN,
//! and a stream outlives a handshake. So the leaf is read again at every request.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Proof;
use super::authorities::{Authorities, Signed};
use crate::identity::Workload;

/// Why a certificate proves no workload. For the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SvidError {
    /// Envoy names a principal but passes on no certificate.
    #[error("no certificate for the principal")]
    NoCertificate,
    /// Envoy's principal is no workload's SPIFFE ID.
    #[error("the principal is not a workload's SPIFFE ID")]
    PrincipalId,
    /// Not exactly one PEM certificate.
    #[error("not exactly one certificate")]
    NotACertificate,
    /// Not exactly one URI SAN (X509-SVID §2).
    #[error("not exactly one URI SAN")]
    UriSans,
    /// The URI SAN is no workload's SPIFFE ID.
    #[error("the URI SAN is not a workload's SPIFFE ID")]
    NotASpiffeId,
    /// The certificate and Envoy's principal disagree.
    #[error("certificate and principal disagree")]
    Principal,
    /// A trust domain that is not configured.
    #[error("the trust domain is not accepted")]
    TrustDomain,
    /// Not valid at this moment.
    #[error("the certificate is not valid now")]
    Validity,
    /// The trust domain has no bundle.
    #[error("the certificate's trust domain has no bundle")]
    NoBundle,
    /// Nobody who may has signed it.
    #[error("no authority of the trust domain has signed the certificate")]
    Untrusted,
    /// A signing certificate, or one that may not sign (X509-SVID §4).
    #[error("the certificate is not a leaf for authentication")]
    KeyUsage,
}

/// What Envoy says about the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'p> {
    /// `source.certificate`: URL-encoded PEM, empty without a client certificate.
    pub certificate: &'p str,
    /// `source.principal`: the first URI SAN, or something else that is no identity.
    pub principal: &'p str,
}

/// What a leaf certificate says of itself, once it was found to be one for authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Whom it names.
    pub workload: Workload,
    /// From when to when, in seconds since the epoch.
    valid: (i64, i64),
}

impl Leaf {
    /// Whether it proves the workload of a peer with this principal now: all that [`proved`] asks
    /// besides what the certificate's bytes alone answer.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn stands(
        &self,
        principal: &str,
        trust_domains: &[Box<str>],
        now: Timestamp,
    ) -> Result<(), SvidError> {
        self.is_valid(now)?;
        if principal != self.workload.as_str() {
            return Err(SvidError::Principal);
        }
        accepted(&self.workload, trust_domains)
    }

    fn is_valid(&self, now: Timestamp) -> Result<(), SvidError> {
        let (from, to) = self.valid;
        if (from..=to).contains(&now.as_second()) { Ok(()) } else { Err(SvidError::Validity) }
    }
}

/// The workload that a peer's certificate proves; `None` without a client certificate.
///
/// # Errors
///
/// As [`proved`].
pub fn workload(
    peer: Peer<'_>,
    trust_domains: &[Box<str>],
    now: Timestamp,
) -> Result<Option<Workload>, SvidError> {
    Ok(proved(peer, trust_domains, now)?.map(|leaf| leaf.workload))
}

/// The same, with how long it does.
///
/// # Errors
///
/// The first rule that does not hold: a certificate that proves nothing is refused, and is not the
/// same as none.
pub fn proved(
    peer: Peer<'_>,
    trust_domains: &[Box<str>],
    now: Timestamp,
) -> Result<Option<Leaf>, SvidError> {
    match (peer.certificate, peer.principal) {
        ("", "") => return Ok(None),
        ("", _) => return Err(SvidError::NoCertificate),
        _ => {}
    }
    let leaf = read(&der(peer.certificate)?, now)?;
    leaf.stands(peer.principal, trust_domains, now)?;
    Ok(Some(leaf))
}

/// Verifies once more that the peer's certificate was signed by an authority of the trust domain
/// that it names.
///
/// # Errors
///
/// If there is no certificate, or none of them has.
pub fn signed_by(
    peer: Peer<'_>,
    workload: &Workload,
    authorities: &Authorities,
    now: Timestamp,
) -> Result<Signed, SvidError> {
    authorities.verify(&der(peer.certificate)?, workload.trust_domain(), now)
}

/// The workload that Envoy names, where it passes on no certificate; `None` if it names nobody. A
/// certificate that does come is not ignored: then it is what proves.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn principal(
    peer: Peer<'_>,
    trust_domains: &[Box<str>],
    now: Timestamp,
) -> Result<Option<(Workload, Proof)>, SvidError> {
    if !peer.certificate.is_empty() {
        let proved = workload(peer, trust_domains, now)?;
        return Ok(proved.map(|workload| (workload, Proof::Certificate)));
    }
    if peer.principal.is_empty() {
        return Ok(None);
    }
    let workload = Workload::new(peer.principal).map_err(|_| SvidError::PrincipalId)?;
    accepted(&workload, trust_domains)?;
    Ok(Some((workload, Proof::Principal)))
}

fn accepted(workload: &Workload, trust_domains: &[Box<str>]) -> Result<(), SvidError> {
    let known = trust_domains.iter().any(|domain| **domain == *workload.trust_domain());
    if known { Ok(()) } else { Err(SvidError::TrustDomain) }
}

/// SHA-256 of the peer's certificate, if it has one: what tokens are bound to (RFC 8705 §3.1).
#[must_use]
pub fn fingerprint(peer: Peer<'_>) -> Option<[u8; 32]> {
    Some(Sha256::digest(der(peer.certificate).ok()?).into())
}

pub(super) fn der(certificate: &str) -> Result<Vec<u8>, SvidError> {
    let pem: Vec<u8> = percent_decode_str(certificate).collect();
    // The PEM reader skips text before the certificate; there is nothing to skip here.
    if !pem.starts_with(b"-----BEGIN CERTIFICATE-----") {
        return Err(SvidError::NotACertificate);
    }
    let (rest, pem) =
        x509_parser::pem::parse_x509_pem(&pem).map_err(|_| SvidError::NotACertificate)?;
    if !rest.trim_ascii().is_empty() {
        return Err(SvidError::NotACertificate);
    }
    Ok(pem.contents)
}

/// The workload that a leaf certificate (DER) names, if it may authenticate one now. The chain is
/// somebody else's to verify.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn leaf(der: &[u8], now: Timestamp) -> Result<Workload, SvidError> {
    Ok(read(der, now)?.workload)
}

fn read(der: &[u8], now: Timestamp) -> Result<Leaf, SvidError> {
    let (rest, leaf) = X509Certificate::from_der(der).map_err(|_| SvidError::NotACertificate)?;
    if !rest.is_empty() {
        return Err(SvidError::NotACertificate);
    }
    let workload = Workload::new(uri_san(&leaf)?).map_err(|_| SvidError::NotASpiffeId)?;
    let validity = leaf.validity();
    let valid = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let read = Leaf { workload, valid };
    read.is_valid(now)?;
    is_authentication_leaf(&leaf)?;
    Ok(read)
}

/// When a certificate (DER) ends, in seconds since the epoch.
#[must_use]
pub fn not_after(der: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn uri_san<'c>(leaf: &'c X509Certificate<'_>) -> Result<&'c str, SvidError> {
    let names = leaf.subject_alternative_name().map_err(|_| SvidError::UriSans)?;
    let names = names.ok_or(SvidError::UriSans)?;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Ok(uri),
        _ => Err(SvidError::UriSans),
    }
}

fn is_authentication_leaf(leaf: &X509Certificate<'_>) -> Result<(), SvidError> {
    let constraints = leaf.basic_constraints().map_err(|_| SvidError::KeyUsage)?;
    let usage = leaf.key_usage().map_err(|_| SvidError::KeyUsage)?.ok_or(SvidError::KeyUsage)?;
    let authority = constraints.is_some_and(|constraints| constraints.value.ca);
    let usage = usage.value;
    if authority || !usage.digital_signature() || usage.key_cert_sign() || usage.crl_sign() {
        return Err(SvidError::KeyUsage);
    }
    Ok(())
}
