//! What is left open of a decision, in terms that both sides share.

use std::collections::{BTreeMap, HashMap};

use super::atoms::{Atom, Atoms};
use crate::engine::{Open, OpenGrant};
use crate::identity::GroupSet;
use crate::policy::limits::Limit;
use crate::policy::model::RuleId;

/// A limit: the same number on both sides if it says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LimitId(u32);

/// Every limit that was seen.
#[derive(Default)]
pub(super) struct Limits<'a> {
    by_text: HashMap<String, LimitId>,
    by_place: HashMap<*const Limit, LimitId>,
    all: Vec<&'a Limit>,
}

/// A decision while groups, scopes and arguments are open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Form {
    /// Any of these is enough to be refused.
    pub(super) bans: Vec<Atom>,
    /// Neither a grant nor limits are asked for.
    pub(super) free: bool,
    /// One of these is asked for.
    pub(super) grants: Vec<FormGrant>,
    /// And all of these, whatever the grant.
    pub(super) limits: Vec<LimitId>,
    /// And no other arguments.
    pub(super) accepts: Option<Vec<Box<str>>>,
    /// Somebody has to approve what is let through.
    pub(super) approval: bool,
}

/// A grant in a [`Form`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FormGrant {
    pub(super) people: Option<Vec<Atom>>,
    pub(super) also_in: Option<Vec<Atom>>,
    pub(super) except: Vec<Atom>,
    /// All of these.
    pub(super) scopes: Vec<Atom>,
    pub(super) limits: Vec<LimitId>,
}

/// The rules behind a [`Form`]: one for each of its grants, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules<'a> {
    pub(super) grants: Vec<OpenGrant<'a>>,
    pub(super) bans: Vec<(RuleId, &'a GroupSet)>,
}

impl<'a> Limits<'a> {
    fn ids(&mut self, limits: &'a [Limit]) -> Vec<LimitId> {
        let mut ids: Vec<_> = limits.iter().map(|limit| self.id(limit)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn id(&mut self, limit: &'a Limit) -> LimitId {
        if let Some(id) = self.by_place.get(&std::ptr::from_ref(limit)) {
            return *id;
        }
        let Limit { pointer, optional, tests } = limit;
        let text = format!("{pointer} {optional} {tests:?}");
        let next = LimitId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let id = *self.by_text.entry(text).or_insert(next);
        if id == next {
            self.all.push(limit);
        }
        self.by_place.insert(limit, id);
        id
    }

    pub(super) fn get(&self, id: LimitId) -> Option<&'a Limit> {
        self.all.get(id.0 as usize).copied()
    }
}

impl Form {
    /// `None` if nobody is let through, whatever the groups and arguments.
    pub(super) fn new<'a>(
        open: &Open<'a>,
        side: usize,
        atoms: &Atoms,
        limits: &mut Limits<'a>,
    ) -> Option<(Self, Rules<'a>)> {
        let Open { bans, trials: _, free, grants, tool } = open;
        let of = |groups: &GroupSet| atoms.of(side, groups);
        let mut banned: Vec<_> = bans.iter().flat_map(|(_, groups)| of(groups)).collect();
        banned.sort_unstable();
        banned.dedup();
        let mut rules = Rules { grants: Vec::new(), bans: bans.clone() };
        let mut form = Self {
            bans: banned,
            free: *free,
            grants: Vec::new(),
            limits: Vec::new(),
            accepts: None,
            approval: tool.is_some_and(|tool| tool.approval.is_some()),
        };
        if form.free {
            return Some((form, rules));
        }
        let mut sorted = BTreeMap::new();
        for grant in grants {
            let OpenGrant { rule: _, people, also_in, except, scopes, limits: own } = *grant;
            let key = FormGrant {
                people: people.map(of),
                also_in: also_in.map(of),
                except: except.map(of).unwrap_or_default(),
                scopes: atoms.of_scopes(scopes),
                limits: limits.ids(own),
            };
            sorted.entry(key).or_insert(*grant);
        }
        if sorted.is_empty() {
            return None;
        }
        (form.grants, rules.grants) = sorted.into_iter().unzip();
        if let Some(tool) = tool {
            form.limits = limits.ids(&tool.limits);
            form.accepts = tool.accepts.as_ref().map(|names| names.to_vec());
            if let Some(accepts) = &mut form.accepts {
                accepts.sort_unstable();
            }
        }
        Some((form, rules))
    }

    /// Every limit that is named.
    pub(super) fn all_limits(&self) -> impl Iterator<Item = LimitId> {
        let own = self.grants.iter().flat_map(|grant| &grant.limits);
        self.limits.iter().chain(own).copied()
    }

    /// Every claim and scope that is named.
    pub(super) fn all_atoms(&self) -> impl Iterator<Item = Atom> {
        let of_grant = |grant: &FormGrant| -> Vec<Atom> {
            let FormGrant { people, also_in, except, scopes, limits: _ } = grant;
            let lists = [people.as_deref(), also_in.as_deref(), Some(except), Some(scopes)];
            lists.into_iter().flatten().flatten().copied().collect()
        };
        self.bans.iter().copied().chain(self.grants.iter().flat_map(of_grant))
    }
}
