//! What must hold for every caller there could be: who alone may do something, or never may.

use std::collections::HashMap;

use jiff::Timestamp;

use super::atoms::Atoms;
use super::cells::{self, Person, Standpoint};
use super::form::{Form, FormGrant, Limits};
use super::formula::{self, Somebody};
use super::witness::{Groups, Witness};
use super::{Disagreement, Item, arguments};
use crate::engine::{self, ChannelState, NoTrace, Query, Verdict};
use crate::identity::{Caller, GroupSet, UserName};
use crate::json::Object;
use crate::policy::PolicySet;
use crate::policy::model::{
    BannedServices, Effect, EnvironmentId, ItemId, People, PlaceKind, Server, Target, Trait, Via,
};

/// Something that must hold from an instant on, whatever the groups, the place and the arguments.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// What is said of them.
    pub demand: Demand,
    /// Of whom.
    pub who: Described,
    /// What they do.
    pub what: Targets,
    /// From when on.
    pub from: Timestamp,
}

/// What is said of some callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nobody else may do it. Who could be one of them and could be none is none, as in a grant.
    Only,
    /// None of them may do it. Who could be one of them is one, as in a ban.
    Never,
}

/// Some callers. People, users and services add up; `also_in` and `except` narrow people.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// People, by group.
    pub people: Option<People>,
    /// And only if they are also in one of these.
    pub also_in: Option<GroupSet>,
    /// And only if they are in none of these.
    pub except: Option<GroupSet>,
    /// People by name.
    pub users: Vec<UserName>,
    /// Services.
    pub services: Option<BannedServices>,
}

/// What callers do. Names, effects and traits add up; everything else narrows.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// These.
    pub named: Vec<Named>,
    /// Whatever has one of these effects.
    pub effects: Vec<Effect>,
    /// Whatever has one of these traits.
    pub traits: Vec<Trait>,
    /// On these servers; `None` for all.
    pub servers: Option<Vec<Box<str>>>,
    /// In these environments; `None` for all.
    pub environments: Option<Vec<EnvironmentId>>,
    /// From these surfaces; `None` from anywhere. Who could come from there does, as in a ban.
    pub via: Option<Via>,
}

/// Something that a server offers.
#[derive(Clone, Debug)]
pub struct Named {
    /// The server.
    pub server: Box<str>,
    /// The environment; `None` for each.
    pub environment: Option<EnvironmentId>,
    /// The tool, resource or prompt; `None` for looking around.
    pub item: Option<ItemId>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Proof {
    /// There is no such caller.
    Holds,
    /// There is one.
    Broken(Box<Counterexample>),
    /// There may be one, with arguments that nobody can enumerate, such as those that two regular
    /// expressions match. Not proved is as good as broken.
    Unclear {
        /// The server.
        server: Box<str>,
        /// The environment.
        environment: Box<str>,
        /// What may be done there.
        item: Item,
    },
}

/// A caller who may do what nobody like that should.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The server.
    pub server: Box<str>,
    /// The environment.
    pub environment: Box<str>,
    /// What they may do.
    pub item: Item,
    /// Who it is: the one with the fewest groups, over everything that the demand is about.
    pub witness: Witness,
    /// On how many other items, counted by environment, it is broken as well.
    pub others: usize,
    caller: Caller,
    rank: Rank,
}

/// How plain a counterexample is; less is plainer.
type Rank = (bool, bool, usize, usize, Timestamp);

/// One policy set, as if every review were in force, ready to prove things of.
#[derive(Debug)]
pub struct Prover {
    set: PolicySet,
    atoms: Atoms,
    standpoints: Vec<Standpoint>,
}

impl Prover {
    /// Gets a set ready.
    #[must_use]
    pub fn new(set: &PolicySet) -> Self {
        let set = set.as_if_reviewed();
        let atoms = Atoms::new([&set, &set]);
        let standpoints = cells::standpoints([&set, &set]);
        Self { set, atoms, standpoints }
    }

    /// Looks for a caller who breaks it, among all that there could be.
    ///
    /// # Errors
    ///
    /// If a formula and the decision disagree: then nothing that was found can be relied on.
    pub fn prove(&self, invariant: &Invariant) -> Result<Proof, Disagreement> {
        let mut walk = Walk {
            prover: self,
            invariant,
            limits: Limits::default(),
            solved: HashMap::new(),
            found: None,
            unclear: None,
            broken: 0,
        };
        for server in self.set.servers() {
            walk.server(server)?;
        }
        let Walk { found, unclear, broken, .. } = walk;
        Ok(match (found, unclear) {
            (Some(mut found), _) => {
                found.others = broken.saturating_sub(1);
                Proof::Broken(found)
            }
            (None, Some(unclear)) => unclear,
            (None, None) => Proof::Holds,
        })
    }

    /// Asks what the counterexample asks, under the policies with their reviews in force.
    pub fn ask<T>(
        &self,
        example: &Counterexample,
        ask: impl FnOnce(&PolicySet, &Query<'_>) -> T,
    ) -> T {
        let Counterexample { server, environment, item, witness, others: _, caller, rank: _ } =
            example;
        let text = witness.arguments.as_deref().unwrap_or("{}");
        let arguments = arguments::object(text).unwrap_or_default();
        let query = Query {
            server,
            environment,
            caller,
            channel: witness.channel.as_deref(),
            action: item.action(&arguments),
            now: witness.at,
        };
        ask(&self.set, &query)
    }
}

/// One invariant, over all cells.
struct Walk<'a> {
    prover: &'a Prover,
    invariant: &'a Invariant,
    limits: Limits<'a>,
    solved: HashMap<(Form, Option<Form>), Somebody>,
    found: Option<Box<Counterexample>>,
    unclear: Option<Proof>,
    /// How many items are broken, counted by environment.
    broken: usize,
}

/// Everything about a query but known groups, scopes and arguments.
#[derive(Clone, Copy)]
struct Cell<'c> {
    server: &'c Server,
    environment: &'c str,
    item: &'c Item,
    standpoint: &'c Standpoint,
    client: Option<&'c str>,
    person: Option<&'c Person>,
    at: Timestamp,
}

impl Walk<'_> {
    fn server(&mut self, server: &Server) -> Result<(), Disagreement> {
        let set = &self.prover.set;
        let what = &self.invariant.what;
        if what
            .servers
            .as_ref()
            .is_some_and(|servers| !servers.iter().any(|name| **name == *server.name))
        {
            return Ok(());
        }
        let both = [Some(server), Some(server)];
        let items = cells::items(both);
        let is_anywhere =
            |item: &&Item| server.environments.iter().any(|e| what.has(server, e.id, item));
        let items: Vec<_> = items.iter().filter(is_anywhere).collect();
        if items.is_empty() {
            return Ok(());
        }
        let people = cells::people([set, set], both, &self.invariant.who.users);
        let times = cells::times([set, set], both, self.invariant.from);
        for environment in &server.environments {
            let id = environment.id;
            let near = |standpoint: &&Standpoint| {
                standpoint.reaches([set, set], [Some(id), Some(id)]) && self.is_asked_of(standpoint)
            };
            let near: Vec<_> = self.prover.standpoints.iter().filter(near).collect();
            let environment = set.environment_name(id);
            for item in items.iter().filter(|item| what.has(server, id, item)) {
                let mut broken = false;
                for standpoint in &near {
                    for at in times.iter().copied() {
                        let (client, person) = (None, None);
                        let cell =
                            Cell { server, environment, item, standpoint, client, person, at };
                        broken |= self.people(cell, &people)?;
                    }
                }
                self.broken += usize::from(broken);
            }
        }
        Ok(())
    }

    /// Nobody, and everybody. Whether one of them breaks it.
    fn people(&mut self, cell: Cell<'_>, people: &[Person]) -> Result<bool, Disagreement> {
        let mut broken = self.cell(cell)?;
        for client in &cell.standpoint.clients {
            for person in people {
                let client = client.as_deref();
                broken |= self.cell(Cell { client, person: Some(person), ..cell })?;
            }
        }
        Ok(broken)
    }

    fn cell(&mut self, cell: Cell<'_>) -> Result<bool, Disagreement> {
        let prover = self.prover;
        let Cell { server, environment, item, standpoint, client, person, at } = cell;
        let caller = cells::caller(standpoint, client, person, GroupSet::default(), &[]);
        let nothing = Object::EMPTY;
        let query = Query {
            server: &server.name,
            environment,
            caller: &caller,
            channel: standpoint.channel.as_deref(),
            action: item.action(&nothing),
            now: at,
        };
        let Some(open) = engine::open(&prover.set, &query) else { return Ok(false) };
        let Some((form, _)) = Form::new(&open, 0, &prover.atoms, &mut self.limits) else {
            return Ok(false);
        };
        let described = self.described(standpoint, person);
        let is_described = self.invariant.demand == Demand::Never;
        let key = (form, described);
        let somebody = if let Some(somebody) = self.solved.get(&key) {
            somebody.clone()
        } else {
            let (form, described) = &key;
            let found = formula::somebody(form, described.as_ref(), is_described, &self.limits);
            self.solved.insert(key, found.clone());
            found
        };
        match somebody {
            Somebody::Nobody => return Ok(false),
            Somebody::Unclear => {
                let (server, environment) = ((*server.name).into(), environment.into());
                self.unclear.get_or_insert(Proof::Unclear {
                    server,
                    environment,
                    item: item.clone(),
                });
            }
            Somebody::This(example) => self.note(cell, &example)?,
        }
        Ok(true)
    }

    /// The callers that are described, among those of a cell; `None` if none is.
    fn described(&self, standpoint: &Standpoint, person: Option<&Person>) -> Option<Form> {
        let Invariant { demand, who, what: _, from: _ } = self.invariant;
        let Described { people, also_in, except, users, services } = who;
        let everybody = FormGrant {
            people: None,
            also_in: None,
            except: Vec::new(),
            scopes: Vec::new(),
            limits: Vec::new(),
        };
        let Some(Person { name, groups_known }) = person else {
            let [place, _] = standpoint.places;
            let is_service = place
                .and_then(|id| self.prover.set.place(id))
                .is_some_and(|place| matches!(place.kind, PlaceKind::Service));
            let is_described = match services {
                None => false,
                Some(BannedServices::Any) => is_service,
                Some(BannedServices::Only(list)) => place.is_some_and(|id| list.contains(&id)),
            };
            return is_described.then(|| form_of(everybody));
        };
        if name.as_ref().is_some_and(|name| users.contains(name)) {
            return Some(form_of(everybody));
        }
        let people = match people.as_ref()? {
            People::AnyoneSignedIn => None,
            People::Groups(groups) => Some(groups),
        };
        if !groups_known {
            let is_surely_one = people.is_none() && also_in.is_none() && except.is_none();
            return (is_surely_one || *demand == Demand::Never).then(|| form_of(everybody));
        }
        let of = |groups: &GroupSet| self.prover.atoms.of(0, groups);
        Some(form_of(FormGrant {
            people: people.map(of),
            also_in: also_in.as_ref().map(of),
            except: except.as_ref().map(of).unwrap_or_default(),
            scopes: Vec::new(),
            limits: Vec::new(),
        }))
    }

    /// Whether the demand is about callers from there.
    fn is_asked_of(&self, standpoint: &Standpoint) -> bool {
        let Some(via) = &self.invariant.what.via else { return true };
        let [id, _] = standpoint.places;
        let place = id.and_then(|id| self.prover.set.place(id));
        match via {
            Via::AnySurface => {
                place.is_some_and(|place| matches!(place.kind, PlaceKind::Surface { .. }))
            }
            Via::Places(places) => {
                let state = engine::channel(place, standpoint.channel.as_deref());
                let is_there = |channel| {
                    state == ChannelState::Unknown || state == ChannelState::Known(channel)
                };
                places.iter().any(|via| id == Some(via.surface) && via.channel.is_none_or(is_there))
            }
        }
    }

    /// Puts an example to the decision, and keeps it if it is the plainest so far.
    fn note(&mut self, cell: Cell<'_>, example: &formula::Example) -> Result<(), Disagreement> {
        let prover = self.prover;
        let Cell { server, environment, item, standpoint, client, person, at } = cell;
        let groups = prover.atoms.groups(0, &example.atoms);
        let mut names: Vec<Box<str>> =
            groups.iter().map(|id| prover.set.group_name(id).into()).collect();
        names.sort_unstable();
        let scopes = prover.atoms.scopes(&example.atoms);
        let rank = (
            person.is_some_and(|person| person.name.is_some()),
            person.is_some_and(|person| !person.groups_known),
            names.len() + scopes.len(),
            example.arguments.len(),
            at,
        );
        if self.found.as_ref().is_some_and(|found| found.rank <= rank) {
            return Ok(());
        }
        let witness = Witness {
            groups: match person {
                None => Groups::NobodySignedIn,
                Some(person) if person.groups_known => {
                    Groups::Known { old: names.clone(), new: names }
                }
                Some(_) => Groups::Unknown,
            },
            user: person.and_then(|person| person.name.clone()),
            scopes,
            workload: standpoint.workload.clone(),
            channel: standpoint.channel.clone(),
            place: standpoint.words.clone(),
            client: client.filter(|_| standpoint.clients.len() > 1).map(Into::into),
            arguments: matches!(item, Item::Tool(_)).then(|| example.arguments.clone()),
            at,
        };
        let found = Counterexample {
            server: (*server.name).into(),
            environment: environment.into(),
            item: item.clone(),
            others: 0,
            caller: cells::caller(standpoint, client, person, groups, &witness.scopes),
            witness,
            rank,
        };
        let decision =
            prover.ask(&found, |set, query| engine::decide(set, query, &mut NoTrace).enforced);
        if decision == Verdict::Deny {
            return Err(Disagreement {
                server: found.server,
                environment: found.environment,
                item: found.item,
                witness: Box::new(found.witness),
                expected: "let through",
            });
        }
        self.found = Some(Box::new(found));
        Ok(())
    }
}

fn form_of(who: FormGrant) -> Form {
    Form {
        bans: Vec::new(),
        free: false,
        grants: vec![who],
        limits: Vec::new(),
        accepts: None,
        approval: false,
    }
}

impl Targets {
    /// Whether this is one of them, there.
    fn has(&self, server: &Server, environment: EnvironmentId, item: &Item) -> bool {
        let Self { named, effects, traits, servers: _, environments, via: _ } = self;
        if environments.as_ref().is_some_and(|list| !list.contains(&environment)) {
            return false;
        }
        let target = match item {
            Item::Open | Item::Look | Item::Tasks | Item::Method(_) => None,
            Item::Tool(name) => server.tool(name).map(Target::tool),
            Item::Resource { pattern: _, uri } => server.resource(uri).map(Target::resource),
            Item::Prompt(name) => server.prompt(name).map(Target::prompt),
        };
        let is_named = named.iter().any(|named| {
            let Named { server: of, environment: only, item } = named;
            **of == *server.name
                && only.is_none_or(|only| only == environment)
                && *item == target.map(|target| target.id)
        });
        is_named
            || target.is_some_and(|target| {
                effects.contains(&target.effect)
                    || traits.iter().any(|one| target.traits.contains(one))
            })
    }
}
