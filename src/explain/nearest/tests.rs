use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::explain::{Explanation, Question, explain};
use crate::{disk, policy};

fn question<'q>(what: &'q str, args: &'q str) -> Question<'q> {
    Question {
        what,
        read: None,
        prompt: None,
        method: None,
        via: None,
        service: None,
        user: None,
        groups: None,
        groups_unknown: false,
        scopes: Vec::new(),
        client: None,
        args,
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
    }
}

/// Asks the question that the changes lead to, for each group that is said to do.
fn asked_again(set: &PolicySet, question: &Question<'_>, nearest: &Nearest) -> Vec<Explanation> {
    let most = nearest
        .changes
        .iter()
        .map(|change| if let Change::Group(names) = change { names.len() } else { 1 });
    let asked = |index: usize| {
        let mut changed = question.clone();
        let mut what = changed.what.to_owned();
        let mut arguments: serde_json::Value = serde_json::from_str(changed.args).unwrap();
        let (mut via, mut user) = (None, None);
        let mut groups: Option<Vec<String>> =
            changed.groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
        for change in &nearest.changes {
            match change {
                Change::SignIn => groups = Some(Vec::new()),
                Change::User(name) => user = Some(name.clone()),
                Change::KnownGroups => {
                    changed.groups_unknown = false;
                    groups = Some(Vec::new());
                }
                Change::Group(names) => {
                    let name = names.get(index).or(names.first()).unwrap();
                    groups.get_or_insert_default().push(name.clone());
                }
                Change::NotGroup(names) => {
                    groups.get_or_insert_default().retain(|group| !names.contains(group));
                }
                Change::Scopes(names) => {
                    changed.scopes.extend(names.iter().map(|name| &*name.clone().leak()));
                }
                Change::Service(name) => {
                    changed.service = Some(name.clone().leak());
                    (groups, changed.user) = (None, None);
                    changed.groups_unknown = false;
                    (changed.via, changed.client) = (None, None);
                }
                Change::Via(place) => {
                    via = Some(place.clone());
                    changed.client = None;
                }
                Change::Environment(name) => {
                    let (server, rest) = what.split_once('/').unwrap();
                    let server = server.split('@').next().unwrap();
                    what = format!("{server}@{name}/{rest}");
                }
                Change::Client(name) => changed.client = Some(name.clone().leak()),
                Change::Ended(at) => {
                    changed.at = at.checked_sub(jiff::Span::new().seconds(1)).unwrap();
                }
                Change::Argument(pointer, value) => {
                    let (parent, name) = pointer.rsplit_once('/').unwrap();
                    let parent = arguments.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                    match value {
                        Some(value) => {
                            parent.insert(name.to_owned(), serde_json::from_str(value).unwrap());
                        }
                        None => {
                            parent.remove(name);
                        }
                    }
                }
            }
        }
        let arguments = arguments.to_string();
        changed.args = &arguments;
        changed.what = &what;
        changed.via = via.as_deref().or(changed.via);
        changed.user = user.as_deref().or(changed.user);
        changed.groups = groups.as_ref().map(|names| names.iter().map(String::as_str).collect());
        explain(set, &changed).unwrap()
    };
    (0..most.max().unwrap_or(1)).map(asked).collect()
}

#[test]
fn what_is_said_to_let_a_request_through_does() {
    let set = policy::load(disk::read_policies(Path::new("policies"))).unwrap();
    let groups: Vec<_> = set.group_names().map(ToOwned::to_owned).collect();
    let mut told = 0;
    for server in set.servers() {
        for environment in &server.environments {
            let environment = set.environment_name(environment.id);
            for tool in server.tools() {
                let what = format!("{}@{environment}/{}", server.name, tool.name);
                let mut callers = vec![None, Some(Vec::new())];
                callers.extend(groups.iter().map(|group| Some(vec![group.as_str()])));
                callers.push(Some(groups.iter().map(String::as_str).collect()));
                for caller in callers {
                    for via in [None, Some("ai-chat"), Some("ide"), Some("chat-bot/spark-support")]
                    {
                        for args in ["{}", r#"{"limit": 99999999, "sql": 7, "other": true}"#] {
                            let mut question = question(&what, args);
                            question.via = via;
                            question.groups.clone_from(&caller);
                            let explanation = explain(&set, &question).unwrap();
                            for nearest in &explanation.nearest {
                                told += 1;
                                assert!(!nearest.changes.is_empty(), "{what} {question:?}");
                                for asked in asked_again(&set, &question, nearest) {
                                    let verdict = asked.decision.verdict;
                                    assert_ne!(verdict, Verdict::Deny, "{question:?} {nearest}");
                                    let approval = verdict == Verdict::NeedsApproval;
                                    assert_eq!(approval, nearest.approval.is_some(), "{nearest}");
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(told > 1_000, "only {told}");
}

/// A grant for each kind of change.
const KINDS: &[(&str, &str)] = &[
    (
        "surfaces.yaml",
        "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [web] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod, dev], channels: { help: [C1] } }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
",
    ),
    ("groups.yaml", "toolgate: 1\ngroups: { a: {}, b: {}, c: {}, out: {} }\n"),
    (
        "guardrails.yaml",
        "toolgate: 1
environments:
  prod: { reviews: [], upstreams: ['127.0.0.1:1'] }
  dev: { reviews: [], upstreams: ['127.0.0.1:2'] }
bans:
  out-writes-nothing: { people: [out], effects: [write] }
  nobody-drops: { effects: [destructive] }
",
    ),
    (
        "servers/s.yaml",
        "toolgate: 1
server: s
environments:
  prod: { upstream: 'http://127.0.0.1:1/mcp' }
  dev: { upstream: 'http://127.0.0.1:2/mcp' }
tools:
  look: { effect: read, limits: { /n: { between: [1, 10] } }, accepts: [n] }
  write: { effect: write, approval: another-person }
  drop: { effect: destructive }
  named: { effect: read }
  nightly: { effect: read }
  help: { effect: read }
  old: { effect: read }
  dev: { effect: read }
  scoped: { effect: read }
  two-ways: { effect: read, limits: { /n: { between: [1, 10] } } }
grants:
  look: { people: [a, b], also_in: [c], except: [out], via: [chat], in: [prod], call: [look] }
  write: { people: [a, out], via: [chat], in: [prod], call: [write] }
  drop: { people: [a], via: [chat], in: [prod], call: [drop] }
  named:
    users: [corp:ana]
    via: [chat]
    in: [prod]
    call: [named]
    last_day: 2027-01-01
    ticket: T-1
  nightly: { services: [night], in: [prod], call: [nightly] }
  help: { people: [a], via: [bot/help], in: [prod], call: [help] }
  old: { people: [a], via: [chat], in: [prod], call: [old], last_day: 2026-03-31 }
  dev: { people: [a], via: [bot], in: [dev], call: [dev] }
  scoped: { people: [a], via: [chat], in: [prod], call: [scoped], scopes: [x, y] }
  from-chat: { people: [a], via: [chat], in: [prod], call: [two-ways] }
  from-bot: { people: [a], via: [bot], in: [prod], call: [two-ways] }
",
    ),
];

/// Each on its own line: what is asked, and what would let it through.
#[test]
fn every_kind_of_change_is_told() {
    let file = |(path, text): (&str, &str)| policy::PolicyFile {
        path: path.to_owned(),
        bytes: text.as_bytes().into(),
    };
    let files = KINDS.iter().copied().map(file).collect();
    let set = policy::load(policy::PolicyFiles { files, ..Default::default() }).unwrap();
    let mut told = String::new();
    for (what, groups, via, args) in [
        ("s/look", None, "chat", r#"{"n": 5}"#),
        ("s/look", Some("a,c,out"), "chat", r#"{"n": 5}"#),
        ("s/look", Some("a,c"), "chat", r#"{"n": 50, "m": 1}"#),
        ("s/look", Some("c"), "bot", r#"{"n": 5}"#),
        ("s/write", Some("out"), "chat", "{}"),
        ("s/write", Some("a,out"), "chat", "{}"),
        ("s/drop", Some("a"), "chat", "{}"),
        ("s/named", Some("a"), "chat", "{}"),
        ("s/nightly", Some("a"), "chat", "{}"),
        ("s/help", Some("a"), "bot", "{}"),
        ("s/old", Some("a"), "chat", "{}"),
        ("s/dev", Some("a"), "chat", "{}"),
        ("s@dev/dev", Some("unknown"), "bot", "{}"),
        ("s@dev/dev", Some("a"), "chat", "{}"),
        ("s/scoped", Some("a"), "chat", "{}"),
        ("s/scoped", Some("unknown"), "bot", "{}"),
        ("s/two-ways", Some("c"), "bot", r#"{"n": 5}"#),
        ("s/two-ways", Some("a"), "bot", r#"{"n": 50}"#),
        ("s", Some("c"), "bot/help", "{}"),
    ] {
        let mut question = question(what, args);
        question.via = Some(via);
        question.groups_unknown = groups == Some("unknown");
        question.groups =
            groups.filter(|_| !question.groups_unknown).map(|g| g.split(',').collect());
        let explanation = explain(&set, &question).unwrap();
        let reason = explanation.decision.reason.map_or("allowed", Reason::as_str);
        let _ = writeln!(told, "{what} {} via {via} {args}: {reason}", groups.unwrap_or("nobody"));
        for nearest in &explanation.nearest {
            let _ = writeln!(told, "    {nearest}");
        }
    }
    let mut question = question("s/look", r#"{"n": 5}"#);
    (question.via, question.groups) = (Some("chat"), Some(vec!["a", "c"]));
    question.client = Some("other");
    let explanation = explain(&set, &question).unwrap();
    let _ = writeln!(told, "another client: {}", explanation.nearest.first().unwrap());
    insta::assert_snapshot!(told);
}
