//! Who may ask: Envoy, and nobody else.

use jiff::Timestamp;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Request, Status};

use crate::authn::svid;
use crate::config::{GrpcListener, GrpcTls};
use crate::identity::Workload;

/// The workloads that may ask, where the transport proves it; `None` where it need not.
#[derive(Clone, Debug)]
pub(super) struct Peers(Option<Vec<Workload>>);

impl Peers {
    pub(super) fn new(listener: &GrpcListener) -> Self {
        Self(match listener {
            GrpcListener::Tcp { tls: Some(GrpcTls { accept, .. }), .. } => Some(accept.clone()),
            GrpcListener::Tcp { tls: None, .. } | GrpcListener::Unix(_) => None,
        })
    }

    /// TLS has verified the chain; only the configured identities may ask.
    pub(super) fn check<T>(&self, request: &Request<T>, now: Timestamp) -> Result<(), Status> {
        let Some(accept) = &self.0 else {
            return Ok(());
        };
        let tls = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
        let certificates = tls.and_then(TlsConnectInfo::peer_certs);
        let leaf = certificates.as_deref().and_then(|certificates| certificates.first());
        match leaf.map(|leaf| svid::leaf(leaf.as_ref(), now)) {
            Some(Ok(workload)) if accept.contains(&workload) => Ok(()),
            Some(Ok(_) | Err(_)) | None => {
                tracing::error!("somebody other than Envoy asked");
                Err(Status::permission_denied("only Envoy may ask"))
            }
        }
    }
}
