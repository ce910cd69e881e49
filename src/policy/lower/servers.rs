//! A server and its environments.

use std::net::IpAddr;

use url::Host;

use super::items::Named;
use super::rules::named_groups;
use super::{Lowering, Servers};
use crate::diagnostics::{Code, Diagnostic};
use crate::identity::GroupSet;
use crate::policy::digest::Digest;
use crate::policy::model::{
    Coverage, EnvironmentId, Few, ListedReview, NeededReview, Rules, Server, ServerEnvironment,
    Upstream,
};
use crate::policy::raw::{RawApprover, RawServer, RawServerEnvironment, Text};
use crate::yaml::Spanned;

impl Lowering<'_> {
    /// A server that is to have a number of its own. The shared files are known by now.
    pub(super) fn server(&mut self, raw: &RawServer<'_>, file_name: &str, number: u32) -> Server {
        let RawServer {
            name,
            environments,
            without_user,
            only_referenced_groups,
            forward_token,
            own_resource,
            tools,
            resources: _,
            prompts: _,
            grants,
            bans,
            tools_digest,
            audit_required,
            protocol,
            lists,
        } = raw;
        self.problems.extend(misnamed(*name, file_name));
        self.rules_of = number.saturating_add(1);
        self.rules.clear();
        if let (true, Some(resource), true) = (forward_token, own_resource, environments.len() > 1)
        {
            self.one_environment_is_given_tokens(*resource);
        }
        let bare = bare_path(environments);
        let mut here = Vec::new();
        for environment in environments {
            let lowered = self.server_environment(name.value, environment, tools_digest, bare);
            if lowered.is_none() {
                self.refused.push((name.value.into(), environment.name.value.to_owned()));
            }
            here.extend(lowered);
        }
        let mut server = Server {
            name: name.value.into(),
            environments: here.into(),
            offered: self.offered(raw),
            grants: Box::default(),
            bans: Few::default(),
            audit_required: *audit_required,
            lists: *lists,
            named_groups: GroupSet::default(),
            forwarded_groups: None,
            forward_token: *forward_token,
            protocol: protocol.clone(),
            rules: Rules::default(),
            own_resource: own_resource.and_then(|text| self.own_resource(text, name.value)),
            without_user: without_user.iter().filter_map(|name| self.surface(*name)).collect(),
        };
        let named = Named::new(raw);
        let lowered = grants.iter().filter_map(|grant| self.grant(grant, &server, &named));
        server.grants = lowered.collect();
        let none = Servers::new();
        let lowered = bans.iter().filter_map(|ban| self.ban(ban, Some((&server, &named)), &none));
        server.bans = lowered.collect();
        if *only_referenced_groups {
            let mut groups = named_groups(&server, &[]);
            for tool in tools {
                if let Some(RawApprover::Groups(names)) = &tool.approval {
                    let known =
                        names.iter().filter_map(|name| self.shared.groups.by_name.get(name.value));
                    known.for_each(|group| groups.insert(*group));
                }
            }
            server.forwarded_groups = Some(Box::new(groups));
        }
        server.named_groups = named_groups(&server, &self.shared.guardrails);
        server.rules = Rules::new(&self.rules);
        server
    }

    /// ⚠ What one environment is given must be worth nothing in another: it is less reviewed.
    fn one_environment_is_given_tokens(&mut self, resource: Text<'_>) {
        let message = "tokens are forwarded, and several environments take the same ones";
        let shared = Diagnostic::error(Code::Conflict, resource.place, message);
        self.report(shared.help(
            "give each environment a server file with a `resource` of its own: what staging is given would hold in prod",
        ));
    }

    /// ⚠ A token for one server is none for another.
    fn own_resource(&mut self, text: Text<'_>, server: &str) -> Option<Box<str>> {
        let key = text.value.trim_end_matches('/').to_owned();
        let Some((first, other)) = self.own_resources.get(&key) else {
            self.own_resources.insert(key, (text.place, server.to_owned()));
            return Some(text.value.into());
        };
        let message = format!("`{}` is also the `resource` of `{other}`", text.value);
        let twice = Diagnostic::error(Code::Conflict, text.place, message)
            .related(*first, "first here")
            .help("give each server its own: a token for one would be a token for the other");
        self.report(twice);
        None
    }

    fn server_environment(
        &mut self,
        server: &str,
        raw: &RawServerEnvironment<'_>,
        tools_digest: &Digest,
        bare: Option<&str>,
    ) -> Option<ServerEnvironment> {
        let id = self.environment(raw.name)?;
        let upstream = self.upstream(server, raw, id);
        let mut listed = Vec::new();
        for name in &raw.reviews {
            if let Some(review) = self.review(*name) {
                let covered =
                    self.asks.covers.get(review.index()).and_then(|covers| covers.get(server));
                let coverage = match covered {
                    None => Coverage::Nothing,
                    Some(digest) if digest == tools_digest => Coverage::Tools,
                    Some(_) => Coverage::OtherTools,
                };
                listed.push(ListedReview { id: review, coverage });
            }
        }
        // Only now: what else is wrong has been said too.
        let upstream = upstream?;
        let needs = self.asks.needs.get(id.index());
        let kinds = needs.map(|needs| needs.reviews.clone()).unwrap_or_default();
        let of_kind = |kind: &str| {
            let matches = |review: &ListedReview| {
                self.shared
                    .reviews
                    .get(review.id.index())
                    .is_some_and(|review| &*review.kind == kind)
            };
            listed.iter().copied().filter(matches).collect()
        };
        let reviews =
            kinds.into_iter().map(|kind| NeededReview { listed: of_kind(&kind), kind }).collect();
        let path = if bare == Some(raw.name.value) {
            format!("/{server}/mcp")
        } else {
            format!("/{server}@{}/mcp", raw.name.value)
        };
        let identity = upstream.tls.as_ref().map(ToString::to_string).unwrap_or_default();
        let url = upstream.to_string();
        let parts = [path.as_str(), &url, &identity].map(str::as_bytes);
        let route = Digest::of_parts(parts).to_string().chars().take(32).collect::<String>();
        let (path, route, shadow_until) = (path.into(), route.into(), raw.shadow_until);
        let listed = listed.into();
        Some(ServerEnvironment { id, upstream, path, route, reviews, listed, shadow_until })
    }

    fn upstream(
        &mut self,
        server: &str,
        raw: &RawServerEnvironment<'_>,
        environment: EnvironmentId,
    ) -> Option<Upstream> {
        let Spanned { value: url, place } = &raw.upstream;
        let mut refuse = |message: String, help: &str| {
            self.report(Diagnostic::error(Code::Upstream, *place, message).help(help.to_owned()));
            None
        };
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let (Some(host), Some(port), true) = (url.host(), url.port_or_known_default(), plain)
        else {
            return refuse(
                format!("`{url}` is not an upstream"),
                "write `http://host:port/path` or `https://host:port/path`, and nothing else",
            );
        };
        let loopback = match host {
            Host::Ipv4(address) => IpAddr::V4(address).is_loopback(),
            Host::Ipv6(address) => IpAddr::V6(address).is_loopback(),
            Host::Domain(_) => false,
        };
        let tls = url.scheme() == "https";
        match (tls, loopback, &raw.upstream_identity) {
            (false, true, None) | (true, _, Some(_)) => {}
            (false, true, Some(_)) => {
                return refuse(
                    "`upstream_identity` is proved by TLS, and this upstream has none".to_owned(),
                    "use `https`, or remove `upstream_identity`",
                );
            }
            (false, false, _) => {
                return refuse(
                    format!("`{host}` is off the loopback and not protected"),
                    "use `https` with `upstream_identity`; a loopback address is written as a \
                     number, such as 127.0.0.1",
                );
            }
            (true, _, None) => {
                return refuse(
                    "an `https` upstream needs an identity".to_owned(),
                    "add `upstream_identity: spiffe://…`",
                );
            }
        }
        let host_port = format!("{host}:{port}");
        let needs = self.asks.needs.get(environment.index());
        if !needs.is_some_and(|needs| needs.lists(&host_port)) {
            let name = raw.name.value;
            let message = format!("`{host_port}` is not an upstream of `{name}`");
            self.report(
                Diagnostic::error(Code::Upstream, *place, message).help(format!(
                    "list it under environments.{name}.upstreams in guardrails.yaml"
                )),
            );
            return None;
        }
        if let Some((first, other)) = self.upstreams.get(&host_port) {
            let message = format!("`{host_port}` is also the upstream of `{other}`");
            let diagnostic = Diagnostic::error(Code::Conflict, *place, message)
                .related(*first, "first here")
                .help("give each server its own: bans on one would not hold for the other");
            self.report(diagnostic);
            return None;
        }
        self.upstreams.insert(host_port, (*place, server.to_owned()));
        Some(Upstream {
            tls: raw.upstream_identity.as_ref().map(|identity| identity.value.clone()),
            host: host.to_string().into(),
            port,
            path: self.common.text(url.path()),
        })
    }
}

/// A server whose file has another name.
pub(super) fn misnamed(name: Text<'_>, file_name: &str) -> Option<Diagnostic> {
    let message = format!("the file is `{file_name}.yaml`, the server is `{}`", name.value);
    let diagnostic = Diagnostic::error(Code::FileName, name.place, message)
        .help(format!("rename the file to `{}.yaml`, or correct `server`", name.value));
    (name.value != file_name).then_some(diagnostic)
}

/// The environment that a server's bare path means: its only one, else `prod`.
fn bare_path<'n>(environments: &[RawServerEnvironment<'n>]) -> Option<&'n str> {
    match environments {
        [only] => Some(only.name.value),
        several => several.iter().map(|raw| raw.name.value).find(|name| *name == "prod"),
    }
}
