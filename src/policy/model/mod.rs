//! What policies mean: valid by construction, ready to decide on.

mod set;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;

use super::digest::Digest;
use super::limits::Limit;
use crate::identity::{GroupId, GroupSet, Workload, WorkloadPattern};

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
    /// A grant, ban, surface or service; leads to its file and line.
    RuleId,
}

/// Everything that decides, as of one moment.
#[derive(Clone, Debug)]
pub struct PolicySet {
    pub(super) digest: Digest,
    pub(super) groups: GroupNames,
    pub(super) environments: Vec<Environment>,
    pub(super) places: Vec<Place>,
    pub(super) reviews: Vec<Review>,
    pub(super) servers: HashMap<Box<str>, Server>,
    pub(super) guardrails: Vec<Ban>,
    pub(super) rules: Vec<Rule>,
    pub(super) exact_workloads: HashMap<Workload, PlaceId>,
    pub(super) workload_subtrees: Vec<(WorkloadPattern, PlaceId)>,
    pub(super) without_workload: Option<PlaceId>,
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
    pub name: Box<str>,
    /// Where it runs.
    pub environments: Vec<ServerEnvironment>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tools_by_name: HashMap<Box<str>, ToolId>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) bans: Vec<Ban>,
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
    pub reviews: Vec<NeededReview>,
}

/// A kind of review that an environment needs.
#[derive(Clone, Debug)]
pub struct NeededReview {
    /// Security, legal, ...
    pub kind: Box<str>,
    /// The reviews of that kind that the server lists.
    pub listed: Vec<ListedReview>,
}

/// A review that a server lists.
#[derive(Clone, Copy, Debug)]
pub struct ListedReview {
    /// The review.
    pub id: ReviewId,
    /// Whether it covers the server's tools as they stand.
    pub covers_tools: bool,
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
    pub path: Box<str>,
}

/// A tool.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: Box<str>,
    /// What calling it does.
    pub effect: Effect,
    /// What else the review found.
    pub traits: Vec<Trait>,
    /// Who must agree to each call.
    pub approval: Option<Approver>,
    /// Minutes that one call saves a person, by the owner's estimate.
    pub minutes_saved: u32,
    /// What its arguments must be, whoever calls.
    pub limits: Vec<Limit>,
    /// The only arguments it takes; `None` if any are taken.
    pub accepts: Option<Vec<Box<str>>>,
}

/// What calling a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Looks.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Changes something that cannot.
    Destructive,
}

/// What else a review found about a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// Touches data that not every colleague may see.
    Sensitive,
    /// Reaches beyond the company.
    External,
    /// Costs noticeable money.
    Costly,
}

/// Who must agree to a call, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approver {
    /// The caller confirms.
    Caller,
    /// Somebody else.
    AnotherPerson,
    /// Somebody else, from one of these groups.
    Groups(GroupSet),
}

/// People, by group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum People {
    /// Everyone with a valid token.
    AnyoneSignedIn,
    /// Members of any of these groups.
    Groups(GroupSet),
}

/// Places that people come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// In a grant: every surface with a verified workload. In a ban: every surface.
    AnySurface,
    /// These.
    Places(Vec<ViaPlace>),
}

/// A surface, or one channel of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViaPlace {
    /// The surface.
    pub surface: PlaceId,
    /// The channel; without one, the whole surface.
    pub channel: Option<ChannelId>,
}

/// Lets somebody do something. Verbs add up; everything else narrows.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name and place.
    pub rule: RuleId,
    /// Whom.
    pub who: GrantWho,
    /// In which environments.
    pub environments: Vec<EnvironmentId>,
    /// Which tools, sorted.
    pub call: Vec<ToolId>,
    /// What the arguments of every call under it must be.
    pub limits: Vec<Limit>,
    /// The last UTC day on which it holds.
    pub last_day: Option<Date>,
}

/// Whom a grant is for.
#[derive(Clone, Debug)]
pub enum GrantWho {
    /// People, and where they come from.
    People(People, Via),
    /// Services, without a person.
    Services(Vec<PlaceId>),
}

/// Takes something away, whatever grants say. What is unknown matches.
#[derive(Clone, Debug)]
pub struct Ban {
    /// Its name and place.
    pub rule: RuleId,
    /// From whom; without it, from everybody.
    pub who: Option<BanWho>,
    /// Where; without it, everywhere.
    pub via: Option<Via>,
    /// In which environments; without it, in all.
    pub environments: Option<Vec<EnvironmentId>>,
    /// On which servers; without it, on all that the ban is about.
    pub servers: Option<Vec<Box<str>>>,
    /// What.
    pub what: BanWhat,
}

/// From whom a ban takes away. The two add up.
#[derive(Clone, Debug)]
pub struct BanWho {
    /// People.
    pub people: Option<People>,
    /// Services.
    pub services: Option<BannedServices>,
}

/// The services of a ban.
#[derive(Clone, Debug)]
pub enum BannedServices {
    /// Every service.
    Any,
    /// These.
    Only(Vec<PlaceId>),
}

/// What a ban takes away. All of these add up.
#[derive(Clone, Debug, Default)]
pub struct BanWhat {
    /// Everything, discovery included.
    pub everything: bool,
    /// These tools.
    pub call: Vec<ToolId>,
    /// Tools of these effects.
    pub effects: Vec<Effect>,
    /// Tools with any of these traits.
    pub traits: Vec<Trait>,
}

/// Where a rule, surface or service stands.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Box<str>,
    /// The file, as it is shown to people.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
}

// === impl Place, Rule ===

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

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.origin())
    }
}

impl Rule {
    /// `presto.yaml:44`
    #[must_use]
    pub fn origin(&self) -> String {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{file}:{}", self.line)
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
        let id = *self.tools_by_name.get(name)?;
        Some((id, self.tools.get(id.index())?))
    }

    /// The tools, in the order of the file.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The grants, in the order of the file.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The bans, in the order of the file.
    #[must_use]
    pub fn bans(&self) -> &[Ban] {
        &self.bans
    }
}

// === impl Tool ===

impl Tool {
    /// Whether a service may be granted it: a read that is neither sensitive nor external.
    #[must_use]
    pub fn is_plain_read(&self) -> bool {
        self.effect == Effect::Read
            && !self.traits.contains(&Trait::Sensitive)
            && !self.traits.contains(&Trait::External)
    }
}

// === impl Upstream ===

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

// === impl Effect, Trait ===

impl Effect {
    /// Every effect, by its name in policies.
    pub const ALL: [(&'static str, Self); 3] =
        [("read", Self::Read), ("write", Self::Write), ("destructive", Self::Destructive)];
}

impl Trait {
    /// Every trait, by its name in policies.
    pub const ALL: [(&'static str, Self); 3] =
        [("sensitive", Self::Sensitive), ("external", Self::External), ("costly", Self::Costly)];
}
