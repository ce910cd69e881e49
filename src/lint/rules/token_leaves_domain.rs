use std::net::IpAddr;

use url::Url;

use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::ServerEnvironment;

rule! {
    /// ## What it finds
    ///
    /// A server with `forward_token: true` and an upstream that is neither on the loopback nor in
    /// the domain of the server's `resource`. The domain is the last two parts of the name, or the
    /// last three below a short one of a country, such as `co.uk`.
    ///
    /// ## Why
    ///
    /// Whoever receives a token can be its person, at that server, until it ends. A token that goes
    /// to somebody else's host is for them to keep, and they may show it to the server that it is
    /// for. That the host is listed under the environment's upstreams says that requests may go
    /// there; it says nothing about credentials.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// environments:
    ///   prod:
    ///     upstream: "https://mcp.vendor.example/presto"
    ///     upstream_identity: spiffe://vendor.example/presto
    /// forward_token: true
    /// resource: "https://presto.example.com/mcp"
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Leave `forward_token` out: the upstream is told who calls in `X-Forwarded-User`. If the
    /// token has to go there, let it be for that host, by a `resource` in its domain.
    TokenLeavesDomain, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let (true, Some(resource)) = (server.forwards_token(), server.own_resource()) else {
            continue;
        };
        for environment in &server.environments {
            let ServerEnvironment { id, upstream, .. } = environment;
            if is_near(&upstream.host, resource) {
                continue;
            }
            let name = policies.set.environment_name(*id);
            let message = format!("tokens for `{resource}` are forwarded to `{}`", upstream.host);
            let Some(place) = file.value(&["environments", name, "upstream"]) else { continue };
            findings.add(place, message, |finding| {
                finding.label("another domain").help(
                    "leave `forward_token` out, and read `X-Forwarded-User` there; or give the \
                     server a `resource` in this domain",
                )
            });
        }
    }
}

/// Whether an upstream is on the loopback, or in the domain of a URL.
fn is_near(host: &str, resource: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if let Ok(address) = address {
        return address.is_loopback();
    }
    let resource = Url::parse(resource).ok();
    let own = resource.as_ref().and_then(Url::domain);
    own.is_some_and(|own| domain(own) == domain(host))
}

/// `example.com` of `presto.example.com`. Where anybody can register a name below two parts, it
/// takes three; that there are more such places only makes the rule find too much.
fn domain(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    let dots: Vec<usize> = host.rmatch_indices('.').map(|(at, _)| at).collect();
    let part = |count: usize| match dots.get(count - 1) {
        Some(at) => host.get(at + 1..).unwrap_or(host),
        None => host,
    };
    let country = part(1).len() == 2;
    let is_short = part(2).split('.').next().is_some_and(|second| second.len() <= 3);
    if country && is_short { part(3) } else { part(2) }
}
