//! Walks through the cells of two policy sets, and collects where they differ.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;

use super::atoms::Atoms;
use super::cells::{self, Person, Standpoint};
use super::form::{Form, FormGrant, Limits, Rules};
use super::formula::{self, Difference, Example};
use super::witness::{Groups, Witness};
use super::{
    Change, Clause, Comparison, Direction, Disagreement, Item, PlaceWords, Span, Who, arguments,
    portrait,
};
use crate::engine::{self, Decision, NoTrace, Query, Verdict};
use crate::identity::{Caller, GroupSet};
use crate::json::Object;
use crate::policy::PolicySet;
use crate::policy::model::Server;

/// Everything that the new policies decide otherwise than the old ones, from an instant on, as if
/// every review were in force on both sides.
///
/// # Errors
///
/// If a formula and the decision disagree: then nothing that was found can be relied on.
pub fn compare(
    old: &PolicySet,
    new: &PolicySet,
    from: Timestamp,
) -> Result<Comparison, Disagreement> {
    let sets = [old.as_if_reviewed(), new.as_if_reviewed()];
    let [old, new] = &sets;
    let atoms = Atoms::new([old, new]);
    let standpoints = cells::standpoints([old, new]);
    let same_around = portrait::of_set(old, 0, &atoms) == portrait::of_set(new, 1, &atoms);
    let names: BTreeSet<&str> =
        [old, new].into_iter().flat_map(|set| set.servers()).map(|server| &*server.name).collect();
    let mut comparison = Comparison { servers: names.len(), ..Comparison::default() };
    for name in names {
        let servers = [old.server(name), new.server(name)];
        if let ([Some(a), Some(b)], true) = (servers, same_around)
            && portrait::of_server(a, 0, &atoms) == portrait::of_server(b, 1, &atoms)
        {
            continue;
        }
        comparison.looked_at += 1;
        let walk = Walk {
            sets: [old, new],
            servers,
            name,
            atoms: &atoms,
            limits: Limits::default(),
            solved: HashMap::new(),
            changes: BTreeMap::new(),
        };
        comparison.changes.extend(walk.server(&standpoints, from)?);
    }
    Ok(comparison)
}

type Forms = [Option<Form>; 2];
type Key = (Box<str>, Item, PlaceWords, Direction);

/// One server on both sides.
struct Walk<'a> {
    sets: [&'a PolicySet; 2],
    servers: [Option<&'a Server>; 2],
    name: &'a str,
    atoms: &'a Atoms,
    limits: Limits<'a>,
    solved: HashMap<Forms, Rc<Vec<Difference>>>,
    changes: BTreeMap<Key, Found>,
}

/// A change, while more of it may come.
struct Found {
    change: Change,
    who: BTreeSet<Who>,
    /// How plain the witness is; less is plainer.
    rank: Rank,
}

type Rank = (bool, bool, bool, usize, usize, Timestamp);

/// A cell: everything about a query but known groups, scopes and arguments.
#[derive(Clone, Copy)]
struct Cell<'c> {
    environment: &'c str,
    item: &'c Item,
    standpoint: &'c Standpoint,
    client: Option<&'c str>,
    /// `None` if nobody is signed in.
    person: Option<&'c Person>,
    span: Span,
}

impl<'a> Walk<'a> {
    fn server(
        mut self,
        standpoints: &[Standpoint],
        from: Timestamp,
    ) -> Result<Vec<Change>, Disagreement> {
        let people = cells::people(self.sets, self.servers, &[]);
        let times = cells::times(self.sets, self.servers, from);
        let items = cells::items(self.servers);
        for environment in self.environments() {
            let ids = self.sets.map(|set| set.environment(environment));
            let near: Vec<_> = standpoints
                .iter()
                .filter(|standpoint| standpoint.reaches(self.sets, ids))
                .collect();
            for item in &items {
                for standpoint in &near {
                    for (index, from) in times.iter().enumerate() {
                        let span = Span { from: *from, until: times.get(index + 1).copied() };
                        let client = None;
                        let cell =
                            Cell { environment, item, standpoint, client, person: None, span };
                        self.people(cell, &people)?;
                    }
                }
            }
        }
        Ok(self.changes.into_values().map(Found::done).collect())
    }

    fn environments(&self) -> BTreeSet<&'a str> {
        let sides = self.sets.into_iter().zip(self.servers);
        let names = sides.flat_map(|(set, server)| {
            let ids = server.map(|server| &*server.environments).unwrap_or_default();
            ids.iter().map(|environment| set.environment_name(environment.id))
        });
        names.collect()
    }

    /// Nobody, and everybody.
    fn people(&mut self, cell: Cell<'_>, people: &[Person]) -> Result<(), Disagreement> {
        self.cell(cell, &[])?;
        for client in &cell.standpoint.clients {
            let mut of_anybody: Vec<(bool, Forms)> = Vec::new();
            for person in people {
                let client = client.as_deref();
                let forms =
                    self.cell(Cell { client, person: Some(person), ..cell }, &of_anybody)?;
                if person.name.is_none() {
                    of_anybody.push((person.groups_known, forms));
                }
            }
        }
        Ok(())
    }

    /// Compares one cell, unless it is the same for anybody.
    fn cell(
        &mut self,
        cell: Cell<'_>,
        of_anybody: &[(bool, Forms)],
    ) -> Result<Forms, Disagreement> {
        let caller = caller(cell, [GroupSet::default(), GroupSet::default()], &[]);
        let nothing = Object::EMPTY;
        let mut forms: Forms = [None, None];
        let mut rules: [Rules<'a>; 2] = Default::default();
        for (side, set) in self.sets.into_iter().enumerate() {
            let Some(caller) = caller.get(side) else { continue };
            let query = self.query(cell, caller, &nothing);
            let Some(open) = engine::open(set, &query) else { continue };
            let Some((form, own)) = Form::new(&open, side, self.atoms, &mut self.limits) else {
                continue;
            };
            if let (Some(slot), Some(kept)) = (forms.get_mut(side), rules.get_mut(side)) {
                *slot = Some(form);
                *kept = own;
            }
        }
        let known = cell.person.is_some_and(|person| person.groups_known);
        let seen = of_anybody.iter().any(|(other, found)| *other == known && *found == forms);
        let [a, b] = &forms;
        if a == b || seen {
            return Ok(forms);
        }
        let found = if let Some(found) = self.solved.get(&forms) {
            Rc::clone(found)
        } else {
            let found = formula::differences([a.as_ref(), b.as_ref()], &self.limits);
            let found = Rc::new(found);
            self.solved.insert(forms.clone(), Rc::clone(&found));
            found
        };
        for difference in found.iter() {
            self.record(cell, &forms, &rules, difference)?;
        }
        Ok(forms)
    }

    fn query<'q>(
        &'q self,
        cell: Cell<'q>,
        caller: &'q Caller,
        arguments: &'q Object<'q>,
    ) -> Query<'q> {
        Query {
            server: self.name,
            environment: cell.environment,
            caller,
            channel: cell.standpoint.channel.as_deref(),
            action: cell.item.action(arguments),
            now: cell.span.from,
        }
    }

    fn record(
        &mut self,
        cell: Cell<'_>,
        forms: &Forms,
        rules: &[Rules<'a>; 2],
        difference: &Difference,
    ) -> Result<(), Disagreement> {
        let Difference { direction, example, grants, by_arguments } = difference;
        let [old_form, new_form] = forms;
        let [old_rules, new_rules] = rules;
        let (side, form, own) = match direction {
            Direction::Wider | Direction::WithoutApproval | Direction::NotComparable => {
                (1, new_form, new_rules)
            }
            Direction::Narrower | Direction::UnderApproval => (0, old_form, old_rules),
        };
        let witness = example.as_ref().map(|example| self.witness(cell, example));
        let decisions = match (&witness, example) {
            (Some(witness), Some(example)) => {
                Some(self.check(cell, forms, *direction, witness, example)?)
            }
            _ => None,
        };
        let who = match (example, form) {
            (Some(_), Some(form)) => self.who(side, cell.person, form, own, grants),
            _ => Vec::new(),
        };
        let rank = rank(witness.as_ref(), *by_arguments, cell.span.from);
        let mut found = Found::new(self.name, cell, *direction);
        found.change.witness = witness;
        found.change.by_arguments = *by_arguments;
        found.rank = rank;
        found.who.extend(who);
        if let Some([old, new]) = decisions {
            found.change.old_rules.extend(old.rule);
            found.change.new_rules.extend(new.rule);
        }
        let contributing = grants.iter().filter_map(|index| own.grants.get(*index));
        let list = match side {
            0 => &mut found.change.old_rules,
            _ => &mut found.change.new_rules,
        };
        list.extend(contributing.map(|grant| grant.rule));
        let key =
            (cell.environment.into(), cell.item.clone(), cell.standpoint.words.clone(), *direction);
        match self.changes.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(found);
            }
            Entry::Occupied(mut entry) => entry.get_mut().merge(found),
        }
        Ok(())
    }

    fn witness(&self, cell: Cell<'_>, example: &Example) -> Witness {
        let Cell { environment: _, item, standpoint, client, person, span } = cell;
        let names = |side: usize| -> Vec<Box<str>> {
            let set = self.sets.get(side);
            let groups = self.atoms.groups(side, &example.atoms);
            groups.iter().filter_map(|id| Some(set?.group_name(id).into())).collect()
        };
        Witness {
            groups: match person {
                None => Groups::NobodySignedIn,
                Some(person) if person.groups_known => {
                    Groups::Known { old: names(0), new: names(1) }
                }
                Some(_) => Groups::Unknown,
            },
            user: person.and_then(|person| person.name.clone()),
            scopes: self.atoms.scopes(&example.atoms),
            workload: standpoint.workload.clone(),
            channel: standpoint.channel.clone(),
            place: standpoint.words.clone(),
            client: client.map(Into::into),
            arguments: matches!(item, Item::Tool(_)).then(|| example.arguments.clone()),
            at: span.from,
        }
    }

    /// Puts the example to the decision on both sides.
    fn check(
        &self,
        cell: Cell<'_>,
        forms: &Forms,
        direction: Direction,
        witness: &Witness,
        example: &Example,
    ) -> Result<[Decision; 2], Disagreement> {
        let groups = [0, 1].map(|side| self.atoms.groups(side, &example.atoms));
        let [old_caller, new_caller] = caller(cell, groups, &witness.scopes);
        let arguments = arguments::object(&example.arguments).unwrap_or_default();
        let [old_set, new_set] = self.sets;
        let old = self.query(cell, &old_caller, &arguments);
        let new = self.query(cell, &new_caller, &arguments);
        let decisions = [
            engine::decide(old_set, &old, &mut NoTrace),
            engine::decide(new_set, &new, &mut NoTrace),
        ];
        let [old_form, new_form] = forms;
        let let_through = |form: &Option<Form>| match form {
            Some(form) if form.approval => Verdict::NeedsApproval,
            Some(_) | None => Verdict::Allow,
        };
        let expected = match direction {
            Direction::Wider => [Verdict::Deny, let_through(new_form)],
            Direction::Narrower => [let_through(old_form), Verdict::Deny],
            Direction::WithoutApproval | Direction::UnderApproval | Direction::NotComparable => {
                [let_through(old_form), let_through(new_form)]
            }
        };
        if decisions.map(|decision| decision.enforced) == expected {
            return Ok(decisions);
        }
        Err(Disagreement {
            server: self.name.into(),
            environment: cell.environment.into(),
            item: cell.item.clone(),
            witness: Box::new(witness.clone()),
            expected: match direction {
                Direction::Wider => "refused before and let through now",
                Direction::Narrower => "let through before and refused now",
                Direction::WithoutApproval => "under approval before and let through now",
                Direction::UnderApproval => "let through before and under approval now",
                Direction::NotComparable => "let through before and now",
            },
        })
    }

    fn who(
        &self,
        side: usize,
        person: Option<&Person>,
        form: &Form,
        rules: &Rules<'_>,
        grants: &[usize],
    ) -> Vec<Who> {
        let Some(Person { name, groups_known }) = person else {
            return vec![Who::NobodySignedIn];
        };
        let granted = || grants.iter().filter_map(|index| rules.grants.get(*index));
        if !groups_known {
            let name = name.as_ref().map(|name| name.to_string().into());
            let unknown = |scopes| Who::UnknownGroups { name: name.clone(), scopes };
            return if form.free {
                vec![unknown(Vec::new())]
            } else {
                granted().map(|grant| unknown(grant.scopes.to_vec())).collect()
            };
        }
        let named = |clause| match name {
            Some(name) => Who::User { name: name.to_string().into(), clause },
            None => Who::People(clause),
        };
        let groups_of = |groups: &GroupSet| -> Vec<Box<str>> {
            let set = self.sets.get(side);
            groups.iter().filter_map(|id| Some(set?.group_name(id).into())).collect()
        };
        let banned: BTreeSet<_> =
            rules.bans.iter().flat_map(|(_, groups)| groups_of(groups)).collect();
        if form.free {
            let not = banned.into_iter().collect();
            return vec![named(Clause { not, ..Clause::default() })];
        }
        let clause = |index: &usize| {
            let grant = rules.grants.get(*index)?;
            let FormGrant { limits, people: _, also_in: _, except: _, scopes: _ } =
                form.grants.get(*index)?;
            let mut not = banned.clone();
            not.extend(grant.except.map(groups_of).unwrap_or_default());
            let limited = !limits.is_empty() || !form.limits.is_empty() || form.accepts.is_some();
            let clause = Clause {
                people: grant.people.map(groups_of),
                also_in: grant.also_in.map(groups_of),
                scopes: grant.scopes.to_vec(),
                not: not.into_iter().collect(),
                limited,
            };
            Some(named(clause))
        };
        grants.iter().filter_map(clause).collect()
    }
}

/// The caller of a cell, with groups of each side.
fn caller(cell: Cell<'_>, groups: [GroupSet; 2], scopes: &[Box<str>]) -> [Caller; 2] {
    groups.map(|groups| cells::caller(cell.standpoint, cell.client, cell.person, groups, scopes))
}

fn rank(witness: Option<&Witness>, by_arguments: bool, at: Timestamp) -> Rank {
    let Some(witness) = witness else {
        return (true, true, true, usize::MAX, usize::MAX, at);
    };
    let groups = match &witness.groups {
        Groups::Known { old, new } => old.len().max(new.len()),
        Groups::Unknown | Groups::NobodySignedIn => 0,
    };
    let unknown = matches!(witness.groups, Groups::Unknown);
    let arguments = witness.arguments.as_ref().map_or(0, String::len);
    let held = groups + witness.scopes.len();
    (by_arguments, witness.user.is_some(), unknown, held, arguments, at)
}

impl Found {
    fn new(server: &str, cell: Cell<'_>, direction: Direction) -> Self {
        let change = Change {
            server: server.into(),
            environment: cell.environment.into(),
            item: cell.item.clone(),
            place: cell.standpoint.words.clone(),
            direction,
            who: Vec::new(),
            when: vec![cell.span],
            by_arguments: false,
            old_rules: Vec::new(),
            new_rules: Vec::new(),
            witness: None,
        };
        let rank = rank(None, false, cell.span.from);
        Self { change, who: BTreeSet::new(), rank }
    }

    fn merge(&mut self, other: Self) {
        let Self { change, who, rank } = other;
        self.who.extend(who);
        self.change.when.extend(change.when);
        self.change.old_rules.extend(change.old_rules);
        self.change.new_rules.extend(change.new_rules);
        self.change.by_arguments &= change.by_arguments;
        if rank < self.rank {
            self.rank = rank;
            self.change.witness = change.witness;
        }
    }

    fn done(self) -> Change {
        let Self { mut change, who, rank: _ } = self;
        change.who = who.into_iter().collect();
        for rules in [&mut change.old_rules, &mut change.new_rules] {
            rules.sort_unstable();
            rules.dedup();
        }
        change.when.sort_unstable();
        let mut when: Vec<Span> = Vec::new();
        for span in change.when {
            match when.last_mut() {
                // Several cells may have the same time.
                Some(last)
                    if last.until.is_none()
                        || span.until.is_some_and(|end| last.until >= Some(end)) => {}
                Some(last) if last.until == Some(span.from) => last.until = span.until,
                _ => when.push(span),
            }
        }
        change.when = when;
        change
    }
}
