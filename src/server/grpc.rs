//! What Envoy asks by gRPC, on HTTP/2.
//!
//! Every request waits for `Check`, so this one method is answered without the layers of a
//! framework, which take as long as a decision: one message comes, one goes, as "gRPC over HTTP/2"
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>) frames them, and both are
//! bytes ([`protobuf`](super::protobuf)). Everything else is tonic's.
//!
//! A deadline in `grpc-timeout` is not followed: who no longer waits resets the stream, and that
//! ends what is done for it.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::codegen::Service as _;
use tonic::service::Routes;

use super::peer::Leaf;
use super::service::Service;

/// What grpc.health.v1 is asked about.
pub(super) const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Before a message stand one byte, which says whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Who answers.
#[derive(Clone)]
pub(super) struct Services {
    check: Arc<Service>,
    /// The longest message that it takes.
    max_bytes: usize,
    others: Routes,
}

impl Services {
    pub(super) fn new(check: Service, max_bytes: usize, others: Routes) -> Self {
        Self { check: Arc::new(check), max_bytes, others: others.prepare() }
    }

    /// Answers what is asked on a connection until it is closed, or told to go and what is in
    /// flight has been answered. `leaf` is the certificate of whoever asks.
    pub(super) async fn answer<C>(
        self,
        connection: C,
        leaf: Leaf,
        ends: impl Future<Output = ()>,
    ) -> hyper::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asked = Arc::new((self, leaf));
        let service = service_fn(move |request| {
            let asked = Arc::clone(&asked);
            async move {
                let (services, leaf) = &*asked;
                Ok::<_, Infallible>(if request.uri().path() == CHECK {
                    match services.check(request, leaf).await {
                        Ok(message) => reply(message),
                        Err(status) => status.into_http(),
                    }
                } else {
                    Box::pin(services.other(request, leaf)).await
                })
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            // Envoy has limits of its own, and lists that are looked at hold streams open.
            .max_concurrent_streams(None)
            // Counted over the connection's whole life, and then everybody's answers end with it.
            .max_local_error_reset_streams(None)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(connection), service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = &mut connection => return ended,
            () = ends => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn check(&self, request: Request<Incoming>, leaf: &Leaf) -> Result<Vec<u8>, Status> {
        let (parts, body) = request.into_parts();
        let message = message(body, self.max_bytes).await?;
        self.check.check(message, &parts.headers, leaf).await
    }

    async fn other(&self, mut request: Request<Incoming>, leaf: &Leaf) -> Response<Reply> {
        request.extensions_mut().insert(leaf.clone());
        // Every route is ready at any time.
        let Ok(response) = self.others.clone().call(request).await;
        response.map(Reply::Other)
    }
}

/// The one message that comes.
async fn message(mut body: Incoming, max_bytes: usize) -> Result<Bytes, Status> {
    let mut next = async || match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        None => Ok(None),
        // What follows a message are trailers: they say nothing here.
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => Err(Status::cancelled(error.to_string())),
    };
    let mut framed = next().await?.unwrap_or_default();
    // Most come in one piece.
    let mut more: Option<BytesMut> = None;
    while let Some(piece) = next().await? {
        if piece.is_empty() {
            continue;
        }
        let whole = more.get_or_insert_with(|| BytesMut::from(&*framed));
        if whole.len() + piece.len() > PREFIX + max_bytes {
            return Err(Status::resource_exhausted("the message is too long"));
        }
        whole.extend_from_slice(&piece);
    }
    if let Some(whole) = more {
        framed = whole.freeze();
    }
    unframed(framed)
}

/// A message without its prefix.
fn unframed(mut framed: Bytes) -> Result<Bytes, Status> {
    let Some((&[compressed, a, b, c, d], message)) = framed.split_first_chunk::<PREFIX>() else {
        return Err(Status::internal("no message"));
    };
    if compressed != 0 {
        return Err(Status::unimplemented("compressed messages are not accepted"));
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return Err(Status::internal("not one whole message"));
    }
    Ok(framed.split_off(PREFIX))
}

/// The one message that goes.
fn reply(mut message: Vec<u8>) -> Response<Reply> {
    let Ok(length) = u32::try_from(message.len()) else {
        return Status::internal("the answer is too long").into_http();
    };
    let [a, b, c, d] = length.to_be_bytes();
    message.splice(..0, [0, a, b, c, d]);
    let mut response = Response::new(Reply::Message(message.into()));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// The body of a response.
#[derive(Default)]
enum Reply {
    /// A message, then that it went well.
    Message(Bytes),
    /// That it went well.
    Well,
    /// Nothing more.
    #[default]
    Ended,
    /// What tonic answers.
    Other(tonic::body::Body),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Self::Other(body) = &mut *self {
            return Pin::new(body).poll_frame(context);
        }
        Poll::Ready(match std::mem::take(&mut *self) {
            Self::Message(message) => {
                *self = Self::Well;
                Some(Ok(Frame::data(message)))
            }
            Self::Well => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Self::Ended | Self::Other(_) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message(_) | Self::Well => false,
            Self::Ended => true,
            Self::Other(body) => body.is_end_stream(),
        }
    }
}
