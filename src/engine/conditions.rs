//! Whether one grant or ban matches, and if not, which of its conditions do not hold.
//!
//! All conditions of a rule are looked at, so that a trace can name every one that is missing;
//! each is a few comparisons and none allocates.

use jiff::civil::Date;

use super::Query;
use crate::identity::{Groups, User};
use crate::policy::model::{
    Ban, BannedServices, ChannelId, EnvironmentId, Grant, GrantWho, People, Place, PlaceId,
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
        /// It is for people elsewhere.
        via,
        /// It is for another environment.
        environment,
        /// It does not name the tool, resource or prompt.
        call,
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
    }
}

impl Grant {
    /// Whether the grant is for this service.
    pub(super) fn is_for_service(&self, place: PlaceId) -> bool {
        match &self.who {
            GrantWho::Services(services) => services.contains(&place),
            GrantWho::People(..) => false,
        }
    }
}

impl<'q> Circumstances<'q> {
    pub(super) fn new(set: &'q PolicySet, query: &Query<'q>, place_id: Option<PlaceId>) -> Self {
        let place = place_id.and_then(|id| set.place(id));
        Self {
            user: query.caller.user.as_ref(),
            place_id,
            place,
            channel: channel(place, query.channel),
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
        let Grant { rule: _, who, environments, items, limits: _, last_day } = grant;
        let (who, via) = match who {
            GrantWho::People(people, via) => (!self.grants_people(people), !self.grants_via(via)),
            // A service's grant matches only a request without any user, and only plain reads:
            // the loader refuses others, and this holds even if it did not.
            GrantWho::Services(services) => {
                let alone = self.user.is_none();
                let named = self.place_id.is_some_and(|place| services.contains(&place));
                let plain = target.is_none_or(|target| target.is_plain_read());
                (!(alone && named && plain), false)
            }
        };
        GrantMisses {
            who,
            via,
            environment: !environments.contains(&environment),
            call: target.is_some_and(|target| !items.contains(target.id)),
            ended: last_day.is_some_and(|last_day| last_day < self.today),
        }
    }

    pub(super) fn ban_misses(
        &self,
        ban: &Ban,
        server: &Server,
        environment: EnvironmentId,
        target: Option<Target<'_>>,
    ) -> BanMisses {
        let Ban { rule: _, who, via, environments, servers, what } = ban;
        let who = who.as_ref().is_some_and(|who| {
            let people = who.people.as_ref().is_some_and(|people| self.bans_people(people));
            let services = who.services.as_ref().is_some_and(|list| self.bans_service(list));
            !people && !services
        });
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
            server: servers.as_ref().is_some_and(|list| !list.contains(&server.name)),
            what,
        }
    }

    fn grants_people(&self, people: &People) -> bool {
        match (people, self.user.map(|user| &user.groups)) {
            (People::AnyoneSignedIn, Some(_)) => true,
            (People::Groups(groups), Some(Groups::Known(known))) => groups.intersects(known),
            (People::Groups(_), Some(Groups::Unknown)) | (_, None) => false,
        }
    }

    fn bans_people(&self, people: &People) -> bool {
        match (people, self.user.map(|user| &user.groups)) {
            (_, None) => false,
            (People::AnyoneSignedIn, Some(_)) | (People::Groups(_), Some(Groups::Unknown)) => true,
            (People::Groups(groups), Some(Groups::Known(known))) => groups.intersects(known),
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

fn channel(place: Option<&Place>, claimed: Option<&str>) -> ChannelState {
    let Some(PlaceKind::Surface { channels, verified: true }) = place.map(|place| &place.kind)
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
