//! Grants and bans.

use super::Lowering;
use crate::diagnostics::{Code, Diagnostic, Place as FilePlace};
use crate::identity::GroupSet;
use crate::policy::model::{
    Ban, BanWhat, BanWho, BannedServices, EnvironmentId, Grant, GrantWho, People, Rule, RuleId,
    Server, ToolId,
};
use crate::policy::names::{self, ANYONE};
use crate::policy::raw::{RawBan, RawBannedServices, RawGrant, RawServer, Text};

impl Lowering<'_> {
    pub(super) fn rule(&mut self, name: Text<'_>) -> RuleId {
        let id = RuleId(u32::try_from(self.rules.len()).unwrap_or(u32::MAX));
        let (line, _) = self.sources.line_column(name.place);
        let file = self.sources.get(name.place.source).map(|source| source.path.clone());
        self.rules.push(Rule {
            name: name.value.into(),
            file: file.unwrap_or_default(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
        });
        id
    }

    fn people(&mut self, names: &[Text<'_>]) -> People {
        if let [Text { value: ANYONE, .. }] = names {
            return People::AnyoneSignedIn;
        }
        let (anyone, groups): (Vec<_>, Vec<_>) = names.iter().copied().partition(|name| {
            names::means_anyone(name.value) && !self.groups.by_name.contains_key(name.value)
        });
        for name in anyone {
            if name.value != ANYONE && self.unread.contains(&"groups.yaml") {
                continue;
            }
            let (message, help) = if name.value == ANYONE {
                (format!("`{ANYONE}` stands alone"), "it is everybody: leave the groups out")
            } else {
                let help = "`[anyone-signed-in]` is everybody with a valid token";
                (format!("unknown group `{}`", name.value), help)
            };
            self.report(Diagnostic::error(Code::UnknownGroup, name.place, message).help(help));
        }
        People::Groups(self.group_set(&groups))
    }

    fn tools(&mut self, server: &Server, names: &[Text<'_>]) -> Vec<ToolId> {
        let mut tools = Vec::new();
        for name in names {
            if let Some((id, _)) = server.tool(name.value) {
                tools.push(id);
            } else if name.value.contains('*') {
                let message = format!("unknown tool `{}`", name.value);
                self.report(
                    Diagnostic::error(Code::UnknownTool, name.place, message)
                        .help("there are no wildcards: name each tool"),
                );
            } else {
                let candidates: Vec<_> =
                    server.tools.iter().map(|tool| tool.name.to_string()).collect();
                let file = "the server's `tools`";
                self.unknown(Code::UnknownTool, *name, "tool", file, &candidates);
            }
        }
        tools.sort_unstable();
        tools
    }

    /// The environments of a rule: each one of the server's own.
    fn rule_environments(&mut self, server: &Server, names: &[Text<'_>]) -> Vec<EnvironmentId> {
        let mut environments = Vec::new();
        for name in names {
            if self.is_refused(server, name.value) {
                continue;
            }
            let Some(id) = self.environment(*name) else {
                continue;
            };
            if server.environment(id).is_none() {
                let message = format!("`{}` does not run in `{}`", server.name, name.value);
                self.report(
                    Diagnostic::error(Code::UnknownEnvironment, name.place, message)
                        .help("add it under `environments`, or correct the name"),
                );
            }
            environments.push(id);
        }
        environments
    }

    /// Whether the server's entry for an environment could not be taken: a problem there, and not
    /// where a rule names the environment.
    fn is_refused(&self, server: &Server, environment: &str) -> bool {
        let refused =
            |(of, refused): &(Box<str>, String)| *of == server.name && refused == environment;
        self.refused.iter().any(refused) || self.broken.iter().any(|broken| broken == environment)
    }

    /// What a grant lacks. If something in it could not be read, it may be that.
    fn lacks(&mut self, grant: &RawGrant<'_>, message: &str, help: &str) {
        if !grant.flawed {
            self.incomplete(grant.name.place, message, help);
        }
    }

    fn incomplete(&mut self, place: FilePlace, message: &str, help: &str) {
        self.report(Diagnostic::error(Code::IncompleteGrant, place, message).help(help.to_owned()));
    }

    pub(super) fn grant(&mut self, raw: &RawGrant<'_>, server: &Server) -> Option<Grant> {
        let rule = self.rule(raw.name);
        let who = match (&raw.people, &raw.services) {
            (Some(people), None) => {
                let people = self.people(people);
                let via = raw.via.as_ref().map(|via| self.via(via));
                if via.is_none() {
                    self.lacks(
                        raw,
                        "a grant for people says where they come from",
                        "add `via`: surfaces, or `[any-surface]`",
                    );
                }
                Some(GrantWho::People(people, via?))
            }
            (None, Some(services)) => {
                if let Some(via) = &raw.via {
                    self.incomplete(
                        via.place,
                        "a service has no surface",
                        "remove `via`: a service is where it is",
                    );
                }
                let ids = services.iter().filter_map(|name| self.service(*name)).collect();
                Some(GrantWho::Services(ids))
            }
            (Some(_), Some(services)) => {
                let (message, help) =
                    ("a grant is for people or for services, not both", "write two grants");
                self.incomplete(services.place, message, help);
                None
            }
            (None, None) => {
                self.lacks(raw, "a grant says who", "add `people` or `services`");
                None
            }
        };
        let environments = if let Some(names) = &raw.environments {
            self.rule_environments(server, names)
        } else {
            if server.environments.len() > 1 {
                self.lacks(raw,
                    "the server runs in several environments; the grant does not say in which it holds",
                    "add `in`",
                );
            }
            server.environments.iter().map(|environment| environment.id).collect()
        };
        if raw.call.is_empty() {
            self.lacks(raw, "a grant says what", "add `call`, with tools");
        }
        let call = self.tools(server, &raw.call);
        let who = who?;
        if matches!(who, GrantWho::Services(_)) {
            self.service_reach(raw, server);
        }
        Some(Grant { rule, who, environments, call, last_day: raw.last_day })
    }

    /// ⚠ Without a person there is nobody to ask: services read, and nothing delicate.
    fn service_reach(&mut self, raw: &RawGrant<'_>, server: &Server) {
        for name in &raw.call {
            let Some((_, tool)) = server.tool(name.value) else {
                continue;
            };
            if !tool.is_plain_read() || tool.approval.is_some() {
                let message = format!("a service may not be granted `{}`", name.value);
                self.report(Diagnostic::error(Code::ServiceReach, name.place, message).help(
                    "services get reads that are neither sensitive nor external nor under approval"
                        .to_owned(),
                ));
            }
        }
    }

    /// A guardrail that names servers and environments must be able to match on each server.
    pub(super) fn check_reach(&mut self, raw: &RawBan<'_>, servers: &[(RawServer<'_>, &str)]) {
        let (Some(names), Some(environments)) = (&raw.servers, &raw.environments) else { return };
        for name in names {
            let found = servers.iter().find(|(server, _)| server.name.value == name.value);
            let Some((server, _)) = found else { continue };
            let runs = |name: &Text<'_>| {
                server.environments.iter().any(|environment| environment.name.value == name.value)
            };
            if !environments.iter().any(runs) {
                let message = format!("`{}` runs in none of these environments", name.value);
                self.report(
                    Diagnostic::error(Code::UnknownEnvironment, name.place, message)
                        .help("the ban would never match; correct `in`, or leave it out"),
                );
            }
        }
    }

    /// A ban of a server's file, or of the guardrails (`server` is `None`).
    pub(super) fn ban(
        &mut self,
        raw: &RawBan<'_>,
        server: Option<&Server>,
        server_names: &[&str],
    ) -> Option<Ban> {
        let rule = self.rule(raw.name);
        let people = raw.people.as_ref().map(|names| self.people(names));
        let services = match &raw.services {
            None => None,
            Some(RawBannedServices::Any) => Some(BannedServices::Any),
            Some(RawBannedServices::Only(names)) => {
                let ids = names.iter().filter_map(|name| self.service(*name)).collect();
                Some(BannedServices::Only(ids))
            }
        };
        if let (Some(_), Some(via)) = (&raw.services, &raw.via) {
            let message = "a service has no surface: with `via`, a ban never matches one";
            self.report(
                Diagnostic::error(Code::IncompleteBan, via.place, message)
                    .help("write two bans, or leave `via` out"),
            );
        }
        let who = (people.is_some() || services.is_some()).then_some(BanWho { people, services });
        let via = raw.via.as_ref().map(|via| self.via(via));
        let environments = raw.environments.as_ref().map(|names| match server {
            Some(server) => self.rule_environments(server, names),
            None => names.iter().filter_map(|name| self.environment(*name)).collect(),
        });
        for name in raw.servers.iter().flatten() {
            if !server_names.contains(&name.value) {
                let candidates: Vec<_> = server_names.iter().map(ToString::to_string).collect();
                self.unknown(Code::UnknownServer, *name, "server", "servers/", &candidates);
            }
        }
        let servers =
            raw.servers.as_ref().map(|names| names.iter().map(|name| name.value.into()).collect());
        let call = server.map(|server| self.tools(server, &raw.call)).unwrap_or_default();
        let what = BanWhat {
            everything: raw.everything,
            call,
            effects: raw.effects.clone(),
            traits: raw.traits.clone(),
        };
        let BanWhat { everything, call: _, effects, traits } = &what;
        if !everything && raw.call.is_empty() && effects.is_empty() && traits.is_empty() {
            if !raw.flawed {
                let message = "a ban names what it bans";
                self.report(
                    Diagnostic::error(Code::IncompleteBan, raw.name.place, message)
                        .help("add `call`, `effects` or `traits`, or `everything: true`"),
                );
            }
            return None;
        }
        Some(Ban { rule, who, via, environments, servers, what })
    }
}

/// The groups that a server's rules and the guardrails name.
pub(super) fn named_groups(server: &Server, guardrails: &[Ban]) -> GroupSet {
    let granted = server.grants.iter().filter_map(|grant| match &grant.who {
        GrantWho::People(people, _) => Some(people),
        GrantWho::Services(_) => None,
    });
    let banned = server.bans.iter().chain(guardrails);
    let banned = banned.filter_map(|ban| ban.who.as_ref()?.people.as_ref());
    let sets = granted.chain(banned).filter_map(|people| match people {
        People::Groups(groups) => Some(groups),
        People::AnyoneSignedIn => None,
    });
    sets.flat_map(GroupSet::iter).collect()
}
