//! Grants that could go, and nobody would lose anything.
//!
//! A caller whom only one grant lets through shows at once that it is needed, and nearly every
//! grant has one. Whichever has none is taken away, and what is left compared with what was.

use jiff::Timestamp;

use super::cells::{self, Person, Standpoint};
use super::{Change, Disagreement, Item, compare};
use crate::engine::{self, Open, OpenGrant, Query};
use crate::identity::{GroupId, GroupSet};
use crate::json::Object;
use crate::policy::PolicySet;
use crate::policy::model::{
    Ban, EnvironmentId, Grant, GrantWho, ItemId, PlaceId, RuleId, Server, Via,
};

/// More grants or bans than this are named as they are, without looking for the fewest.
const MAX_NAMED: usize = 32;

/// Why nobody would lose anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle {
    /// These grants let the same people use the same; all the others together also look around.
    Covered(Vec<RuleId>),
    /// These bans take away whatever it names. It may still let somebody look around.
    Banned(Vec<RuleId>),
    /// It lets nobody use anything, bans or no bans: it has ended, nothing is reached from its
    /// places, its groups exclude each other, or its limits those of its tools.
    Empty,
}

/// One policy set, as if every review were in force, ready to look for such grants.
#[derive(Debug)]
pub struct IdleGrants {
    set: PolicySet,
    standpoints: Vec<Standpoint>,
}

impl IdleGrants {
    /// Gets a set ready.
    #[must_use]
    pub fn new(set: &PolicySet) -> Self {
        let set = set.as_if_reviewed();
        let standpoints = cells::standpoints([&set, &set]);
        Self { set, standpoints }
    }

    /// The grants of a server that nobody would miss, from an instant on, by their index.
    ///
    /// # Errors
    ///
    /// If a formula and the decision disagree: then nothing that was found can be relied on.
    pub fn of(&self, server: &str, from: Timestamp) -> Result<Vec<(usize, Idle)>, Disagreement> {
        let Some(server) = self.set.server(server) else { return Ok(Vec::new()) };
        let grants = server.grants();
        let mut idle = Vec::new();
        for (index, grant) in grants.iter().enumerate() {
            if self.is_plainly_needed(server, grant, from) {
                continue;
            }
            if let Some(why) = (Search { set: &self.set, server, from }).idle(index, grant)? {
                idle.push((index, why));
            }
        }
        Ok(idle)
    }

    /// Whether a caller is easily found whom only this grant lets through.
    fn is_plainly_needed(&self, server: &Server, grant: &Grant, from: Timestamp) -> bool {
        let items: Vec<_> = named(server, grant).collect();
        let named = self.standpoints.iter().filter(|standpoint| {
            let [place, _] = standpoint.places;
            place.is_some_and(|place| may_come_from(grant, place))
        });
        let person = match &grant.who {
            GrantWho::People { .. } => Some(None),
            GrantWho::Users(users, _) => Some(users.first().cloned()),
            GrantWho::Services(_) => None,
        };
        let person = person.map(|name| Person { name, groups_known: true });
        for standpoint in named {
            let client = standpoint.clients.first().and_then(Option::as_deref);
            let nobody = GroupSet::default();
            let caller = cells::caller(standpoint, client, person.as_ref(), nobody, &[]);
            for environment in &grant.environments {
                for item in &items {
                    let nothing = Object::EMPTY;
                    let query = Query {
                        server: &server.name,
                        environment: self.set.environment_name(*environment),
                        caller: &caller,
                        channel: standpoint.channel.as_deref(),
                        action: item.action(&nothing),
                        now: from,
                    };
                    let open = engine::open(&self.set, &query);
                    if open.is_some_and(|open| lets_somebody_through_alone(&open, grant.rule)) {
                        return true;
                    }
                }
            }
        }
        false
    }
}

/// What a grant names.
fn named(server: &Server, grant: &Grant) -> impl Iterator<Item = Item> {
    let items = cells::items([Some(server), Some(server)]);
    items.into_iter().filter(|item| {
        let id = match item {
            Item::Open | Item::Look | Item::Tasks | Item::Method(_) => None,
            Item::Tool(name) => server.tool(name).map(|(id, _)| ItemId::Tool(id)),
            Item::Resource { pattern: _, uri } => {
                server.resource(uri).map(|(id, _)| ItemId::Resource(id))
            }
            Item::Prompt(name) => server.prompt(name).map(|(id, _)| ItemId::Prompt(id)),
        };
        id.is_some_and(|id| grant.items.contains(id))
    })
}

fn may_come_from(grant: &Grant, place: PlaceId) -> bool {
    match &grant.who {
        GrantWho::People { via: Via::AnySurface, .. } | GrantWho::Users(_, Via::AnySurface) => true,
        GrantWho::People { via: Via::Places(places), .. }
        | GrantWho::Users(_, Via::Places(places)) => places.iter().any(|via| via.surface == place),
        GrantWho::Services(services) => services.contains(&place),
    }
}

/// Whether somebody in one group of `people` and one of `also_in`, with the scopes that the grant
/// asks for and no other, needs this grant. Limits of one
/// side can be kept; those of grant and tool together may exclude each other.
fn lets_somebody_through_alone(open: &Open<'_>, rule: RuleId) -> bool {
    let Open { bans, trials: _, free, grants, tool } = open;
    let Some(own) = grants.iter().find(|grant| grant.rule == rule) else { return false };
    let limited_twice = !own.limits.is_empty() && tool.is_some_and(|tool| !tool.limits.is_empty());
    if *free || limited_twice {
        return false;
    }
    let one_of = |groups: Option<&GroupSet>| -> Vec<Option<GroupId>> {
        groups.map_or_else(|| vec![None], |groups| groups.iter().map(Some).collect())
    };
    let also_in = one_of(own.also_in);
    let lets_through = |grant: &OpenGrant<'_>, groups: &GroupSet| {
        let is_in = |wanted: Option<&GroupSet>| wanted.is_none_or(|set| set.intersects(groups));
        let has_scopes = grant.scopes.iter().all(|scope| own.scopes.contains(scope));
        has_scopes
            && is_in(grant.people)
            && is_in(grant.also_in)
            && !grant.except.is_some_and(|except| except.intersects(groups))
    };
    one_of(own.people).into_iter().any(|group| {
        also_in.iter().any(|other| {
            let groups: GroupSet = group.into_iter().chain(*other).collect();
            let is_banned = bans.iter().any(|(_, banned)| banned.intersects(&groups));
            let by_others =
                grants.iter().any(|grant| grant.rule != rule && lets_through(grant, &groups));
            !is_banned && !by_others && lets_through(own, &groups)
        })
    })
}

/// A server with fewer grants or bans than it has.
struct Search<'a> {
    set: &'a PolicySet,
    server: &'a Server,
    from: Timestamp,
}

impl Search<'_> {
    fn idle(&self, index: usize, grant: &Grant) -> Result<Option<Idle>, Disagreement> {
        let bans = self.bans();
        let others = self.server.grants().iter().enumerate();
        let others: Vec<_> =
            others.filter(|(other, _)| *other != index).map(|(_, grant)| grant).collect();
        let changes = self.lost(grant, &others, &bans)?;
        if changes.iter().any(is_of_item) {
            return Ok(None);
        }
        if self.gives(grant, &[], &bans)? {
            // Others let the same people use the same; without it, some may not look around.
            if !changes.is_empty() {
                return Ok(None);
            }
            let near = others.into_iter().filter(|other| overlap(grant, other)).collect();
            let cover = fewest(near, |near| Ok(!self.gives(grant, near, &bans)?))?;
            return Ok(Some(Idle::Covered(cover.iter().map(|grant| grant.rule).collect())));
        }
        if !self.gives(grant, &[], &[])? {
            return Ok(Some(Idle::Empty));
        }
        let bans = fewest(bans, |bans| Ok(!self.gives(grant, &[], bans)?))?;
        let mut rules: Vec<_> = bans.iter().map(|ban| ban.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        Ok(Some(Idle::Banned(rules)))
    }

    /// The bans that are about the server.
    fn bans(&self) -> Vec<&Ban> {
        let about = |ban: &&Ban| ban.is_about(&self.server.name);
        self.set.guardrails().iter().filter(about).chain(self.server.bans()).collect()
    }

    /// What is lost if a grant goes and these stay.
    fn lost(
        &self,
        grant: &Grant,
        others: &[&Grant],
        bans: &[&Ban],
    ) -> Result<Vec<Change>, Disagreement> {
        let with: Vec<_> = others.iter().copied().chain([grant]).collect();
        let with = self.set.only(self.server, &with, bans);
        let without = self.set.only(self.server, others, bans);
        Ok(compare(&with, &without, self.from)?.changes)
    }

    /// Whether a grant lets anybody use anything beside these.
    fn gives(&self, grant: &Grant, others: &[&Grant], bans: &[&Ban]) -> Result<bool, Disagreement> {
        Ok(self.lost(grant, others, bans)?.iter().any(is_of_item))
    }
}

fn is_of_item(change: &Change) -> bool {
    match change.item {
        Item::Tool(_) | Item::Resource { .. } | Item::Prompt(_) => true,
        // Whoever has any grant has these.
        Item::Open | Item::Look | Item::Tasks | Item::Method(_) => false,
    }
}

/// Whether two grants can let anybody use the same thing in the same place.
fn overlap(a: &Grant, b: &Grant) -> bool {
    fn share<T: PartialEq>(a: &[T], b: &[T]) -> bool {
        a.iter().any(|one| b.contains(one))
    }
    let environments: &[EnvironmentId] = &b.environments;
    share(&a.environments, environments)
        && (share(&a.items.call, &b.items.call)
            || share(&a.items.read, &b.items.read)
            || share(&a.items.prompt, &b.items.prompt))
}

/// One that is enough by itself; else none of these can be left out.
fn fewest<'a, T>(
    all: Vec<&'a T>,
    enough: impl Fn(&[&'a T]) -> Result<bool, Disagreement>,
) -> Result<Vec<&'a T>, Disagreement> {
    if all.len() > MAX_NAMED {
        return Ok(all);
    }
    for one in &all {
        if enough(&[*one])? {
            return Ok(vec![*one]);
        }
    }
    let mut kept = all;
    let mut index = 0;
    while index < kept.len() {
        let mut fewer = kept.clone();
        fewer.remove(index);
        if enough(&fewer)? {
            kept = fewer;
        } else {
            index += 1;
        }
    }
    Ok(kept)
}
