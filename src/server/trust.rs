//! What is known of the trust domains: only that which something is verified with.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::bundles::{self, HeldBundles, Trusted};
use super::status::{Part, State};
use super::tls::{self, OwnCertificate};
use super::tokens::Verified;
use super::{ServeError, spire};
use crate::authn::authorities::Authorities;
use crate::authn::bundle::Bundles;
use crate::authn::svid::Leaf;
use crate::config::{BundlesSource, Config, GrpcListener, GrpcTls, TlsSource};
use crate::telemetry::BundlesState;

/// Workloads are fewer than users: what is kept of the credentials of either kind may weigh this
/// part of what users' tokens may.
const WORKLOADS_SHARE: u64 = 4;

/// The bundles of the trust domains.
#[derive(Debug)]
pub(super) struct Trust {
    /// With them JWT-SVIDs are verified; there if any are accepted.
    jwt: Option<Arc<HeldBundles<Bundles>>>,
    /// With them certificates are verified once more; there if that is wanted.
    x509: Option<Arc<HeldBundles<Authorities>>>,
    /// Ours to Envoy; there if Envoy asks by TLS.
    own: Option<Arc<OwnCertificate>>,
    /// Callers' certificates that were read.
    leaves: Verified<Arc<Leaf>>,
}

impl Trust {
    /// Nothing is known yet.
    pub(super) fn new(config: &Config) -> Self {
        let Config { workloads, grpc, tokens, .. } = config;
        let bytes = tokens.cache_bytes / WORKLOADS_SHARE;
        let own = match grpc {
            GrpcListener::Tcp { tls: Some(tls), .. } => Some(Arc::new(OwnCertificate::new(tls))),
            GrpcListener::Tcp { tls: None, .. } | GrpcListener::Unix(_) => None,
        };
        Self {
            jwt: workloads.jwt_svid.as_ref().map(|_| Arc::new(HeldBundles::new(bytes))),
            x509: workloads.verify_certificates.then(|| Arc::new(HeldBundles::new(bytes))),
            own,
            leaves: Verified::new(bytes),
        }
    }

    /// Callers' certificates that were read.
    pub(super) fn leaves(&self) -> &Verified<Arc<Leaf>> {
        &self.leaves
    }

    /// Keeps everything up to date, for ever.
    ///
    /// # Errors
    ///
    /// If our own certificate is in files that cannot be read.
    pub(super) fn follow(&self, config: &Config) -> Result<(), ServeError> {
        if let (Some(own), GrpcListener::Tcp { tls: Some(tls), .. }) = (&self.own, &config.grpc)
            && let TlsSource::Files(files) = &tls.source
        {
            tls::follow(files, own)?;
        }
        match &config.workloads.bundles {
            None => {}
            Some(BundlesSource::File(path)) => self.follow_file(path),
            Some(BundlesSource::Spire(socket)) => self.follow_agent(socket, config),
        }
        Ok(())
    }

    fn follow_file(&self, path: &Path) {
        if let Some(held) = self.jwt.clone() {
            tokio::spawn(bundles::follow(held, path.to_owned(), bundles::jwt));
        }
        if let Some(held) = self.x509.clone() {
            tokio::spawn(bundles::follow(held, path.to_owned(), bundles::x509));
        }
    }

    fn follow_agent(&self, socket: &Path, config: &Config) {
        let trust_domains = &config.workloads.trust_domains;
        if let Some(held) = self.jwt.clone() {
            let subject = spire::JwtBundles { trust_domains: trust_domains.clone(), held };
            tokio::spawn(spire::follow(socket.to_owned(), subject));
        }
        let is_ours = matches!(
            &config.grpc,
            GrpcListener::Tcp { tls: Some(GrpcTls { source: TlsSource::Spire, .. }), .. }
        );
        let own = self.own.clone().filter(|_| is_ours);
        if own.is_some() || self.x509.is_some() {
            let (trust_domains, held) = (trust_domains.clone(), self.x509.clone());
            let subject = spire::X509 { trust_domains, held, own };
            tokio::spawn(spire::follow(socket.to_owned(), subject));
        }
    }

    /// Whether whatever a workload may present can be verified.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        let Self { jwt, x509, own, leaves: _ } = self;
        jwt.as_ref().is_none_or(|jwt| jwt.at(now).is_some())
            && x509.as_ref().is_none_or(|x509| x509.at(now).is_some())
            && own.as_ref().is_none_or(|own| own.part(super::now()).state != State::Down)
    }

    /// Ours to Envoy, if Envoy asks by TLS.
    pub(super) fn own(&self) -> Option<Arc<OwnCertificate>> {
        self.own.clone()
    }

    /// What JWT-SVIDs are verified with, if it is known.
    pub(super) fn jwt(&self, now: Instant) -> Option<Arc<Trusted<Bundles>>> {
        self.jwt.as_ref()?.at(now)
    }

    /// What certificates are verified with, if it is known.
    pub(super) fn x509(&self, now: Instant) -> Option<Arc<Trusted<Authorities>>> {
        self.x509.as_ref()?.at(now)
    }

    /// How it is, for `/readyz` and `/status`.
    pub(super) fn parts(&self, now: Instant) -> Vec<Part> {
        let Self { jwt, x509, own, leaves: _ } = self;
        let bundles = jwt.iter().map(|jwt| jwt.part(now));
        let bundles = bundles.chain(x509.iter().map(|x509| x509.part(now)));
        bundles.chain(own.iter().map(|own| own.part(super::now()))).collect()
    }

    /// How it is, for the metrics.
    pub(super) fn observed(&self, now: Instant) -> Vec<BundlesState> {
        let Self { jwt, x509, own: _, leaves: _ } = self;
        let bundles = jwt.iter().map(|jwt| jwt.observed(now));
        bundles.chain(x509.iter().map(|x509| x509.observed(now))).collect()
    }
}
