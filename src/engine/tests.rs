use super::*;
use crate::identity::{GroupSet, Groups, User, Workload};
use crate::json::Object;
use crate::mcp::{Discovery, PromptOp, ResourceOp};
use crate::policy::{self, PolicyFile, PolicyFiles};

const FILES: &[(&str, &str)] = &[
    ("surfaces.yaml", "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod] }
  web: { workloads: [spiffe://td/web], reaches: [prod], clients: [web-app, alice-app] }
  ide: { workloads: [spiffe://td/ide/*], reaches: [prod, dev] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { help: [C1, C2], other: [C3] } }
  laptop: { workloads: none, reaches: [dev] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
  batch: { workloads: [spiffe://td/batch], reaches: [prod] }
"),
    ("groups.yaml", "toolgate: 1\ngroups: { ads: {}, infra: {}, contractors: {}, stewards: {} }\n"),
    ("guardrails.yaml", "toolgate: 1
environments:
  prod: { reviews: [security, legal], upstreams: ['127.0.0.1:1', '127.0.0.1:3', '127.0.0.1:4'] }
  dev: { reviews: [], upstreams: ['127.0.0.1:2'] }
bans:
  no-contractors-destroy: { people: [contractors], effects: [destructive] }
  services-small: { services: any-service, traits: [sensitive] }
  killed: { servers: [killed], everything: true }
"),
    ("reviews.yaml", "toolgate: 1
reviews:
  SEC: { kind: security, approved: 2026-03-01, last_day: 2026-12-31, covers: { presto: TOOLS, killed: KILLED } }
  LEG: { kind: legal, approved: 2026-03-02, last_day: 2026-12-30, covers: { presto: TOOLS, killed: KILLED } }
  OLD: { kind: legal, approved: 2026-01-01, last_day: 2026-01-31, covers: { presto: TOOLS } }
  DIFFERENT: { kind: legal, approved: 2026-01-01, last_day: 2027-01-31, covers: { half: \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" } }
"),
    ("servers/presto.yaml", "toolgate: 1
server: presto
environments:
  prod: { upstream: 'http://127.0.0.1:1/mcp', reviews: [SEC, OLD, LEG] }
  dev: { upstream: 'http://127.0.0.1:2/mcp' }
tools:
  look: { effect: read }
  secret: { effect: read, traits: [sensitive] }
  drop: { effect: destructive, approval: [stewards] }
  wipe: { effect: destructive }
  spare: { effect: read }
  browse-1: { effect: read, sets: [browse] }
  browse-2: { effect: read, sets: [browse, more] }
resources:
  'db://w/tables/*': { effect: read }
  'db://w/secret/*': { effect: read, traits: [sensitive], sets: [browse] }
  'db://w/one': { effect: destructive }
prompts:
  ask: { effect: read }
  tell: { effect: read, traits: [sensitive] }
grants:
  narrowed: { people: [ads], also_in: [infra, stewards], except: [contractors], via: [web], in: [prod], call: [look] }
  nearly-all: { people: [anyone-signed-in], except: [contractors], via: [web], in: [prod], call: [spare] }
  by-name: { users: ['corp:alice', 'other:bob'], via: [web], in: [prod], call: [wipe], last_day: 2026-12-31, ticket: T-1 }
  until-noon: { people: [stewards], via: [bot], in: [prod], call: [look], until: 2026-11-20T13:00:00+01:00 }
  browsers: { people: [infra], via: [ide], in: [prod], call: [browse] }
  readers: { people: [ads, contractors, infra], via: [chat], in: [prod], read: ['db://w/tables/*', 'db://w/one', browse], prompt: [ask, tell] }
  nightly-reads: { services: [night], in: [prod], read: ['db://w/tables/*'], prompt: [ask] }
  lookers: { people: [ads, infra], via: [chat, ide], in: [prod], call: [look] }
  secrets: { people: [ads, contractors], via: [chat, bot/help], in: [prod], call: [secret] }
  droppers: { people: [infra, contractors], via: [chat], in: [prod], call: [drop, wipe], last_day: 2026-11-30 }
  everyone-in-dev: { people: [anyone-signed-in], via: [any-surface], in: [dev], call: [look] }
  nightly: { services: [night], in: [prod], call: [look] }
bans:
  contractors-secret: { people: [contractors], call: [secret] }
  not-from-other: { via: [bot/other], call: [secret] }
  not-eve: { users: ['corp:eve', 'corp:alice'], people: [contractors], call: [browse-1] }
  before-noon: { people: [stewards], call: [browse-2], until: 2026-11-20T12:00:00Z }
  ads-tell: { people: [ads], prompt: [tell] }
methods: [vendor/ask]
tasks: bound_to_user
"),
    ("servers/killed.yaml", "toolgate: 1
server: killed
environments: { prod: { upstream: 'http://127.0.0.1:3/mcp', reviews: [SEC, LEG] } }
tools:
  look: { effect: read }
  secret: { effect: read, traits: [sensitive] }
  drop: { effect: destructive, approval: [stewards] }
  wipe: { effect: destructive }
  spare: { effect: read }
grants:
  all: { people: [anyone-signed-in], via: [any-surface], call: [look] }
"),
    ("servers/half.yaml", "toolgate: 1
server: half
environments: { prod: { upstream: 'http://127.0.0.1:4/mcp', reviews: [SEC, DIFFERENT] } }
tools: { look: { effect: read } }
grants:
  all: { people: [anyone-signed-in], via: [any-surface], call: [look] }
"),
];

fn set() -> PolicySet {
    let files = |digest: &str, killed: &str| PolicyFiles {
        files: FILES
            .iter()
            .map(|(path, text)| PolicyFile {
                path: (*path).to_owned(),
                bytes: text
                    .replace("TOOLS", &format!("\"{digest}\""))
                    .replace("KILLED", &format!("\"{killed}\""))
                    .into_bytes()
                    .into(),
            })
            .collect(),
        ..PolicyFiles::default()
    };
    let digests = policy::tools_digests(&files("", ""));
    let of = |server| digests.iter().find(|(name, _)| name == server).unwrap().1.to_string();
    policy::load(files(&of("presto"), &of("killed")))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Who asks, in short: `ads,infra@chat`, `?@chat` (groups unknown), `@chat` (no groups),
/// `-@night` (no user), `ads@bot/C1` (with a channel), `bob:ads@chat` (not alice), `app/ads@web`
/// (with another client than `web-app`).
fn caller<'w>(set: &PolicySet, who: &'w str) -> (Caller, Option<&'w str>) {
    let (groups, place) = who.split_once('@').unwrap();
    let (client, groups) = groups.split_once('/').unwrap_or(("web-app", groups));
    let (name, groups) = groups.split_once(':').unwrap_or(("alice", groups));
    let (place, channel) = match place.split_once('/') {
        Some((place, channel)) => (place, Some(channel)),
        None => (place, None),
    };
    let user = |groups| User {
        client: (!client.is_empty()).then(|| client.into()),
        ..User::new("corp", name, groups)
    };
    let user = match groups {
        "-" => None,
        "?" => Some(user(Groups::Unknown)),
        names => {
            let ids = names.split(',').filter_map(|name| set.group(name));
            Some(user(Groups::Known(ids.collect::<GroupSet>())))
        }
    };
    let workload = match place {
        "laptop" => None,
        "ide" => Some("spiffe://td/ide/x".to_owned()),
        place => Some(format!("spiffe://td/{place}")),
    };
    (
        Caller {
            user: user.map(Into::into),
            workload: workload.map(|id| Workload::new(&id).unwrap()),
        },
        channel,
    )
}

fn ask(set: &PolicySet, who: &str, what: &str, now: &str) -> Decision {
    let (caller, channel) = caller(set, who);
    let (server, tool) = what.split_once('/').unwrap();
    let (server, environment) = server.split_once('@').unwrap_or((server, "prod"));
    let action = match tool {
        "*" => Action::Discover(Discovery::ListTools),
        "?" => Action::Unknown,
        "tasks" => Action::Task { id: Some("t") },
        "level" => Action::Discover(Discovery::SetLogLevel),
        method if method.starts_with("method:") => {
            Action::Extension(method.split_once(':').unwrap().1)
        }
        task if task.starts_with("task:") => Action::CallTool {
            name: task.split_once(':').unwrap().1,
            arguments: &Object::EMPTY,
            task: true,
        },
        uri if uri.contains("://") => Action::Resource { op: ResourceOp::Read, uri },
        prompt if prompt.starts_with("prompt:") => {
            Action::Prompt { op: PromptOp::Get, name: prompt.split_once(':').unwrap().1 }
        }
        name => Action::CallTool { name, arguments: &Object::EMPTY, task: false },
    };
    let now = now.parse().unwrap();
    let query = Query { server, environment, caller: &caller, channel, action, now };
    let silent = decide(set, &query, &mut NoTrace);
    // The trace never changes the answer.
    assert_eq!(decide(set, &query, &mut Recorder::default()), silent);
    silent
}

const NOW: &str = "2026-11-20T12:00:00Z";

/// Who, what, and why not.
type Case = (&'static str, &'static str, Option<(Reason, Scope)>);

#[test]
fn decides_as_the_language_says() {
    use Reason::*;
    use Scope::{Item, Server};
    let set = set();
    let cases: &[Case] = &[
        // Default deny; verbs add up, everything else narrows.
        ("ads@chat", "presto/look", None),
        ("infra@ide", "presto/look", None),
        ("ads@chat", "presto/spare", Some((NoGrant, Item))),
        ("stewards@chat", "presto/look", Some((NoGrant, Server))),
        ("@chat", "presto/look", Some((NoGrant, Server))),
        ("ads@bot/C1", "presto/look", Some((NoGrant, Item))),
        ("ads@chat", "presto/nothing", Some((NotListed, Item))),
        ("stewards@chat", "presto/nothing", Some((NotListed, Server))),
        // A ban beats every grant.
        ("ads,contractors@chat", "presto/secret", Some((Banned, Item))),
        ("infra,contractors@chat", "presto/wipe", Some((Banned, Item))),
        ("ads@chat", "presto/secret", None),
        // ... the kill switch also takes discovery.
        ("ads@chat", "killed/look", Some((Banned, Server))),
        ("ads@chat", "killed/*", Some((Banned, Server))),
        // Tasks and extensions: whoever may look around, signed in, where the file lets them.
        ("ads@chat", "presto/tasks", None),
        ("?@bot", "presto/tasks", Some((NoGrant, Server))),
        ("@chat", "presto/tasks", Some((NoGrant, Server))),
        ("-@chat", "presto/tasks", Some((Unauthenticated, Server))),
        ("-@night", "presto/*", None),
        ("-@night", "presto/tasks", Some((NoGrant, Item))),
        ("-@night", "presto/task:look", Some((NoGrant, Item))),
        ("-@night", "presto/method:vendor/ask", Some((NoGrant, Item))),
        ("ads@chat", "presto/task:look", None),
        ("ads@chat", "presto/task:spare", Some((NoGrant, Item))),
        ("ads@chat", "presto/method:vendor/ask", None),
        ("ads@chat", "presto/method:vendor/Ask", Some((MethodUnknown, Item))),
        ("@chat", "presto/method:vendor/ask", Some((NoGrant, Server))),
        ("-@chat", "presto/method:vendor/ask", Some((Unauthenticated, Server))),
        ("ads@chat", "presto/level", None),
        ("-@night", "presto/level", None),
        ("ads@chat", "killed/tasks", Some((MethodUnknown, Server))),
        ("ads@chat", "killed/task:look", Some((MethodUnknown, Server))),
        ("ads@chat", "killed/method:vendor/ask", Some((MethodUnknown, Server))),
        // Approval.
        ("infra@chat", "presto/drop", Some((ApprovalRequired, Item))),
        ("infra@chat", "presto/wipe", None),
        ("ads@chat", "presto/drop", Some((NoGrant, Item))),
        // Groups unknown: no grant by group, every ban by group.
        ("?@chat", "presto/look", Some((NoGrant, Server))),
        ("?@chat", "presto/secret", Some((Banned, Server))),
        ("?@ide", "presto@dev/look", None),
        // Channels: only a listed one grants; a missing one matches every ban by channel.
        ("ads@bot/C1", "presto/secret", None),
        ("ads@bot/C2", "presto/secret", None),
        ("ads@bot/C3", "presto/secret", Some((Banned, Server))),
        ("ads@bot", "presto/secret", Some((Banned, Server))),
        ("ads@bot/C9", "presto/secret", Some((NoGrant, Server))),
        // A channel from a place without channels is not believed.
        ("ads@chat/C3", "presto/secret", None),
        // `also_in` and `except` narrow; unknown groups are in none and perhaps in all.
        ("ads,infra@web", "presto/look", None),
        ("ads,stewards@web", "presto/look", None),
        ("ads@web", "presto/look", Some((NoGrant, Item))),
        ("infra@web", "presto/look", Some((NoGrant, Item))),
        ("ads,infra,contractors@web", "presto/look", Some((NoGrant, Item))),
        ("?@web", "presto/look", Some((NoGrant, Item))),
        ("@web", "presto/spare", None),
        ("contractors@web", "presto/spare", Some((NoGrant, Item))),
        ("?@web", "presto/spare", Some((NoGrant, Item))),
        // Named users: issuer and subject, whatever their groups.
        ("@web", "presto/wipe", None),
        ("?@web", "presto/wipe", Some((Banned, Item))),
        ("contractors@web", "presto/wipe", Some((Banned, Item))),
        ("bob:@web", "presto/wipe", Some((NoGrant, Item))),
        ("@chat", "presto/wipe", Some((NoGrant, Server))),
        ("infra@ide", "presto/browse-1", Some((Banned, Item))),
        ("bob:infra@ide", "presto/browse-1", None),
        ("bob:infra,contractors@ide", "presto/browse-1", Some((Banned, Item))),
        ("bob:?@ide", "presto/browse-1", Some((Banned, Server))),
        ("-@night", "presto/browse-1", Some((NoGrant, Item))),
        // `clients`: a token for another one, or for none, is from elsewhere.
        ("evil-app/@web", "presto/spare", Some((Surface, Server))),
        ("/@web", "presto/spare", Some((Surface, Server))),
        ("alice-app/@web", "presto/spare", None),
        ("evil-app/ads@chat", "presto/look", None),
        // A set is the tools that carry it; a verb names its own kind only.
        ("bob:infra@ide", "presto/browse-1", None),
        ("infra@ide", "presto/browse-2", None),
        ("infra@ide", "presto/browse", Some((NotListed, Item))),
        ("infra@ide", "presto/db://w/secret/a", Some((NoGrant, Item))),
        ("bob:infra@chat", "presto/browse-1", Some((NoGrant, Item))),
        ("infra@chat", "presto/db://w/secret/a", None),
        // Resources and prompts: their own verbs, the same bans, services and places.
        ("ads@chat", "presto/db://w/tables/a", None),
        ("ads@ide", "presto/db://w/tables/a", Some((NoGrant, Item))),
        ("stewards@chat", "presto/db://w/tables/a", Some((NoGrant, Server))),
        ("ads@chat", "presto/db://w/other", Some((NotListed, Item))),
        ("ads@chat", "presto/db://w/tables/../secret/a", Some((NotListed, Item))),
        ("ads@chat", "presto/db://w/tables/%2e%2e/secret/a", Some((NotListed, Item))),
        ("ads@chat", "presto/DB://w/tables/a", Some((NotListed, Item))),
        ("ads@chat", "presto/db://u@w/tables/a", Some((NotListed, Item))),
        ("infra@chat", "presto/db://w/one", None),
        ("infra,contractors@chat", "presto/db://w/one", Some((Banned, Item))),
        ("?@chat", "presto/db://w/one", Some((Banned, Server))),
        ("ads@chat", "presto/prompt:ask", None),
        ("ads@chat", "presto/prompt:tell", Some((Banned, Item))),
        ("infra@chat", "presto/prompt:tell", None),
        ("ads@chat", "presto/prompt:none", Some((NotListed, Item))),
        ("-@night", "presto/db://w/tables/a", None),
        ("-@night", "presto/prompt:ask", None),
        ("-@night", "presto/prompt:tell", Some((Banned, Item))),
        ("-@night", "presto/db://w/secret/a", Some((Banned, Item))),
        ("ads@chat", "killed/db://w/tables/a", Some((NotListed, Server))),
        // Places.
        ("ads@nowhere", "presto/look", Some((Surface, Server))),
        ("ads@chat", "presto@dev/look", Some((Surface, Server))),
        ("@ide", "presto@dev/look", None),
        // `any-surface` means surfaces with a verified workload.
        ("ads@laptop", "presto@dev/look", Some((NoGrant, Server))),
        ("ads@laptop", "presto/look", Some((Surface, Server))),
        // Services: alone, named, plain reads.
        ("-@night", "presto/look", None),
        ("-@night", "presto/*", None),
        ("-@night", "presto/spare", Some((NoGrant, Item))),
        ("-@night", "presto/secret", Some((Banned, Item))),
        ("-@batch", "presto/look", Some((Unauthenticated, Server))),
        ("-@night", "killed/look", Some((Unauthenticated, Server))),
        // ... and with a user credential a service's workload is no surface.
        ("ads@night", "presto/look", Some((NoGrant, Server))),
        ("ads@night", "presto/secret", Some((Banned, Server))),
        // Nobody.
        ("-@chat", "presto/look", Some((Unauthenticated, Server))),
        ("-@laptop", "presto@dev/*", Some((Unauthenticated, Server))),
        ("-@chat", "other/look", Some((Unauthenticated, Server))),
        // Servers and environments.
        ("ads@chat", "other/look", Some((ServerUnknown, Server))),
        ("ads@chat", "presto@qa/look", Some((ServerUnknown, Server))),
        ("ads@chat", "killed@dev/look", Some((ServerUnknown, Server))),
        // Reviews: one of the two is about other tools.
        ("ads@chat", "half/look", Some((Review, Server))),
        // Discovery ignores verbs.
        ("ads@chat", "presto/*", None),
        ("stewards@chat", "presto/*", Some((NoGrant, Server))),
        ("ads@bot/C1", "presto/*", None),
        ("ads@bot", "presto/*", Some((NoGrant, Server))),
        ("ads@chat", "presto/?", Some((MethodUnknown, Item))),
        ("ads@nowhere", "presto/?", Some((Surface, Server))),
    ];
    for (who, what, expected) in cases {
        let decision = ask(&set, who, what, NOW);
        let got = decision.reason.map(|reason| (reason, decision.scope));
        assert_eq!(got, *expected, "{who} {what}");
        assert_eq!(decision.verdict == Verdict::Allow, expected.is_none(), "{who} {what}");
        assert_eq!(
            decision.verdict == Verdict::NeedsApproval,
            decision.reason == Some(ApprovalRequired),
            "{who} {what}"
        );
    }
}

#[test]
fn time_is_whole_utc_days() {
    let set = set();
    let reason = |what: &str, now: &str| ask(&set, "infra@chat", what, now).reason;
    // A review counts from its first to its last day; one of a kind is enough.
    for (now, expected) in [
        ("2026-03-01T23:59:59Z", Some(Reason::Review)),
        ("2026-03-02T00:00:00Z", None),
        ("2026-12-30T23:59:59.999Z", None),
        ("2026-12-31T00:00:00Z", Some(Reason::Review)),
        // Elsewhere it is already the next day.
        ("2026-12-31T01:00:00+02:00", None),
    ] {
        assert_eq!(reason("presto/look", now), expected, "{now}");
    }
    // An environment that needs no review is open even then.
    assert_eq!(ask(&set, "infra@ide", "presto@dev/look", "2027-06-01T00:00:00Z").reason, None);
    // A grant ends after its last day.
    assert_eq!(reason("presto/wipe", "2026-11-30T23:59:59Z"), None);
    assert_eq!(reason("presto/wipe", "2026-12-01T00:00:00Z"), Some(Reason::NoGrant));
    // `until` is an instant, and not part of it.
    let bot = |now: &str| ask(&set, "stewards@bot/C1", "presto/look", now).reason;
    assert_eq!(bot("2026-11-20T11:59:59.999999999Z"), None);
    assert_eq!(bot("2026-11-20T12:00:00Z"), Some(Reason::NoGrant));
    let banned = |now: &str| ask(&set, "infra,stewards@ide", "presto/browse-2", now).reason;
    assert_eq!(banned("2026-11-20T11:59:59.999999999Z"), Some(Reason::Banned));
    assert_eq!(banned("2026-11-20T12:00:00Z"), None);
}

#[test]
fn a_decision_names_what_it_rests_on() {
    let set = set();
    let decision = ask(&set, "ads@bot/C2", "presto/secret", NOW);
    let rule = set.rule(decision.rule.unwrap()).unwrap();
    assert_eq!((rule.name, rule.line), ("secrets", 30));
    let place = set.place(decision.place.unwrap()).unwrap();
    assert_eq!(&*place.name, "bot");
    assert_eq!(&*place.channel(decision.channel.unwrap()).unwrap().name, "help");
    assert_eq!(decision.policy, set.digest());
    let banned = ask(&set, "ads,contractors@chat", "presto/secret", NOW);
    assert_eq!(set.rule(banned.rule.unwrap()).unwrap().name, "contractors-secret");
}

#[test]
fn order_of_rules_and_files_never_matters() {
    let set = set();
    let mut turned = set.clone();
    for server in turned.servers_mut_for_test() {
        server.grants.reverse();
        server.bans = server.bans.iter().rev().cloned().collect();
    }
    for who in ["ads@chat", "infra,contractors@chat", "?@chat", "-@night", "ads@bot/C3", "@ide"] {
        for tool in ["look", "secret", "drop", "wipe", "spare", "*"] {
            let what = format!("presto/{tool}");
            let (a, b) = (ask(&set, who, &what, NOW), ask(&turned, who, &what, NOW));
            assert_eq!(
                (a.verdict, a.reason, a.scope),
                (b.verdict, b.reason, b.scope),
                "{who} {what}"
            );
        }
    }
}

#[test]
fn reasons_are_ordered_and_spelled_as_the_language_says() {
    let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let expected = "malformed unauthenticated token_invalid workload_invalid server_unknown review \
                    surface method_unknown not_listed banned no_grant limit approval_required \
                    tool_changed unavailable";
    assert_eq!(names.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(Reason::ALL.is_sorted());
}

#[test]
fn who_listens_to_several_resources_may_read_each_of_them() {
    use Reason::*;
    use Scope::{Item, Server};
    const A: &str = "db://w/tables/a";
    const ONE: &str = "db://w/one";
    const SECRET: &str = "db://w/secret/a";
    let set = set();
    let ask = |who: &str, uris: &[&str]| {
        let uris: Vec<_> = uris.iter().map(|uri| format!("\"{uri}\"")).collect();
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{}]}}}}}}"#,
            uris.join(",")
        );
        let message = crate::mcp::parse(body.as_bytes()).unwrap();
        let (caller, channel) = caller(&set, who);
        let query = Query {
            server: "presto",
            environment: "prod",
            caller: &caller,
            channel,
            action: message.action().unwrap(),
            now: NOW.parse().unwrap(),
        };
        let decision = decide(&set, &query, &mut NoTrace);
        assert_eq!(decide(&set, &query, &mut Recorder::default()), decision);
        let refused = refused_subscription(&set, &query, &decision).map(str::to_owned);
        (decision.reason.map(|reason| (reason, decision.scope)), refused)
    };
    let refused = |reason, scope, uri: &str| (Some((reason, scope)), Some(uri.to_owned()));
    for (who, uris, expected) in [
        ("ads@chat", &[][..], (None, None)),
        ("ads@chat", &[A], (None, None)),
        ("ads@chat", &[A, ONE, A], (None, None)),
        // One that may not be read refuses all, wherever it stands.
        ("infra,contractors@chat", &[A, ONE], refused(Banned, Item, ONE)),
        ("infra,contractors@chat", &[ONE, A], refused(Banned, Item, ONE)),
        ("ads@chat", &[A, "db://other/a"], refused(NotListed, Item, "db://other/a")),
        (
            "ads@chat",
            &["db://w/tables/../one", A],
            refused(NotListed, Item, "db://w/tables/../one"),
        ),
        ("ads@ide", &[A], refused(NoGrant, Item, A)),
        // The first reason of all, not that of the first URI.
        ("ads@ide", &[SECRET, "db://other/a"], refused(NotListed, Item, "db://other/a")),
        ("stewards@chat", &[A, SECRET], refused(NoGrant, Server, A)),
        ("stewards@chat", &[], (Some((NoGrant, Server)), None)),
        ("-@night", &[A], (None, None)),
        ("-@night", &[A, SECRET], refused(Banned, Item, SECRET)),
        ("-@chat", &[A], refused(Unauthenticated, Server, A)),
    ] {
        assert_eq!(ask(who, uris), expected, "{who} {uris:?}");
    }
}
