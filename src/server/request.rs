//! A request as the rest of the edge sees it, read from Envoy's message in place. This is the only
//! file that knows `CheckRequest`; [`field`] has the numbers of its fields.

#[cfg(test)]
mod tests;

use thiserror::Error;

use super::protobuf::{Fields, Malformed, once};
use crate::authn::svid;
use crate::envoy::ANSWERS_CONTEXT;

/// Where Envoy says which server a route leads to. Only a route can set these.
const SERVER: &str = "toolgate.server";
const PATH: &str = "toolgate.path";
const ROUTE: &str = "toolgate.route";

/// Of `envoy.service.auth.v3.CheckRequest` and what it holds.
mod field {
    pub(super) const ATTRIBUTES: u32 = 1;

    pub(super) mod attributes {
        pub(in super::super) const SOURCE: u32 = 1;
        pub(in super::super) const REQUEST: u32 = 4;
        pub(in super::super) const CONTEXT_EXTENSIONS: u32 = 10;
    }

    pub(super) mod peer {
        pub(in super::super) const PRINCIPAL: u32 = 4;
        pub(in super::super) const CERTIFICATE: u32 = 5;
    }

    pub(super) mod request {
        pub(in super::super) const HTTP: u32 = 2;
    }

    pub(super) mod http {
        pub(in super::super) const METHOD: u32 = 2;
        pub(in super::super) const HEADERS: u32 = 3;
        pub(in super::super) const PATH: u32 = 4;
        pub(in super::super) const BODY: u32 = 11;
        pub(in super::super) const RAW_BODY: u32 = 12;
        pub(in super::super) const HEADER_MAP: u32 = 13;
    }

    pub(super) mod header {
        /// Of `HeaderMap`.
        pub(in super::super) const HEADERS: u32 = 1;
        /// Of `HeaderValue`.
        pub(in super::super) const KEY: u32 = 1;
        pub(in super::super) const VALUE: u32 = 2;
        pub(in super::super) const RAW_VALUE: u32 = 3;
    }

    /// Of an entry of a map.
    pub(super) mod entry {
        pub(in super::super) const KEY: u32 = 1;
        pub(in super::super) const VALUE: u32 = 2;
    }
}

/// Headers that a request has for the most part.
const USUAL_HEADERS: usize = 32;

/// What Envoy asks about.
#[derive(Clone, Debug)]
pub(super) struct Incoming<'r> {
    pub(super) route: Route<'r>,
    pub(super) method: &'r str,
    /// With the query, if there is one.
    pub(super) path: &'r str,
    pub(super) headers: Headers<'r>,
    pub(super) body: &'r [u8],
    pub(super) peer: svid::Peer<'r>,
    /// Whether Envoy shows Toolgate the answers that it is to see.
    pub(super) answers_return: bool,
}

/// The route that Envoy chose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'r> {
    pub(super) server: &'r str,
    pub(super) environment: &'r str,
    /// The one path that the route serves.
    pub(super) path: &'r str,
    /// A hash of path and upstream, as of when the route was rendered.
    pub(super) hash: &'r str,
}

/// The request's headers as they came: names in lower case, duplicates apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers<'r>(Vec<(&'r str, &'r [u8])>);

/// Envoy is not configured as Toolgate renders it: nothing can be decided.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Misconfigured {
    #[error("the request is no `CheckRequest`: {0}")]
    Malformed(#[from] Malformed),
    #[error("the request has no HTTP attributes")]
    NoHttp,
    #[error("the route does not say which server it leads to")]
    NoRoute,
    #[error("headers did not come raw: `encode_raw_headers` is off")]
    HeadersNotRaw,
    #[error("the body did not come as bytes: `pack_as_bytes` is off")]
    BodyNotBytes,
}

/// What is read of `AttributeContext`.
#[derive(Default)]
struct Attributes<'r> {
    source: Option<svid::Peer<'r>>,
    request: Option<Request<'r>>,
    context: Context<'r>,
}

/// What is read of `AttributeContext.Request`.
#[derive(Default)]
struct Request<'r> {
    http: Option<Http<'r>>,
}

/// What is read of `HttpRequest`.
#[derive(Default)]
struct Http<'r> {
    method: Option<&'r str>,
    path: Option<&'r str>,
    header_map: Option<Headers<'r>>,
    raw_body: Option<&'r [u8]>,
    /// Headers came in a form that loses some of them.
    has_joined_headers: bool,
    /// The body came as a text.
    has_text_body: bool,
}

/// What is read of the route's context extensions.
#[derive(Default)]
struct Context<'r> {
    server: Option<&'r str>,
    path: Option<&'r str>,
    hash: Option<&'r str>,
    answers: Option<&'r str>,
}

impl<'r> Incoming<'r> {
    /// Reads Envoy's `CheckRequest`.
    pub(super) fn of(message: &'r [u8], answers_return: bool) -> Result<Self, Misconfigured> {
        let mut attributes = None;
        for field in Fields::of(message) {
            if let (field::ATTRIBUTES, value) = field? {
                once(&mut attributes, Attributes::of(value.bytes()?)?)?;
            }
        }
        let Attributes { source, request, context } = attributes.ok_or(Misconfigured::NoHttp)?;
        let http = request.and_then(|request| request.http).ok_or(Misconfigured::NoHttp)?;
        let Http { method, path, header_map, raw_body, has_joined_headers, has_text_body } = http;
        let (Some(headers), false) = (header_map, has_joined_headers) else {
            return Err(Misconfigured::HeadersNotRaw);
        };
        if has_text_body {
            return Err(Misconfigured::BodyNotBytes);
        }
        let (server, environment) = context
            .server
            .and_then(|server| server.split_once('@'))
            .ok_or(Misconfigured::NoRoute)?;
        let route = Route {
            server,
            environment,
            path: context.path.ok_or(Misconfigured::NoRoute)?,
            hash: context.hash.ok_or(Misconfigured::NoRoute)?,
        };
        Ok(Self {
            route,
            method: method.unwrap_or_default(),
            path: path.unwrap_or_default(),
            headers,
            body: raw_body.unwrap_or_default(),
            peer: source.unwrap_or_default(),
            // The listener brings answers back, and the routes say which.
            answers_return: answers_return && context.answers == Some("1"),
        })
    }
}

impl<'r> Attributes<'r> {
    fn of(message: &'r [u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for field in Fields::of(message) {
            match field? {
                (field::attributes::SOURCE, value) => {
                    once(&mut read.source, peer(value.bytes()?)?)?;
                }
                (field::attributes::REQUEST, value) => {
                    once(&mut read.request, Request::of(value.bytes()?)?)?;
                }
                (field::attributes::CONTEXT_EXTENSIONS, value) => {
                    read.context.add(value.bytes()?)?;
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

impl<'r> Context<'r> {
    fn add(&mut self, entry: &'r [u8]) -> Result<(), Malformed> {
        let (mut key, mut value) = (None, None);
        for field in Fields::of(entry) {
            match field? {
                (field::entry::KEY, text) => once(&mut key, text.text()?)?,
                (field::entry::VALUE, text) => once(&mut value, text.text()?)?,
                _ => {}
            }
        }
        let known = match key.unwrap_or_default() {
            SERVER => &mut self.server,
            PATH => &mut self.path,
            ROUTE => &mut self.hash,
            ANSWERS_CONTEXT => &mut self.answers,
            _ => return Ok(()),
        };
        once(known, value.unwrap_or_default())
    }
}

/// What is read of `AttributeContext.Peer`.
fn peer(message: &[u8]) -> Result<svid::Peer<'_>, Malformed> {
    let (mut certificate, mut principal) = (None, None);
    for field in Fields::of(message) {
        match field? {
            (field::peer::CERTIFICATE, value) => once(&mut certificate, value.text()?)?,
            (field::peer::PRINCIPAL, value) => once(&mut principal, value.text()?)?,
            _ => {}
        }
    }
    let (certificate, principal) = (certificate.unwrap_or_default(), principal.unwrap_or_default());
    Ok(svid::Peer { certificate, principal })
}

impl<'r> Request<'r> {
    fn of(message: &'r [u8]) -> Result<Self, Malformed> {
        let mut request = Self::default();
        for field in Fields::of(message) {
            if let (field::request::HTTP, value) = field? {
                once(&mut request.http, Http::of(value.bytes()?)?)?;
            }
        }
        Ok(request)
    }
}

impl<'r> Http<'r> {
    fn of(message: &'r [u8]) -> Result<Self, Malformed> {
        let mut http = Self::default();
        for field in Fields::of(message) {
            match field? {
                (field::http::METHOD, value) => once(&mut http.method, value.text()?)?,
                (field::http::PATH, value) => once(&mut http.path, value.text()?)?,
                (field::http::RAW_BODY, value) => once(&mut http.raw_body, value.bytes()?)?,
                (field::http::HEADER_MAP, value) => {
                    once(&mut http.header_map, Headers::of(value.bytes()?)?)?;
                }
                (field::http::HEADERS, value) => {
                    value.bytes()?;
                    http.has_joined_headers = true;
                }
                (field::http::BODY, value) => http.has_text_body |= !value.bytes()?.is_empty(),
                _ => {}
            }
        }
        Ok(http)
    }
}

impl<'r> Headers<'r> {
    /// Reads `HeaderMap`. What HTTP/2 says of a request before its headers is no header.
    fn of(message: &'r [u8]) -> Result<Self, Malformed> {
        let mut headers = Vec::with_capacity(USUAL_HEADERS);
        for field in Fields::of(message) {
            if let (field::header::HEADERS, value) = field? {
                let (name, value) = header(value.bytes()?)?;
                if !name.starts_with(':') {
                    headers.push((name, value));
                }
            }
        }
        Ok(Self(headers))
    }
}

/// Reads `HeaderValue`.
fn header(message: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let (mut name, mut text, mut raw) = (None, None, None);
    for field in Fields::of(message) {
        match field? {
            (field::header::KEY, value) => once(&mut name, value.text()?)?,
            (field::header::VALUE, value) => once(&mut text, value.text()?)?,
            (field::header::RAW_VALUE, value) => once(&mut raw, value.bytes()?)?,
            _ => {}
        }
    }
    let raw = raw.filter(|raw: &&[u8]| !raw.is_empty());
    let value = raw.or(text.map(str::as_bytes)).unwrap_or_default();
    Ok((name.unwrap_or_default(), value))
}

impl<'r> Headers<'r> {
    /// Every value of a header.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        self.0.iter().filter(move |(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The value of a header that may stand once at most.
    pub(super) fn once(&self, name: &str) -> Result<Option<&'r [u8]>, Twice> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Twice) } else { Ok(first) }
    }

    /// Every name, with duplicates.
    pub(super) fn names(&self) -> impl Iterator<Item = &'r str> {
        self.0.iter().map(|(name, _)| *name)
    }

    #[cfg(test)]
    pub(super) fn for_test(headers: &[(&'r str, &'r str)]) -> Self {
        Self(headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect())
    }
}

/// A header that may stand once stands twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twice;
