//! One change more, in the direction of a grant.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::draft::{Draft, first_client, somebody, values, via_place};
use super::{Change, Search};
use crate::engine::{Breach, Decision, GrantMisses, Reason, Recorder};
use crate::identity::{Caller, GroupId, GroupSet, Groups, User, WorkloadPattern};
use crate::policy::model::{
    Ban, Grant, GrantWho, ItemId, People, Place, PlaceId, PlaceKind, RuleId, Via, ViaPlace,
};

impl Search<'_> {
    /// Every request that differs by one more change, in the direction of the grant.
    pub(super) fn next(
        &self,
        grant: &Grant,
        draft: &Draft,
        decision: Decision,
        trace: &Recorder,
    ) -> Vec<Draft> {
        match decision.reason {
            Some(Reason::Unauthenticated) => self.other_people(grant, draft),
            Some(Reason::Surface) if trace.client == Some(false) => self.client(draft),
            Some(Reason::Surface) => {
                let mut next = self.other_places(grant, draft);
                next.extend(self.other_environments(grant, draft));
                next
            }
            Some(Reason::Banned) => self.past_bans(grant, draft, trace),
            Some(Reason::NoGrant) => {
                let misses = trace.grants.iter().find(|(rule, _)| *rule == grant.rule);
                misses.map_or_else(Vec::new, |(_, misses)| self.one_miss(grant, draft, *misses))
            }
            Some(Reason::Limit) => {
                let breaches = trace.breaches.iter();
                let breach = breaches.rev().find(|(rule, _)| rule.is_none_or(|r| r == grant.rule));
                breach.map_or_else(Vec::new, |(rule, breach)| {
                    self.arguments(grant, draft, *rule, *breach)
                })
            }
            _ => Vec::new(),
        }
    }

    /// The first condition of the grant that does not hold, made to hold.
    fn one_miss(&self, grant: &Grant, draft: &Draft, misses: GrantMisses) -> Vec<Draft> {
        let GrantMisses { who, also_in, except, via, environment, call: _, scopes, ended } = misses;
        if environment {
            return self.other_environments(grant, draft);
        }
        if ended {
            return ended_at(grant)
                .map(|at| {
                    // A second before: the same request while the grant held.
                    let before = at.checked_sub(jiff::Span::new().seconds(1)).unwrap_or(at);
                    draft.with(Change::Ended(at), |draft| draft.at = before)
                })
                .into_iter()
                .collect();
        }
        if via {
            return self.other_places(grant, draft);
        }
        let unknown = draft.user().is_some_and(|user| user.groups == Groups::Unknown);
        if unknown && matches!(grant.who, GrantWho::People { .. }) {
            return vec![draft.known_groups()];
        }
        match &grant.who {
            _ if who => self.other_people(grant, draft),
            GrantWho::People { also_in: Some(groups), .. } if also_in => self.joins(draft, groups),
            GrantWho::People { except: Some(groups), .. } if except => {
                self.leaves(draft, groups).into_iter().collect()
            }
            GrantWho::People { .. } | GrantWho::Users(..) if scopes => {
                draft.with_scopes(&grant.scopes).into_iter().collect()
            }
            GrantWho::People { .. } | GrantWho::Users(..) | GrantWho::Services(_) => Vec::new(),
        }
    }

    /// Somebody whom the grant is for.
    fn other_people(&self, grant: &Grant, draft: &Draft) -> Vec<Draft> {
        match &grant.who {
            GrantWho::People { .. } if draft.user().is_none() => {
                let client = self.place(draft).and_then(first_client);
                vec![draft.with(Change::SignIn, |draft| {
                    draft.caller.user = Some(Arc::new(User { client, ..somebody() }));
                })]
            }
            GrantWho::People { people: People::Groups(groups), .. } => self.joins(draft, groups),
            GrantWho::People { people: People::AnyoneSignedIn, .. } => Vec::new(),
            GrantWho::Users(users, _) => users.iter().map(|name| draft.as_user(name)).collect(),
            GrantWho::Services(services) => services
                .iter()
                .filter_map(|id| {
                    let place = self.set.place(*id)?;
                    let change = Change::Service(place.name.to_string());
                    let workload = place.workloads.first().and_then(WorkloadPattern::example);
                    Some(draft.with(change, |draft| {
                        draft.caller = Caller { user: None, workload };
                        draft.channel = None;
                    }))
                })
                .collect(),
        }
    }

    pub(super) fn names(&self, groups: impl IntoIterator<Item = GroupId>) -> Vec<String> {
        groups.into_iter().map(|group| self.set.group_name(group).to_owned()).collect()
    }

    /// In each of these groups.
    fn joins(&self, draft: &Draft, groups: &GroupSet) -> Vec<Draft> {
        let join = |group: GroupId| {
            draft.with(Change::Group(self.names([group])), |draft| {
                let held = draft.groups();
                draft.set_groups(held.iter().chain([group]).collect());
                draft.joined.push((group, groups.clone()));
            })
        };
        groups.iter().map(join).collect()
    }

    /// In none of these groups, unless the person was put there.
    fn leaves(&self, draft: &Draft, groups: &GroupSet) -> Option<Draft> {
        let held = draft.groups();
        let leave: Vec<_> = held.iter().filter(|group| groups.contains(*group)).collect();
        let needed = |group: &GroupId| draft.joined.iter().any(|(joined, _)| joined == group);
        if leave.is_empty() || leave.iter().any(needed) {
            return None;
        }
        let rest = held.iter().filter(|group| !leave.contains(group)).collect();
        Some(draft.with(Change::NotGroup(self.names(leave)), |draft| draft.set_groups(rest)))
    }

    /// Where the grant is for.
    fn other_places(&self, grant: &Grant, draft: &Draft) -> Vec<Draft> {
        let via = match &grant.who {
            GrantWho::People { via, .. } | GrantWho::Users(_, via) => via,
            GrantWho::Services(_) => return self.other_people(grant, draft),
        };
        let environment = self.set.environment(&draft.environment);
        let places: Vec<ViaPlace> = match via {
            Via::Places(places) => places.to_vec(),
            Via::AnySurface => {
                let all = self.set.place_names().filter_map(|name| self.set.place_named(name));
                let surfaces = all.filter(|(_, place)| {
                    matches!(place.kind, PlaceKind::Surface { verified: true, .. })
                });
                surfaces.map(|(surface, _)| ViaPlace { surface, channel: None }).collect()
            }
        };
        let reached = |id: PlaceId| {
            let place = self.set.place(id);
            place.filter(|place| environment.is_some_and(|to| place.reaches.contains(&to)))
        };
        places
            .into_iter()
            .filter_map(|ViaPlace { surface, channel }| {
                let place = reached(surface)?;
                let channel = channel.and_then(|id| place.channel(id));
                Some(via_place(draft, place, channel.map(|channel| &*channel.name)))
            })
            .collect()
    }

    fn other_environments(&self, grant: &Grant, draft: &Draft) -> Vec<Draft> {
        let moved = draft.changes.iter().any(|change| matches!(change, Change::Environment(_)));
        let names = grant.environments.iter().map(|id| self.set.environment_name(*id));
        names
            .filter(|name| !moved && *name != draft.environment)
            .map(|name| {
                draft.with(Change::Environment(name.to_owned()), |draft| {
                    name.clone_into(&mut draft.environment);
                })
            })
            .collect()
    }

    fn place(&self, draft: &Draft) -> Option<&Place> {
        let place = self.set.place_of(draft.caller.workload.as_ref());
        place.and_then(|id| self.set.place(id))
    }

    /// A token for the place.
    fn client(&self, draft: &Draft) -> Vec<Draft> {
        let Some(client) = self.place(draft).and_then(first_client) else { return Vec::new() };
        let change = Change::Client(client.to_string());
        vec![draft.with(change, |draft| {
            if let Some(user) = &mut draft.caller.user {
                Arc::make_mut(user).client = Some(client);
            }
        })]
    }

    /// Out of what every ban that matches is about, if that can be.
    fn past_bans(&self, grant: &Grant, draft: &Draft, trace: &Recorder) -> Vec<Draft> {
        let matching = trace.bans.iter().filter(|(_, misses)| misses.is_empty());
        let bans = || self.set.guardrails().iter().chain(self.server.bans());
        let mut next = Vec::new();
        for (rule, _) in matching {
            let Some(Ban { who, via, .. }) = bans().find(|ban| ban.rule == *rule) else { continue };
            let groups = who.as_ref().and_then(|who| match &who.people {
                Some(People::Groups(groups)) => Some(groups),
                Some(People::AnyoneSignedIn) | None => None,
            });
            let unknown = draft.user().is_some_and(|user| user.groups == Groups::Unknown);
            match groups {
                Some(_) if unknown => next.push(draft.known_groups()),
                Some(groups) => next.extend(self.leaves(draft, groups)),
                None => {}
            }
            if via.is_some() {
                next.extend(self.other_places(grant, draft));
            }
        }
        next
    }

    fn arguments(
        &self,
        grant: &Grant,
        draft: &Draft,
        rule: Option<RuleId>,
        breach: Breach,
    ) -> Vec<Draft> {
        let Some(ItemId::Tool(id)) = self.item else { return Vec::new() };
        let Some(tool) = self.server.tools().get(id.index()) else { return Vec::new() };
        let limits = if rule.is_some() { &*grant.limits } else { &*tool.limits };
        match breach {
            Breach::NotAccepted => {
                let accepted = |name: &str| {
                    let accepts = tool.accepts.as_deref().unwrap_or_default();
                    accepts.iter().any(|accepted| **accepted == *name)
                };
                let names = draft.arguments.as_object().into_iter().flat_map(|map| map.keys());
                let other = names.filter(|name| !accepted(name)).map(|name| format!("/{name}"));
                other.filter_map(|pointer| draft.with_argument(&pointer, None)).take(1).collect()
            }
            Breach::Limit(index) => limits.get(index).map_or_else(Vec::new, |limit| {
                let values = values(limit);
                let pointer = limit.pointer.to_string();
                values.into_iter().filter_map(|v| draft.with_argument(&pointer, v)).collect()
            }),
        }
    }
}

/// The first instant at which a grant no longer holds.
fn ended_at(grant: &Grant) -> Option<Timestamp> {
    let day = grant
        .last_day
        .and_then(|day| Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()));
    day.into_iter().chain(grant.until).min()
}
