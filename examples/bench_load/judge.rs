//! Whether an answer is the one that was expected.

use axum::body::Bytes;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use prost::Message as _;
use thiserror::Error;

use crate::plan::Expect;

/// Why an answer is wrong.
#[derive(Debug, Error)]
pub(crate) enum Wrong {
    #[error("grpc-status {status:?}, grpc-message {message:?}; expected 0")]
    Grpc { status: Option<String>, message: Option<String> },
    #[error("HTTP status {found}; expected {expected}; {body:?}")]
    Http { found: u16, expected: u16, body: String },
    #[error("the body does not hold {expected:?}; {body:?}")]
    Body { expected: String, body: String },
    #[error("not one gRPC message without compression: {0:?}")]
    Frame(Bytes),
    #[error("not a CheckResponse: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("code {found:?}; expected {expected:?}; {answer:?}")]
    Code { found: Option<i32>, expected: Option<i32>, answer: Box<CheckResponse> },
    #[error("not what stands beside code {code}; expected status {expected}; {answer:?}")]
    Decision { code: i32, expected: u16, answer: Box<CheckResponse> },
    #[error("header {expected} is not added; {answer:?}")]
    Header { expected: String, answer: Box<CheckResponse> },
}

/// An answer's parts that matter.
pub(crate) struct GrpcAnswer {
    pub(crate) status: u16,
    pub(crate) grpc_status: Option<String>,
    pub(crate) grpc_message: Option<String>,
    pub(crate) body: Bytes,
}

/// Judges the answers of one stream.
pub(crate) struct Judge {
    expect: Expect,
    /// The last answer that was right: the same bytes are right again.
    right: Bytes,
}

impl Judge {
    pub(crate) fn new(expect: Expect) -> Self {
        Self { expect, right: Bytes::new() }
    }

    pub(crate) fn grpc(&mut self, answer: GrpcAnswer) -> Result<(), Wrong> {
        let GrpcAnswer { status, grpc_status, grpc_message, body } = answer;
        if status != 200 {
            return Err(Wrong::Http { found: status, expected: 200, body: lossy(&body) });
        }
        if grpc_status.as_deref() != Some("0") {
            return Err(Wrong::Grpc { status: grpc_status, message: grpc_message });
        }
        if body.is_empty() || body != self.right {
            check(&self.expect, &body)?;
            self.right = body;
        }
        Ok(())
    }

    pub(crate) fn http(&self, status: u16, body: &[u8]) -> Result<(), Wrong> {
        let Expect { code: _, status: expected, header: _, body: part } = &self.expect;
        if status != *expected {
            return Err(Wrong::Http { found: status, expected: *expected, body: lossy(body) });
        }
        match part {
            Some(part) if !holds(body, part.as_bytes()) => {
                Err(Wrong::Body { expected: part.clone(), body: lossy(body) })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Decodes one length-prefixed message, and compares what it says with what was expected.
fn check(expect: &Expect, body: &Bytes) -> Result<(), Wrong> {
    let Some((&[0, a, b, c, d], message)) = body.split_first_chunk() else {
        return Err(Wrong::Frame(body.clone()));
    };
    if usize::try_from(u32::from_be_bytes([a, b, c, d])) != Ok(message.len()) {
        return Err(Wrong::Frame(body.clone()));
    }
    let answer = Box::new(CheckResponse::decode(message)?);
    let found = answer.status.as_ref().map(|status| status.code);
    let Some(code) = found.filter(|_| found == expect.code) else {
        return Err(Wrong::Code { found, expected: expect.code, answer });
    };
    let decided = match &answer.http_response {
        // Envoy takes OK without a response as one that changes nothing.
        None | Some(HttpResponse::OkResponse(_)) => code == 0 && expect.status == 200,
        Some(HttpResponse::DeniedResponse(denied)) => {
            let status = denied.status.as_ref().map(|status| status.code);
            code != 0 && status == Some(i32::from(expect.status))
        }
        Some(HttpResponse::ErrorResponse(_)) => false,
    };
    if !decided {
        return Err(Wrong::Decision { code, expected: expect.status, answer });
    }
    match &expect.header {
        Some(name) if !adds(&answer, name) => Err(Wrong::Header { expected: name.clone(), answer }),
        Some(_) | None => Ok(()),
    }
}

fn adds(answer: &CheckResponse, name: &str) -> bool {
    let Some(HttpResponse::OkResponse(ok)) = &answer.http_response else { return false };
    let mut headers = ok.headers.iter().filter_map(|option| option.header.as_ref());
    headers.any(|header| header.key == name)
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}

fn lossy(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests;
