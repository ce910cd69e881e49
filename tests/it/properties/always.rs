//! What is proved of all callers is what asking all of them finds.

use std::fmt::Write as _;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use toolgate::engine::{NoTrace, Query, Verdict, decide};
use toolgate::identity::Groups;
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::{PolicyFile, PolicyFiles, PolicySet};
use toolgate::scenario;

use super::arguments;
use super::generator::{Asker, GROUPS, NOW, askers, policy};

/// When something may end in random policies, and long after.
const TIMES: [&str; 4] =
    [NOW, "2026-11-20T12:00:01Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"];

type Names = Vec<&'static str>;

/// An `always`, as it is written.
#[derive(Clone, Debug)]
struct Always {
    only: bool,
    /// Empty for everybody.
    people: Option<Names>,
    also_in: Option<Names>,
    except: Option<Names>,
    alice: bool,
    services: Option<&'static str>,
    what: &'static (&'static str, &'static [&'static str]),
    environments: Option<Names>,
    via: Option<&'static str>,
}

/// What may be said that callers do, and the items that it means; those with `prod:`, only there.
const WHAT: &[(&str, &[&str])] = &[
    ("call: [s/read]", &["read"]),
    ("call: [s/write, s/asked]", &["write", "asked"]),
    ("call: [s@prod/secret]", &["prod:secret"]),
    ("read: ['s/db://w/a/*']", &["db://w/a/x"]),
    ("read: ['s/db://w/b']", &["db://w/b"]),
    ("prompt: [s/ask]", &["ask"]),
    ("discover: [s]", &["open", "look"]),
    ("effects: [destructive]", &["drop"]),
    ("effects: [write]", &["write", "asked", "db://w/b"]),
    ("traits: [sensitive, external]", &["secret", "drop", "db://w/b"]),
    ("effects: [destructive], call: [s/read]", &["drop", "read"]),
    ("effects: [read], servers: [s]", &["read", "secret", "db://w/a/x", "ask"]),
];

fn some(all: &'static [&'static str]) -> impl Strategy<Value = Names> {
    subsequence(all.to_vec(), 1..=all.len())
}

fn always() -> impl Strategy<Value = Always> {
    let maybe = || proptest::option::weighted(0.3, some(&GROUPS));
    let people = prop_oneof![1 => Just(None), 1 => Just(Some(Vec::new())), 4 => some(&GROUPS).prop_map(Some)];
    let who = (people, maybe(), maybe(), any::<bool>());
    let services = proptest::option::weighted(0.3, select(&["any-service", "[night]"][..]));
    let environments = proptest::option::weighted(0.3, some(&["prod", "dev"]));
    let via =
        select(&["[any-surface]", "[chat]", "[bot]", "[bot/help]", "[laptop, bot/other]"][..]);
    let via = proptest::option::weighted(0.3, via);
    (any::<bool>(), who, services, select(WHAT), environments, via).prop_filter_map(
        "a problem of the file",
        |(only, (people, also_in, except, alice), services, what, environments, via)| {
            let what = WHAT.iter().find(|known| known.0 == what.0)?;
            let nobody = people.is_none() && !alice && services.is_none();
            let narrows = also_in.is_some() || except.is_some();
            let elsewhere = what.0.contains("@prod")
                && environments.as_ref().is_some_and(|list| !list.contains(&"prod"));
            let wrong = nobody || elsewhere || (people.is_none() && narrows);
            if wrong || (services.is_some() && via.is_some()) {
                return None;
            }
            Some(Always { only, people, also_in, except, alice, services, what, environments, via })
        },
    )
}

impl Always {
    fn text(&self) -> String {
        let Self { only, people, also_in, except, alice, services, what, environments, via } = self;
        let list = |names: &Names| format!("[{}]", names.join(", "));
        let mut who = Vec::new();
        match people {
            Some(names) if names.is_empty() => who.push("people: [anyone-signed-in]".to_owned()),
            Some(names) => who.push(format!("people: {}", list(names))),
            None => {}
        }
        who.extend(also_in.as_ref().map(|names| format!("also_in: {}", list(names))));
        who.extend(except.as_ref().map(|names| format!("except: {}", list(names))));
        who.extend(alice.then(|| "users: ['corp:alice']".to_owned()));
        who.extend(services.map(|services| format!("services: {services}")));
        let demand = if *only { "only" } else { "never" };
        let mut text = format!("{demand}: {{ {} }}, {}", who.join(", "), what.0);
        if let Some(environments) = environments {
            let _ = write!(text, ", in: {}", list(environments));
        }
        if let Some(via) = via {
            let _ = write!(text, ", via: {via}");
        }
        format!("toolgate: 1\nnow: {NOW}\nalways:\n  - {{ {text} }}\n")
    }

    fn is_about(&self, set: &PolicySet, asker: &Asker, item: &str) -> bool {
        let Asker { caller, channel, environment } = asker;
        let (_, items) = self.what;
        let named = items.iter().any(|named| match named.split_once("prod:") {
            Some((_, named)) => named == item && *environment == "prod",
            None => *named == item,
        });
        let place = set.place_of(caller.workload.as_ref()).and_then(|id| set.place(id));
        let place = place.map_or("", |place| &place.name);
        let may_be = |id: &str| channel.is_none_or(|channel| channel == id);
        let from = match self.via {
            None => true,
            Some("[any-surface]") => ["chat", "bot", "laptop"].contains(&place),
            Some("[chat]") => place == "chat",
            Some("[bot]") => place == "bot",
            Some("[bot/help]") => place == "bot" && may_be("C1"),
            Some(_) => place == "laptop" || (place == "bot" && may_be("C2")),
        };
        named && from && self.environments.as_ref().is_none_or(|list| list.contains(environment))
    }

    fn describes(&self, set: &PolicySet, asker: &Asker) -> bool {
        let Some(user) = &asker.caller.user else {
            let night = set.place_named("night").map(|(id, _)| id);
            return self.services.is_some()
                && set.place_of(asker.caller.workload.as_ref()) == night;
        };
        if self.alice && *user.subject == *"alice" {
            return true;
        }
        let Some(people) = &self.people else { return false };
        let Groups::Known(known) = &user.groups else {
            let surely = people.is_empty() && self.also_in.is_none() && self.except.is_none();
            return surely || !self.only;
        };
        let is_in =
            |names: &Names| names.iter().any(|name| known.contains(set.group(name).unwrap()));
        (people.is_empty() || is_in(people))
            && self.also_in.as_ref().is_none_or(is_in)
            && !self.except.as_ref().is_some_and(is_in)
    }
}

/// Whether anybody who can be listed breaks it.
fn is_broken(set: &PolicySet, always: &Always) -> bool {
    let right = arguments(r#"{"n":7}"#);
    let mut actions = vec![
        ("open", Action::Discover(Discovery::Initialize)),
        ("look", Action::Discover(Discovery::ListTools)),
        ("ask", Action::Prompt { op: PromptOp::Get, name: "ask" }),
    ];
    let tools = ["read", "write", "drop", "secret", "asked"];
    actions.extend(
        tools.map(|name| (name, Action::CallTool { name, arguments: &right, task: false })),
    );
    let uris = ["db://w/a/x", "db://w/b"];
    actions.extend(uris.map(|uri| (uri, Action::Resource { op: ResourceOp::Read, uri })));
    let times: Vec<Timestamp> = TIMES.iter().map(|time| time.parse().unwrap()).collect();
    let mut askers = askers(set);
    // Fewer scopes never allow more.
    askers.retain(|asker| asker.caller.user.as_ref().is_none_or(|user| user.scopes.len() == 2));
    askers.iter().any(|asker| {
        always.describes(set, asker) != always.only
            && actions.iter().filter(|(item, _)| always.is_about(set, asker, item)).any(
                |(_, action)| {
                    times.iter().any(|now| {
                        let query = Query {
                            server: "s",
                            environment: asker.environment,
                            caller: &asker.caller,
                            channel: asker.channel,
                            action: *action,
                            now: *now,
                        };
                        decide(set, &query, &mut NoTrace).enforced != Verdict::Deny
                    })
                },
            )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_always_holds_is_proved_and_nothing_else(policy in policy(), always in always()) {
        let set = policy.load();
        let text = always.text();
        let file = PolicyFile { path: "tests/t.yaml".to_owned(), bytes: text.clone().into_bytes().into() };
        let files = PolicyFiles { files: vec![file], ..PolicyFiles::default() };
        let report = scenario::run(&set, &files).unwrap_or_else(|problems| panic!("{problems}"));
        let shown = scenario::text(&report, false);
        prop_assert_eq!(!report.passed(), is_broken(&set, &always), "{}\n{}", text, shown);
    }
}
