//! A grant is called idle if, and only if, taking it away takes nothing from anybody.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use toolgate::access::{Idle, IdleGrants};
use toolgate::engine::{NoTrace, Query, Verdict, decide};
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::PolicySet;

use super::arguments;
use super::generator::{Asker, NOW, PROMPTS, Policy, TOOLS, URIS, askers, policy};

/// When something may end in random policies, and long after.
const TIMES: [&str; 4] =
    [NOW, "2026-11-20T12:00:01Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"];
/// What tells their limits apart.
const ARGUMENTS: [&str; 4] = ["{}", r#"{"n":3}"#, r#"{"n":7}"#, r#"{"n":12}"#];

/// Everything that anybody may do: whether it is looking around, and a number for what it is.
/// Tokens differ in scopes only if grants do.
fn allowed(set: &PolicySet, by_scopes: bool) -> BTreeSet<(bool, usize)> {
    let texts: Vec<_> = ARGUMENTS.iter().map(|text| arguments(text)).collect();
    let mut actions =
        vec![Action::Discover(Discovery::Initialize), Action::Discover(Discovery::ListTools)];
    for name in TOOLS {
        // Nothing is asked of the arguments of others.
        let told_apart = if ["read", "write"].contains(&name) { &texts[..] } else { &texts[..1] };
        actions.extend(told_apart.iter().map(|arguments| Action::CallTool {
            name,
            arguments,
            task: false,
        }));
    }
    actions.extend(URIS.map(|uri| Action::Resource { op: ResourceOp::Read, uri }));
    actions.extend(PROMPTS.map(|name| Action::Prompt { op: PromptOp::Get, name }));
    let times: Vec<Timestamp> = TIMES.iter().map(|time| time.parse().unwrap()).collect();
    let has_scopes = |asker: &Asker| match &asker.caller.user {
        Some(user) => !user.scopes.is_empty(),
        None => false,
    };
    let mut askers = askers(set);
    askers.retain(|asker| by_scopes || !has_scopes(asker));
    let mut allowed = BTreeSet::new();
    let mut number = 0;
    for asker in &askers {
        for action in &actions {
            for now in &times {
                number += 1;
                let query = Query {
                    server: "s",
                    environment: asker.environment,
                    caller: &asker.caller,
                    channel: asker.channel,
                    action: *action,
                    now: *now,
                };
                if decide(set, &query, &mut NoTrace).enforced != Verdict::Deny {
                    allowed.insert((matches!(action, Action::Discover(_)), number));
                }
            }
        }
    }
    allowed
}

fn load(policy: &Policy, grants: &[String]) -> PolicySet {
    Policy { grants: grants.to_vec(), ..policy.clone() }.load()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_grant_that_nobody_would_miss_is_found(policy in policy(), twice: Index, doubled: bool) {
        let mut grants = policy.grants.clone();
        if doubled && !grants.is_empty() {
            grants.push(grants[twice.index(grants.len())].clone());
        }
        let whole = load(&policy, &grants);
        let idle = IdleGrants::new(&whole).of("s", NOW.parse().unwrap()).unwrap();
        let by_scopes = grants.iter().any(|line| line.contains("scopes: "));
        let before = allowed(&whole, by_scopes);
        for (index, line) in grants.iter().enumerate() {
            let mut fewer = grants.clone();
            fewer.remove(index);
            let after = allowed(&load(&policy, &fewer), by_scopes);
            let lost: Vec<_> = before.symmetric_difference(&after).collect();
            let lost_items = lost.iter().filter(|(look, _)| !look).count();
            let found = idle.iter().find(|(of, _)| *of == index).map(|(_, why)| why);
            let told = format!("{line}: {found:?} of {grants:#?}\n{policy:#?}");
            match found {
                None => prop_assert!(!lost.is_empty(), "not found: {}", told),
                Some(Idle::Covered(by)) => {
                    prop_assert!(lost.is_empty() && !by.is_empty(), "needed: {}", told);
                }
                Some(Idle::Banned(by)) => {
                    prop_assert!(lost_items == 0 && !by.is_empty(), "needed: {}", told);
                }
                Some(Idle::Empty) => prop_assert_eq!(lost_items, 0, "needed: {}", told),
            }
        }
    }
}
