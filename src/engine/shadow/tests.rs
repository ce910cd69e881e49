use crate::engine::{NoTrace, Query, Reason, Recorder, Scope, Verdict, decide};
use crate::identity::{Caller, GroupSet, Groups, User, Workload};
use crate::json::{self, Limits};
use crate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use crate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

const FILES: &[(&str, &str)] = &[
    (
        "surfaces.yaml",
        "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod] }
  web: { workloads: [spiffe://td/web], reaches: [prod], clients: [other-app] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { help: [C1] } }
  ide: { workloads: [spiffe://td/ide], reaches: [dev] }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
",
    ),
    ("groups.yaml", "toolgate: 1\ngroups: { ads: {}, infra: {}, contractors: {}, trial: {} }\n"),
    (
        "guardrails.yaml",
        "toolgate: 1
environments:
  prod: { reviews: [], upstreams: ['127.0.0.1:1', '127.0.0.1:2'] }
  dev: { reviews: [], upstreams: ['127.0.0.1:3'] }
bans:
  no-contractors: { people: [contractors], effects: [read, write, destructive] }
  not-so-fast: { people: [trial], traits: [costly], trial_until: 2026-12-01T00:00:00Z }
",
    ),
    (
        "servers/shaded.yaml",
        "toolgate: 1
server: shaded
environments:
  prod: { upstream: 'http://127.0.0.1:1/mcp', mode: { shadow_until: 2026-12-01T00:00:00Z } }
  dev: { upstream: 'http://127.0.0.1:3/mcp' }
tools:
  look: { effect: read, limits: { /n: { between: [1, 5], optional: true } } }
  change: { effect: write, traits: [external] }
  drop: { effect: destructive }
  secret: { effect: read, traits: [sensitive] }
  asked: { effect: write, approval: caller }
  spare: { effect: read }
  nightly: { effect: read }
  ended: { effect: read }
  elsewhere: { effect: read }
resources:
  'db://w/a': { effect: read }
  'db://w/secret': { effect: read, traits: [sensitive] }
  'db://w/spare': { effect: read }
prompts:
  ask: { effect: read }
grants:
  all: { people: [ads], via: [chat], in: [prod], call: [look, change, drop, secret, asked], read: ['db://w/a', 'db://w/secret'], prompt: [ask] }
  old: { people: [ads], via: [chat], in: [prod], call: [ended], last_day: 2026-11-01 }
  there: { people: [ads], via: [ide], in: [dev], call: [elsewhere] }
  night: { services: [night], in: [prod], call: [nightly] }
",
    ),
    (
        "servers/open.yaml",
        "toolgate: 1
server: open
environments: { prod: { upstream: 'http://127.0.0.1:2/mcp' } }
discovery: { without_user: [chat, bot] }
tools:
  look: { effect: read }
  change: { effect: write }
  costly: { effect: read, traits: [costly] }
  both: { effect: read }
  drop: { effect: destructive }
  secret: { effect: read, traits: [sensitive] }
  asked: { effect: write, approval: caller }
  spare: { effect: read }
grants:
  all: { people: [ads], via: [chat, bot/help], call: [look, change, costly, both, drop, secret, asked] }
  night: { services: [night], call: [look] }
bans:
  on-trial: { people: [trial], call: [look, both, drop, secret, asked, spare], trial_until: 2026-12-01T00:00:00Z }
  for-good: { people: [trial], call: [both] }
  night-on-trial: { services: [night], call: [look], trial_until: 2026-12-01T00:00:00Z }
  any-on-trial: { call: [change], via: [bot], trial_until: 2026-12-01T00:00:00Z }
",
    ),
];

fn set() -> PolicySet {
    let file = |(path, text): &(&str, &str)| PolicyFile {
        path: (*path).to_owned(),
        bytes: text.as_bytes().into(),
    };
    let files = PolicyFiles { files: FILES.iter().map(file).collect(), ..PolicyFiles::default() };
    policy::load(files).unwrap_or_else(|problems| panic!("{problems}"))
}

/// `ads@chat`, `?@chat` with unknown groups, `-@chat` without a user.
fn caller(set: &PolicySet, who: &str) -> Caller {
    let (groups, place) = who.split_once('@').unwrap();
    let groups = match groups {
        "-" => None,
        "?" => Some(Groups::Unknown),
        names => {
            let ids = names.split(',').filter_map(|name| set.group(name));
            Some(Groups::Known(ids.collect::<GroupSet>()))
        }
    };
    let user = groups.map(|groups| User::new("corp", "alice", groups));
    let workload = Workload::new(&format!("spiffe://td/{place}")).unwrap();
    Caller { user: user.map(Into::into), workload: Some(workload) }
}

/// The verdict, what is enforced, and why.
fn ask(
    set: &PolicySet,
    who: &str,
    what: &str,
    now: &str,
) -> (Verdict, Verdict, Option<Reason>, Scope) {
    let (who, channel) = match who.split_once('/') {
        Some((who, channel)) => (who, Some(channel)),
        None => (who, None),
    };
    let caller = caller(set, who);
    let (server, item) = what.split_once('/').unwrap();
    let (server, environment) = server.split_once('@').unwrap_or((server, "prod"));
    let (item, arguments) = item.split_once(' ').unwrap_or((item, "{}"));
    let limits = Limits { max_depth: 8, guarded_keys: &[] };
    let arguments = json::parse(arguments.as_bytes(), limits).unwrap();
    let arguments = arguments.as_object().unwrap();
    let action = match item {
        "initialize" => Action::Discover(Discovery::Initialize),
        "ping" => Action::Discover(Discovery::Ping),
        "discover" => Action::Discover(Discovery::ServerDiscover),
        "notify" => Action::Discover(Discovery::Notification),
        "list" => Action::Discover(Discovery::ListTools),
        "prompts" => Action::Discover(Discovery::ListPrompts),
        "stream" => Action::Discover(Discovery::OpenStream),
        "end" => Action::Discover(Discovery::EndSession),
        "unknown" => Action::Unknown,
        "prompt" => Action::Prompt { op: PromptOp::Get, name: "ask" },
        uri if uri.contains("://") => Action::Resource { op: ResourceOp::Read, uri },
        name => Action::CallTool { name, arguments, task: false },
    };
    let now = now.parse().unwrap();
    let query = Query { server, environment, caller: &caller, channel, action, now };
    let decision = decide(set, &query, &mut NoTrace);
    assert_eq!(decide(set, &query, &mut Recorder::default()), decision);
    (decision.verdict, decision.enforced, decision.reason, decision.scope)
}

const NOW: &str = "2026-11-20T12:00:00Z";

#[test]
fn a_shadow_records_two_reasons_within_its_bounds() {
    use Reason::*;
    let set = set();
    // Who, what, the reason, and whether it is let through all the same.
    for (who, what, reason, through) in [
        ("ads@chat", "shaded/look", None, true),
        ("infra@chat", "shaded/look", Some(NoGrant), true),
        ("@chat", "shaded/look", Some(NoGrant), true),
        ("ads@chat", r#"shaded/look {"n":9}"#, Some(Limit), true),
        ("infra@chat", r#"shaded/look {"n":9}"#, Some(NoGrant), true),
        ("infra@chat", "shaded/change", Some(NoGrant), true),
        ("infra@chat", "shaded/db://w/a", Some(NoGrant), true),
        ("infra@chat", "shaded/prompt", Some(NoGrant), true),
        ("infra@bot", "shaded/look", Some(NoGrant), true),
        // Looking around is covered.
        ("infra@chat", "shaded/list", Some(NoGrant), true),
        ("infra@chat", "shaded/initialize", Some(NoGrant), true),
        // Signed-in people with known groups, on surfaces that reach it.
        ("?@chat", "shaded/look", Some(Banned), false),
        ("-@chat", "shaded/look", Some(Unauthenticated), false),
        ("-@night", "shaded/look", Some(NoGrant), false),
        ("infra@night", "shaded/look", Some(NoGrant), false),
        ("infra@ide", "shaded/look", Some(Surface), false),
        ("infra@web", "shaded/look", Some(Surface), false),
        ("infra@nowhere", "shaded/look", Some(Surface), false),
        // Never what is delicate.
        ("infra@chat", "shaded/drop", Some(NoGrant), false),
        ("infra@chat", "shaded/secret", Some(NoGrant), false),
        ("infra@chat", "shaded/asked", Some(NoGrant), false),
        ("ads@chat", "shaded/asked", Some(ApprovalRequired), false),
        ("infra@chat", "shaded/db://w/secret", Some(NoGrant), false),
        // Never what no live grant gives to people there.
        ("infra@chat", "shaded/spare", Some(NoGrant), false),
        ("infra@chat", "shaded/nightly", Some(NoGrant), false),
        ("infra@chat", "shaded/ended", Some(NoGrant), false),
        ("infra@chat", "shaded/elsewhere", Some(NoGrant), false),
        ("infra@chat", "shaded/db://w/spare", Some(NoGrant), false),
        // Never any other reason, and never a ban.
        ("infra@chat", "shaded/none", Some(NotListed), false),
        ("infra@chat", "shaded/unknown", Some(MethodUnknown), false),
        ("ads,contractors@chat", "shaded/look", Some(Banned), false),
        ("infra,contractors@chat", "shaded/look", Some(Banned), false),
        // Only where the environment says so.
        ("infra@ide", "shaded@dev/elsewhere", Some(NoGrant), false),
        ("infra@chat", "open/look", Some(NoGrant), false),
        ("infra@chat", "open/list", Some(NoGrant), false),
    ] {
        let (verdict, enforced, found, _) = ask(&set, who, what, NOW);
        assert_eq!(found, reason, "{who} {what}");
        assert_eq!(verdict == Verdict::Allow, reason.is_none(), "{who} {what}");
        assert_eq!(enforced == Verdict::Allow, through, "{who} {what}");
    }
}

#[test]
fn a_shadow_ends() {
    let set = set();
    let enforced = |now| ask(&set, "infra@chat", "shaded/look", now).1;
    assert_eq!(enforced("2026-11-30T23:59:59.999999999Z"), Verdict::Allow);
    assert_eq!(enforced("2026-12-01T00:00:00Z"), Verdict::Deny);
    let trial = |now| ask(&set, "ads,trial@chat", "open/look", now).1;
    assert_eq!(trial("2026-11-30T23:59:59.999999999Z"), Verdict::Allow);
    assert_eq!(trial("2026-12-01T00:00:00Z"), Verdict::Deny);
}

#[test]
fn who_may_look_around_in_shadow_is_refused_single_things_only() {
    let set = set();
    assert_eq!(ask(&set, "infra@chat", "shaded/drop", NOW).3, Scope::Item);
    assert_eq!(ask(&set, "infra@chat", "shaded/drop", "2026-12-01T00:00:00Z").3, Scope::Server);
    assert_eq!(ask(&set, "?@chat", "shaded/drop", NOW).3, Scope::Server);
}

#[test]
fn a_ban_on_trial_is_recorded_within_the_same_bounds() {
    use Reason::*;
    let set = set();
    for (who, what, reason, through) in [
        ("ads@chat", "open/look", None, true),
        ("ads,trial@chat", "open/look", Some(Banned), true),
        // A guardrail on trial.
        ("ads,trial@chat", "open/costly", Some(Banned), true),
        // Another ban holds.
        ("ads,trial@chat", "open/both", Some(Banned), false),
        ("ads,trial,contractors@chat", "open/look", Some(Banned), false),
        // Outside the bounds it holds at once.
        ("ads,trial@chat", "open/drop", Some(Banned), false),
        ("ads,trial@chat", "open/secret", Some(Banned), false),
        ("ads,trial@chat", "open/asked", Some(Banned), false),
        ("trial@chat", "open/spare", Some(Banned), false),
        ("-@night", "open/look", Some(Banned), false),
        ("?@chat", "open/look", Some(Banned), false),
        ("ads@bot/C1", "open/change", Some(Banned), true),
        ("ads@bot", "open/change", Some(NoGrant), false),
        // Without the ban there is no grant either: that is what refuses.
        ("trial@chat", "open/look", Some(NoGrant), false),
        // ... unless a shadow takes that too.
        ("trial@chat", "shaded/look", Some(NoGrant), true),
    ] {
        let (verdict, enforced, found, _) = ask(&set, who, what, NOW);
        assert_eq!(found, reason, "{who} {what}");
        assert_eq!(verdict == Verdict::Allow, reason.is_none(), "{who} {what}");
        assert_eq!(enforced == Verdict::Allow, through, "{who} {what}");
    }
}

#[test]
fn a_surface_opens_a_connection_before_anybody_signs_in_and_no_more() {
    use Reason::*;
    let set = set();
    for (who, what, reason) in [
        ("-@chat", "open/initialize", None),
        ("-@chat", "open/ping", None),
        ("-@chat", "open/notify", None),
        ("-@chat", "open/discover", None),
        ("-@chat", "open/list", Some(Unauthenticated)),
        ("-@chat", "open/prompts", Some(Unauthenticated)),
        ("-@chat", "open/stream", Some(Unauthenticated)),
        ("-@chat", "open/end", Some(Unauthenticated)),
        ("-@chat", "open/look", Some(Unauthenticated)),
        ("-@chat", "open/unknown", Some(Unauthenticated)),
        // Another surface, another server, a service.
        ("-@web", "open/initialize", Some(Unauthenticated)),
        ("-@ide", "open/initialize", Some(Unauthenticated)),
        ("-@chat", "shaded/initialize", Some(Unauthenticated)),
        ("-@night", "open/initialize", None),
        // `via` still has to match, the channel included.
        ("-@bot/C1", "open/initialize", None),
        ("-@bot/C9", "open/initialize", Some(NoGrant)),
        ("-@bot", "open/initialize", Some(NoGrant)),
        // Somebody who is signed in needs a grant.
        ("infra@chat", "open/initialize", Some(NoGrant)),
        ("ads@chat", "open/initialize", None),
    ] {
        let (_, enforced, found, _) = ask(&set, who, what, NOW);
        assert_eq!(found, reason, "{who} {what}");
        assert_eq!(enforced == Verdict::Allow, reason.is_none(), "{who} {what}");
    }
}
