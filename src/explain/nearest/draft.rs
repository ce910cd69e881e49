//! A request that is not the one that was made.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::Change;
use crate::identity::{Caller, GroupId, GroupSet, Groups, User, UserName, WorkloadPattern};
use crate::policy::limits::{Limit, Scalar, Test, Token};
use crate::policy::model::{Place, PlaceKind};

/// How many values of a list are tried.
const MOST_VALUES: usize = 5;

/// A request that is not the one that was made.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) environment: String,
    pub(super) caller: Caller,
    pub(super) channel: Option<String>,
    pub(super) arguments: Value,
    pub(super) at: Timestamp,
    pub(super) changes: Vec<Change>,
    /// Groups that the person was put into, and out of which others would do as well.
    pub(super) joined: Vec<(GroupId, GroupSet)>,
}

impl Draft {
    pub(super) fn with(&self, change: Change, make: impl FnOnce(&mut Self)) -> Self {
        let mut draft = self.clone();
        draft.changes.push(change);
        make(&mut draft);
        draft
    }

    pub(super) fn known_groups(&self) -> Self {
        self.with(Change::KnownGroups, |draft| draft.set_groups(GroupSet::default()))
    }

    pub(super) fn user(&self) -> Option<&User> {
        self.caller.user.as_deref()
    }

    pub(super) fn groups(&self) -> GroupSet {
        match self.user().map(|user| &user.groups) {
            Some(Groups::Known(groups)) => groups.clone(),
            Some(Groups::Unknown) | None => GroupSet::default(),
        }
    }

    pub(super) fn set_groups(&mut self, groups: GroupSet) {
        if let Some(user) = &mut self.caller.user {
            let user = Arc::make_mut(user);
            user.groups = Groups::Known(groups);
        }
    }

    pub(super) fn as_user(&self, name: &UserName) -> Self {
        self.with(Change::User(name.to_string()), |draft| {
            let user = draft.caller.user.get_or_insert_with(|| Arc::new(somebody()));
            let user = Arc::make_mut(user);
            user.issuer = name.issuer().into();
            user.subject = name.subject().into();
        })
    }

    /// With a token that also has these scopes; `None` if nobody is signed in.
    pub(super) fn with_scopes(&self, scopes: &[Box<str>]) -> Option<Self> {
        let held = &self.user()?.scopes;
        let missing: Vec<_> =
            scopes.iter().filter(|scope| !held.contains(scope)).cloned().collect();
        let names = missing.iter().map(ToString::to_string).collect();
        Some(self.with(Change::Scopes(names), |draft| {
            if let Some(user) = &mut draft.caller.user {
                Arc::make_mut(user).scopes.extend(missing);
            }
        }))
    }

    /// With another value at a pointer whose way leads through objects, or without any.
    pub(super) fn with_argument(&self, pointer: &str, value: Option<Value>) -> Option<Self> {
        let shown = value.as_ref().map(ToString::to_string);
        let mut draft = self.with(Change::Argument(pointer.to_owned(), shown), |_| {});
        let (parent, name) = pointer.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        let parent = draft.arguments.pointer_mut(parent)?.as_object_mut()?;
        match value {
            Some(value) => parent.insert(name, value),
            None => parent.shift_remove(&name),
        };
        (draft.arguments != self.arguments).then_some(draft)
    }
}

pub(super) fn somebody() -> User {
    User::new("-", "somebody", Groups::Known(GroupSet::default()))
}

pub(super) fn via_place(draft: &Draft, place: &Place, channel: Option<&str>) -> Draft {
    let name = match channel {
        Some(channel) => format!("{}/{channel}", place.name),
        None => place.name.to_string(),
    };
    draft.with(Change::Via(name), |draft| {
        draft.caller.workload = place.workloads.first().and_then(WorkloadPattern::example);
        let id = channel.and_then(|name| place.channel_named(name));
        draft.channel = id.and_then(|channel| channel.ids.first()).map(ToString::to_string);
        if let Some(user) = &mut draft.caller.user {
            let user = Arc::make_mut(user);
            user.client = first_client(place).or(user.client.take());
        }
    })
}

pub(super) fn first_client(place: &Place) -> Option<Box<str>> {
    match &place.kind {
        PlaceKind::Surface { clients, .. } => clients.as_ref()?.first().cloned(),
        PlaceKind::Service => None,
    }
}

/// Values that a limit may let through, the plainest first; `None` leaves the argument out. One
/// inside a list is not looked for.
pub(super) fn values(limit: &Limit) -> Vec<Option<Value>> {
    let Limit { pointer, optional, tests } = limit;
    if pointer.rest().iter().any(|token| matches!(token, Token::Each)) {
        return Vec::new();
    }
    let number = |number: &dyn std::fmt::Display| serde_json::from_str(&number.to_string()).ok();
    let scalar = |scalar: &Scalar| match scalar {
        Scalar::Bool(value) => Some(Value::from(*value)),
        Scalar::Number(value) => number(value),
        Scalar::Text(value) => Some(Value::from(&**value)),
    };
    let of = |test: &Test| match test {
        Test::Is(value) => vec![scalar(value)],
        Test::OneOf(values) => values.iter().take(MOST_VALUES).map(scalar).collect(),
        Test::Between(low, high) => vec![number(high), number(low)],
        Test::StartsWith(start) => vec![Some(Value::from(&**start))],
        Test::Domain(domains) => domains
            .iter()
            .take(1)
            .flat_map(|domain| [format!("https://{domain}/"), format!("somebody@{domain}")])
            .map(|address| Some(Value::from(address)))
            .collect(),
        Test::MaxLength(most) => {
            let most = usize::try_from(*most).unwrap_or(usize::MAX);
            vec![Some(Value::from("text".chars().take(most).collect::<String>()))]
        }
        Test::MaxItems(_) => vec![Some(Value::Array(Vec::new()))],
        Test::Forbidden => vec![None],
        Test::Matches(pattern) => {
            pattern.example().map(|text| Some(Value::from(text))).into_iter().collect()
        }
    };
    let mut values: Vec<_> = tests.iter().flat_map(of).collect();
    if *optional {
        values.push(None);
    }
    values
}
