//! What holds for every policy. The policies are random, the callers are all there could be.

mod access;
mod again;
mod always;
mod diff;
mod generator;
mod idle;
mod matrix;
mod pairs;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use toolgate::engine::{Decision, NoTrace, Query, Reason, Verdict, decide, step_up, visible};
use toolgate::identity::{Groups, User};
use toolgate::json::{self, Limits, Object, Value};
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::PolicySet;

use self::generator::{
    Asker, NOW, PROMPTS, SCOPES, Style, TOOLS, URIS, askers, ban, new_tool, policy, some, subsets,
    with_scopes,
};

const ARGUMENTS: [&str; 2] = ["{}", r#"{"n":7}"#];

fn arguments(text: &str) -> Object<'_> {
    let limits = Limits { max_depth: 4, guarded_keys: &[] };
    match json::parse(text.as_bytes(), limits) {
        Ok(Value::Object(object)) => object,
        other => panic!("{other:?}"),
    }
}

/// Everything that can be asked of the random policies.
fn actions<'a>(arguments: &'a [Object<'a>]) -> Vec<Action<'a>> {
    let call = |name| {
        arguments.iter().map(move |arguments| Action::CallTool { name, arguments, task: false })
    };
    let mut actions: Vec<_> = TOOLS.iter().copied().flat_map(call).collect();
    actions.extend(URIS.map(|uri| Action::Resource { op: ResourceOp::Read, uri }));
    actions.extend(PROMPTS.map(|name| Action::Prompt { op: PromptOp::Get, name }));
    actions.push(Action::Discover(Discovery::Initialize));
    actions.push(Action::Discover(Discovery::ListTools));
    actions
}

fn query<'q>(asker: &'q Asker, action: Action<'q>) -> Query<'q> {
    Query {
        server: "s",
        environment: asker.environment,
        caller: &asker.caller,
        channel: asker.channel,
        action,
        now: NOW.parse().unwrap(),
    }
}

fn ask(set: &PolicySet, asker: &Asker, action: Action<'_>) -> Decision {
    decide(set, &query(asker, action), &mut NoTrace)
}

/// The same caller with a token for everything.
fn with_all_scopes(asker: &Asker) -> Asker {
    let mut with_all = asker.clone();
    if let Some(user) = &mut with_all.caller.user {
        Arc::make_mut(user).scopes = SCOPES[3].iter().map(|scope| (*scope).into()).collect();
    }
    with_all
}

/// Whether anything at all is let through now that was not before.
fn is_wider(before: Decision, after: Decision) -> bool {
    let allows = |verdict| verdict == Verdict::Allow;
    (allows(after.verdict) && !allows(before.verdict))
        || (allows(after.enforced) && !allows(before.enforced))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn order_names_and_formatting_never_matter(policy in policy(), start: Index) {
        let set = policy.load();
        let other = policy.load_as(Style { reversed: true, name: "another-name", blank: true });
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            for action in actions(&arguments) {
                let (a, b) = (ask(&set, &asker, action), ask(&other, &asker, action));
                prop_assert_eq!(
                    (a.verdict, a.enforced, a.reason, a.scope),
                    (b.verdict, b.enforced, b.reason, b.scope),
                    "{:?} {:?}", asker, action
                );
            }
        }
    }

    #[test]
    fn one_more_ban_never_allows(policy in policy(), ban in ban(), start: Index) {
        let set = policy.load();
        let mut more = policy.clone();
        more.bans.push(ban);
        let more = more.load();
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            for action in actions(&arguments) {
                let (a, b) = (ask(&set, &asker, action), ask(&more, &asker, action));
                prop_assert!(!is_wider(a, b), "{:?} {:?} {:?} {:?}", asker, action, a, b);
            }
        }
    }

    #[test]
    fn one_more_tool_never_allows(policy in policy(), tool in new_tool(), start: Index) {
        let set = policy.load();
        let mut more = policy.clone();
        more.tools.push(tool);
        let more = more.load();
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            for action in actions(&arguments) {
                let (a, b) = (ask(&set, &asker, action), ask(&more, &asker, action));
                prop_assert_eq!(
                    (a.verdict, a.enforced, a.reason, a.scope),
                    (b.verdict, b.enforced, b.reason, b.scope),
                    "{:?} {:?}", asker, action
                );
            }
            for arguments in &arguments {
                let call = Action::CallTool { name: "extra", arguments, task: false };
                prop_assert_ne!(ask(&more, &asker, call).enforced, Verdict::Allow);
            }
        }
    }

    #[test]
    fn unknown_groups_never_allow_more_than_known_ones(policy in policy()) {
        let set = policy.load();
        let arguments = ARGUMENTS.map(arguments);
        for asker in askers(&set) {
            let Some(Groups::Unknown) = asker.caller.user.as_ref().map(|user| &user.groups) else {
                continue;
            };
            for action in actions(&arguments) {
                let unknown = ask(&set, &asker, action);
                if unknown.enforced != Verdict::Allow {
                    continue;
                }
                for groups in subsets(&set) {
                    let mut known = asker.clone();
                    Arc::make_mut(known.caller.user.as_mut().unwrap()).groups = groups;
                    let decision = ask(&set, &known, action);
                    prop_assert!(!is_wider(decision, unknown), "{:?} {:?}", known, action);
                }
            }
        }
    }

    #[test]
    fn fewer_scopes_never_allow(policy in policy(), start: Index) {
        let set = policy.load();
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            let with_all = with_all_scopes(&asker);
            for action in actions(&arguments) {
                let (all, fewer) = (ask(&set, &with_all, action), ask(&set, &asker, action));
                prop_assert!(!is_wider(all, fewer), "{:?} {:?}", asker, action);
                if matches!(action, Action::Discover(_)) {
                    prop_assert_eq!(all, fewer, "{:?} {:?}", asker, action);
                }
            }
        }
    }

    #[test]
    fn scopes_are_asked_for_if_and_only_if_they_would_help(policy in policy(), start: Index) {
        let set = policy.load();
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            for action in actions(&arguments) {
                let decision = ask(&set, &asker, action);
                let wanted = step_up(&set, &query(&asker, action));
                let refused = decision.enforced != Verdict::Allow
                    && decision.reason == Some(Reason::NoGrant);
                let tokens = asker.caller.user.as_deref().into_iter().flat_map(with_scopes);
                let helps = |user: User| {
                    let mut with = asker.clone();
                    let holds = |scope| user.scopes.contains(scope);
                    let keeps = asker.caller.user.iter().flat_map(|u| &u.scopes).all(holds);
                    let (scopes, count) = (user.scopes.clone(), user.scopes.len());
                    with.caller.user = Some(user.into());
                    let allowed = ask(&set, &with, action).enforced == Verdict::Allow;
                    (keeps && allowed).then_some((count, scopes))
                };
                let fewest = tokens.filter_map(helps).min();
                let told = format!("{asker:?} {action:?} {wanted:?} {fewest:?}");
                match (wanted, fewest.filter(|_| refused)) {
                    (None, None) => {}
                    (Some(wanted), Some((count, _))) => {
                        let held = asker.caller.user.iter().flat_map(|user| &user.scopes);
                        let all: BTreeSet<_> = held.chain(wanted).collect();
                        prop_assert_eq!(all.len(), count, "{}", told);
                    }
                    (Some(_), None) | (None, Some(_)) => prop_assert!(false, "{}", told),
                }
            }
        }
    }

    #[test]
    fn what_is_visible_is_what_may_be_used(policy in policy(), start: Index) {
        let set = policy.load();
        let server = set.server("s").unwrap();
        let arguments = ARGUMENTS.map(arguments);
        for asker in some(askers(&set), start) {
            let seen = visible(&set, &query(&asker, Action::Unknown));
            for action in actions(&arguments) {
                let sees = match action {
                    Action::CallTool { name, .. } => {
                        seen.call.contains(&server.tool(name).unwrap().0)
                    }
                    Action::Resource { uri, .. } => {
                        seen.read.contains(&server.resource(uri).unwrap().0)
                    }
                    Action::Prompt { name, .. } => {
                        seen.prompt.contains(&server.prompt(name).unwrap().0)
                    }
                    Action::Discover(_)
                    | Action::Listen(_)
                    | Action::Task { .. }
                    | Action::Extension(_)
                    | Action::Unknown => continue,
                };
                // Only arguments, an approval or scopes stand in the way.
                let with_all = with_all_scopes(&asker);
                let decision = ask(&set, &with_all, action);
                let close = matches!(
                    decision.reason,
                    None | Some(Reason::Limit | Reason::ApprovalRequired)
                );
                let may_use = close || decision.enforced == Verdict::Allow;
                prop_assert_eq!(sees, may_use, "{:?} {:?} {:?}", asker, action, decision);
            }
        }
    }
}
