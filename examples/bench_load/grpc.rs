//! `Authorization.Check` over plain HTTP/2.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use anyhow::{Context as _, Result, anyhow};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use h2::RecvStream;
use h2::client::{Connection, SendRequest};
use tokio::task::JoinSet;

use crate::batch::Batched;
use crate::connect;
use crate::judge::{GrpcAnswer, Judge};
use crate::plan::Plan;
use crate::report::Tally;
use crate::run::{Message, Shared};

/// So large that answers are never held back for it.
const WINDOW: u32 = 1 << 30;

/// What stands before every message: that it is not compressed, and its length.
pub(crate) fn frame(message: &[u8]) -> Result<Bytes> {
    let length = u32::try_from(message.len())?;
    Ok([&[0], length.to_be_bytes().as_slice(), message].concat().into())
}

/// Opens one connection, and starts its streams.
pub(crate) async fn start(
    plan: &Plan,
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Result<Tally>>,
) -> Result<()> {
    let head = head(&plan.metadata)?;
    let socket = Batched::new(connect::connect(&plan.target).await?);
    let (client, connection) = h2::client::Builder::new()
        .initial_connection_window_size(WINDOW)
        .enable_push(false)
        .handshake(socket.clone())
        .await?;
    tokio::spawn(drive(connection, socket));
    for _ in 0..plan.streams {
        let judge = Judge::new(plan.expect.clone());
        tasks.spawn(stream(Arc::clone(shared), client.clone(), head.clone(), judge));
    }
    Ok(())
}

/// Runs a connection. What ends it is told to its streams by `h2`, except where writing fails: then
/// dropping it tells them.
async fn drive(mut connection: Connection<Batched, Bytes>, socket: Batched) {
    poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx).map(drop);
        match socket.write_out(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => ended,
        }
    })
    .await;
}

fn head(metadata: &BTreeMap<String, String>) -> Result<Request<()>> {
    let mut head = Request::post("http://authz/envoy.service.auth.v3.Authorization/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    for (name, value) in metadata {
        head.headers_mut().insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
    }
    Ok(head)
}

async fn stream(
    shared: Arc<Shared>,
    mut client: SendRequest<Bytes>,
    head: Request<()>,
    mut judge: Judge,
) -> Result<Tally> {
    let mut tally = Tally::default();
    while let Some(due) = shared.pace.turn().await? {
        let Message { file, bytes } = shared.next()?;
        client = client.ready().await?;
        shared.sent(due, &mut tally);
        let answer = ask(&mut client, head.clone(), bytes.clone()).await;
        let answer = answer.with_context(|| file.display().to_string())?;
        shared.answered(due, &mut tally);
        judge.grpc(answer).with_context(|| file.display().to_string())?;
    }
    Ok(tally)
}

async fn ask(
    client: &mut SendRequest<Bytes>,
    head: Request<()>,
    message: Bytes,
) -> Result<GrpcAnswer> {
    let (response, mut request) = client.send_request(head, false)?;
    request.send_data(message, true)?;
    let (head, mut body) = response.await?.into_parts();
    let bytes = read(&mut body).await?;
    // An answer without a message has them in its only head.
    let trailers = body.trailers().await?.unwrap_or(head.headers);
    Ok(GrpcAnswer {
        status: head.status.as_u16(),
        grpc_status: text(&trailers, "grpc-status")?,
        grpc_message: text(&trailers, "grpc-message")?,
        body: bytes,
    })
}

async fn read(body: &mut RecvStream) -> Result<Bytes> {
    let mut whole = Bytes::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        whole = if whole.is_empty() { part } else { [whole, part].concat().into() };
    }
    Ok(whole)
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let value = value.to_str().map_err(|_| anyhow!("{name} is not text: {value:?}"))?;
    Ok(Some(value.to_owned()))
}
