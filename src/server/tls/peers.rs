//! Who may connect: the accepted SPIFFE IDs, each by the roots of its own trust domain.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::own::Roots;
use crate::authn::svid;
use crate::identity::Workload;

#[derive(Debug)]
pub(super) struct Peers {
    /// Each with whoever verifies its chain.
    accepted: Vec<(Workload, Arc<dyn ClientCertVerifier>)>,
    provider: Arc<CryptoProvider>,
}

impl Peers {
    /// Those of the accepted ones for whose trust domain there are roots.
    pub(super) fn new(
        accept: &[Workload],
        roots: &Roots,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut accepted = Vec::new();
        for workload in accept {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots.of(workload.trust_domain()).iter().cloned());
            if store.is_empty() {
                continue;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
                    .build()
                    .map_err(|error| error.to_string())?;
            accepted.push((workload.clone(), verifier));
        }
        if accepted.is_empty() {
            return Err("there are no roots that Envoy's certificate could lead to".to_owned());
        }
        Ok(Self { accepted, provider: Arc::clone(provider) })
    }
}

impl ClientCertVerifier for Peers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refused = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(second).map_err(|_| refused.clone())?;
        let workload = svid::leaf(end_entity, time).map_err(|_| refused.clone())?;
        let accepted = self.accepted.iter().find(|(accepted, _)| *accepted == workload);
        let (_, verifier) = accepted.ok_or(refused)?;
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
