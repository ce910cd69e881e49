//! What policies mean: valid by construction, ready to decide on.

mod few;
mod items;
mod offer;
mod protocol;
mod rule;
mod rules;
mod servers;
mod set;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::digest::Digest;
use super::uri;
use crate::identity::{GroupId, GroupSet, Workload, WorkloadPattern};

pub use self::few::Few;
pub use self::items::{Approver, Effect, ItemId, Items, Prompt, Resource, Target, Tool, Trait};
pub use self::offer::Offer;
pub use self::protocol::{Protocol, Refusal};
pub use self::rule::Rule;
pub(in crate::policy) use self::rule::{OwnRule, Rules};
pub use self::rules::{
    Ban, BanWhat, BanWho, BannedServices, Grant, GrantWho, People, Via, ViaPlace,
};
pub(crate) use self::set::GroupClaim;

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

ids! {
    /// An environment of the guardrails.
    EnvironmentId,
    /// A surface or service.
    PlaceId,
    /// A channel of one surface.
    ChannelId,
    /// A review.
    ReviewId,
    /// A tool of one server.
    ToolId,
    /// A resource, or pattern of resources, of one server.
    ResourceId,
    /// A prompt of one server.
    PromptId,
}

/// A grant, ban, surface or service; leads to its file and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// Whose it is: a server's number among the servers and one more, or 0 for what no server's
    /// file says. What one server says changes nothing in the ids of another's rules.
    pub(crate) of: u32,
    /// Which of its rules, in the order of the file.
    pub(crate) index: u32,
}

/// Everything that decides, as of one moment. A clone shares what it is made of: the next set
/// differs in few servers.
#[derive(Clone, Debug)]
pub struct PolicySet {
    pub(super) digest: Digest,
    pub(super) shared: Arc<Shared>,
    pub(super) servers: Servers,
}

/// What no server's file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    pub(super) groups: GroupNames,
    pub(super) environments: Vec<Environment>,
    pub(super) places: Vec<Place>,
    pub(super) reviews: Vec<Review>,
    pub(super) guardrails: Vec<Ban>,
    /// The rules of all that.
    pub(super) rules: Vec<OwnRule>,
    pub(super) exact_workloads: HashMap<Workload, PlaceId>,
    pub(super) workload_subtrees: Vec<(WorkloadPattern, PlaceId)>,
    pub(super) without_workload: Option<PlaceId>,
}

/// The servers, each with a number of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {
    by_name: Arc<HashMap<Arc<str>, u32>>,
    /// By number. What was removed leaves a gap.
    numbered: Vec<Option<Arc<Server>>>,
}

/// The groups that policies may name.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupNames {
    pub(super) names: Vec<Box<str>>,
    pub(super) by_name: HashMap<Box<str>, GroupId>,
    /// Groups that a token may claim by their own name: those without `claims`.
    pub(super) claimed_by_name: HashMap<Box<str>, GroupId>,
    /// Groups behind claim values, as `issuer:value`.
    pub(super) claimed_by_value: HashMap<Box<str>, Vec<GroupId>>,
}

/// An environment, as the guardrails declare it.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: Box<str>,
}

/// A surface or a service.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub origin: RuleId,
    /// The workloads that speak from there; empty for `workloads: none`.
    pub workloads: Vec<WorkloadPattern>,
    /// Which of the two it is.
    pub kind: PlaceKind,
    /// The environments it reaches.
    pub reaches: Vec<EnvironmentId>,
}

/// A surface, where people work, or a service, which acts without a person. Never both:
/// otherwise leaving out the token would escape every ban on people.
#[derive(Clone, Debug)]
pub enum PlaceKind {
    /// Where people work.
    Surface {
        /// Its channels; with any, the channel header is believed from here.
        channels: Vec<Channel>,
        /// Whether its callers prove a workload identity.
        verified: bool,
        /// The OAuth clients that tokens from there are issued to; `None` for any.
        clients: Option<Vec<Box<str>>>,
    },
    /// A workload that acts without a person.
    Service,
}

/// A channel of a surface: a name, and the identifiers behind it.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its name.
    pub name: Box<str>,
    /// The chat system's identifiers.
    pub ids: Vec<Box<str>>,
}

/// A review: what was looked at, by which kind of reviewer, until when it counts.
#[derive(Clone, Debug)]
pub struct Review {
    /// Its identifier.
    pub name: Box<str>,
    /// Security, legal, ...
    pub kind: Box<str>,
    /// The first UTC day on which it counts.
    pub approved: Date,
    /// The last UTC day on which it counts.
    pub last_day: Date,
}

/// One MCP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: Arc<str>,
    /// Where it runs.
    pub environments: Box<[ServerEnvironment]>,
    pub(in crate::policy) offered: Arc<Offered>,
    pub(crate) grants: Box<[Grant]>,
    pub(crate) bans: Few<Ban>,
    /// Whether a request is refused rather than its record lost.
    pub audit_required: bool,
    /// What its lists show.
    pub lists: Lists,
    /// The groups that the server's rules and the guardrails name.
    pub named_groups: GroupSet,
    pub(crate) without_user: Few<PlaceId>,
    pub(crate) forwarded_groups: Option<Box<GroupSet>>,
    pub(crate) forward_token: bool,
    pub(crate) own_resource: Option<Box<str>>,
    pub(crate) protocol: Protocol,
    /// The names and places of its grants and bans.
    pub(super) rules: Rules,
}

/// What a server offers. Servers that offer the same share it: many are one program in several
/// places.
#[derive(Debug)]
pub(in crate::policy) struct Offered {
    pub(in crate::policy) tools: Box<[Tool]>,
    pub(in crate::policy) resources: Few<Resource>,
    pub(in crate::policy) prompts: Few<Prompt>,
    pub(in crate::policy) sets: Few<Set>,
    pub(in crate::policy) offer: Arc<Offer>,
}

/// Items that rules name together. It decides nothing by itself; rules that are added to the set
/// may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Set {
    pub(in crate::policy) name: Box<str>,
    pub(in crate::policy) items: Items,
}

/// What lists show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lists {
    /// What their caller may use.
    #[default]
    Filtered,
    /// Whatever the server says.
    Full,
}

/// A server in one environment.
#[derive(Clone, Debug)]
pub struct ServerEnvironment {
    /// The environment.
    pub id: EnvironmentId,
    /// Where Envoy forwards to.
    pub upstream: Upstream,
    /// The one public path.
    pub path: Box<str>,
    /// A hash of path and upstream: Envoy's route and this policy are of the same mind.
    pub route: Box<str>,
    /// Every kind of review that the environment needs, with the listed reviews of that kind.
    pub reviews: Box<[NeededReview]>,
    /// Every review that the server lists here, of whatever kind.
    pub listed: Box<[ListedReview]>,
    /// The instant from which refusals are enforced; until then some are only recorded.
    pub shadow_until: Option<Timestamp>,
}

/// A kind of review that an environment needs.
#[derive(Clone, Debug)]
pub struct NeededReview {
    /// Security, legal, ...
    pub kind: Arc<str>,
    /// The reviews of that kind that the server lists.
    pub listed: Box<[ListedReview]>,
}

/// A review that a server lists.
#[derive(Clone, Copy, Debug)]
pub struct ListedReview {
    /// The review.
    pub id: ReviewId,
    /// What it covers of the server.
    pub coverage: Coverage,
}

/// What a review covers of a server that lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The tools as they stand.
    Tools,
    /// Tools that were, or will be, others.
    OtherTools,
    /// The server does not stand in it.
    Nothing,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `https`; without it the upstream is on the loopback.
    pub tls: Option<Workload>,
    /// An IP address or a DNS name.
    pub host: Box<str>,
    /// The TCP port.
    pub port: u16,
    /// The path of the MCP endpoint there.
    pub path: Arc<str>,
}

// === impl Place ===

impl Place {
    /// The channel of that name.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<&Channel> {
        match &self.kind {
            PlaceKind::Surface { channels, .. } => {
                channels.iter().find(|channel| &*channel.name == name)
            }
            PlaceKind::Service => None,
        }
    }

    /// A channel of the surface.
    #[must_use]
    pub fn channel(&self, id: ChannelId) -> Option<&Channel> {
        match &self.kind {
            PlaceKind::Surface { channels, .. } => channels.get(id.index()),
            PlaceKind::Service => None,
        }
    }
}

// === impl Server ===

impl Server {
    /// The server in an environment.
    #[must_use]
    pub fn environment(&self, id: EnvironmentId) -> Option<&ServerEnvironment> {
        self.environments.iter().find(|environment| environment.id == id)
    }

    /// The tool of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<(ToolId, &Tool)> {
        let id = self.offered.offer.tool(name)?;
        Some((id, self.offered.tools.get(id.index())?))
    }

    /// The tools, in the order of the file.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.offered.tools
    }

    /// The resource, or pattern of resources, that a URI names. An odd URI names none.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<(ResourceId, &Resource)> {
        uri::check(uri).ok()?;
        let named =
            self.offered.resources.iter().position(|resource| resource.pattern.matches(uri));
        let id = ResourceId(u32::try_from(named?).ok()?);
        Some((id, self.offered.resources.get(id.index())?))
    }

    /// The prompt of that name.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<(PromptId, &Prompt)> {
        let id = self.offered.offer.prompt(name)?;
        Some((id, self.offered.prompts.get(id.index())?))
    }

    /// The resources, in the order of the file.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.offered.resources
    }

    /// The prompts, in the order of the file.
    #[must_use]
    pub fn prompts(&self) -> &[Prompt] {
        &self.offered.prompts
    }

    /// The names of all that, and what their indexes mean.
    #[must_use]
    pub fn offer(&self) -> &Arc<Offer> {
        &self.offered.offer
    }

    /// The surfaces that may open a connection before anybody signs in.
    #[must_use]
    pub fn without_user(&self) -> &[PlaceId] {
        &self.without_user
    }

    /// The groups that may reach the upstream; `None` for all.
    #[must_use]
    pub fn forwarded_groups(&self) -> Option<&GroupSet> {
        self.forwarded_groups.as_deref()
    }

    /// Whether the upstream is given the tokens of its callers, which name it as their one
    /// audience.
    #[must_use]
    pub fn forwards_token(&self) -> bool {
        self.forward_token && self.own_resource.is_some()
    }

    /// What a token for this server names as its one audience (RFC 8707), in the place of the
    /// issuers' audiences. It is accepted nowhere else.
    #[must_use]
    pub fn own_resource(&self) -> Option<&str> {
        self.own_resource.as_deref()
    }

    /// The grants, in the order of the file.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The scopes that grants in an environment ask for: sorted, each once.
    #[must_use]
    pub fn scopes(&self, environment: EnvironmentId) -> BTreeSet<&str> {
        let here = self.grants.iter().filter(|grant| grant.environments.contains(&environment));
        here.flat_map(|grant| &grant.scopes).map(|scope| &**scope).collect()
    }

    /// The bans, in the order of the file.
    #[must_use]
    pub fn bans(&self) -> &[Ban] {
        &self.bans
    }
}

// === impl Ban ===

impl Ban {
    /// Whether it is about a server of that name.
    #[must_use]
    pub fn is_about(&self, server: &str) -> bool {
        self.servers.as_ref().is_none_or(|names| names.iter().any(|name| **name == *server))
    }

    /// Whether another ban takes away exactly the same, wherever it stands.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        *self == Self { rule: self.rule, ..other.clone() }
    }
}

// === impl Upstream ===

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}
