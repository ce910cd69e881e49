//! Grants and bans.

use std::path::Path;
use std::sync::Arc;

use super::items::Named;
use super::{Lowering, OneServer, Servers, names as names_of};
use crate::diagnostics::{Code, Diagnostic, Place as FilePlace, SourceId};
use crate::identity::GroupSet;
use crate::policy::model::{
    Ban, BanWhat, BanWho, BannedServices, EnvironmentId, Grant, GrantWho, Items, OwnRule, People,
    PromptId, ResourceId, RuleId, Server, Target, ToolId,
};
use crate::policy::names::{self, ANYONE};
use crate::policy::raw::{RawBan, RawBannedServices, RawGrant, Text};

impl Lowering<'_> {
    pub(super) fn rule(&mut self, name: Text<'_>) -> RuleId {
        let index = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let (line, _) = self.sources.line_column(name.place);
        let file = self.rule_file(name.place.source);
        self.rules.push(OwnRule {
            name: name.value.into(),
            file,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        });
        RuleId { of: self.rules_of, index }
    }

    /// The path of a file; the same one for all its rules.
    fn rule_file(&mut self, source: SourceId) -> Arc<Path> {
        if let Some((known, path)) = &self.rules_in
            && *known == source
        {
            return Arc::clone(path);
        }
        let path = self.sources.get(source).map(|source| source.path.as_path());
        let path = Arc::from(path.unwrap_or(Path::new("")));
        self.rules_in = Some((source, Arc::clone(&path)));
        path
    }

    fn people(&mut self, names: &[Text<'_>]) -> People {
        if let [Text { value: ANYONE, .. }] = names {
            return People::AnyoneSignedIn;
        }
        let (anyone, groups): (Vec<_>, Vec<_>) = names.iter().copied().partition(|name| {
            names::means_anyone(name.value) && !self.shared.groups.by_name.contains_key(name.value)
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
            |(of, refused): &(Box<str>, String)| **of == *server.name && refused == environment;
        self.refused.iter().any(refused) || self.broken.iter().any(|broken| broken == environment)
    }

    /// What a grant lacks. If something in it could not be read, it may be that.
    fn lacks(&mut self, grant: &RawGrant<'_>, message: &str, help: &str) {
        if !grant.flawed {
            let message = format!("the grant `{}` {message}", grant.name.value);
            self.incomplete(grant.name.place, &message, help);
        }
    }

    fn incomplete(&mut self, place: FilePlace, message: &str, help: &str) {
        self.report(Diagnostic::error(Code::IncompleteGrant, place, message).help(help.to_owned()));
    }

    /// ⚠ A grant says who, and for people also from where.
    fn grant_who(&mut self, raw: &RawGrant<'_>) -> Option<GrantWho> {
        let named = [
            raw.people.as_ref().map(|list| list.place),
            raw.users.as_ref().map(|list| list.place),
            raw.services.as_ref().map(|list| list.place),
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (None, _) => {
                let help = "add `people: [GROUP]`, or `users`, or `services`";
                self.lacks(raw, "does not say who", help);
            }
            (Some(_), None) => {}
            (Some(_), Some(second)) => {
                let message =
                    "a grant names people, users or services, and this one names two of them";
                self.incomplete(second, message, "write two grants, one for each");
                return None;
            }
        }
        // Without anybody it is told above, and what could not be read may be `people`.
        let elsewhere = raw.people.is_none() && (raw.users.is_some() || raw.services.is_some());
        for (key, narrower) in [("also_in", &raw.also_in), ("except", &raw.except)] {
            if let Some(narrower) = narrower
                && elsewhere
                && !raw.flawed
            {
                let message = format!("`{key}` narrows `people`, and this grant has none");
                self.incomplete(narrower.place, &message, "remove it, or grant to `people`");
            }
        }
        if let (Some(ticket), None, false) = (raw.ticket, &raw.users, raw.flawed) {
            self.incomplete(ticket, "only a grant for `users` has a ticket", "remove it");
        }
        if let Some(services) = &raw.services {
            if let Some(scopes) = &raw.scopes {
                let help = "remove `scopes`: a service sends no token";
                self.incomplete(scopes.place, "only the tokens of people have scopes", help);
            }
            if let Some(via) = &raw.via {
                let help = "remove `via`: a service is known by its workload";
                self.incomplete(via.place, "a service comes from no surface", help);
            }
            let ids = services.iter().filter_map(|name| self.service(*name)).collect();
            return Some(GrantWho::Services(ids));
        }
        let via = raw.via.as_ref().map(|via| self.via(via));
        if via.is_none() && (raw.people.is_some() || raw.users.is_some()) {
            let help =
                "add `via: [SURFACE]`, or `via: [any-surface]` for every surface with a workload";
            self.lacks(raw, "does not say where people come from", help);
        }
        if let Some(people) = &raw.people {
            let people = self.people(people);
            let also_in = raw.also_in.as_ref().map(|names| Box::new(self.group_set(names)));
            let except = raw.except.as_ref().map(|names| Box::new(self.group_set(names)));
            return Some(GrantWho::People { people, also_in, except, via: via? });
        }
        let users = raw.users.as_ref()?;
        // ⚠ Nobody reviews a list of names again, so it ends, and says who asked for it.
        if (raw.last_day.is_none() || raw.ticket.is_none()) && !raw.flawed {
            let help = "add `last_day` and `ticket`, or grant to a group";
            self.incomplete(users.place, "named users need an end and a ticket", help);
        }
        Some(GrantWho::Users(users.value.clone().into(), via?))
    }

    pub(super) fn grant(
        &mut self,
        raw: &RawGrant<'_>,
        server: &Server,
        named: &Named<'_>,
    ) -> Option<Grant> {
        let rule = self.rule(raw.name);
        let who = self.grant_who(raw);
        let environments = if let Some(names) = &raw.environments {
            self.rule_environments(server, names)
        } else {
            if server.environments.len() > 1 {
                self.lacks(
                    raw,
                    "does not say in which of the server's environments it holds",
                    "add `in: [ENVIRONMENT]`",
                );
            }
            server.environments.iter().map(|environment| environment.id).collect()
        };
        if raw.verbs.is_empty() {
            let help = "add `call` with tools, `read` with resources, or `prompt` with prompts";
            self.lacks(raw, "does not say what it grants", help);
        }
        let items = self.verbs(&raw.verbs, named);
        let who = who?;
        if matches!(who, GrantWho::Services(_)) {
            self.service_reach(raw, &items, server);
        }
        if let Some(limit) = raw.limits.first()
            && !(raw.verbs.read.is_empty() && raw.verbs.prompt.is_empty())
        {
            let message = "only calls of tools have limits, and this grant names more than tools";
            self.incomplete(
                limit.place,
                message,
                "move `read` and `prompt` to a grant of their own",
            );
        }
        for tool in items.call.iter().filter_map(|id| server.tools().get(id.index())) {
            if let Some(accepts) = &tool.accepts {
                let accepts: Vec<_> = accepts.iter().map(|name| &**name).collect();
                let limited = raw.limits.iter().map(|limit| (&limit.value.pointer, limit.place));
                self.pointers_within(limited, &tool.name, &accepts);
            }
        }
        let limits = raw.limits.iter().map(|limit| self.common.limit(&limit.value)).collect();
        let scopes = raw.scopes.iter().flat_map(|scopes| &scopes.value);
        let mut scopes: Vec<Box<str>> = scopes.map(|scope| scope.value.into()).collect();
        scopes.sort_unstable();
        let (last_day, until) = (raw.last_day, raw.until);
        let (environments, scopes) = (environments.into(), scopes.into_iter().collect());
        Some(Grant { rule, who, environments, items, limits, scopes, last_day, until })
    }

    /// ⚠ Without a person there is nobody to ask: services read, and nothing delicate.
    fn service_reach(&mut self, raw: &RawGrant<'_>, items: &Items, server: &Server) {
        let Items { call, read, prompt } = items;
        let tool = |id: &ToolId| {
            let tool = server.tools().get(id.index())?;
            Some((Target::tool((*id, tool)), tool.name.to_string()))
        };
        let resource = |id: &ResourceId| {
            let resource = server.resources().get(id.index())?;
            Some((Target::resource((*id, resource)), resource.pattern.to_string()))
        };
        let named = |id: &PromptId| {
            let prompt = server.prompts().get(id.index())?;
            Some((Target::prompt((*id, prompt)), prompt.name.to_string()))
        };
        let tools = call.iter().filter_map(tool);
        let resources = read.iter().filter_map(resource);
        let all = tools.chain(resources).chain(prompt.iter().filter_map(named));
        for (target, name) in all.collect::<Vec<_>>() {
            if target.is_plain_read() && target.approval.is_none() {
                continue;
            }
            // The name itself, or the set that it came with.
            let own = raw.verbs.names().find(|text| text.value == name);
            let place = own.map_or(raw.name.place, |text| text.place);
            let message = format!("a service may not be granted `{name}`");
            self.report(Diagnostic::error(Code::ServiceReach, place, message).help(
                "take it out of this grant: services get reads only, neither sensitive nor external \
                 nor under approval",
            ));
        }
    }

    /// A guardrail that names servers and environments must be able to match on each server.
    pub(super) fn check_reach(&mut self, raw: &RawBan<'_>, servers: &Servers<'_>) {
        let (Some(names), Some(environments)) = (&raw.servers, &raw.environments) else { return };
        for name in names {
            let Some(server) = servers.get(name.value) else { continue };
            let OneServer::Read(server) = server else { continue };
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

    /// A ban of the guardrails. One that names tools, resources or prompts is one ban a server,
    /// since each has its own.
    pub(super) fn guardrail(&mut self, raw: &RawBan<'_>, servers: &Servers<'_>) -> Vec<Ban> {
        let Some(ban) = self.ban(raw, None, servers) else { return Vec::new() };
        let (false, Some(names)) = (raw.verbs.is_empty(), &raw.servers) else {
            if let Some(name) = raw.verbs.names().next() {
                let message = "a guardrail names tools, resources or prompts, and no server";
                self.report(
                    Diagnostic::error(Code::IncompleteBan, name.place, message)
                        .help("add `servers: [SERVER]`: each has its own tools"),
                );
            }
            return vec![ban];
        };
        let mut bans = Vec::new();
        for name in names {
            let Some(server) = servers.get(name.value) else { continue };
            let mut one = ban.clone();
            one.servers = Some(vec![name.value.into()]);
            one.what.items = self.verbs(&raw.verbs, &server.named());
            bans.push(one);
        }
        bans
    }

    /// A ban of a server's file, or of the guardrails (`server` is `None`).
    pub(super) fn ban(
        &mut self,
        raw: &RawBan<'_>,
        server: Option<(&Server, &Named<'_>)>,
        servers: &Servers<'_>,
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
        let users = raw.users.clone();
        let somebody = people.is_some() || !users.is_empty() || services.is_some();
        let who = somebody.then_some(BanWho { people, users, services });
        let via = raw.via.as_ref().map(|via| self.via(via));
        let environments = raw.environments.as_ref().map(|names| match server {
            Some((server, _)) => self.rule_environments(server, names),
            None => names.iter().filter_map(|name| self.environment(*name)).collect(),
        });
        for name in raw.servers.iter().flatten() {
            if !servers.contains_key(name.value) {
                let candidates = names_of(servers);
                self.unknown(Code::UnknownServer, *name, "server", "servers/", &candidates);
            }
        }
        let servers: Option<Vec<_>> =
            raw.servers.as_ref().map(|names| names.iter().map(|name| name.value.into()).collect());
        let items = server.map(|(_, named)| self.verbs(&raw.verbs, named)).unwrap_or_default();
        let what = BanWhat {
            everything: raw.everything,
            items,
            effects: raw.effects.clone(),
            traits: raw.traits.clone(),
        };
        let BanWhat { everything, items: _, effects, traits } = &what;
        if !everything && raw.verbs.is_empty() && effects.is_empty() && traits.is_empty() {
            if !raw.flawed {
                let message = format!("the ban `{}` does not say what it bans", raw.name.value);
                self.report(Diagnostic::error(Code::IncompleteBan, raw.name.place, message).help(
                    "add `effects`, `traits`, `call`, `read` or `prompt`, or `everything: true`",
                ));
            }
            return None;
        }
        Some(Ban {
            rule,
            who,
            via,
            environments,
            servers,
            what,
            until: raw.until,
            trial_until: raw.trial_until,
        })
    }
}

/// The groups that a server's rules and the guardrails name.
pub(super) fn named_groups(server: &Server, guardrails: &[Ban]) -> GroupSet {
    let mut named = GroupSet::default();
    let mut add = |groups: &GroupSet| groups.iter().for_each(|group| named.insert(group));
    for grant in server.grants() {
        match &grant.who {
            GrantWho::People { people, also_in, except, via: _ } => {
                if let People::Groups(groups) = people {
                    add(groups);
                }
                also_in.iter().chain(except).for_each(|groups| add(groups));
            }
            GrantWho::Users(..) | GrantWho::Services(_) => {}
        }
    }
    let bans = server.bans.iter().chain(guardrails);
    bans.for_each(|ban| banned(ban).into_iter().for_each(&mut add));
    // As large as it has to be.
    named.iter().collect()
}

/// The groups that bans name.
pub(super) fn banned_groups(bans: &[Ban]) -> GroupSet {
    bans.iter().filter_map(banned).flat_map(GroupSet::iter).collect()
}

fn banned(ban: &Ban) -> Option<&GroupSet> {
    match ban.who.as_ref()?.people.as_ref()? {
        People::Groups(groups) => Some(groups),
        People::AnyoneSignedIn => None,
    }
}
