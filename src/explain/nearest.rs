//! What would have to be otherwise for a refused request to be let through.
//!
//! A change is made to the request and the request decided again, until a grant lets it through:
//! nothing is promised that does not hold.

mod draft;
mod steps;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

use self::draft::Draft;
use super::words::agreement;
use crate::engine::{self, Decision, Query, Reason, Recorder, Verdict};
use crate::identity::GroupId;
use crate::json::{self, Object};
use crate::mcp::{self, Action};
use crate::policy::PolicySet;
use crate::policy::model::{Grant, ItemId, Server};

/// How many ways are told.
const MOST: usize = 3;
/// More changes than this are another request.
const MOST_CHANGES: usize = 5;
/// How many requests are decided for each grant, at most.
const MOST_TRIES: usize = 100;

/// A grant, and what it takes to be let through by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The grant's name.
    pub grant: String,
    /// All of these together, each of them needed.
    pub changes: Vec<Change>,
    /// Who has to agree even then, in words.
    pub approval: Option<String>,
}

/// Something that would have to be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody is signed in.
    SignIn,
    /// The person is this one, `issuer:subject`.
    User(String),
    /// The token says which groups the person is in.
    KnownGroups,
    /// The person is in one of these groups; any of them will do.
    Group(Vec<String>),
    /// The person is in none of these groups.
    NotGroup(Vec<String>),
    /// The token has these scopes as well.
    Scopes(Vec<String>),
    /// The service asks, without a person.
    Service(String),
    /// The request comes from this surface, or `surface/channel`.
    Via(String),
    /// The request goes to the server in this environment.
    Environment(String),
    /// The token was issued to this client.
    Client(String),
    /// The grant had not ended at this instant.
    Ended(Timestamp),
    /// An argument has another value, such as this one, as JSON; `None` if it is left out.
    Argument(String, Option<String>),
}

/// What is asked about, in one place.
pub(super) struct Search<'s> {
    set: &'s PolicySet,
    server: &'s Server,
    query: &'s Query<'s>,
    item: Option<ItemId>,
}

impl<'s> Search<'s> {
    /// Nothing can be searched for on a server, or for an item, that is not there.
    pub(super) fn new(set: &'s PolicySet, query: &'s Query<'s>) -> Option<Self> {
        let server = set.server(query.server)?;
        let item = match query.action {
            Action::Discover(_) | Action::Listen(_) => None,
            Action::Task { .. } if server.protocol().tasks => None,
            Action::Extension(method) if server.lets_through(method) => None,
            Action::CallTool { name, .. } => Some(ItemId::Tool(server.tool(name)?.0)),
            Action::Resource { uri, .. } => Some(ItemId::Resource(server.resource(uri)?.0)),
            Action::Prompt { name, .. } => Some(ItemId::Prompt(server.prompt(name)?.0)),
            Action::Task { .. } | Action::Extension(_) | Action::Unknown => return None,
        };
        Some(Self { set, server, query, item })
    }

    /// The fewest changes that let a refused request through, one way for each grant.
    pub(super) fn nearest(&self, decision: Decision, arguments: &str) -> Vec<Nearest> {
        let changeable = matches!(
            decision.reason,
            Some(
                Reason::Unauthenticated
                    | Reason::Surface
                    | Reason::Banned
                    | Reason::NoGrant
                    | Reason::Limit
            )
        );
        let Ok(arguments) = serde_json::from_str(arguments) else { return Vec::new() };
        if decision.verdict != Verdict::Deny || !changeable {
            return Vec::new();
        }
        let start = Draft {
            environment: self.query.environment.to_owned(),
            caller: self.query.caller.clone(),
            channel: self.query.channel.map(str::to_owned),
            arguments,
            at: self.query.now,
            changes: Vec::new(),
            joined: Vec::new(),
        };
        let named = |grant: &&Grant| self.item.is_none_or(|item| grant.items.contains(item));
        let grants = self.server.grants().iter().filter(named);
        let mut found: Vec<_> =
            grants.filter_map(|grant| self.by_grant(grant, start.clone())).collect();
        found.sort_by_key(|nearest| nearest.changes.len());
        found.truncate(MOST);
        found
    }

    /// The fewest changes until this grant lets the request through.
    fn by_grant(&self, grant: &Grant, start: Draft) -> Option<Nearest> {
        let mut drafts = VecDeque::from([start]);
        let mut tries = 0;
        // Fewest changes first: every step adds one.
        while let Some(mut draft) = drafts.pop_front() {
            tries += 1;
            let (decision, trace) = self.decide(&draft)?;
            if decision.verdict != Verdict::Deny {
                // Another grant may be what lets it through, and is told as itself.
                if !lets(grant, &trace) {
                    continue;
                }
                self.add_alternatives(&mut draft);
                let name = self.set.rule(grant.rule)?.name.to_string();
                let approval = self.approval(decision);
                return Some(Nearest { grant: name, changes: draft.changes, approval });
            }
            if tries < MOST_TRIES && draft.changes.len() < MOST_CHANGES {
                drafts.extend(self.next(grant, &draft, decision, &trace));
            }
        }
        None
    }

    fn decide(&self, draft: &Draft) -> Option<(Decision, Recorder)> {
        let text = draft.arguments.to_string();
        let limits = json::Limits {
            max_depth: mcp::LIMITS.max_depth - 2,
            guarded_keys: mcp::LIMITS.guarded_keys,
        };
        let arguments = match json::parse(text.as_bytes(), limits).ok()? {
            json::Value::Object(object) => object,
            json::Value::Null
            | json::Value::Bool(_)
            | json::Value::Number(_)
            | json::Value::String(_)
            | json::Value::Array(_) => Object::EMPTY,
        };
        let action = match self.query.action {
            Action::CallTool { name, arguments: _, task } => {
                Action::CallTool { name, arguments: &arguments, task }
            }
            other @ (Action::Resource { .. }
            | Action::Prompt { .. }
            | Action::Discover(_)
            | Action::Listen(_)
            | Action::Task { .. }
            | Action::Extension(_)
            | Action::Unknown) => other,
        };
        let query = Query {
            server: self.query.server,
            environment: &draft.environment,
            caller: &draft.caller,
            channel: draft.channel.as_deref(),
            action,
            now: draft.at,
        };
        let mut trace = Recorder::default();
        let decision = engine::decide(self.set, &query, &mut trace);
        Some((decision, trace))
    }

    fn approval(&self, decision: Decision) -> Option<String> {
        let Some(ItemId::Tool(id)) = self.item else { return None };
        let tool = self.server.tools().get(id.index())?;
        let approver = tool.approval.as_ref();
        let asked = approver.filter(|_| decision.verdict == Verdict::NeedsApproval);
        asked.map(|approver| agreement(self.set, approver))
    }

    /// The other groups that would do as well as those that the person was put into.
    fn add_alternatives(&self, draft: &mut Draft) {
        let held = draft.groups();
        for (joined, groups) in draft.joined.clone() {
            let rest: Vec<_> = held.iter().filter(|group| *group != joined).collect();
            let mut others: Vec<GroupId> = Vec::new();
            for other in groups.iter().filter(|group| !held.contains(*group)) {
                let mut tried = draft.clone();
                tried.set_groups(rest.iter().copied().chain([other]).collect());
                let lets = |(decision, _): &(Decision, _)| decision.verdict != Verdict::Deny;
                if self.decide(&tried).as_ref().is_some_and(lets) {
                    others.push(other);
                }
            }
            let own = self.names([joined]);
            let change =
                draft.changes.iter_mut().find(|change| **change == Change::Group(own.clone()));
            if let Some(Change::Group(names)) = change {
                names.extend(self.names(others));
            }
        }
    }
}

/// Whether this grant is one of those that let the request through.
fn lets(grant: &Grant, trace: &Recorder) -> bool {
    let matches =
        trace.grants.iter().any(|(rule, misses)| *rule == grant.rule && misses.is_empty());
    matches && !trace.breaches.iter().any(|(rule, _)| *rule == Some(grant.rule))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn => f.write_str("sign in"),
            Self::User(name) => write!(f, "be {name}"),
            Self::KnownGroups => f.write_str("have a token that says the groups"),
            Self::Group(names) => write!(f, "be in {}", names.join(" or ")),
            Self::NotGroup(names) => write!(f, "not be in {}", names.join(" and ")),
            Self::Scopes(names) => {
                let word = if names.len() == 1 { "scope" } else { "scopes" };
                write!(f, "have a token with the {word} {}", names.join(" and "))
            }
            Self::Service(name) => write!(f, "come as the service {name}, without a person"),
            Self::Via(place) => write!(f, "come via {place}"),
            Self::Environment(name) => write!(f, "use {name}"),
            Self::Client(name) => write!(f, "have a token issued to {name}"),
            Self::Ended(at) => write!(f, "the grant had not ended at {at}"),
            Self::Argument(pointer, Some(value)) => write!(f, "{pointer} such as {value}"),
            Self::Argument(pointer, None) => write!(f, "leave {pointer} out"),
        }
    }
}

impl Change {
    /// What kind of change it is, for machines.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::User(_) => "user",
            Self::KnownGroups => "known_groups",
            Self::Group(_) => "group",
            Self::NotGroup(_) => "not_group",
            Self::Scopes(_) => "scopes",
            Self::Service(_) => "service",
            Self::Via(_) => "via",
            Self::Environment(_) => "environment",
            Self::Client(_) => "client",
            Self::Ended(_) => "ended",
            Self::Argument(..) => "argument",
        }
    }
}
