//! Authorities: which certificates sign the X.509-SVIDs of a trust domain (SPIFFE Trust Domain and
//! Bundle §4). The authorities of one domain say nothing about the workloads of another.
//!
//! Envoy has verified the chain at the handshake. This is for those who do not want to depend on
//! its listener being configured so. Only the leaf is here, so its issuer has to be in the bundle.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::bundle::{BundlesError, each_domain, is_trust_domain, keys_of};
use super::svid::SvidError;
use crate::json::Value;

/// How a bundle marks its X.509 authorities (§4.2.2).
const X509_SVID: &str = "x509-svid";

/// The X.509 authorities by trust domain.
#[derive(Clone, Debug, Default)]
pub struct Authorities(BTreeMap<Box<str>, Vec<Authority>>);

#[derive(Clone, Debug)]
struct Authority {
    anchor: TrustAnchor<'static>,
    /// From when to when it is one, in seconds since the epoch.
    valid: (i64, i64),
}

/// That an authority has signed a certificate. It counts for as long as that is one.
#[derive(Clone, Debug)]
pub struct Signed {
    trust_domain: Arc<str>,
    valid: (i64, i64),
}

impl Authorities {
    /// Reads the same document as [`super::bundle::Bundles::parse`]. Of the keys, those marked
    /// `use: x509-svid` with exactly one certificate of an authority count, and no others.
    ///
    /// # Errors
    ///
    /// If one bundle is none. One without a usable authority is a bundle: it revokes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundlesError> {
        let mut authorities = Self::default();
        each_domain(bytes, |name, bundle| {
            let ders: Vec<_> = keys_of(name, bundle)?.iter().filter_map(certificate).collect();
            authorities.insert(name, ders.iter().map(Vec::as_slice))
        })?;
        Ok(authorities)
    }

    /// Adds or replaces the authorities of one trust domain: certificates (DER), of which those
    /// that may sign certificates count.
    ///
    /// # Errors
    ///
    /// If it is no trust domain.
    pub fn insert<'d>(
        &mut self,
        trust_domain: &str,
        certificates: impl IntoIterator<Item = &'d [u8]>,
    ) -> Result<(), BundlesError> {
        is_trust_domain(trust_domain)?;
        let authorities = certificates.into_iter().filter_map(Authority::of).collect();
        self.0.insert(trust_domain.into(), authorities);
        Ok(())
    }

    /// Every trust domain with the number of its authorities, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(name, authorities)| (&**name, authorities.len()))
    }

    /// Verifies that an authority of the trust domain has signed a leaf certificate (DER). What the
    /// leaf says of itself is [`super::svid::leaf`]'s to judge.
    ///
    /// # Errors
    ///
    /// If the trust domain has no bundle, or none of its authorities that are valid now has.
    pub fn verify(
        &self,
        leaf: &[u8],
        trust_domain: &str,
        now: Timestamp,
    ) -> Result<Signed, SvidError> {
        let authorities = self.0.get(trust_domain).ok_or(SvidError::NoBundle)?;
        // An anchor's own validity is nobody's concern in RFC 5280; here a bundle that is not
        // renewed must not count for ever.
        let mut valid = authorities.iter().filter(|authority| includes(authority.valid, now));
        let time = u64::try_from(now.as_second()).map_err(|_| SvidError::Untrusted)?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(time));
        let leaf = CertificateDer::from(leaf);
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| SvidError::Untrusted)?;
        let has_signed = |Authority { anchor, valid: _ }: &&Authority| {
            let (anchors, usage) = (std::slice::from_ref(anchor), KeyUsage::client_auth());
            let algorithms = ALL_VERIFICATION_ALGS;
            leaf.verify_for_usage(algorithms, anchors, &[], time, usage, None, None).is_ok()
        };
        let signer = valid.find(has_signed).ok_or(SvidError::Untrusted)?;
        Ok(Signed { trust_domain: trust_domain.into(), valid: signer.valid })
    }
}

impl Signed {
    /// The trust domain whose authority has signed it.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Whether it counts now, for a workload of this trust domain. Whether the certificate itself
    /// is valid now is [`super::svid::leaf`]'s to say.
    #[must_use]
    pub fn counts(&self, trust_domain: &str, now: Timestamp) -> bool {
        let Self { trust_domain: signed, valid } = self;
        **signed == *trust_domain && includes(*valid, now)
    }
}

fn includes((from, to): (i64, i64), now: Timestamp) -> bool {
    (from..=to).contains(&now.as_second())
}

impl Authority {
    fn of(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let constraints = certificate.basic_constraints().ok()??;
        let may_sign = match certificate.key_usage().ok()? {
            None => true,
            Some(usage) => usage.value.key_cert_sign(),
        };
        // A leaf in a bundle would otherwise sign for itself.
        if !rest.is_empty() || !constraints.value.ca || !may_sign {
            return None;
        }
        let validity = certificate.validity();
        let der = CertificateDer::from(der);
        Some(Self {
            anchor: webpki::anchor_from_trusted_cert(&der).ok()?.to_owned(),
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }
}

/// The certificate of an authority: `x5c` has exactly one (§4.2.3).
fn certificate(key: &Value<'_>) -> Option<Vec<u8>> {
    let key = key.as_object()?;
    let marked = key.get("use").and_then(Value::as_str);
    match key.get("x5c")?.as_array()? {
        [only] if marked == Some(X509_SVID) => STANDARD.decode(only.as_str()?).ok(),
        _ => None,
    }
}
