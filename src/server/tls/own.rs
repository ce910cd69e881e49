//! Our own certificate, as it is now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;

use super::peers::Peers;
use crate::authn::svid;
use crate::config::GrpcTls;
use crate::identity::Workload;
use crate::server::status::{Part, State};

/// A certificate with its key, and whom it is shown to.
#[derive(Debug)]
pub(in crate::server) struct Material {
    pub(in crate::server) chain: Vec<CertificateDer<'static>>,
    pub(in crate::server) key: PrivateKeyDer<'static>,
    pub(in crate::server) roots: Roots,
}

/// What Envoy's certificate must lead to.
#[derive(Debug)]
pub(in crate::server) enum Roots {
    /// The same for every trust domain.
    Any(Vec<CertificateDer<'static>>),
    /// Each trust domain's own.
    ByDomain(BTreeMap<Box<str>, Vec<CertificateDer<'static>>>),
}

impl Roots {
    pub(super) fn of(&self, trust_domain: &str) -> &[CertificateDer<'static>] {
        match self {
            Self::Any(roots) => roots,
            Self::ByDomain(roots) => roots.get(trust_domain).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

/// Our own certificate; none until there is one, once it has ended, and once it is taken back.
#[derive(Debug)]
pub(in crate::server) struct OwnCertificate {
    pub(in crate::server) identity: Workload,
    accept: Vec<Workload>,
    current: ArcSwapOption<Current>,
    trouble: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// In seconds since the epoch.
    expires: i64,
}

impl OwnCertificate {
    pub(in crate::server) fn new(tls: &GrpcTls) -> Self {
        Self {
            identity: tls.identity.clone(),
            accept: tls.accept.clone(),
            current: ArcSwapOption::empty(),
            trouble: Mutex::default(),
        }
    }

    /// What a connection begins with now.
    pub(super) fn config(&self, now: Timestamp) -> Option<Arc<ServerConfig>> {
        let current = self.current.load();
        let current = current.as_ref().filter(|current| now.as_second() <= current.expires)?;
        Some(Arc::clone(&current.config))
    }

    /// For connections from now on.
    pub(in crate::server) fn accept(
        &self,
        material: Material,
        now: Timestamp,
    ) -> Result<(), String> {
        let current = self.current(material, now)?;
        let expires = Timestamp::from_second(current.expires).map_err(|error| error.to_string())?;
        tracing::info!(identity = %self.identity, %expires, "own certificate loaded");
        self.current.store(Some(Arc::new(current)));
        *self.trouble() = None;
        Ok(())
    }

    /// It is what it was.
    pub(in crate::server) fn confirm(&self) {
        *self.trouble() = None;
    }

    /// Another one could not be had. Returns whether that is news.
    pub(in crate::server) fn fail(&self, problem: &str) -> bool {
        let problem = Some(problem.to_owned());
        let mut trouble = self.trouble();
        let news = *trouble != problem;
        *trouble = problem;
        news
    }

    /// Whoever gave it takes it back.
    pub(in crate::server) fn withdraw(&self, problem: &str) -> bool {
        self.current.store(None);
        self.fail(problem)
    }

    /// When it ends, in seconds since the epoch, if there is one.
    pub(in crate::server) fn expires(&self) -> Option<i64> {
        self.current.load().as_ref().map(|current| current.expires)
    }

    /// How it is, for `/readyz` and `/status`.
    pub(in crate::server) fn part(&self, now: Timestamp) -> Part {
        let because = self.trouble().as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (state, reason) = match self.expires() {
            None => (State::Down, format!("not known: nobody can connect{because}")),
            Some(expires) if now.as_second() > expires => {
                (State::Down, format!("has ended: nobody can connect{because}"))
            }
            Some(expires) => {
                let ends = Timestamp::from_second(expires).unwrap_or(Timestamp::MAX);
                let state = if because.is_empty() { State::Ok } else { State::Degraded };
                (state, format!("{} until {ends:.0}{because}", self.identity))
            }
        };
        Part { name: "own certificate".to_owned(), state, reason }
    }

    fn current(&self, material: Material, now: Timestamp) -> Result<Current, String> {
        let Material { chain, key, roots } = material;
        let leaf = chain.first().ok_or("there is no certificate")?;
        let workload = svid::leaf(leaf, now).map_err(|error| format!("our own: {error}"))?;
        if workload != self.identity {
            return Err(format!("the certificate is that of {workload}, not {}", self.identity));
        }
        let expires = svid::not_after(leaf).ok_or("the certificate does not say when it ends")?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let peers = Arc::new(Peers::new(&self.accept, &roots, &provider)?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(peers)
            .with_single_cert(chain, key)
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Who comes back is verified again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Current { config: Arc::new(config), expires })
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
