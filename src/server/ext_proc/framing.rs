//! How an answer is framed, as its headers say. What they leave open is not looked at, and so does
//! not pass.

use envoy_types::pb::envoy::service::ext_proc::v3::HttpHeaders;
use thiserror::Error;

use crate::lists::Framing;
use crate::server::asked::is_utf8;

/// What a body that is to be looked at turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// There is none, or none in which a client would look for messages.
    Nothing,
    /// Messages.
    Messages(Framing),
}

/// Nobody can know what a client would read in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Foreign {
    #[error("the answer has no status")]
    Status,
    #[error("the answer has several content types")]
    Types,
    #[error("the answer is neither JSON nor a stream of events")]
    Type,
    #[error("the answer is encoded")]
    Encoded,
}

/// What the body will be.
pub(super) fn content(headers: &HttpHeaders) -> Result<Content, Foreign> {
    let all = |name: &'static str| {
        let headers = headers.headers.iter().flat_map(|map| &map.headers);
        headers.filter(move |header| header.key.eq_ignore_ascii_case(name)).map(|header| {
            let raw = header.raw_value.as_slice();
            if raw.is_empty() { header.value.as_bytes() } else { raw }
        })
    };
    let status = all(":status").next().and_then(|status| std::str::from_utf8(status).ok());
    let status: u16 = status.and_then(|status| status.parse().ok()).ok_or(Foreign::Status)?;
    if headers.end_of_stream {
        return Ok(Content::Nothing);
    }
    let mut types = all("content-type");
    let (first, None) = (types.next(), types.next()) else {
        return Err(Foreign::Types);
    };
    let framing = first.and_then(framing);
    // A proxy's page about what went wrong, say. Not what others may take for messages.
    let is_error = !(200..300).contains(&status);
    match framing {
        None if is_error && !first.is_some_and(is_like_messages) => Ok(Content::Nothing),
        None => Err(Foreign::Type),
        Some(_) if all("content-encoding").any(|coding| coding != b"identity") => {
            Err(Foreign::Encoded)
        }
        Some(framing) => Ok(Content::Messages(framing)),
    }
}

fn framing(value: &[u8]) -> Option<Framing> {
    if is_utf8(value, "application/json") {
        Some(Framing::Json)
    } else if is_utf8(value, "text/event-stream") {
        Some(Framing::Events)
    } else {
        None
    }
}

fn is_like_messages(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    let is_in = |part: &[u8]| value.windows(part.len()).any(|window| window == part);
    is_in(b"application/json") || is_in(b"event-stream")
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn only_what_can_be_looked_at_is() {
        use Content::{Messages, Nothing};
        use Framing::{Events, Json};
        let json = ("content-type", "application/json");
        let events = ("content-type", "text/event-stream");
        let html = ("content-type", "text/html");
        let gzip = ("content-encoding", "gzip");
        for (status, headers, expected) in [
            ("200", vec![json], Ok(Messages(Json))),
            (
                "200",
                vec![("Content-Type", "Application/JSON; charset=\"UTF-8\"")],
                Ok(Messages(Json)),
            ),
            ("200", vec![events], Ok(Messages(Events))),
            (
                "200",
                vec![("content-type", "text/event-stream;charset=utf-8")],
                Ok(Messages(Events)),
            ),
            ("404", vec![json], Ok(Messages(Json))),
            ("500", vec![events], Ok(Messages(Events))),
            ("200", vec![json, ("content-encoding", "identity")], Ok(Messages(Json))),
            ("500", vec![html], Ok(Nothing)),
            ("500", vec![html, gzip], Ok(Nothing)),
            ("502", vec![], Ok(Nothing)),
            ("500", vec![("content-type", "application/problem+json")], Ok(Nothing)),
            ("200", vec![], Err(Foreign::Type)),
            ("200", vec![html], Err(Foreign::Type)),
            ("200", vec![("content-type", "")], Err(Foreign::Type)),
            ("200", vec![("content-type", "application/json; charset=utf-16")], Err(Foreign::Type)),
            (
                "200",
                vec![("content-type", "application/json, text/event-stream")],
                Err(Foreign::Type),
            ),
            ("500", vec![("content-type", "application/json, text/html")], Err(Foreign::Type)),
            ("500", vec![("content-type", "application/json; charset=utf-7")], Err(Foreign::Type)),
            ("200", vec![("content-type", "application/jsonl")], Err(Foreign::Type)),
            ("200", vec![json, json], Err(Foreign::Types)),
            ("500", vec![html, json], Err(Foreign::Types)),
            ("200", vec![json, gzip], Err(Foreign::Encoded)),
            ("200", vec![events, ("content-encoding", "")], Err(Foreign::Encoded)),
            ("404", vec![json, ("content-encoding", "br")], Err(Foreign::Encoded)),
            ("", vec![json], Err(Foreign::Status)),
            ("2xx", vec![json], Err(Foreign::Status)),
        ] {
            let header = |(key, value): &(&str, &str)| HeaderValue {
                key: (*key).to_owned(),
                raw_value: value.as_bytes().to_vec(),
                ..HeaderValue::default()
            };
            let headers: Vec<_> =
                [(":status", status)].iter().chain(&headers).map(header).collect();
            let told = format!("{headers:?}");
            let headers =
                HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
            assert_eq!(content(&headers), expected, "{told}");
        }
    }
}
