//! Grants and bans: who, from where, in which environment, what.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{ChannelId, Effect, EnvironmentId, Few, Items, PlaceId, RuleId, Trait};
use crate::identity::{GroupSet, UserName};
use crate::policy::limits::Limit;

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
    Places(Arc<[ViaPlace]>),
}

/// A surface, or one channel of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub environments: Box<[EnvironmentId]>,
    /// What.
    pub items: Items,
    /// What the arguments of every call under it must be.
    pub limits: Few<Limit>,
    /// The OAuth scopes that the caller's token must carry, every one of them; sorted.
    pub scopes: Few<Box<str>>,
    /// The last UTC day on which it holds.
    pub last_day: Option<Date>,
    /// The instant from which it no longer holds.
    pub until: Option<Timestamp>,
}

/// Whom a grant is for.
#[derive(Clone, Debug)]
pub enum GrantWho {
    /// People by group, and where they come from.
    People {
        /// Who: members of any of these.
        people: People,
        /// And only if they are also in one of these.
        also_in: Option<Box<GroupSet>>,
        /// And only if they are in none of these.
        except: Option<Box<GroupSet>>,
        /// Where they come from.
        via: Via,
    },
    /// People by name, and where they come from.
    Users(Box<[UserName]>, Via),
    /// Services, without a person.
    Services(Box<[PlaceId]>),
}

/// Takes something away, whatever grants say. What is unknown matches.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The instant from which it no longer holds.
    pub until: Option<Timestamp>,
    /// The instant from which it is enforced; until then it is recorded, within narrow bounds.
    pub trial_until: Option<Timestamp>,
}

/// From whom a ban takes away. All of these add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanWho {
    /// People.
    pub people: Option<People>,
    /// People by name.
    pub users: Vec<UserName>,
    /// Services.
    pub services: Option<BannedServices>,
}

/// The services of a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BannedServices {
    /// Every service.
    Any,
    /// These.
    Only(Vec<PlaceId>),
}

/// What a ban takes away. All of these add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanWhat {
    /// Everything, discovery included.
    pub everything: bool,
    /// These tools, resources and prompts.
    pub items: Items,
    /// Whatever has one of these effects.
    pub effects: Vec<Effect>,
    /// Whatever has any of these traits.
    pub traits: Vec<Trait>,
}
