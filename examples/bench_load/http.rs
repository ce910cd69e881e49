//! HTTP/1.1, one request at a time on each connection, connections kept open.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::connect::{self, Socket};
use crate::judge::Judge;
use crate::plan::Plan;
use crate::report::Tally;
use crate::run::{Message, Shared};

/// Opens one connection, and starts asking.
pub(crate) async fn start(
    plan: &Plan,
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Result<Tally>>,
) -> Result<()> {
    ensure!(plan.streams == 1, "HTTP/1.1 has one stream on a connection");
    let socket = connect::connect(&plan.target).await?;
    tasks.spawn(stream(Arc::clone(shared), socket, Judge::new(plan.expect.clone())));
    Ok(())
}

async fn stream(shared: Arc<Shared>, mut socket: Box<dyn Socket>, judge: Judge) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut buffer = Vec::new();
    while let Some(due) = shared.pace.turn().await? {
        let Message { file, bytes } = shared.next()?;
        shared.sent(due, &mut tally);
        let answer = ask(&mut socket, bytes, &mut buffer).await;
        let (status, body) = answer.with_context(|| file.display().to_string())?;
        shared.answered(due, &mut tally);
        judge.http(status, body).with_context(|| file.display().to_string())?;
    }
    Ok(tally)
}

async fn ask<'a>(
    socket: &mut Box<dyn Socket>,
    request: &[u8],
    buffer: &'a mut Vec<u8>,
) -> Result<(u16, &'a [u8])> {
    socket.write_all(request).await?;
    buffer.clear();
    loop {
        if let Some((head, rest)) = split(buffer) {
            let (status, length) = parse(head)?;
            ensure!(rest.len() <= length, "more than one answer: {:?}", lossy(buffer));
            if rest.len() == length {
                let body = buffer.len() - length;
                return Ok((status, buffer.get(body..).unwrap_or_default()));
            }
        }
        if socket.read_buf(buffer).await? == 0 {
            bail!("the connection was closed after {:?}", lossy(buffer));
        }
    }
}

fn split(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end)?;
    Some((head, rest.split_at_checked(4)?.1))
}

/// The status and the length of the body. An answer that does not say its length is refused.
fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("the head is not UTF-8")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = first.and_then(|line| line.split(' ').next()?.parse().ok());
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    status.zip(length).with_context(|| format!("no status or no content-length: {head:?}"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{parse, split};

    /// Status, length, and what follows the head.
    type Answer = (u16, usize, &'static str);

    #[test]
    fn answers_are_read_by_their_length() {
        let table: &[(&'static str, Option<Answer>)] = &[
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Some((200, 2, "hi"))),
            ("HTTP/1.1 403 Forbidden\r\nA: b\r\nContent-Length:0\r\n\r\n", Some((403, 0, ""))),
            ("HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhi", Some((200, 5, "hi"))),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nhi", None),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", None),
            ("HTTP/1.1 OK\r\ncontent-length: 2\r\n\r\nhi", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", None),
        ];
        for (answer, expected) in table {
            let read = split(answer.as_bytes()).and_then(|(head, rest)| {
                let (status, length) = parse(head).ok()?;
                Some((status, length, std::str::from_utf8(rest).unwrap()))
            });
            assert_eq!(read, *expected, "{answer:?}");
        }
    }
}
