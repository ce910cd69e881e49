//! What is read in place is what prost reads.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// The plain path.
fn plain(request: &CheckRequest, answers_return: bool) -> Result<Incoming<'_>, Misconfigured> {
    let attributes = request.attributes.as_ref().ok_or(Misconfigured::NoHttp)?;
    let AttributeContext { source, request, context_extensions, .. } = attributes;
    let http = request.as_ref().and_then(|request| request.http.as_ref());
    let http = http.ok_or(Misconfigured::NoHttp)?;
    let HttpRequest { method, headers, header_map, path, body, raw_body, .. } = http;
    let (Some(header_map), true) = (header_map, headers.is_empty()) else {
        return Err(Misconfigured::HeadersNotRaw);
    };
    if !body.is_empty() {
        return Err(Misconfigured::BodyNotBytes);
    }
    let extension = |name: &str| context_extensions.get(name).map(String::as_str);
    let (server, environment) = extension(SERVER)
        .and_then(|server| server.split_once('@'))
        .ok_or(Misconfigured::NoRoute)?;
    let route = Route {
        server,
        environment,
        path: extension(PATH).ok_or(Misconfigured::NoRoute)?,
        hash: extension(ROUTE).ok_or(Misconfigured::NoRoute)?,
    };
    let headers = header_map.headers.iter().filter(|header| !header.key.starts_with(':'));
    let headers = headers.map(|header| {
        let raw = header.raw_value.as_slice();
        let value = if raw.is_empty() { header.value.as_bytes() } else { raw };
        (header.key.as_str(), value)
    });
    let peer = source.as_ref().map_or_else(svid::Peer::default, |source| {
        let Peer { certificate, principal, .. } = source;
        svid::Peer { certificate, principal }
    });
    Ok(Incoming {
        route,
        method,
        path,
        headers: Headers(headers.collect()),
        body: raw_body,
        peer,
        answers_return: answers_return && extension(ANSWERS_CONTEXT) == Some("1"),
    })
}

/// Everything in words: two are the same if their words are.
fn words(incoming: &Result<Incoming<'_>, Misconfigured>) -> String {
    format!("{incoming:?}")
}

fn extensions() -> impl Strategy<Value = HashMap<String, String>> {
    let names = ["toolgate.server", "toolgate.path", "toolgate.route", "toolgate.answers", "x", ""];
    let values =
        prop_oneof![Just("presto@prod"), Just("/presto/mcp"), Just("1"), Just(""), Just("é")];
    let usual = names.map(|name| (name.to_owned(), "presto@prod".to_owned()));
    let any = hash_map(
        prop::sample::select(names.to_vec()).prop_map(str::to_owned),
        values.prop_map(str::to_owned),
        0..7,
    );
    prop_oneof![Just(HashMap::from(usual)), any]
}

fn header() -> impl Strategy<Value = HeaderValue> {
    let name = prop_oneof![Just(":path"), Just("authorization"), Just("x"), Just("")];
    (name, "[a-z]{0,200}", vec(any::<u8>(), 0..3)).prop_map(|(key, value, raw_value)| HeaderValue {
        key: key.to_owned(),
        value,
        raw_value,
    })
}

prop_compose! {
    fn request()(
        certificate in "[ -~]{0,300}",
        principal in "[ -~]{0,20}",
        with_source in any::<bool>(),
        extensions in extensions(),
        method in "[A-Z]{0,8}",
        path in "/[a-zé]{0,20}",
        headers in vec(header(), 0..40),
        joined in prop_oneof![9 => Just(false), 1 => Just(true)],
        mapped in prop_oneof![9 => Just(true), 1 => Just(false)],
        text in prop_oneof![9 => Just(""), 1 => Just("{}")],
        raw_body in vec(any::<u8>(), 0..2000),
        size in any::<i64>(),
    ) -> CheckRequest {
        let joined = joined.then(|| ("a".to_owned(), "b".to_owned()));
        let http = HttpRequest {
            id: "1".to_owned(),
            method,
            headers: joined.into_iter().collect(),
            path,
            host: "mcp.example.com".to_owned(),
            scheme: "https".to_owned(),
            size,
            protocol: "HTTP/2".to_owned(),
            body: text.to_owned(),
            raw_body,
            header_map: mapped.then_some(HeaderMap { headers }),
            ..HttpRequest::default()
        };
        let source = Peer { certificate, principal, ..Peer::default() };
        let attributes = AttributeContext {
            source: with_source.then_some(source),
            destination: Some(Peer { principal: "spiffe://other".to_owned(), ..Peer::default() }),
            request: Some(Request { http: Some(http), ..Request::default() }),
            context_extensions: extensions,
            ..AttributeContext::default()
        };
        CheckRequest { attributes: Some(attributes) }
    }
}

proptest! {
    #[test]
    fn what_is_read_in_place_is_what_prost_reads(request in request(), answers in any::<bool>()) {
        let bytes = request.encode_to_vec();
        prop_assert_eq!(words(&Incoming::of(&bytes, answers)), words(&plain(&request, answers)));
    }

    /// Bytes that nobody wrote: refused, or read by both alike.
    #[test]
    fn broken_bytes_are_refused_or_read_alike(
        request in request(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = request.encode_to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let (Ok(read), Ok(request)) = (Incoming::of(&bytes, true), CheckRequest::decode(&*bytes)) {
            prop_assert_eq!(words(&Ok(read)), words(&plain(&request, true)));
        }
    }
}

#[test]
fn what_stands_twice_is_refused() {
    let http = |fields: &[u8]| {
        let http = [&[18, u8::try_from(fields.len()).unwrap()], fields].concat();
        let request = [&[34, u8::try_from(http.len()).unwrap()], &*http].concat();
        [&[10, u8::try_from(request.len()).unwrap()], &*request].concat()
    };
    let twice = Some(Misconfigured::Malformed(Malformed::Twice));
    // Methods, paths, bodies, maps of headers.
    for (once, both) in [
        (&b"\x12\x01A"[..], &b"\x12\x01A\x12\x01A"[..]),
        (b"\x22\x01A", b"\x22\x01A\x22\x01B"),
        (b"\x62\x01A", b"\x62\x01A\x62\x00"),
        (b"\x6a\x00", b"\x6a\x00\x6a\x00"),
    ] {
        assert_ne!(Incoming::of(&http(once), true).err(), twice, "{once:?}");
        assert_eq!(Incoming::of(&http(both), true).err(), twice, "{both:?}");
    }
    let whole = http(b"\x6a\x00");
    assert_eq!(Incoming::of(&[&*whole, &*whole].concat(), true).err(), twice);
}
