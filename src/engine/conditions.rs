//! Whether one grant or ban matches, and if not, which of its conditions do not hold.
//!
//! All conditions of a rule are looked at, so that a trace can name every one that is missing;
//! each is a few comparisons and none allocates.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Query;
use crate::identity::{GroupSet, Groups, User, UserName};
use crate::policy::model::{
    Ban, BanWho, BannedServices, ChannelId, EnvironmentId, Grant, GrantWho, People, Place, PlaceId,
    PlaceKind, PolicySet, Server, Target, Via, ViaPlace,
};

/// What is known about the channel that a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// The place has no channels; whatever the request says about one is not believed.
    NotUsed,
    /// The place has channels, and the request does not say which.
    Unknown,
    /// A channel that the place lists.
    Known(ChannelId),
    /// A channel that the place does not list: known to be another place.
    Other,
}

/// What rules are compared with.
pub(super) struct Circumstances<'q> {
    pub(super) user: Option<&'q User>,
    pub(super) place_id: Option<PlaceId>,
    pub(super) place: Option<&'q Place>,
    pub(super) channel: ChannelState,
    pub(super) now: Timestamp,
    pub(super) today: Date,
}

macro_rules! misses {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $flag_doc:literal])+ $flag:ident,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $flag_doc])+ pub $flag: bool,)+
        }

        impl $name {
            /// Whether every condition holds: the rule matches.
            #[must_use]
            pub fn is_empty(self) -> bool {
                let Self { $($flag,)+ } = self;
                !($($flag)||+)
            }

            /// How many conditions do not hold.
            #[must_use]
            pub fn count(self) -> usize {
                let Self { $($flag,)+ } = self;
                [$($flag,)+].into_iter().filter(|missing| *missing).count()
            }
        }
    };
}

misses! {
    /// The conditions of a grant that do not hold.
    GrantMisses {
        /// It is for other people or services.
        who,
        /// It is for people who are also in another group.
        also_in,
        /// It leaves out a group that the caller is in, or could be in.
        except,
        /// It is for people elsewhere.
        via,
        /// It is for another environment.
        environment,
        /// It does not name the tool, resource or prompt.
        call,
        /// It is for tokens with more scopes.
        scopes,
        /// It has ended.
        ended,
    }
}

misses! {
    /// The conditions of a ban that do not hold.
    BanMisses {
        /// It is about other people or services.
        who,
        /// It is about people elsewhere.
        via,
        /// It is about another environment.
        environment,
        /// It is about another server.
        server,
        /// It is about other tools, resources and prompts.
        what,
        /// It has ended.
        ended,
    }
}

impl Grant {
    /// Whether the grant is for this service.
    pub(super) fn is_for_service(&self, place: PlaceId) -> bool {
        match &self.who {
            GrantWho::Services(services) => services.contains(&place),
            GrantWho::People { .. } | GrantWho::Users(..) => false,
        }
    }
}

impl<'q> Circumstances<'q> {
    pub(super) fn new(set: &'q PolicySet, query: &Query<'q>, place_id: Option<PlaceId>) -> Self {
        let place = place_id.and_then(|id| set.place(id));
        Self {
            user: query.caller.user.as_deref(),
            place_id,
            place,
            channel: channel(place, query.channel),
            now: query.now,
            today: super::utc_day(query.now),
        }
    }

    pub(super) fn grant_misses(
        &self,
        grant: &Grant,
        environment: EnvironmentId,
        target: Option<Target<'_>>,
    ) -> GrantMisses {
        // Limits are looked at once a grant matches: they have a reason of their own.
        let Grant { rule: _, who, environments, items, limits: _, scopes, last_day, until } = grant;
        let mut misses = GrantMisses::default();
        match who {
            GrantWho::People { people, also_in, except, via } => {
                misses.who = !self.grants_people(people);
                misses.also_in = also_in.as_ref().is_some_and(|groups| !self.is_in(groups));
                misses.except = except.as_ref().is_some_and(|groups| self.may_be_in(groups));
                misses.via = !self.grants_via(via);
            }
            GrantWho::Users(users, via) => {
                misses.who = !self.is_named(users);
                misses.via = !self.grants_via(via);
            }
            // A service's grant matches only a request without any user, and only plain reads:
            // the loader refuses others, and this holds even if it did not.
            GrantWho::Services(services) => {
                let alone = self.user.is_none();
                let named = self.place_id.is_some_and(|place| services.contains(&place));
                let plain = target.is_none_or(|target| target.is_plain_read());
                misses.who = !(alone && named && plain);
            }
        }
        misses.environment = !environments.contains(&environment);
        misses.call = target.is_some_and(|target| !items.contains(target.id));
        misses.scopes = !self.has_scopes(scopes);
        misses.ended = last_day.is_some_and(|last_day| last_day < self.today)
            || until.is_some_and(|until| until <= self.now);
        misses
    }

    /// What keeps a grant from letting its surfaces open a connection before anybody signs in.
    pub(super) fn opening_misses(&self, grant: &Grant, environment: EnvironmentId) -> GrantMisses {
        let misses = self.grant_misses(grant, environment, None);
        match grant.who {
            GrantWho::People { .. } | GrantWho::Users(..) => {
                GrantMisses { who: false, also_in: false, except: false, scopes: false, ..misses }
            }
            GrantWho::Services(_) => misses,
        }
    }

    pub(super) fn ban_misses(
        &self,
        ban: &Ban,
        server: &Server,
        environment: EnvironmentId,
        target: Option<Target<'_>>,
    ) -> BanMisses {
        let Ban { rule: _, who, via, environments, servers: _, what, until, trial_until: _ } = ban;
        let who = who.as_ref().is_some_and(|who| !self.bans(who));
        let what = !what.everything
            && target.is_none_or(|target| {
                !what.items.contains(target.id)
                    && !what.effects.contains(&target.effect)
                    && !what.traits.iter().any(|banned| target.traits.contains(banned))
            });
        BanMisses {
            who,
            via: via.as_ref().is_some_and(|via| !self.bans_via(via)),
            environment: environments.as_ref().is_some_and(|list| !list.contains(&environment)),
            server: !ban.is_about(&server.name),
            what,
            ended: until.is_some_and(|until| until <= self.now),
        }
    }

    /// Whether a ban on these is about the caller.
    pub(super) fn bans(&self, who: &BanWho) -> bool {
        let BanWho { people, users, services } = who;
        people.as_ref().is_some_and(|people| self.bans_people(people))
            || self.is_named(users)
            || services.as_ref().is_some_and(|list| self.bans_service(list))
    }

    /// Whether the user's token carries every one of these.
    fn has_scopes(&self, scopes: &[Box<str>]) -> bool {
        scopes.is_empty()
            || self.user.is_some_and(|user| scopes.iter().all(|scope| user.scopes.contains(scope)))
    }

    /// Whether the user is one of these. Who has no token is nobody.
    fn is_named(&self, users: &[UserName]) -> bool {
        self.user.is_some_and(|user| users.iter().any(|name| name.is(user)))
    }

    /// Whether the user is known to be in one of these.
    fn is_in(&self, groups: &GroupSet) -> bool {
        match self.user.map(|user| &user.groups) {
            Some(Groups::Known(known)) => groups.intersects(known),
            Some(Groups::Unknown) | None => false,
        }
    }

    /// Whether the user is in one of these, as far as anybody knows.
    fn may_be_in(&self, groups: &GroupSet) -> bool {
        match self.user.map(|user| &user.groups) {
            Some(Groups::Known(known)) => groups.intersects(known),
            Some(Groups::Unknown) => true,
            None => false,
        }
    }

    fn grants_people(&self, people: &People) -> bool {
        match people {
            People::AnyoneSignedIn => self.user.is_some(),
            People::Groups(groups) => self.is_in(groups),
        }
    }

    fn bans_people(&self, people: &People) -> bool {
        match people {
            People::AnyoneSignedIn => self.user.is_some(),
            People::Groups(groups) => self.may_be_in(groups),
        }
    }

    fn bans_service(&self, services: &BannedServices) -> bool {
        match services {
            BannedServices::Any => {
                self.place.is_some_and(|place| matches!(place.kind, PlaceKind::Service))
            }
            BannedServices::Only(list) => self.place_id.is_some_and(|place| list.contains(&place)),
        }
    }

    /// Whether the user's token was issued to a client that the place takes tokens from.
    pub(super) fn client_is_accepted(&self) -> bool {
        let Some(PlaceKind::Surface { clients: Some(clients), .. }) =
            self.place.map(|place| &place.kind)
        else {
            return true;
        };
        self.user
            .is_none_or(|user| user.client.as_ref().is_some_and(|client| clients.contains(client)))
    }

    fn grants_via(&self, via: &Via) -> bool {
        match via {
            Via::AnySurface => self.place.is_some_and(|place| {
                matches!(place.kind, PlaceKind::Surface { verified: true, .. })
            }),
            Via::Places(places) => places.iter().any(|via| {
                let ViaPlace { surface, channel } = via;
                self.place_id == Some(*surface)
                    && channel.is_none_or(|channel| self.channel == ChannelState::Known(channel))
            }),
        }
    }

    fn bans_via(&self, via: &Via) -> bool {
        match via {
            Via::AnySurface => {
                self.place.is_some_and(|place| matches!(place.kind, PlaceKind::Surface { .. }))
            }
            Via::Places(places) => places.iter().any(|via| {
                let ViaPlace { surface, channel } = via;
                self.place_id == Some(*surface)
                    && channel.is_none_or(|channel| {
                        // What is unknown matches a ban.
                        self.channel == ChannelState::Unknown
                            || self.channel == ChannelState::Known(channel)
                    })
            }),
        }
    }
}

/// What is known about a channel that a request from a place claims.
pub(crate) fn channel(place: Option<&Place>, claimed: Option<&str>) -> ChannelState {
    let Some(PlaceKind::Surface { channels, verified: true, clients: _ }) =
        place.map(|place| &place.kind)
    else {
        return ChannelState::NotUsed;
    };
    if channels.is_empty() {
        return ChannelState::NotUsed;
    }
    let Some(claimed) = claimed else {
        return ChannelState::Unknown;
    };
    channels
        .iter()
        .position(|channel| channel.ids.iter().any(|id| **id == *claimed))
        .and_then(|index| u32::try_from(index).ok())
        .map_or(ChannelState::Other, |index| ChannelState::Known(ChannelId(index)))
}
