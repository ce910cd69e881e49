//! What `compare` finds is what asking everything finds.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use toolgate::access::{Change, Direction, Groups as WitnessGroups, Item, compare};
use toolgate::engine::{NoTrace, Query, Verdict, decide};
use toolgate::identity::{Caller, Groups, User, Workload};
use toolgate::json::Object;
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::PolicySet;

use super::arguments;
use super::generator::{SCOPES, some, user};
use super::pairs::{
    ARGUMENTS, CHANNELS, CLAIMS, CLIENTS, NOW, PROMPTS, Side, TIMES, TOOLS, Theme, URIS, USERS,
    WORKLOADS, pair,
};

/// Environment, item, the names of the old and the new place, direction.
type Key = (String, String, Option<String>, Option<String>, Direction);

/// A caller under one side and under the other.
pub(super) struct Both {
    pub(super) callers: [Caller; 2],
    pub(super) channel: Option<&'static str>,
}

fn workload(name: &str) -> Option<Workload> {
    (!name.is_empty()).then(|| Workload::new(&format!("spiffe://td/{name}")).unwrap())
}

fn users(sets: [&PolicySet; 2], theme: Theme) -> Vec<[Option<User>; 2]> {
    let mut users = vec![[None, None]];
    let clients = if theme == Theme::People { CLIENTS } else { &CLIENTS[2..3] };
    let (names, claims) = match theme {
        Theme::People => (USERS, CLAIMS),
        Theme::Arguments => (&USERS[1..], &CLAIMS[..1]),
    };
    for name in names {
        for client in clients {
            let mut groups = vec![[Groups::Unknown, Groups::Unknown]];
            for bits in 0..1_usize << claims.len() {
                let held = claims.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
                let held: Vec<_> = held.map(|(_, claim)| *claim).collect();
                groups.push(sets.map(|set| {
                    Groups::Known(set.claimed_groups("corp", "", held.iter().copied()))
                }));
            }
            // Which client it is says nothing about scopes.
            let scopes = if *client == CLIENTS[2] { &SCOPES[..] } else { &SCOPES[3..] };
            for scopes in scopes {
                users.extend(groups.iter().cloned().map(|both| {
                    both.map(|groups| {
                        let client = client.map(Into::into);
                        let scopes = scopes.iter().map(|scope| (*scope).into()).collect();
                        Some(User { client, scopes, ..user(name, groups) })
                    })
                }));
            }
        }
    }
    users
}

pub(super) fn askers(sets: [&PolicySet; 2], theme: Theme) -> Vec<Both> {
    let mut askers = Vec::new();
    let workloads = if theme == Theme::People { WORKLOADS } else { &WORKLOADS[1..2] };
    for users in users(sets, theme) {
        for name in workloads {
            let client = users[0].as_ref().and_then(|user| user.client.as_deref());
            // The other places take tokens of any client.
            if client != CLIENTS[2] && !["chat", "more"].contains(name) && users[0].is_some() {
                continue;
            }
            let channels = if name.starts_with("bot") { CHANNELS } else { &CHANNELS[..1] };
            for channel in channels {
                let callers = users
                    .clone()
                    .map(|user| Caller { user: user.map(Into::into), workload: workload(name) });
                askers.push(Both { callers, channel: *channel });
            }
        }
    }
    askers
}

fn actions<'a>(arguments: &'a [Object<'a>]) -> Vec<(String, Action<'a>)> {
    let mut actions = Vec::new();
    for name in TOOLS {
        for arguments in arguments {
            actions.push(((*name).to_owned(), Action::CallTool { name, arguments, task: false }));
        }
    }
    for uri in URIS {
        actions.push(("resource".to_owned(), Action::Resource { op: ResourceOp::Read, uri }));
    }
    for name in PROMPTS {
        actions.push(((*name).to_owned(), Action::Prompt { op: PromptOp::Get, name }));
    }
    actions.push(("open".to_owned(), Action::Discover(Discovery::Initialize)));
    actions.push(("look".to_owned(), Action::Discover(Discovery::ListTools)));
    actions
}

pub(super) fn ask(set: &PolicySet, query: &Query<'_>) -> Verdict {
    decide(set, query, &mut NoTrace).enforced
}

fn direction(verdicts: [Verdict; 2]) -> Option<Direction> {
    use Verdict::{Allow, Deny, NeedsApproval};
    match verdicts {
        [Deny, Allow | NeedsApproval] => Some(Direction::Wider),
        [Allow | NeedsApproval, Deny] => Some(Direction::Narrower),
        [NeedsApproval, Allow] => Some(Direction::WithoutApproval),
        [Allow, NeedsApproval] => Some(Direction::UnderApproval),
        [Allow, Allow] | [Deny, Deny] | [NeedsApproval, NeedsApproval] => None,
    }
}

/// What is decided differently, by asking: every action, for some of all callers.
fn differences(sets: [&PolicySet; 2], theme: Theme, start: Index) -> BTreeSet<Key> {
    let texts = if theme == Theme::People { &["{}", r#"{"n":21}"#][..] } else { ARGUMENTS };
    let parsed: Vec<_> = texts.iter().map(|text| arguments(text)).collect();
    let times = if theme == Theme::People { TIMES } else { &TIMES[..1] };
    let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
    let actions = actions(&parsed);
    let mut found = BTreeSet::new();
    let askers = askers(sets, theme);
    let (askers, environments) = match theme {
        Theme::People => (some(askers, start), &["prod", "dev"][..]),
        Theme::Arguments => (askers, &["prod"][..]),
    };
    for asker in askers {
        let Both { callers: [old, new], channel } = &asker;
        let names = sets.map(|set| {
            let place = set.place_of(old.workload.as_ref());
            place.and_then(|id| set.place(id)).map(|place| place.name.to_string())
        });
        for environment in environments {
            for now in &times {
                for (item, action) in &actions {
                    let query = |caller| Query {
                        server: "s",
                        environment,
                        caller,
                        channel: *channel,
                        action: *action,
                        now: *now,
                    };
                    let verdicts = [ask(sets[0], &query(old)), ask(sets[1], &query(new))];
                    if let Some(direction) = direction(verdicts) {
                        let [a, b] = names.clone();
                        found.insert(((*environment).to_owned(), item.clone(), a, b, direction));
                    }
                }
            }
        }
    }
    found
}

fn key(change: &Change) -> Key {
    let item = match &change.item {
        Item::Open => "open".to_owned(),
        Item::Look => "look".to_owned(),
        Item::Tool(name) | Item::Prompt(name) | Item::Method(name) => name.to_string(),
        Item::Tasks => "tasks".to_owned(),
        Item::Resource { .. } => "resource".to_owned(),
    };
    let name = |words: &Option<Box<str>>| {
        words.as_ref().map(|words| words.split(['/', ' ']).next().unwrap().to_owned())
    };
    let (old, new) = (name(&change.place.old), name(&change.place.new));
    (change.environment.to_string(), item, old, new, change.direction)
}

/// Asks again, from nothing but the witness.
fn asked_again(sets: [&PolicySet; 2], change: &Change) -> Option<Direction> {
    let witness = change.witness.as_ref().unwrap();
    let groups = |side: usize| match &witness.groups {
        WitnessGroups::NobodySignedIn => None,
        WitnessGroups::Unknown => Some(Groups::Unknown),
        WitnessGroups::Known { old, new } => {
            let names = [old, new][side];
            Some(Groups::Known(names.iter().map(|name| sets[side].group(name).unwrap()).collect()))
        }
    };
    let text = witness.arguments.clone().unwrap_or_else(|| "{}".to_owned());
    let arguments = arguments(&text);
    let verdict = |side: usize| {
        let user = groups(side).map(|groups| {
            let name = witness.user.as_ref().map_or("nobody-else", |user| user.subject());
            let (client, scopes) = (witness.client.clone(), witness.scopes.clone());
            User { client, scopes, ..user(name, groups) }
        });
        let caller = Caller { user: user.map(Into::into), workload: witness.workload.clone() };
        let query = Query {
            server: &change.server,
            environment: &change.environment,
            caller: &caller,
            channel: witness.channel.as_deref(),
            action: match &change.item {
                Item::Open => Action::Discover(Discovery::Initialize),
                Item::Look => Action::Discover(Discovery::ListTools),
                Item::Tool(name) => Action::CallTool { name, arguments: &arguments, task: false },
                Item::Prompt(name) => Action::Prompt { op: PromptOp::Get, name },
                Item::Tasks => Action::Task { id: None },
                Item::Method(name) => Action::Extension(name),
                Item::Resource { uri, .. } => Action::Resource { op: ResourceOp::Read, uri },
            },
            now: witness.at,
        };
        ask(sets[side], &query)
    };
    direction([verdict(0), verdict(1)])
}

fn agree(old: &Side, new: &Side, theme: Theme, start: Index) -> Result<(), TestCaseError> {
    let (old, new) = match (old.load(), new.load()) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problems), _) | (_, Err(problems)) => panic!("{problems}"),
    };
    let sets = [&old, &new];
    let found = compare(&old, &new, NOW.parse().unwrap());
    let found = found.map_err(|error| TestCaseError::fail(error.to_string()))?;
    for change in &found.changes {
        if change.direction == Direction::NotComparable {
            prop_assert!(change.witness.is_none(), "{:?}", change);
        } else {
            prop_assert_eq!(asked_again(sets, change), Some(change.direction), "{:?}", change);
        }
    }
    let reported: BTreeSet<_> = found.changes.iter().map(key).collect();
    for difference in differences(sets, theme, start) {
        let (environment, item, a, b, _) = difference.clone();
        let unclear = (environment, item, a, b, Direction::NotComparable);
        prop_assert!(
            reported.contains(&difference) || reported.contains(&unclear),
            "missing {:?} in {:?}",
            difference,
            reported
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(32), ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_decided_upon_differently_is_found(pair in pair(Theme::People), start: Index) {
        agree(&pair.0, &pair.1, Theme::People, start)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(192), ..ProptestConfig::default() })]

    #[test]
    fn arguments_that_are_decided_upon_differently_are_found(pair in pair(Theme::Arguments), start: Index) {
        agree(&pair.0, &pair.1, Theme::Arguments, start)?;
    }
}

/// More of them, if `PROPTEST_CASES` says so.
pub(super) fn cases(few: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few)
}
