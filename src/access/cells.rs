//! Everything about a query that there are finitely many kinds of, with one of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Item, PlaceWords};
use crate::engine::{self, ChannelState};
use crate::identity::{Caller, GroupSet, Groups, User, UserName, Workload, WorkloadPattern};
use crate::json::Object;
use crate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use crate::policy::PolicySet;
use crate::policy::model::{
    Ban, EnvironmentId, Grant, GrantWho, Place, PlaceId, PlaceKind, Server,
};
use crate::policy::uri::{self, UriPattern};

/// Where callers speak from: all that are alike on both sides.
#[derive(Debug)]
pub(super) struct Standpoint {
    pub(super) workload: Option<Workload>,
    pub(super) channel: Option<Box<str>>,
    pub(super) places: [Option<PlaceId>; 2],
    pub(super) words: PlaceWords,
    /// Clients of tokens that are treated differently; those that both sides refuse are left out.
    pub(super) clients: Vec<Option<Box<str>>>,
}

/// Who is signed in, but for known groups and the token's scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// `None` for somebody whom no rule names.
    pub(super) name: Option<UserName>,
    pub(super) groups_known: bool,
}

// === Standpoints ===

pub(super) fn standpoints(sets: [&PolicySet; 2]) -> Vec<Standpoint> {
    let mut classes: BTreeMap<[Option<PlaceId>; 2], Option<Workload>> = BTreeMap::new();
    for workload in std::iter::once(None).chain(workloads(sets).into_iter().map(Some)) {
        let places = sets.map(|set| set.place_of(workload.as_ref()));
        if places != [None, None] {
            classes.entry(places).or_insert(workload);
        }
    }
    let mut standpoints = Vec::new();
    for (ids, workload) in classes {
        let [old, new] = ids;
        let [a, b] = sets;
        let places = [old.and_then(|id| a.place(id)), new.and_then(|id| b.place(id))];
        for (channel, states) in channels(places) {
            let [old, new] = [0, 1].map(|side: usize| words(&places, &states, side));
            standpoints.push(Standpoint {
                workload: workload.clone(),
                channel,
                places: ids,
                words: PlaceWords { old, new },
                clients: clients(places),
            });
        }
    }
    standpoints
}

/// One workload of each exact ID and each subtree of either side.
fn workloads(sets: [&PolicySet; 2]) -> Vec<Workload> {
    let patterns: Vec<_> = sets.iter().flat_map(|set| set.workload_patterns()).collect();
    let mut found = Vec::new();
    for pattern in &patterns {
        match pattern {
            WorkloadPattern::Exact(id) => found.push(id.clone()),
            WorkloadPattern::Subtree(root) => {
                let within = |other: &&WorkloadPattern| match other {
                    WorkloadPattern::Exact(_) => false,
                    WorkloadPattern::Subtree(id) => id == root || other.matches(root),
                };
                // Below this root and no narrower one.
                let own = |id: &Workload| {
                    patterns.iter().all(|other| !other.matches(id) || within(other))
                };
                let ids = fresh().filter_map(|name| Workload::new(&format!("{root}/{name}")).ok());
                found.extend(ids.take(patterns.len() + 1).find(own));
            }
        }
    }
    found
}

/// Names, short ones first.
fn fresh() -> impl Iterator<Item = String> {
    // A name that is nearly as long as it may be has room for a character or two.
    let short = "xabcdefghijklmnopqrstuvwyz0123456789".chars().map(String::from);
    short.chain((1..u32::MAX).map(|n| format!("x{n}")))
}

type Channelled = (Option<Box<str>>, [ChannelState; 2]);

/// Every listed channel, another one, and none; those that mean the same are one.
fn channels(places: [Option<&Place>; 2]) -> Vec<Channelled> {
    let listed: Vec<_> = places
        .into_iter()
        .flatten()
        .flat_map(|place| match &place.kind {
            PlaceKind::Surface { channels, verified: _, clients: _ } => channels.as_slice(),
            PlaceKind::Service => &[],
        })
        .flat_map(|channel| channel.ids.iter().cloned())
        .collect();
    let other = fresh().map(String::into_boxed_str).find(|name| !listed.contains(name));
    let claims = std::iter::once(None).chain(listed.into_iter().map(Some)).chain([other]);
    let mut found: Vec<Channelled> = Vec::new();
    for claim in claims {
        let states = places.map(|place| engine::channel(place, claim.as_deref()));
        if !found.iter().any(|(_, known)| *known == states) {
            found.push((claim, states));
        }
    }
    found
}

fn words(
    places: &[Option<&Place>; 2],
    states: &[ChannelState; 2],
    side: usize,
) -> Option<Box<str>> {
    let place = places.get(side).copied().flatten()?;
    let name = &place.name;
    Some(match states.get(side) {
        Some(ChannelState::Known(channel)) => {
            let channel = place.channel(*channel).map_or("", |channel| &channel.name);
            format!("{name}/{channel}").into()
        }
        Some(ChannelState::Unknown) => format!("{name} without a channel").into(),
        Some(ChannelState::Other) => format!("{name} in another channel").into(),
        Some(ChannelState::NotUsed) | None => name.clone(),
    })
}

fn clients(places: [Option<&Place>; 2]) -> Vec<Option<Box<str>>> {
    let lists = places.map(|place| match place.map(|place| &place.kind) {
        Some(PlaceKind::Surface { clients, channels: _, verified: _ }) => clients.as_deref(),
        Some(PlaceKind::Service) | None => None,
    });
    let listed: Vec<_> = lists.into_iter().flatten().flatten().cloned().collect();
    let other = fresh().map(String::into_boxed_str).find(|name| !listed.contains(name));
    let mut seen = BTreeSet::new();
    let new = |client: &Option<Box<str>>| {
        let accepted = lists.map(|list| match (list, client) {
            (None, _) => true,
            (Some(list), Some(client)) => list.contains(client),
            (Some(_), None) => false,
        });
        accepted != [false, false] && seen.insert(accepted)
    };
    let all = std::iter::once(None).chain(listed.iter().cloned().map(Some)).chain([other]);
    all.filter(new).collect()
}

impl Standpoint {
    /// Whether the environment is reached from there on either side.
    pub(super) fn reaches(
        &self,
        sets: [&PolicySet; 2],
        environments: [Option<EnvironmentId>; 2],
    ) -> bool {
        let sides = sets.into_iter().zip(self.places).zip(environments);
        sides.into_iter().any(|((set, place), environment)| {
            let place = place.and_then(|id| set.place(id));
            let reaches = place.map(|place| place.reaches.as_slice()).unwrap_or_default();
            environment.is_some_and(|environment| reaches.contains(&environment))
        })
    }
}

// === People ===

/// Somebody, and one of each kind of user that rules name alike. `others` are named together by
/// something that is no rule.
pub(super) fn people(
    sets: [&PolicySet; 2],
    servers: [Option<&Server>; 2],
    others: &[UserName],
) -> Vec<Person> {
    let kinds = kinds(sets, servers, others).into_iter();
    let kinds = kinds.filter_map(|kind| kind.into_iter().next());
    let somebody = std::iter::once(None).chain(kinds.map(Some));
    let each = |name: Option<UserName>| {
        [true, false].map(|groups_known| Person { name: name.clone(), groups_known })
    };
    somebody.flat_map(each).collect()
}

/// All users that rules name, and `others`; those that are named together each time together.
pub(super) fn kinds(
    sets: [&PolicySet; 2],
    servers: [Option<&Server>; 2],
    others: &[UserName],
) -> Vec<BTreeSet<UserName>> {
    let mut named: BTreeMap<&UserName, Vec<usize>> = BTreeMap::new();
    let mut rule = 0;
    for user in others {
        named.entry(user).or_default().push(rule);
    }
    for (set, server) in sets.into_iter().zip(servers) {
        let grants = server.map(Server::grants).unwrap_or_default();
        for grant in grants {
            if let GrantWho::Users(users, _) = &grant.who {
                rule += 1;
                for user in users {
                    named.entry(user).or_default().push(rule);
                }
            }
        }
        let bans = server.map(Server::bans).unwrap_or_default();
        for who in set.guardrails().iter().chain(bans).filter_map(|ban| ban.who.as_ref()) {
            rule += 1;
            for user in &who.users {
                named.entry(user).or_default().push(rule);
            }
        }
    }
    let mut kinds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, rules) in named {
        kinds.entry(rules).or_default().insert(name.clone());
    }
    kinds.into_values().collect()
}

/// Somebody with these groups and scopes, or nobody, from there.
pub(super) fn caller(
    standpoint: &Standpoint,
    client: Option<&str>,
    person: Option<&Person>,
    groups: GroupSet,
    scopes: &[Box<str>],
) -> Caller {
    Caller {
        workload: standpoint.workload.clone(),
        user: person.map(|person| {
            let name = person.name.as_ref();
            // No issuer is called so, since no name of one ends in a blank.
            let issuer = name.map_or("somebody ", |name| name.issuer());
            let subject = name.map_or("somebody", |name| name.subject());
            let groups = if person.groups_known { Groups::Known(groups) } else { Groups::Unknown };
            let (client, scopes) = (client.map(Into::into), scopes.to_vec());
            Arc::new(User { client, scopes, ..User::new(issuer, subject, groups) })
        }),
    }
}

// === Times ===

/// The starts of all times between which nothing begins or ends, from an instant on.
pub(super) fn times(
    sets: [&PolicySet; 2],
    servers: [Option<&Server>; 2],
    from: Timestamp,
) -> Vec<Timestamp> {
    let mut times = BTreeSet::from([from]);
    for (set, server) in sets.into_iter().zip(servers) {
        let Some(server) = server else { continue };
        for grant in server.grants() {
            let Grant {
                rule: _,
                who: _,
                environments: _,
                items: _,
                limits: _,
                scopes: _,
                last_day,
                until,
            } = grant;
            times.extend(until);
            times.extend(last_day.and_then(end_of));
        }
        for ban in set.guardrails().iter().chain(server.bans()) {
            let Ban {
                rule: _,
                who: _,
                via: _,
                environments: _,
                servers: _,
                what: _,
                until,
                trial_until,
            } = ban;
            times.extend(until.iter().chain(trial_until));
        }
        times.extend(server.environments.iter().filter_map(|e| e.shadow_until));
    }
    times.into_iter().filter(|time| *time >= from).collect()
}

/// The first instant after a UTC day.
pub(super) fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

// === Items ===

/// Everything that either side offers, and looking around.
pub(super) fn items(servers: [Option<&Server>; 2]) -> Vec<Item> {
    let both = || servers.into_iter().flatten();
    let mut items = BTreeSet::from([Item::Open, Item::Look]);
    items.extend(both().flat_map(Server::tools).map(|tool| Item::Tool(tool.name.clone())));
    items.extend(both().flat_map(Server::prompts).map(|prompt| Item::Prompt(prompt.name.clone())));
    if both().any(|server| server.protocol().tasks) {
        items.insert(Item::Tasks);
    }
    let methods = both().flat_map(|server| &server.protocol().methods);
    items.extend(methods.map(|method| Item::Method(method.clone())));
    let patterns: Vec<_> = both().flat_map(Server::resources).map(|r| &r.pattern).collect();
    for pattern in &patterns {
        if let Some(uri) = example(pattern, &patterns) {
            items.insert(Item::Resource { pattern: pattern.to_string().into(), uri });
        }
    }
    items.into_iter().collect()
}

/// A URI that a pattern names, and no narrower one.
fn example(pattern: &UriPattern, all: &[&UriPattern]) -> Option<Box<str>> {
    let start = match pattern {
        UriPattern::Exact(uri) => return Some(uri.clone()),
        UriPattern::Below(start) => start,
    };
    let wider = |other: &UriPattern| match other {
        UriPattern::Exact(_) => false,
        UriPattern::Below(other) => start.starts_with(&**other),
    };
    let own = |uri: &String| all.iter().all(|other| !other.matches(uri) || wider(other));
    let uris = fresh().take(all.len() + 1).map(|name| format!("{start}{name}"));
    let uri = uris.filter(|uri| uri::check(uri).is_ok()).find(own);
    uri.map(String::into_boxed_str)
}

impl Item {
    /// What a caller asks for.
    pub(super) fn action<'a>(&'a self, arguments: &'a Object<'a>) -> Action<'a> {
        match self {
            Self::Open => Action::Discover(Discovery::Initialize),
            Self::Look => Action::Discover(Discovery::ListTools),
            Self::Tool(name) => Action::CallTool { name, arguments, task: false },
            Self::Resource { pattern: _, uri } => Action::Resource { op: ResourceOp::Read, uri },
            Self::Prompt(name) => Action::Prompt { op: PromptOp::Get, name },
            Self::Tasks => Action::Task { id: None },
            Self::Method(name) => Action::Extension(name),
        }
    }
}
