//! Our own X.509-SVID, and the authorities of the trust domains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use spiffe::cert::Certificate;
use spiffe::{TrustDomain, WorkloadApiClient, WorkloadApiError, X509Bundle, X509Context};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Subject, Updates};
use crate::authn::authorities::Authorities;
use crate::server::bundles::HeldBundles;
use crate::server::tls::{Material, OwnCertificate, Roots};

/// Whatever of it is used.
pub(in crate::server) struct X509 {
    pub(in crate::server) trust_domains: Vec<Box<str>>,
    /// With them callers' certificates are verified; the listed trust domains only.
    pub(in crate::server) held: Option<Arc<HeldBundles<Authorities>>>,
    /// Shown to Envoy.
    pub(in crate::server) own: Option<Arc<OwnCertificate>>,
}

impl Subject for X509 {
    type Update = X509Context;

    const WHAT: &'static str = "X.509-SVID and bundles";

    async fn subscribe(
        client: &WorkloadApiClient,
    ) -> Result<Updates<X509Context>, WorkloadApiError> {
        Ok(Box::pin(client.stream_x509_contexts().await?))
    }

    fn accept(&mut self, update: &X509Context, now: Instant) -> Result<(), String> {
        if let Some(held) = &self.held {
            held.accept(listed(update, &self.trust_domains)?, now);
        }
        if let Some(own) = &self.own {
            let accepted = material(update, own)
                .and_then(|material| own.accept(material, crate::server::now()));
            // What it was is no longer what the agent says: roots that are gone admit nobody.
            if let Err(problem) = &accepted {
                own.withdraw(problem);
            }
            accepted?;
        }
        Ok(())
    }

    fn confirm(&mut self, now: Instant) {
        if let Some(held) = &self.held {
            held.confirm(now);
        }
        if let Some(own) = &self.own {
            own.confirm();
        }
    }

    fn fail(&mut self, problem: &str) -> bool {
        let held = self.held.as_ref().map(|held| held.fail(problem));
        let own = self.own.as_ref().map(|own| own.fail(problem));
        held == Some(true) || own == Some(true)
    }

    fn withdraw(&mut self, problem: &str) -> bool {
        let held = self.held.as_ref().map(|held| held.withdraw(problem));
        let own = self.own.as_ref().map(|own| own.withdraw(problem));
        held == Some(true) || own == Some(true)
    }
}

fn listed(update: &X509Context, trust_domains: &[Box<str>]) -> Result<Authorities, String> {
    let mut authorities = Authorities::default();
    for name in trust_domains {
        let domain = TrustDomain::new(name).map_err(|error| error.to_string())?;
        if let Some(bundle) = update.bundle_set().get_ref(&domain) {
            let ders = bundle.authorities().iter().map(Certificate::as_bytes);
            authorities.insert(name, ders).map_err(|error| error.to_string())?;
        }
    }
    Ok(authorities)
}

/// Of several identities the one that Envoy expects, and for its peers every domain's own roots.
fn material(update: &X509Context, own: &OwnCertificate) -> Result<Material, String> {
    let wanted = own.identity.to_string();
    let svid = update.svids().iter().find(|svid| svid.spiffe_id().to_string() == wanted);
    let svid = svid.ok_or_else(|| {
        let given: Vec<_> =
            update.svids().iter().map(|svid| svid.spiffe_id().to_string()).collect();
        format!("the agent knows this process as {}, not as {wanted}", given.join(", "))
    })?;
    let der = |certificate: &Certificate| CertificateDer::from(certificate.as_bytes().to_vec());
    let roots = |bundle: &X509Bundle| bundle.authorities().iter().map(der).collect::<Vec<_>>();
    let by_domain: BTreeMap<Box<str>, _> = update
        .bundle_set()
        .iter()
        .map(|(domain, bundle)| (domain.as_str().into(), roots(bundle)))
        .collect();
    let key = PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec());
    Ok(Material {
        chain: svid.cert_chain().iter().map(der).collect(),
        key: PrivateKeyDer::Pkcs8(key),
        roots: Roots::ByDomain(by_domain),
    })
}
