//! Group claims and scopes of both sides, as numbers. A group that keeps its claims under another
//! name is the same group; one that takes in another claim is a wider one. A scope is its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::identity::{GroupId, GroupSet};
use crate::policy::PolicySet;
use crate::policy::model::{GroupClaim, Server};

/// One claim that puts a user into groups, or one scope of the token.
pub(super) type Atom = u32;

/// The claims and scopes of two policy sets.
#[derive(Debug)]
pub(super) struct Atoms {
    of_group: [HashMap<GroupId, Vec<Atom>>; 2],
    groups: [Vec<Vec<GroupId>>; 2],
    /// Numbered after the claims.
    scopes: BTreeMap<Box<str>, Atom>,
}

impl Atoms {
    pub(super) fn new(sets: [&PolicySet; 2]) -> Self {
        let mut claims: BTreeMap<GroupClaim<'_>, [Vec<GroupId>; 2]> = BTreeMap::new();
        for (side, set) in sets.into_iter().enumerate() {
            for (claim, group) in set.claims_of_groups() {
                if let Some(groups) = claims.entry(claim).or_default().get_mut(side) {
                    groups.push(group);
                }
            }
        }
        let grants = sets.into_iter().flat_map(PolicySet::servers).flat_map(Server::grants);
        let scopes: BTreeSet<_> = grants.flat_map(|grant| &grant.scopes).cloned().collect();
        let first = Atom::try_from(claims.len()).unwrap_or(Atom::MAX);
        let mut atoms = Self {
            of_group: Default::default(),
            groups: Default::default(),
            scopes: scopes.into_iter().zip(first..).collect(),
        };
        for (atom, groups) in (0..).zip(claims.into_values()) {
            let sides = atoms.of_group.iter_mut().zip(&mut atoms.groups).zip(groups);
            for ((of_group, known), groups) in sides {
                for group in &groups {
                    of_group.entry(*group).or_default().push(atom);
                }
                known.push(groups);
            }
        }
        atoms
    }

    /// The claims that put a user into one of these groups: sorted, each once.
    pub(super) fn of(&self, side: usize, groups: &GroupSet) -> Vec<Atom> {
        let of_group = self.of_group.get(side);
        let atoms = groups.iter().filter_map(|group| of_group?.get(&group)).flatten();
        let atoms: BTreeSet<_> = atoms.copied().collect();
        atoms.into_iter().collect()
    }

    /// These scopes: sorted, each once.
    pub(super) fn of_scopes(&self, scopes: &[Box<str>]) -> Vec<Atom> {
        let atoms: BTreeSet<_> =
            scopes.iter().filter_map(|scope| self.scopes.get(scope)).copied().collect();
        atoms.into_iter().collect()
    }

    /// The scopes among these.
    pub(super) fn scopes(&self, atoms: &[Atom]) -> Vec<Box<str>> {
        let held = self.scopes.iter().filter(|(_, atom)| atoms.contains(atom));
        held.map(|(scope, _)| scope.clone()).collect()
    }

    /// The groups of a user with these claims.
    pub(super) fn groups(&self, side: usize, atoms: &[Atom]) -> GroupSet {
        atoms.iter().flat_map(|atom| self.of_atom(side, *atom)).copied().collect()
    }

    /// The groups that a claim puts a user into.
    pub(super) fn of_atom(&self, side: usize, atom: Atom) -> &[GroupId] {
        let known = self.groups.get(side).and_then(|groups| groups.get(atom as usize));
        known.map_or(&[], Vec::as_slice)
    }
}
