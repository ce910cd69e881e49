//! Who may do what under one policy set at one instant, in clauses that people can read.
//!
//! The cells are those of comparisons, and the code that decides settles them; what is left of a
//! decision is turned into clauses instead of being given to a solver. That they say what
//! `decide` does is held by properties of random policies.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;

use super::Item;
use super::atoms::Atoms;
use super::cells::{self, Person, Standpoint};
use super::simplify::simplify;
use crate::engine::{self, ChannelState, Open, OpenGrant, Query};
use crate::identity::{GroupId, GroupSet, UserName};
use crate::json::Object;
use crate::policy::PolicySet;
use crate::policy::model::{EnvironmentId, Grant, PlaceId, Resource, RuleId, Server};

/// A policy set at an instant, as if every review were in force: what can be asked of it.
pub struct Reach {
    set: PolicySet,
    at: Timestamp,
    atoms: Atoms,
    standpoints: Vec<Standpoint>,
}

/// Who may do what on one server in one environment.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Where callers may speak from, as far as the environment is reached from there.
    pub spots: Vec<Spot>,
    /// What may be done: looking around last.
    pub items: Vec<ReachedItem>,
}

/// A surface or service, and what is known of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The surface or service.
    pub place: PlaceId,
    /// The channel.
    pub channel: ChannelState,
}

/// Who may do one thing.
#[derive(Clone, Debug)]
pub struct ReachedItem {
    /// What.
    pub item: Item,
    /// One for each of [`Reached::spots`]. All alternatives add up; none is nobody.
    pub cells: Vec<Rc<Vec<Alternative>>>,
}

/// Some of those who may: whoever meets all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alternative {
    /// Whom it is about.
    pub who: Whom,
    /// In one of these, too; `None` if nothing else is asked for.
    pub also_in: Option<BTreeSet<GroupId>>,
    /// In none of these: left out by the grant, or banned.
    pub not: BTreeSet<GroupId>,
    /// None of these: banned by name.
    pub not_users: BTreeSet<UserName>,
    /// With a token that has all of these scopes.
    pub scopes: BTreeSet<Box<str>>,
    /// What the grant asks of the arguments, in words.
    pub limits: BTreeSet<String>,
    /// The first instant at which it no longer holds.
    pub until: Option<Timestamp>,
    /// Whether people with unknown groups are among them.
    pub unknown_groups: bool,
    /// Whether it holds only because refusals are recorded instead of enforced: then the limits of
    /// the item do not count either.
    pub shadow: bool,
    /// Bans that would refuse some of them, and are only recorded.
    pub trials: BTreeSet<RuleId>,
}

/// Whom an [`Alternative`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    /// People in one of these groups.
    Groups(BTreeSet<GroupId>),
    /// Everybody who is signed in.
    Anyone,
    /// People by name.
    Users(BTreeSet<UserName>),
    /// Whoever sends no user credential: a service, or a surface that opens a connection.
    NobodySignedIn,
}

impl Reach {
    /// Prepares what servers share.
    #[must_use]
    pub fn new(set: &PolicySet, at: Timestamp) -> Self {
        let set = set.as_if_reviewed();
        let atoms = Atoms::new([&set, &set]);
        let standpoints = cells::standpoints([&set, &set]);
        Self { set, at, atoms, standpoints }
    }

    /// Who may do what on a server in an environment. `None` if it is not there.
    #[must_use]
    pub fn of(&self, server: &str, environment: EnvironmentId) -> Option<Reached> {
        let server = self.set.server(server)?;
        let here = server.environment(environment)?;
        let end = |grant: &Grant| {
            let ends = grant.last_day.and_then(cells::end_of).into_iter().chain(grant.until);
            (grant.rule, ends.min())
        };
        let mut walk = Walk {
            reach: self,
            server,
            environment: self.set.environment_name(environment),
            ends: server.grants().iter().map(end).collect(),
            shadow_until: here.shadow_until,
            kinds: cells::kinds([&self.set, &self.set], [Some(server), None], &[]),
            solved: HashMap::new(),
        };
        let ids = [Some(environment); 2];
        let near: Vec<_> =
            self.standpoints.iter().filter(|from| from.reaches([&self.set; 2], ids)).collect();
        let items = in_order(server).into_iter().map(|item| {
            let cells = near.iter().map(|from| walk.cell(&item, from)).collect();
            ReachedItem { item, cells }
        });
        let items = items.collect();
        let spots = near.into_iter().filter_map(|standpoint| self.spot(standpoint)).collect();
        Some(Reached { spots, items })
    }

    fn spot(&self, standpoint: &Standpoint) -> Option<Spot> {
        let [place, _] = standpoint.places;
        let place = place?;
        let channel = engine::channel(self.set.place(place), standpoint.channel.as_deref());
        Some(Spot { place, channel })
    }
}

/// What a server offers, in the order of its file; then looking around.
fn in_order(server: &Server) -> Vec<Item> {
    let place = |item: &Item| match item {
        Item::Tool(name) => {
            (0, server.tools().iter().position(|tool| tool.name == *name).unwrap_or(0))
        }
        Item::Resource { pattern, uri: _ } => {
            let is = |other: &Resource| *other.pattern.to_string() == **pattern;
            (1, server.resources().iter().position(is).unwrap_or(0))
        }
        Item::Prompt(name) => {
            (2, server.prompts().iter().position(|prompt| prompt.name == *name).unwrap_or(0))
        }
        Item::Method(_) => (3, 0),
        Item::Tasks => (4, 0),
        Item::Look => (5, 0),
        Item::Open => (6, 0),
    };
    let mut items = cells::items([Some(server), None]);
    items.sort_by_cached_key(place);
    items
}

/// One server in one environment.
struct Walk<'r> {
    reach: &'r Reach,
    server: &'r Server,
    environment: &'r str,
    ends: HashMap<RuleId, Option<Timestamp>>,
    shadow_until: Option<Timestamp>,
    kinds: Vec<BTreeSet<UserName>>,
    solved: HashMap<BTreeSet<Alternative>, Rc<Vec<Alternative>>>,
}

impl<'r> Walk<'r> {
    fn cell(&mut self, item: &Item, from: &Standpoint) -> Rc<Vec<Alternative>> {
        let mut found = BTreeSet::new();
        if let Some(alone) = self.open(item, from, None) {
            let service = |grant| self.granted(&alone, grant, Whom::NobodySignedIn);
            found.extend(alone.grants.iter().map(service));
        }
        self.people(item, from, &mut found);
        if let Some(known) = self.solved.get(&found) {
            return Rc::clone(known);
        }
        let simple = Rc::new(simplify(&found, &self.reach.atoms));
        self.solved.insert(found, Rc::clone(&simple));
        simple
    }

    fn people(&self, item: &Item, from: &Standpoint, found: &mut BTreeSet<Alternative>) {
        let ask = |name: Option<&UserName>, groups_known| {
            self.open(item, from, Some(&Person { name: name.cloned(), groups_known }))
        };
        // A ban on somebody's name only takes away: where nobody may, no named one may.
        let Some(open) = ask(None, true) else { return };
        let unknown = ask(None, false);
        let mut somebody: BTreeSet<_> = open
            .grants
            .iter()
            .map(|grant| self.of_people(&open, grant, unknown.as_ref()))
            .collect();
        if open.free {
            somebody.insert(self.in_shadow(&open));
        }
        let mut banned = BTreeSet::new();
        // Banned by a name on trial: recorded only if their groups are known.
        let mut banned_if_unknown = BTreeSet::new();
        for kind in &self.kinds {
            let first = kind.first();
            let Some(own) = ask(first, true) else {
                banned.extend(kind.iter().cloned());
                continue;
            };
            let own_unknown = ask(first, false);
            if unknown.is_some() && own_unknown.is_none() {
                banned_if_unknown.extend(kind.iter().cloned());
            }
            let by_name =
                own.grants.iter().filter(|grant| !open.grants.iter().any(|g| g.rule == grant.rule));
            for grant in by_name {
                let unknown_groups = matches(own_unknown.as_ref(), grant.rule);
                let plain = self.granted(&own, grant, Whom::Users(kind.clone()));
                found.insert(Alternative { unknown_groups, ..plain });
            }
        }
        for mut one in somebody {
            one.not_users.extend(banned.iter().cloned());
            if one.unknown_groups && !banned_if_unknown.is_empty() {
                let who = Whom::Users(banned_if_unknown.clone());
                found.insert(Alternative { who, unknown_groups: false, ..one.clone() });
                one.not_users.extend(banned_if_unknown.iter().cloned());
            }
            found.insert(one);
        }
    }

    fn open(&self, item: &Item, from: &Standpoint, person: Option<&Person>) -> Option<Open<'r>> {
        let client = from.clients.first().and_then(Option::as_deref);
        let nothing = Object::EMPTY;
        let caller = cells::caller(from, client, person, GroupSet::default(), &[]);
        let query = Query {
            server: &self.server.name,
            environment: self.environment,
            caller: &caller,
            channel: from.channel.as_deref(),
            action: item.action(&nothing),
            now: self.reach.at,
        };
        engine::open(&self.reach.set, &query)
    }

    fn of_people(
        &self,
        open: &Open<'_>,
        grant: &OpenGrant<'_>,
        unknown: Option<&Open<'_>>,
    ) -> Alternative {
        let who = grant.people.map_or(Whom::Anyone, |groups| Whom::Groups(groups.iter().collect()));
        let unknown_groups = matches(unknown, grant.rule);
        Alternative { unknown_groups, ..self.granted(open, grant, who) }
    }

    fn granted(&self, open: &Open<'_>, grant: &OpenGrant<'_>, who: Whom) -> Alternative {
        let OpenGrant { rule, people: _, also_in, except, scopes, limits } = grant;
        let mut plain = plain(open, who);
        plain.also_in = also_in.map(|groups| groups.iter().collect());
        plain.not.extend(except.iter().flat_map(|groups| groups.iter()));
        plain.scopes = scopes.iter().cloned().collect();
        plain.limits = limits.iter().map(ToString::to_string).collect();
        plain.until = self.ends.get(rule).copied().flatten();
        plain
    }

    fn in_shadow(&self, open: &Open<'_>) -> Alternative {
        Alternative { shadow: true, until: self.shadow_until, ..plain(open, Whom::Anyone) }
    }
}

fn plain(open: &Open<'_>, who: Whom) -> Alternative {
    let Open { bans, trials, free: _, grants: _, tool: _ } = open;
    Alternative {
        who,
        also_in: None,
        not: bans.iter().flat_map(|(_, groups)| groups.iter()).collect(),
        not_users: BTreeSet::new(),
        scopes: BTreeSet::new(),
        limits: BTreeSet::new(),
        until: None,
        unknown_groups: false,
        shadow: false,
        trials: trials.iter().copied().collect(),
    }
}

/// Whether a grant matches there.
fn matches(open: Option<&Open<'_>>, rule: RuleId) -> bool {
    open.is_some_and(|open| open.grants.iter().any(|grant| grant.rule == rule))
}
