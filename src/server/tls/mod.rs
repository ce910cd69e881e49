//! The TCP listener with mutual TLS: our own certificate as it is now, and Envoy's alone accepted.
//!
//! Certificates change while connections are open. A new one is for new connections; a connection
//! is told to go, with what is in flight, well before the certificate that opened it ends.

mod files;
mod own;
mod peers;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(super) use self::files::{check, follow};
pub(super) use self::own::{Material, OwnCertificate, Roots};
use super::grpc::Services;
use super::listener;
use super::peer::Leaf;
use crate::authn::svid;

/// Envoy has no more for it.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// No connection is older.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// One connection, from its handshake to its end.
pub(super) async fn connect(
    connection: TcpStream,
    own: Arc<OwnCertificate>,
    services: Services,
    stopping: watch::Receiver<bool>,
) -> hyper::Result<()> {
    // Without a certificate nobody is answered, and nothing is ever plain.
    let Some(config) = own.config(super::now()) else {
        return Ok(());
    };
    let stream = match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(connection)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a connection was refused: it is not Envoy's");
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    let age = age(&stream, super::now());
    let ends = async {
        tokio::select! {
            () = tokio::time::sleep(age) => {}
            () = listener::stopped(stopping) => {}
        }
    };
    let leaf = Leaf::of(stream.get_ref().1.peer_certificates());
    services.answer(stream, leaf, ends).await
}

/// How long a connection may be used: three quarters of what is left of the peer's certificate.
fn age(stream: &TlsStream<TcpStream>, now: Timestamp) -> Duration {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let expires = leaf.and_then(|leaf| svid::not_after(leaf)).unwrap_or_default();
    left(expires, now).mul_f32(0.75).min(MAX_AGE)
}

fn left(expires: i64, now: Timestamp) -> Duration {
    let left = expires.saturating_sub(now.as_second());
    Duration::from_secs(u64::try_from(left).unwrap_or_default())
}
