//! Writes of one turn of a connection, put together. `h2` flushes after every message, which would
//! be a system call for each; Envoy, too, writes what has come together in one turn of its loop.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connect::Socket;

/// More than this is written before anything is added.
const MOST: usize = 1 << 18;

/// A socket that writes when it is told so by `Batched::write_out`, not by its user's flush.
#[derive(Clone)]
pub(crate) struct Batched(Arc<Mutex<Inner>>);

struct Inner {
    socket: Box<dyn Socket>,
    waiting: Vec<u8>,
    /// How much of `waiting` has been written.
    written: usize,
}

impl Batched {
    pub(crate) fn new(socket: Box<dyn Socket>) -> Self {
        Self(Arc::new(Mutex::new(Inner { socket, waiting: Vec::new(), written: 0 })))
    }

    /// Writes all that waits; the task is woken where the socket takes no more.
    pub(crate) fn write_out(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().write_out(cx)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                wrote => self.written += wrote,
            }
        }
        self.waiting.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Batched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Batched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        part: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(part)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        if inner.waiting.len() > MOST {
            ready!(inner.write_out(cx))?;
        }
        let before = inner.waiting.len();
        for part in parts {
            inner.waiting.extend_from_slice(part);
        }
        Poll::Ready(Ok(inner.waiting.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        ready!(inner.write_out(cx))?;
        Pin::new(&mut inner.socket).poll_shutdown(cx)
    }
}
