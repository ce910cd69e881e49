//! The TCP listener with mutual TLS: our own certificate as it is now, and Envoy's alone accepted.
//!
//! Certificates change while connections are open. A new one is for new connections; a connection
//! is told to go, with what is in flight, well before the certificate that opened it ends.

mod files;
mod own;
mod peers;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt;
use tonic::transport::server::Router;

pub(super) use self::files::{check, follow};
pub(super) use self::own::{Material, OwnCertificate, Roots};
use super::listener;
use crate::authn::svid;

const HANDSHAKE: Duration = Duration::from_secs(5);

/// Envoy opens a few for each of its threads. Those that wait to end count too.
const MAX_CONNECTIONS: usize = 4096;

/// No connection is older.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// Serves until stopping begins and what is in flight has been answered.
pub(super) async fn serve(
    listener: TcpListener,
    own: Arc<OwnCertificate>,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = listener::stopped(stopping.clone()) => break,
            Some(_) = connections.join_next() => {}
            taken = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((connection, _)) = listener::taken(taken).await {
                    let (own, router) = (Arc::clone(&own), router.clone());
                    connections.spawn(connect(connection, own, router, stopping.clone()));
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection, from its handshake to its end.
async fn connect(
    connection: TcpStream,
    own: Arc<OwnCertificate>,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    // Without a certificate nobody is answered, and nothing is ever plain.
    let Some(config) = own.config(super::now()) else {
        return;
    };
    connection.set_nodelay(true).ok();
    let stream = match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(connection)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a connection was refused: it is not Envoy's");
            return;
        }
        Err(_) => return,
    };
    let age = age(&stream, super::now());
    let incoming = tokio_stream::once(Ok::<_, Infallible>(stream)).chain(tokio_stream::pending());
    let ends = async {
        tokio::select! {
            () = tokio::time::sleep(age) => {}
            () = listener::stopped(stopping) => {}
        }
    };
    if let Err(error) = router.serve_with_incoming_shutdown(incoming, ends).await {
        tracing::error!(%error, "a connection of Envoy's failed");
    }
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
