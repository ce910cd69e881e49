//! What can be asked of a policy set.

use std::sync::Arc;

use url::Url;

use super::{
    Ban, EnvironmentId, Grant, GrantWho, OwnRule, Place, PlaceId, PolicySet, Review, ReviewId,
    Rule, RuleId, Rules, Server, Shared, Upstream,
};
use crate::identity::{GroupId, GroupSet, UserName, Workload, WorkloadPattern};
use crate::policy::digest::Digest;

/// What a token says that puts its user into a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GroupClaim<'s> {
    /// The group's own name.
    Name(&'s str),
    /// A value of `groups.yaml`, as `issuer:value`.
    Value(&'s str),
}

impl PolicySet {
    /// The digest of the files that this set was made of.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The server of that name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.get(name).map(|server| &**server)
    }

    /// The servers, sorted by name.
    #[must_use]
    pub fn servers(&self) -> Vec<&Server> {
        let mut servers: Vec<_> = self.servers.iter().map(|server| &**server).collect();
        // Stable, since that is fast where most of it is sorted.
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        servers
    }

    /// How many servers there are.
    #[must_use]
    pub fn servers_count(&self) -> usize {
        self.servers.len()
    }

    /// The servers of this set that may be others in the next one, in which the same names may
    /// mean something else. All of them, unless the next one was made from what has changed.
    #[must_use]
    pub fn changed_in<'s>(&'s self, next: &'s Self) -> Vec<&'s Server> {
        if !Arc::ptr_eq(&self.shared, &next.shared) {
            return self.servers();
        }
        let differing = self.servers.differing(&next.servers);
        differing.filter_map(|[mine, _]| mine.map(|server| &**server)).collect()
    }

    /// Whether Envoy sees the same of both sets; `false` also if that is not easily told.
    #[must_use]
    pub fn routes_as(&self, other: &Self) -> bool {
        fn seen(server: &Server) -> impl Iterator<Item = (EnvironmentId, &str, &str, &Upstream)> {
            let environments = server.environments.iter();
            environments.map(|here| (here.id, &*here.path, &*here.route, &here.upstream))
        }
        // Where those are the same, an environment's id is its name.
        let same_names = Arc::ptr_eq(&self.shared, &other.shared);
        same_names
            && self.servers.differing(&other.servers).all(|pair| match pair {
                [Some(one), Some(two)] => one.name == two.name && seen(one).eq(seen(two)),
                [Some(_) | None, None] | [None, Some(_)] => false,
            })
    }

    /// The environment that a server's bare name means: its only one, else `prod`.
    #[must_use]
    pub fn bare_environment(&self, server: &Server) -> Option<EnvironmentId> {
        match &*server.environments {
            [only] => Some(only.id),
            several => {
                let prod = self.environment("prod")?;
                several.iter().map(|environment| environment.id).find(|id| *id == prod)
            }
        }
    }

    /// The environment of that name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<EnvironmentId> {
        let index =
            self.shared.environments.iter().position(|environment| &*environment.name == name)?;
        u32::try_from(index).ok().map(EnvironmentId)
    }

    /// An environment's name.
    #[must_use]
    pub fn environment_name(&self, id: EnvironmentId) -> &str {
        self.shared.environments.get(id.index()).map_or("", |environment| &environment.name)
    }

    /// The names of all environments, in the order of the guardrails.
    pub(crate) fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.shared.environments.iter().map(|environment| &*environment.name)
    }

    /// A surface or service.
    #[must_use]
    pub fn place(&self, id: PlaceId) -> Option<&Place> {
        self.shared.places.get(id.index())
    }

    /// The surface or service of that name.
    #[must_use]
    pub fn place_named(&self, name: &str) -> Option<(PlaceId, &Place)> {
        let index = self.shared.places.iter().position(|place| &*place.name == name)?;
        Some((PlaceId(u32::try_from(index).ok()?), self.shared.places.get(index)?))
    }

    /// The names of all surfaces and services.
    pub fn place_names(&self) -> impl Iterator<Item = &str> {
        self.shared.places.iter().map(|place| &*place.name)
    }

    /// The surface or service that a workload belongs to. No workload belongs to the surface
    /// that declares `workloads: none`, if there is one.
    #[must_use]
    pub fn place_of(&self, workload: Option<&Workload>) -> Option<PlaceId> {
        let Some(workload) = workload else {
            return self.shared.without_workload;
        };
        self.shared.exact_workloads.get(workload).copied().or_else(|| {
            let matching = |(pattern, _): &&(WorkloadPattern, PlaceId)| pattern.matches(workload);
            self.shared.workload_subtrees.iter().find(matching).map(|(_, place)| *place)
        })
    }

    /// The same set, in which every review is in force: what the rules say, whether or not they
    /// are looked after. For comparing; nothing is ever decided on it.
    #[must_use]
    pub(crate) fn as_if_reviewed(&self) -> Self {
        let mut set = self.clone();
        for server in set.servers.iter_mut() {
            for environment in &mut server.environments {
                environment.reviews = Box::default();
            }
        }
        set
    }

    /// One server alone, with some of its grants, and with these bans for all that there are. For
    /// comparing; nothing is ever decided on it, and its rules have no names.
    #[must_use]
    pub(crate) fn only(&self, server: &Server, grants: &[&Grant], bans: &[&Ban]) -> Self {
        let server = Server {
            grants: grants.iter().map(|grant| (*grant).clone()).collect(),
            bans: bans.iter().map(|ban| (*ban).clone()).collect(),
            rules: Rules::default(),
            ..server.clone()
        };
        let shared = Shared {
            reviews: Vec::new(),
            guardrails: Vec::new(),
            rules: Vec::new(),
            ..Shared::clone(&self.shared)
        };
        Self {
            digest: self.digest,
            shared: Arc::new(shared),
            servers: [server].into_iter().collect(),
        }
    }

    /// Every claim that puts a user into a group: its name, or `issuer:value`. The two are told
    /// apart, since no name is a value.
    pub(crate) fn claims_of_groups(&self) -> impl Iterator<Item = (GroupClaim<'_>, GroupId)> {
        let by_name = self.shared.groups.claimed_by_name.iter();
        let by_name = by_name.map(|(name, group)| (GroupClaim::Name(name), *group));
        let by_value = self.shared.groups.claimed_by_value.iter().flat_map(|(value, groups)| {
            groups.iter().map(|group| (GroupClaim::Value(value), *group))
        });
        by_name.chain(by_value)
    }

    /// The patterns of workloads that places consist of.
    pub(crate) fn workload_patterns(&self) -> impl Iterator<Item = &WorkloadPattern> {
        self.shared.places.iter().flat_map(|place| &place.workloads)
    }

    /// The places, in the order of the file.
    pub(crate) fn places(&self) -> &[Place] {
        &self.shared.places
    }

    /// The reviews, in the order of `reviews.yaml`.
    pub fn reviews(&self) -> impl Iterator<Item = (ReviewId, &Review)> {
        (0..).map(ReviewId).zip(&self.shared.reviews)
    }

    /// A review.
    #[must_use]
    pub fn review(&self, id: ReviewId) -> Option<&Review> {
        self.shared.reviews.get(id.index())
    }

    /// A rule's name and place.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<Rule<'_>> {
        match id.of {
            0 => self.shared.rules.get(id.index as usize).map(OwnRule::as_rule),
            _ => self.servers.rule(id),
        }
    }

    /// The bans that hold everywhere.
    #[must_use]
    pub fn guardrails(&self) -> &[Ban] {
        &self.shared.guardrails
    }

    /// The group of that name in `groups.yaml`.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<GroupId> {
        self.shared.groups.by_name.get(name).copied()
    }

    /// A group's name.
    #[must_use]
    pub fn group_name(&self, id: GroupId) -> &str {
        self.shared.groups.names.get(id.0 as usize).map_or("", |name| name)
    }

    /// The names of all groups.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.shared.groups.names.iter().map(|name| &**name)
    }

    /// The groups, claim values of groups, and users that no token of these issuers (name and
    /// group prefix) could ever claim or name. A ban on one of them would ban nobody.
    #[must_use]
    pub fn unclaimable(&self, issuers: &[(&str, &str)]) -> Vec<String> {
        let known = |issuer: &str| issuers.iter().any(|(name, _)| *name == issuer);
        let values = self
            .shared
            .groups
            .claimed_by_value
            .keys()
            .filter(|value| !value.split_once(':').is_some_and(|(issuer, _)| known(issuer)));
        let names = self.shared.groups.claimed_by_name.keys().filter(|name| {
            // A value that is listed for another group is not this group's any more.
            !issuers.iter().any(|(issuer, prefix)| {
                name.strip_prefix(prefix).is_some_and(|value| {
                    let key = format!("{issuer}:{value}");
                    !self.shared.groups.claimed_by_value.contains_key(key.as_str())
                })
            })
        });
        let mut unclaimable: Vec<_> = values.chain(names).map(ToString::to_string).collect();
        let users = self.named_users().filter(|user| !known(user.issuer()));
        unclaimable.extend(users.map(ToString::to_string));
        unclaimable.sort_unstable();
        unclaimable.dedup();
        unclaimable
    }

    /// Every scope that a grant names.
    pub(crate) fn named_scopes(&self) -> impl Iterator<Item = &str> {
        let grants = self.servers.iter().flat_map(|server| &server.grants);
        grants.flat_map(|grant| &grant.scopes).map(|scope| &**scope)
    }

    /// The servers whose own resource is one of these audiences: tokens for every server would be
    /// tokens for that one.
    #[must_use]
    pub fn servers_with_audience(&self, audiences: &[&str]) -> Vec<&str> {
        let canonical = |text: &str| text.trim_end_matches('/').to_owned();
        let as_url = |text: &&str| Url::parse(text).map(|url| canonical(url.as_str())).ok();
        let all: Vec<_> = audiences.iter().filter_map(as_url).collect();
        let is_one = |server: &&Server| {
            server.own_resource().is_some_and(|resource| all.contains(&canonical(resource)))
        };
        let servers = self.servers.iter().map(|server| &**server).filter(is_one);
        let mut names: Vec<_> = servers.map(|server| &*server.name).collect();
        names.sort_unstable();
        names
    }

    /// Every user that a grant or ban names.
    pub fn named_users(&self) -> impl Iterator<Item = &UserName> {
        let grants = self.servers.iter().flat_map(|server| &server.grants);
        let granted = grants.filter_map(|grant| match &grant.who {
            GrantWho::Users(users, _) => Some(&**users),
            GrantWho::People { .. } | GrantWho::Services(_) => None,
        });
        let bans =
            self.servers.iter().flat_map(|server| &server.bans).chain(&self.shared.guardrails);
        let banned = bans.filter_map(|ban| ban.who.as_ref()).map(|who| &*who.users);
        granted.chain(banned).flatten()
    }

    /// The policy groups behind the group claims of a token. A value that `groups.yaml` lists
    /// for that issuer stands for exactly the groups that list it; any other value stands for the
    /// group of the same name, with the issuer's prefix, if that group lists no values.
    #[must_use]
    pub fn claimed_groups<'a>(
        &self,
        issuer: &str,
        prefix: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> GroupSet {
        let mut groups = GroupSet::default();
        let mut key = String::new();
        for value in values {
            key.clear();
            key.extend([issuer, ":", value]);
            if let Some(listed) = self.shared.groups.claimed_by_value.get(key.as_str()) {
                for group in listed {
                    groups.insert(*group);
                }
                continue;
            }
            key.clear();
            key.extend([prefix, value]);
            if let Some(group) = self.shared.groups.claimed_by_name.get(key.as_str()) {
                groups.insert(*group);
            }
        }
        groups
    }
}

#[cfg(test)]
impl PolicySet {
    pub(crate) fn servers_mut_for_test(&mut self) -> impl Iterator<Item = &mut Server> {
        self.servers.iter_mut()
    }
}
