//! How a decision was reached, for those who ask. [`NoTrace`] compiles to nothing.

use jiff::civil::Date;

use super::conditions::{BanMisses, ChannelState, GrantMisses};
use super::limits::Breach;
use crate::policy::model::{
    Coverage, EnvironmentId, ListedReview, NeededReview, PlaceId, PolicySet, ReviewId, RuleId,
};

/// Takes in the steps of a decision.
pub trait Trace {
    /// Whether anybody listens. If not, evaluation stops at the first rule that decides.
    const ON: bool;

    /// Takes in a step.
    fn record(&mut self, step: Step<'_>);
}

/// A step of a decision.
#[derive(Clone, Copy, Debug)]
pub enum Step<'s> {
    /// A kind of review that the environment needs.
    Review {
        /// What is needed.
        needed: &'s NeededReview,
        /// The review that is in force, if one is.
        in_force: Option<ReviewId>,
    },
    /// Where the caller speaks from.
    Place {
        /// The surface or service, if it is a declared one.
        place: Option<PlaceId>,
        /// The environment asked for.
        environment: EnvironmentId,
        /// What is known about the channel.
        channel: ChannelState,
        /// Whether the environment can be reached from there.
        reaches: bool,
    },
    /// Whether the place takes tokens of the user's client.
    Client {
        /// It does, or takes any, or there is no token.
        accepted: bool,
    },
    /// A ban that was looked at.
    Ban {
        /// The ban.
        rule: RuleId,
        /// What keeps it from matching.
        misses: BanMisses,
    },
    /// A grant that was looked at.
    Grant {
        /// The grant.
        rule: RuleId,
        /// What keeps it from matching.
        misses: GrantMisses,
    },
    /// Arguments outside their limits.
    Breach {
        /// The matching grant whose limits they are; `None` if they are the tool's.
        grant: Option<RuleId>,
        /// What is outside.
        breach: Breach,
    },
}

/// How a listed review stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// It counts.
    InForce,
    /// It was not approved yet.
    NotYet,
    /// It has ended.
    Ended,
    /// It covers other tools than the server has now.
    OtherTools,
    /// The server does not stand in it.
    NotCovered,
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

/// Keeps what is needed to explain a decision.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// Reviews: what was needed, and what was in force.
    pub reviews: Vec<(NeededReview, Option<ReviewId>)>,
    /// Where the caller speaks from, and whether that reaches the environment.
    pub place: Option<(Option<PlaceId>, EnvironmentId, ChannelState, bool)>,
    /// Whether the place takes tokens of the user's client.
    pub client: Option<bool>,
    /// The bans that were looked at.
    pub bans: Vec<(RuleId, BanMisses)>,
    /// The grants that were looked at.
    pub grants: Vec<(RuleId, GrantMisses)>,
    /// The limits that do not hold: of a matching grant, or of the tool.
    pub breaches: Vec<(Option<RuleId>, Breach)>,
}

impl Trace for NoTrace {
    const ON: bool = false;

    fn record(&mut self, _: Step<'_>) {}
}

impl Trace for Recorder {
    const ON: bool = true;

    fn record(&mut self, step: Step<'_>) {
        match step {
            Step::Review { needed, in_force } => self.reviews.push((needed.clone(), in_force)),
            Step::Place { place, environment, channel, reaches } => {
                self.place = Some((place, environment, channel, reaches));
            }
            Step::Client { accepted } => self.client = Some(accepted),
            Step::Ban { rule, misses } => self.bans.push((rule, misses)),
            Step::Grant { rule, misses } => self.grants.push((rule, misses)),
            Step::Breach { grant, breach } => self.breaches.push((grant, breach)),
        }
    }
}

impl ReviewState {
    /// How a listed review stands on a day.
    #[must_use]
    pub fn of(set: &PolicySet, listed: &ListedReview, today: Date) -> Self {
        // Ids come from the set itself; one that leads nowhere covers nothing.
        let Some(review) = set.review(listed.id) else {
            return Self::NotCovered;
        };
        match listed.coverage {
            _ if today < review.approved => Self::NotYet,
            _ if today > review.last_day => Self::Ended,
            Coverage::Nothing => Self::NotCovered,
            Coverage::OtherTools => Self::OtherTools,
            Coverage::Tools => Self::InForce,
        }
    }
}
