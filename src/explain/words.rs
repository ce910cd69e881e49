//! A trace in words.

use super::{Origin, Outcome, Step};
use crate::diagnostics::did_you_mean;
use crate::engine::{
    self, BanMisses, Breach, ChannelState, Decision, GrantMisses, Query, Reason, Recorder,
    ReviewState,
};
use crate::identity::{GroupSet, Groups};
use crate::mcp::Action;
use crate::policy::PolicySet;
use crate::policy::limits::Limit;
use crate::policy::model::{
    Approver, ChannelId, EnvironmentId, Grant, GrantWho, NeededReview, People, Place, PlaceKind,
    ReviewId, RuleId, Server, Via,
};

pub(super) struct Words<'w> {
    pub(super) set: &'w PolicySet,
    pub(super) query: &'w Query<'w>,
    pub(super) trace: &'w Recorder,
}

fn step(outcome: Outcome, name: &str, detail: String, origin: Option<Origin>) -> Step {
    Step { outcome, name: name.to_owned(), detail, origin }
}

impl Words<'_> {
    fn server(&self) -> Option<&Server> {
        self.set.server(self.query.server)
    }

    fn origin(&self, rule: RuleId) -> Option<Origin> {
        self.set.rule(rule).map(|rule| Origin { file: rule.file.to_path_buf(), line: rule.line })
    }

    fn rule_name(&self, rule: RuleId) -> String {
        self.set.rule(rule).map(|rule| rule.name.to_string()).unwrap_or_default()
    }

    fn group_list(&self, groups: &GroupSet, joint: &str) -> String {
        let names: Vec<_> = groups.iter().map(|group| self.set.group_name(group)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(joint) }
    }

    pub(super) fn steps(&self, decision: Decision) -> Vec<Step> {
        let mut steps = Vec::new();
        let miss = |name, detail: &str| step(Outcome::Miss, name, detail.to_owned(), None);
        if decision.reason == Some(Reason::Unauthenticated) {
            let detail = "nobody is signed in, and nothing is granted to this as a service";
            steps.push(miss("user", detail));
        }
        if decision.reason == Some(Reason::ServerUnknown) {
            steps.push(miss("server", "does not run in this environment, or not at all"));
        }
        steps.extend(self.place());
        steps.extend(self.reviews());
        steps.extend(self.tool());
        steps.extend(self.bans());
        steps
    }

    /// Where somebody is who does not say so: where a caller without a workload is.
    pub(super) fn assumed_surface(&self) -> Step {
        let detail = match self.set.place_of(None).and_then(|place| self.set.place(place)) {
            Some(place) => format!(
                "not said (via): {} is assumed, where callers without a workload are",
                place.name
            ),
            None => "not said (via): a caller without a workload, and no surface has \
                     `workloads: none`"
                .to_owned(),
        };
        step(Outcome::Note, "surface", detail, None)
    }

    fn place(&self) -> Vec<Step> {
        let Some((place, environment, channel, reaches)) = self.trace.place else {
            return Vec::new();
        };
        let environment = self.set.environment_name(environment);
        let Some(place) = place.and_then(|place| self.set.place(place)) else {
            let detail = "this workload belongs to no surface or service".to_owned();
            return vec![step(Outcome::Miss, "surface", detail, None)];
        };
        let verb = if reaches { "reaches" } else { "does not reach" };
        let outcome = if reaches { Outcome::Ok } else { Outcome::Miss };
        let detail = format!("{} {verb} {environment}", place.name);
        let mut steps = vec![step(outcome, "surface", detail, self.origin(place.origin))];
        steps.extend(self.client(place));
        let (outcome, detail) = match channel {
            ChannelState::NotUsed => return steps,
            ChannelState::Unknown => {
                (Outcome::Note, "not said: matches every ban by channel, and no grant".to_owned())
            }
            ChannelState::Other => (Outcome::Note, "not listed: another place".to_owned()),
            ChannelState::Known(id) => (Outcome::Ok, channel_name(place, id)),
        };
        steps.push(step(outcome, "channel", detail, None));
        steps
    }

    fn client(&self, place: &Place) -> Option<Step> {
        let PlaceKind::Surface { clients: Some(clients), .. } = &place.kind else { return None };
        let refused = self.trace.client == Some(false);
        refused.then(|| {
            let user = self.query.caller.user.as_deref();
            let client = user.and_then(|user| user.client.as_deref()).unwrap_or("none");
            let detail = format!("takes tokens of {}, has {client}", clients.join(" or "));
            step(Outcome::Miss, "client", detail, self.origin(place.origin))
        })
    }

    fn reviews(&self) -> Vec<Step> {
        let reviews = &self.trace.reviews;
        let mut missing: Vec<Step> = reviews
            .iter()
            .filter(|(_, in_force)| in_force.is_none())
            .map(|(needed, _)| step(Outcome::Miss, "reviews", self.missing_review(needed), None))
            .collect();
        let reached = !reviews.is_empty() || self.trace.place.is_some();
        if missing.is_empty() && reached {
            missing.push(step(Outcome::Ok, "reviews", self.reviews_in_force(), None));
        }
        missing
    }

    fn reviews_in_force(&self) -> String {
        let in_force: Vec<_> =
            self.trace.reviews.iter().filter_map(|(_, id)| self.set.review((*id)?)).collect();
        let names: Vec<_> = in_force.iter().map(|review| &*review.name).collect();
        match in_force.iter().map(|review| review.last_day).min() {
            Some(last_day) => format!("{}, to {last_day}", names.join(", ")),
            None => "none needed here".to_owned(),
        }
    }

    fn missing_review(&self, needed: &NeededReview) -> String {
        let today = crate::engine::utc_day(self.query.now);
        let state = |id: ReviewId, state: ReviewState| {
            let Some(review) = self.set.review(id) else { return String::new() };
            match state {
                ReviewState::InForce => format!("{} is in force", review.name),
                ReviewState::NotYet => format!("{} counts from {}", review.name, review.approved),
                ReviewState::Ended => format!("{} ended {}", review.name, review.last_day),
                ReviewState::OtherTools => {
                    format!("{} covers other tools than there are now", review.name)
                }
                ReviewState::NotCovered => {
                    format!("{} does not cover {}", review.name, self.query.server)
                }
            }
        };
        let listed: Vec<_> = needed
            .listed
            .iter()
            .map(|listed| state(listed.id, ReviewState::of(self.set, listed, today)))
            .collect();
        if listed.is_empty() {
            format!("{}: the server lists none", needed.kind)
        } else {
            format!("{}: {}", needed.kind, listed.join("; "))
        }
    }

    fn tool(&self) -> Option<Step> {
        let server = self.server()?;
        let (what, name, near) = match self.query.action {
            Action::CallTool { name, .. } if server.tool(name).is_none() => {
                let names = server.tools().iter().map(|tool| &*tool.name);
                ("tool", name, did_you_mean(name, names))
            }
            Action::Resource { uri, .. } if server.resource(uri).is_none() => {
                ("resource", uri, None)
            }
            Action::Prompt { name, .. } if server.prompt(name).is_none() => {
                let names = server.prompts().iter().map(|prompt| &*prompt.name);
                ("prompt", name, did_you_mean(name, names))
            }
            Action::Task { .. } if !server.protocol().tasks => {
                let detail = format!("{} does not say `tasks: bound_to_user`", server.name);
                return Some(step(Outcome::Miss, "tasks", detail, None));
            }
            Action::Extension(method) if !server.lets_through(method) => {
                let near = server.protocol().methods.iter().map(|method| &**method);
                ("method", method, did_you_mean(method, near))
            }
            Action::CallTool { .. }
            | Action::Resource { .. }
            | Action::Prompt { .. }
            | Action::Discover(_)
            | Action::Listen(_)
            | Action::Task { .. }
            | Action::Extension(_)
            | Action::Unknown => return None,
        };
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let detail = format!("{} does not list {name}{hint}", server.name);
        Some(step(Outcome::Miss, what, detail, None))
    }

    fn bans(&self) -> Vec<Step> {
        let all = self.trace.bans.len();
        let matching: Vec<_> =
            self.trace.bans.iter().filter(|(_, misses)| misses.is_empty()).collect();
        let reached = all > 0 || !self.trace.grants.is_empty();
        if matching.is_empty() {
            let detail = format!("0 of {all} apply");
            return if reached {
                vec![step(Outcome::Ok, "bans", detail, None)]
            } else {
                Vec::new()
            };
        }
        let detail = "applies".to_owned();
        matching
            .into_iter()
            .map(|(rule, _)| {
                step(Outcome::Ban, &self.rule_name(*rule), detail.clone(), self.origin(*rule))
            })
            .collect()
    }

    /// The grants that call the tool, or all of them for looking around.
    pub(super) fn grants(&self, decision: Decision) -> Vec<Step> {
        let Some(server) = self.server() else { return Vec::new() };
        // Once one grants, the others do not matter.
        let granted = decision.reason != Some(Reason::NoGrant);
        let about = self
            .trace
            .grants
            .iter()
            .filter(|(_, misses)| if granted { misses.is_empty() } else { !misses.call });
        about
            .filter_map(|(rule, misses)| {
                let grant = server.grants().iter().find(|grant| grant.rule == *rule)?;
                let breach = self.breach_of(Some(*rule));
                let (outcome, detail) = match (misses.is_empty(), breach) {
                    (true, None) => (Outcome::Ok, "grants it".to_owned()),
                    (true, Some(breach)) => (Outcome::Miss, limit(&grant.limits, breach)),
                    (false, _) => (Outcome::Miss, self.grant_misses(grant, *misses).join("; ")),
                };
                Some(step(outcome, &self.rule_name(*rule), detail, self.origin(*rule)))
            })
            .collect()
    }

    /// Why a refusal is not enforced.
    pub(super) fn shadow(&self, decision: Decision) -> Vec<Step> {
        if decision.enforced == decision.verdict {
            return Vec::new();
        }
        let server = self.server();
        let environment = self.set.environment(self.query.environment);
        let here = server.zip(environment).and_then(|(server, id)| server.environment(id));
        let shadow = here.and_then(|here| here.shadow_until).map(|until| {
            let detail = format!("refusals are only recorded, until {until}");
            step(Outcome::Ok, "shadow", detail, None)
        });
        let bans = self.set.guardrails().iter().chain(server.map_or(&[][..], Server::bans));
        let trials = bans.filter_map(|ban| {
            let applied =
                |(rule, misses): &(RuleId, BanMisses)| *rule == ban.rule && misses.is_empty();
            let until = ban.trial_until.filter(|_| self.trace.bans.iter().any(applied))?;
            let detail = format!("is on trial, and only recorded, until {until}");
            Some(step(Outcome::Ok, &self.rule_name(ban.rule), detail, self.origin(ban.rule)))
        });
        let shadow = shadow.filter(|_| decision.reason != Some(Reason::Banned));
        let mut steps: Vec<_> = trials.chain(shadow).collect();
        // A guardrail that names tools is one ban for each of its servers.
        steps.dedup();
        steps
    }

    fn breach_of(&self, grant: Option<RuleId>) -> Option<Breach> {
        let found = self.trace.breaches.iter().find(|(rule, _)| *rule == grant);
        found.map(|(_, breach)| *breach)
    }

    /// The tool's own limit that does not hold.
    pub(super) fn tool_limit(&self) -> Option<Step> {
        let breach = self.breach_of(None)?;
        let Action::CallTool { name, arguments, task: _ } = self.query.action else { return None };
        let (_, tool) = self.server()?.tool(name)?;
        let detail = match (breach, &tool.accepts) {
            (Breach::NotAccepted, Some(accepts)) => {
                let other = |name: &&str| !accepts.iter().any(|accepted| **accepted == **name);
                let names: Vec<_> = arguments.iter().map(|(name, _)| name).filter(other).collect();
                format!("{name} does not accept {}", names.join(", "))
            }
            (Breach::NotAccepted | Breach::Limit(_), _) => limit(&tool.limits, breach),
        };
        Some(step(Outcome::Miss, "limit", detail, None))
    }

    pub(super) fn other_grants(&self) -> usize {
        self.trace.grants.iter().filter(|(_, misses)| misses.call).count()
    }

    pub(super) fn approval(&self) -> Option<Step> {
        let Action::CallTool { name, .. } = self.query.action else { return None };
        let (_, tool) = self.server()?.tool(name)?;
        Some(step(Outcome::Wait, "approval", agreement(self.set, tool.approval.as_ref()?), None))
    }

    fn grant_misses(&self, grant: &Grant, misses: GrantMisses) -> Vec<String> {
        let GrantMisses { who, also_in, except, via, environment, call: _, scopes, ended } = misses;
        let mut words = Vec::new();
        if who {
            words.push(self.who(&grant.who));
        }
        if let GrantWho::People { also_in: Some(groups), .. } = &grant.who
            && also_in
        {
            let needed = self.group_list(groups, " or ");
            words.push(format!("also_in: needs {needed}, {}", self.has()));
        }
        if let GrantWho::People { except: Some(groups), .. } = &grant.who
            && except
        {
            let left_out = self.group_list(groups, " and ");
            words.push(format!("except: leaves out {left_out}, {}", self.has()));
        }
        if let (true, GrantWho::People { via: needed, .. } | GrantWho::Users(_, needed)) =
            (via, &grant.who)
        {
            words.push(format!("via: needs {}, has {}", self.via(needed), self.whereabouts()));
        }
        if environment {
            let names: Vec<_> = grant.environments.iter().map(|id| self.environment(*id)).collect();
            let has = self.query.environment;
            words.push(format!("in: needs {}, has {has}", names.join(" or ")));
        }
        if scopes {
            words.push(self.scopes(&grant.scopes));
        }
        if ended {
            let last_day = grant.last_day.map(|day| day.to_string());
            let until = grant.until.map(|until| until.to_string());
            let ends: Vec<_> = last_day.into_iter().chain(until).collect();
            words.push(format!("ended {}", ends.join(" or ")));
        }
        words
    }

    fn environment(&self, id: EnvironmentId) -> &str {
        self.set.environment_name(id)
    }

    /// What is known about the user's groups.
    fn has(&self) -> String {
        match self.query.caller.user.as_deref().map(|user| &user.groups) {
            None => "nobody is signed in".to_owned(),
            Some(Groups::Unknown) => "groups are unknown".to_owned(),
            Some(Groups::Known(groups)) => format!("has {}", self.group_list(groups, ", ")),
        }
    }

    /// The scopes that the token lacks.
    fn scopes(&self, needed: &[Box<str>]) -> String {
        let user = self.query.caller.user.as_deref();
        let held = user.map(|user| user.scopes.as_slice()).unwrap_or_default();
        let missing: Vec<_> =
            needed.iter().filter(|scope| !held.contains(scope)).map(|scope| &**scope).collect();
        let has = match held {
            [] => "none".to_owned(),
            held => held.join(", "),
        };
        format!("scopes: needs {}, has {has}", missing.join(" and "))
    }

    fn who(&self, who: &GrantWho) -> String {
        match who {
            GrantWho::People { people: People::AnyoneSignedIn, .. } => {
                "people: nobody is signed in".to_owned()
            }
            GrantWho::People { people: People::Groups(needed), .. } => {
                format!("people: needs {}, {}", self.group_list(needed, " or "), self.has())
            }
            GrantWho::Users(users, _) => {
                let names: Vec<_> = users.iter().map(ToString::to_string).collect();
                format!("users: needs {}", names.join(" or "))
            }
            GrantWho::Services(_) if engine::is_for_people(self.query.action) => {
                "services: only people may do this".to_owned()
            }
            GrantWho::Services(services) => {
                let names: Vec<_> =
                    services.iter().filter_map(|id| self.set.place(*id)).map(name_of).collect();
                let person = if self.query.caller.user.is_some() { " with a person" } else { "" };
                let has = self.whereabouts();
                format!(
                    "services: needs {} without a person, has {has}{person}",
                    names.join(" or ")
                )
            }
        }
    }

    /// Where the caller is, as `via` and `services` would name it.
    fn whereabouts(&self) -> String {
        let Some((Some(place), _, channel, _)) = self.trace.place else {
            return "no surface".to_owned();
        };
        let Some(place) = self.set.place(place) else {
            return "no surface".to_owned();
        };
        match channel {
            ChannelState::NotUsed => place.name.to_string(),
            ChannelState::Unknown => format!("{} without a channel", place.name),
            ChannelState::Other => format!("{} in another channel", place.name),
            ChannelState::Known(id) => format!("{}/{}", place.name, channel_name(place, id)),
        }
    }

    fn via(&self, via: &Via) -> String {
        match via {
            Via::AnySurface => "a surface with a workload identity".to_owned(),
            Via::Places(places) => {
                let names: Vec<_> = places
                    .iter()
                    .filter_map(|via| {
                        let place = self.set.place(via.surface)?;
                        Some(match via.channel.and_then(|channel| place.channel(channel)) {
                            Some(channel) => format!("{}/{}", place.name, channel.name),
                            None => place.name.to_string(),
                        })
                    })
                    .collect();
                names.join(" or ")
            }
        }
    }
}

/// Who has to agree.
pub(super) fn agreement(set: &PolicySet, approver: &Approver) -> String {
    match approver {
        Approver::Caller => "the caller confirms".to_owned(),
        Approver::AnotherPerson => "somebody else agrees".to_owned(),
        Approver::Groups(groups) => {
            let names: Vec<_> = groups.iter().map(|group| set.group_name(group)).collect();
            format!("somebody else agrees, from {}", names.join(" or "))
        }
    }
}

fn channel_name(place: &Place, id: ChannelId) -> String {
    place.channel(id).map(|channel| channel.name.to_string()).unwrap_or_default()
}

/// A limit that does not hold, as what it asks for.
fn limit(limits: &[Limit], breach: Breach) -> String {
    match breach {
        Breach::NotAccepted => "an argument that is not accepted".to_owned(),
        Breach::Limit(index) => {
            limits.get(index).map(|limit| format!("needs: {limit}")).unwrap_or_default()
        }
    }
}

fn name_of(place: &Place) -> &str {
    &place.name
}
