//! Who may ask: Envoy, and nobody else.

use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use tonic::Status;

use crate::authn::svid;
use crate::config::{GrpcListener, GrpcTls};
use crate::identity::Workload;

/// The workloads that may ask, where the transport proves it; `None` where it need not.
#[derive(Clone, Debug)]
pub(super) struct Peers(Option<Vec<Workload>>);

/// The certificate by which whoever asks has opened the connection, if there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf(Option<Arc<[u8]>>);

impl Leaf {
    /// Of the chain that was presented.
    pub(super) fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        Self(chain.and_then(<[_]>::first).map(|leaf| leaf.as_ref().into()))
    }
}

impl Peers {
    pub(super) fn new(listener: &GrpcListener) -> Self {
        Self(match listener {
            GrpcListener::Tcp { tls: Some(GrpcTls { accept, .. }), .. } => Some(accept.clone()),
            GrpcListener::Tcp { tls: None, .. } | GrpcListener::Unix(_) => None,
        })
    }

    /// TLS has verified the chain; only the configured identities may ask.
    pub(super) fn check(&self, leaf: Option<&Leaf>, now: Timestamp) -> Result<(), Status> {
        let Some(accept) = &self.0 else {
            return Ok(());
        };
        let leaf = leaf.and_then(|leaf| leaf.0.as_deref());
        match leaf.map(|leaf| svid::leaf(leaf, now)) {
            Some(Ok(workload)) if accept.contains(&workload) => Ok(()),
            Some(Ok(_) | Err(_)) | None => {
                tracing::error!("somebody other than Envoy asked");
                Err(Status::permission_denied("only Envoy may ask"))
            }
        }
    }
}
