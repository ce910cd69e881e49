//! Exact access over all callers: who may do what under a policy set, or under one of two.
//!
//! Nobody is sampled, and no set of groups is listed. What is finite is walked through as cells:
//! server, environment, item, workload, channel, client, named user, time. What is left of a
//! decision in a cell is a formula over group claims and arguments (`engine::open`), and a solver
//! says whether the two sides differ there. Every difference comes with a witness, a caller that
//! exists, and every witness is put to [`decide`](crate::engine::decide) on both sides; should
//! the formulas ever say something else than it does, that is an error and never a result.
//!
//! Two claims of one group are two atoms, and all atoms are independent of each other: a witness
//! may hold claims of two issuers, which no single token does. Reviews count as in force.

mod always;
mod arguments;
mod atoms;
mod cells;
mod compare;
mod form;
mod formula;
mod idle;
mod portrait;
mod reach;
mod simplify;
mod solver;
mod strings;
mod witness;

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use crate::policy::model::RuleId;

pub use self::always::{
    Counterexample, Demand, Described, Invariant, Named, Proof, Prover, Targets,
};
pub use self::compare::compare;
pub use self::idle::{Idle, IdleGrants};
pub use self::reach::{Alternative, Reach, Reached, ReachedItem, Spot, Whom};
pub use self::witness::{Groups, Witness};

/// Everything that two policy sets decide differently.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// What changes, sorted by server, environment, item, place and direction. Empty if, and only
    /// if, no query is decided otherwise.
    pub changes: Vec<Change>,
    /// How many servers stand on either side.
    pub servers: usize,
    /// How many of them had to be looked at; the others are the same on both sides.
    pub looked_at: usize,
}

/// One item, from one place, in one direction.
#[derive(Clone, Debug)]
pub struct Change {
    /// The server's name.
    pub server: Box<str>,
    /// The environment's name.
    pub environment: Box<str>,
    /// What is used.
    pub item: Item,
    /// Where from.
    pub place: PlaceWords,
    /// What happens to access.
    pub direction: Direction,
    /// For whom: all of these add up. As the rules of the side that lets them through say it, so
    /// that some of them may be let through by the other side as well. Empty for
    /// [`Direction::NotComparable`].
    pub who: Vec<Who>,
    /// When, from the instant of the comparison on; adjacent times are one.
    pub when: Vec<Span>,
    /// Whether it depends on the arguments: without them, or for other ones, nothing changes.
    pub by_arguments: bool,
    /// The old rules that have a part in it: grants that lose or lost, bans that go.
    pub old_rules: Vec<RuleId>,
    /// The new rules that have a part in it: grants that gain, bans that come.
    pub new_rules: Vec<RuleId>,
    /// The smallest caller who is decided upon differently. `None` only for
    /// [`Direction::NotComparable`], where nobody knows one.
    pub witness: Option<Witness>,
}

/// What happens to access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Refused before; now let through, or let through once somebody approves.
    Wider,
    /// Under approval before; now let through without.
    WithoutApproval,
    /// Limits differ in a way that cannot be compared, such as two regular expressions. Counts as
    /// wider.
    NotComparable,
    /// Let through before; now under approval.
    UnderApproval,
    /// Let through or under approval before; now refused.
    Narrower,
}

/// A tool, resource or prompt of a server, or looking around there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// Opening a connection: `initialize`, `ping`, `server/discover`, notifications.
    Open,
    /// Lists and streams.
    Look,
    /// A tool, by name.
    Tool(Box<str>),
    /// A resource.
    Resource {
        /// The pattern that names it, of whichever side has one.
        pattern: Box<str>,
        /// One that the pattern names, and no narrower one of either side.
        uri: Box<str>,
    },
    /// A prompt, by name.
    Prompt(Box<str>),
    /// Tasks: what came of calls that were not waited for.
    Tasks,
    /// A method of an extension.
    Method(Box<str>),
}

/// Where a caller speaks from, on both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceWords {
    /// A surface (`ai-chat`), a channel of it (`chat-bot/help`) or a service, under the old
    /// policies; `None` if it belongs nowhere there.
    pub old: Option<Box<str>>,
    /// The same under the new ones.
    pub new: Option<Box<str>>,
}

/// Somebody, in the words of the policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// People by group.
    People(Clause),
    /// People whose token does not say in which groups they are.
    UnknownGroups {
        /// Only this one, `issuer:subject`.
        name: Option<Box<str>>,
        /// And only with all of these scopes.
        scopes: Vec<Box<str>>,
    },
    /// A user by name, beyond what the groups say: `issuer:subject`.
    User {
        /// The name. Other users that the same rules name are left out.
        name: Box<str>,
        /// What is asked of the user's groups.
        clause: Clause,
    },
    /// Nobody is signed in: a service, or a surface that opens a connection.
    NobodySignedIn,
}

/// People by group: in one of `people`, and in one of `also_in`, and in none of `not`, with a
/// token that has all of `scopes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clause {
    /// `None` for everybody who is signed in.
    pub people: Option<Vec<Box<str>>>,
    /// `None` if nothing else is asked for.
    pub also_in: Option<Vec<Box<str>>>,
    /// The scopes that are asked for.
    pub scopes: Vec<Box<str>>,
    /// Left out by the grant or taken away by bans.
    pub not: Vec<Box<str>>,
    /// Whether arguments are limited, by the grant or the tool.
    pub limited: bool,
}

/// From an instant until another one, which is not part of it; `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Option<Timestamp>,
}

/// The formulas and the decision disagree. A mistake in this module, never in a policy.
#[derive(Clone, Debug, Error)]
#[error(
    "{item} on {server}@{environment}: {witness} was expected to be \
     {expected}, and is not; please report this as a bug"
)]
pub struct Disagreement {
    /// The server.
    pub server: Box<str>,
    /// The environment.
    pub environment: Box<str>,
    /// What was asked for.
    pub item: Item,
    /// Who asked.
    pub witness: Box<Witness>,
    /// What the formulas say.
    pub expected: &'static str,
}

// === impl Direction ===

impl Direction {
    /// Whether access grows, or might.
    #[must_use]
    pub fn is_wider(self) -> bool {
        match self {
            Self::Wider | Self::WithoutApproval | Self::NotComparable => true,
            Self::UnderApproval | Self::Narrower => false,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wider => "wider",
            Self::WithoutApproval => "without approval",
            Self::NotComparable => "changed, not comparable",
            Self::UnderApproval => "under approval",
            Self::Narrower => "narrower",
        })
    }
}

// === impl Item, Who, Clause ===

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("opening a connection"),
            Self::Look => f.write_str("looking around"),
            Self::Tool(name) | Self::Prompt(name) => f.write_str(name),
            Self::Resource { pattern, uri: _ } => f.write_str(pattern),
            Self::Tasks => f.write_str("tasks"),
            Self::Method(name) => write!(f, "method {name}"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::People(clause) => clause.fmt(f),
            Self::UnknownGroups { name, scopes } => {
                write!(f, "{} with unknown groups", name.as_deref().unwrap_or("people"))?;
                scopes.iter().try_for_each(|scope| write!(f, " and scope:{scope}"))
            }
            Self::User { name, clause } if *clause == Clause::default() => f.write_str(name),
            Self::User { name, clause } => write!(f, "{name} if {clause}"),
            Self::NobodySignedIn => f.write_str("without a user"),
        }
    }
}

/// `finance|ads and data-trained and scope:revenue, not contractors`
impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { people, also_in, scopes, not, limited } = self;
        match people {
            Some(people) => f.write_str(&people.join("|"))?,
            None => f.write_str("anyone signed in")?,
        }
        if let Some(also_in) = also_in {
            write!(f, " and {}", also_in.join("|"))?;
        }
        for scope in scopes {
            write!(f, " and scope:{scope}")?;
        }
        if !not.is_empty() {
            write!(f, ", not {}", not.join(", not "))?;
        }
        if *limited { f.write_str(", within limits") } else { Ok(()) }
    }
}
