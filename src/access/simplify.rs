//! The same people in fewer words.

use std::collections::{BTreeMap, BTreeSet};

use super::atoms::{Atom, Atoms};
use super::reach::{Alternative, Whom};
use super::solver::{Lit, Solver};
use crate::identity::{GroupId, UserName};

/// Alternatives that let the same people through, each under the same limits and as long: groups
/// that are left out anyway are not offered, what another one includes is dropped, what differs
/// only in one list of groups becomes one, and what adds nobody to the others is dropped.
pub(super) fn simplify(all: &BTreeSet<Alternative>, atoms: &Atoms) -> Vec<Alternative> {
    let single: BTreeSet<_> = all.iter().flat_map(split).collect();
    let merged = merge(absorb(&single));
    without_redundant(merged, atoms)
}

/// One for each group that is not left out.
fn split(one: &Alternative) -> Vec<Alternative> {
    let mut rest = one.clone();
    if let Some(also_in) = &mut rest.also_in {
        also_in.retain(|group| !one.not.contains(group));
        if also_in.is_empty() {
            return Vec::new();
        }
    }
    match &one.who {
        Whom::Groups(groups) => {
            let left = groups.difference(&one.not).map(|group| Alternative {
                who: Whom::Groups(BTreeSet::from([*group])),
                ..rest.clone()
            });
            left.collect()
        }
        Whom::Users(users) => {
            let left: BTreeSet<_> = users.difference(&one.not_users).cloned().collect();
            rest.not_users.clear();
            rest.who = Whom::Users(left.clone());
            if left.is_empty() { Vec::new() } else { vec![rest] }
        }
        Whom::Anyone | Whom::NobodySignedIn => vec![rest],
    }
}

/// Drops what another one includes, as far as the lists say so.
fn absorb(all: &BTreeSet<Alternative>) -> Vec<Alternative> {
    let mut alike: BTreeMap<Whom, Vec<&Alternative>> = BTreeMap::new();
    for one in all {
        alike.entry(one.who.clone()).or_default().push(one);
    }
    let included = |one: &Alternative| {
        let anyone = match one.who {
            Whom::Groups(_) | Whom::Users(_) => alike.get(&Whom::Anyone),
            Whom::Anyone | Whom::NobodySignedIn => None,
        };
        let same = alike.get(&one.who);
        same.into_iter().chain(anyone).flatten().any(|other| *other != one && includes(other, one))
    };
    all.iter().filter(|one| !included(one)).cloned().collect()
}

/// Whether everybody whom the other one is about meets this, who it is about left aside.
fn includes(wider: &Alternative, other: &Alternative) -> bool {
    let also_in = match (&wider.also_in, &other.also_in) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wider), Some(other)) => other.is_subset(wider),
    };
    also_in
        && wider.not.is_subset(&other.not)
        && wider.not_users.is_subset(&other.not_users)
        && (wider.unknown_groups || !other.unknown_groups)
        && counts_for(wider, other)
}

/// Whether it holds as long, and for all tokens and arguments for which the other one does.
fn counts_for(wider: &Alternative, other: &Alternative) -> bool {
    let Alternative {
        who: _,
        also_in: _,
        not: _,
        not_users: _,
        scopes,
        limits,
        until,
        unknown_groups: _,
        shadow,
        trials,
    } = wider;
    // Nobody has to have more scopes than the other one asks for.
    scopes.is_subset(&other.scopes)
        && limits.is_subset(&other.limits)
        && until.is_none_or(|until| other.until.is_some_and(|end| end <= until))
        && *shadow == other.shadow
        && *trials == other.trials
}

/// One of those that differ only in whom they are about, or only in where else they must be.
fn merge(all: Vec<Alternative>) -> Vec<Alternative> {
    let mut by_who: BTreeMap<Alternative, Whom> = BTreeMap::new();
    for one in all {
        let blank = match one.who {
            Whom::Groups(_) => Whom::Groups(BTreeSet::new()),
            Whom::Users(_) => Whom::Users(BTreeSet::new()),
            Whom::Anyone => Whom::Anyone,
            Whom::NobodySignedIn => Whom::NobodySignedIn,
        };
        let who = one.who.clone();
        let known = by_who.entry(Alternative { who: blank.clone(), ..one }).or_insert(blank);
        match (known, who) {
            (Whom::Groups(known), Whom::Groups(groups)) => known.extend(groups),
            (Whom::Users(known), Whom::Users(users)) => known.extend(users),
            _ => {}
        }
    }
    let merged = by_who.into_iter().map(|(one, who)| Alternative { who, ..one });
    let mut by_other: BTreeMap<Alternative, Option<BTreeSet<GroupId>>> = BTreeMap::new();
    for one in merged {
        let also_in = one.also_in.clone();
        let blank = also_in.as_ref().map(|_| BTreeSet::new());
        let known = by_other.entry(Alternative { also_in: blank, ..one }).or_default();
        if let Some(groups) = also_in {
            known.get_or_insert_default().extend(groups);
        }
    }
    by_other.into_iter().map(|(one, also_in)| Alternative { also_in, ..one }).collect()
}

/// Drops what adds nobody, since several others include it together. The longest goes first.
///
/// Groups may share claims, so that one is part of another one; each is named all the same, for
/// whoever looks for it. Only what is about nobody at all, by the claims, is dropped.
fn without_redundant(all: Vec<Alternative>, atoms: &Atoms) -> Vec<Alternative> {
    let mut by_claims = Formula::new(Some(atoms));
    let mut by_names = Formula::new(None);
    let mut kept = Vec::new();
    for one in all {
        let somebody = by_claims.of(&one);
        if by_claims.solver.solve(&[somebody]) {
            let lit = by_names.of(&one);
            kept.push((one, lit));
        }
    }
    kept.sort_by_cached_key(|(one, _)| length(one));
    let mut index = kept.len();
    while let Some(last) = index.checked_sub(1) {
        index = last;
        let Some((one, lit)) = kept.get(index) else { continue };
        let mut unknown = !one.unknown_groups;
        let mut wanted = vec![*lit];
        for (at, (other, lit)) in kept.iter().enumerate() {
            if at != index && counts_for(other, one) {
                wanted.push(!*lit);
                unknown |= other.unknown_groups && is_about_all_of(other, one);
            }
        }
        if unknown && !by_names.solver.solve(&wanted) {
            kept.remove(index);
        }
    }
    let mut kept: Vec<_> = kept.into_iter().map(|(one, _)| one).collect();
    kept.sort_unstable();
    kept
}

/// Whether everybody with unknown groups whom one is about is among those of the other.
fn is_about_all_of(other: &Alternative, one: &Alternative) -> bool {
    let who = match (&other.who, &one.who) {
        (Whom::Anyone, _) => true,
        (Whom::Users(all), Whom::Users(some)) => some.is_subset(all),
        (Whom::Users(_) | Whom::Groups(_) | Whom::NobodySignedIn, _) => false,
    };
    let left_in = match &one.who {
        Whom::Users(users) => users.is_disjoint(&other.not_users),
        Whom::Groups(_) | Whom::Anyone | Whom::NobodySignedIn => {
            other.not_users.is_subset(&one.not_users)
        }
    };
    who && left_in
}

fn length(one: &Alternative) -> usize {
    let also_in = one.also_in.as_ref().map_or(0, BTreeSet::len);
    let limits = one.limits.len() + one.scopes.len() + usize::from(one.until.is_some());
    also_in + one.not.len() + one.not_users.len() + limits + usize::from(one.also_in.is_some())
}

/// Alternatives in a solver: who somebody is, and which claims they hold, or which groups they
/// are in, if those count as independent.
struct Formula<'a> {
    solver: Solver,
    atoms: Option<&'a Atoms>,
    claims: BTreeMap<Atom, Lit>,
    users: BTreeMap<UserName, Lit>,
    nobody: Lit,
}

impl<'a> Formula<'a> {
    fn new(atoms: Option<&'a Atoms>) -> Self {
        let mut solver = Solver::default();
        let nobody = solver.fresh();
        Self { solver, atoms, claims: BTreeMap::new(), users: BTreeMap::new(), nobody }
    }

    fn of(&mut self, one: &Alternative) -> Lit {
        let mut all = match &one.who {
            Whom::NobodySignedIn => return self.nobody,
            Whom::Anyone => Vec::new(),
            Whom::Groups(groups) => vec![self.in_one_of(groups)],
            Whom::Users(users) => vec![self.one_of(users)],
        };
        all.push(!self.nobody);
        all.push(!self.in_one_of(&one.not));
        all.push(!self.one_of(&one.not_users));
        if let Some(also_in) = &one.also_in {
            all.push(self.in_one_of(also_in));
        }
        self.solver.all(all)
    }

    fn in_one_of(&mut self, groups: &BTreeSet<GroupId>) -> Lit {
        let atoms = match self.atoms {
            Some(atoms) => atoms.of(0, &groups.iter().copied().collect()),
            None => groups.iter().map(|group| group.0).collect(),
        };
        let mut claims = Vec::new();
        for atom in atoms {
            claims.push(*self.claims.entry(atom).or_insert_with(|| self.solver.fresh()));
        }
        self.solver.any(claims)
    }

    fn one_of(&mut self, users: &BTreeSet<UserName>) -> Lit {
        let mut names = Vec::new();
        for user in users {
            let name = self.users.entry(user.clone());
            names.push(*name.or_insert_with(|| self.solver.fresh()));
        }
        self.solver.any(names)
    }
}
