//! Connections, over TCP and Unix sockets.

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Both kinds of socket.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Connects to `unix:/path` or `address:port`.
pub(crate) async fn connect(target: &str) -> Result<Box<dyn Socket>> {
    let connected: Result<Box<dyn Socket>, std::io::Error> = match target.strip_prefix("unix:") {
        Some(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as _),
        None => tcp(target).await.map(|stream| Box::new(stream) as _),
    };
    connected.with_context(|| format!("cannot connect to {target}"))
}

async fn tcp(target: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
