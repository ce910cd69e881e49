//! A request as the rest of the edge sees it: borrowed, and free of Envoy's types. This is the
//! only file that knows `CheckRequest`.

use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use thiserror::Error;

use crate::authn::svid;
use crate::envoy::ANSWERS_CONTEXT;

/// Where Envoy says which server a route leads to. Only a route can set these.
const SERVER: &str = "toolgate.server";
const PATH: &str = "toolgate.path";
const ROUTE: &str = "toolgate.route";

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
#[derive(Clone, Copy, Debug, Error)]
pub(super) enum Misconfigured {
    #[error("the request has no HTTP attributes")]
    NoHttp,
    #[error("the route does not say which server it leads to")]
    NoRoute,
    #[error("headers did not come raw: `encode_raw_headers` is off")]
    HeadersNotRaw,
    #[error("the body did not come as bytes: `pack_as_bytes` is off")]
    BodyNotBytes,
}

impl<'r> Incoming<'r> {
    pub(super) fn of(
        request: &'r CheckRequest,
        answers_return: bool,
    ) -> Result<Self, Misconfigured> {
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
        let headers = header_map
            .headers
            .iter()
            .filter(|header| !header.key.starts_with(':'))
            .map(|header| {
                let raw = header.raw_value.as_slice();
                let value = if raw.is_empty() { header.value.as_bytes() } else { raw };
                (header.key.as_str(), value)
            })
            .collect();
        // The listener brings answers back, and the routes say which.
        let answers_return = answers_return && extension(ANSWERS_CONTEXT) == Some("1");
        let peer = source.as_ref().map_or_else(svid::Peer::default, |source| {
            let Peer { certificate, principal, .. } = source;
            svid::Peer { certificate, principal }
        });
        let headers = Headers(headers);
        Ok(Self { route, method, path, headers, body: raw_body, peer, answers_return })
    }
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
