//! A set that was made from what has changed is the one that a full load makes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use toolgate::policy::model::RuleId;
use toolgate::policy::{Cores, Loaded, NextError, PolicyFile, PolicyFiles, PolicySet};

/// Texts by path.
type Texts = BTreeMap<String, String>;

const SERVERS: [&str; 8] = ["ads", "billing", "crm", "deploys", "events", "files", "geo", "hr"];

/// What stands in a file, one of these for each key; the first of each in the directory that
/// everything begins with.
const KEYS: &[(&str, &[&str])] = &[
    ("UPSTREAM", &["OWN", "127.0.0.1:7001", "127.0.0.1:7009", "127.0.0.1:9999"]),
    ("REVIEWS", &["[SEC]", "[]", "[SEC, NEW]"]),
    ("RESOURCE", &["", "resource: 'https://a.example'", "resource: 'https://a.example/'"]),
    ("GROUPS", &["[one]", "[two, one]", "[three]"]),
    (
        "TOOL",
        &[
            "{ look: { effect: read }, change: { effect: write, sets: [more] } }",
            "{ change: { effect: write, sets: [more] }, look: { effect: read } }",
            "{ look: { effect: write } }",
            "{ look: { effect: reed } }",
        ],
    ),
    ("BANS", &["", "bans: { all: { people: [two], everything: true } }", "bans: { none: {} }"]),
    ("MORE", &["", "  second: { people: [two], via: [chat], in: [prod], call: [look] }"]),
    ("FORWARD", &["", "forward_groups: referenced", "colour: red"]),
];

fn server(name: &str, chosen: &[usize]) -> String {
    let mut text = format!(
        "toolgate: 1
server: {name}
environments: {{ prod: {{ upstream: 'http://UPSTREAM/mcp', reviews: REVIEWS }} }}
tools: TOOL
RESOURCE
FORWARD
grants:
  first: {{ people: GROUPS, via: [chat], in: [prod], call: [look] }}
MORE
BANS
"
    );
    for ((key, values), index) in KEYS.iter().zip(chosen) {
        text = text.replace(key, values[index % values.len()]);
    }
    let own = SERVERS.iter().position(|known| *known == name).unwrap_or(SERVERS.len());
    text.replace("OWN", &format!("127.0.0.1:{}", 7001 + own))
}

/// What the shared files say, by path; the first of each to begin with.
const SHARED: &[(&str, &[&str])] = &[
    (
        "groups.yaml",
        &[
            "toolgate: 1\ngroups: { one: {}, two: {} }",
            "toolgate: 1\ngroups: { zero: {}, two: {}, one: {} }",
            "toolgate: 1\ngroups: { two: {}, three: {} }",
        ],
    ),
    (
        "surfaces.yaml",
        &[
            "toolgate: 1\nsurfaces: { chat: { workloads: [spiffe://td/chat], reaches: [prod] } }",
            "toolgate: 1\nsurfaces: { desk: { workloads: none, reaches: [prod] }, chat: { workloads: [spiffe://td/chat], reaches: [prod] } }",
        ],
    ),
    (
        "reviews.yaml",
        &[
            "toolgate: 1\nreviews: { SEC: { kind: security, approved: 2026-03-01, last_day: 2026-12-31, covers: {} } }",
            "toolgate: 1\nreviews: { SEC: { kind: security, approved: 2026-03-01, last_day: 2026-12-31, covers: { ads: DIGEST } } }",
            "toolgate: 1\nreviews: { NEW: { kind: legal, approved: 2026-03-01, last_day: 2026-12-31, covers: { crm: DIGEST } }, SEC: { kind: security, approved: 2026-03-01, last_day: 2026-12-31, covers: {} } }",
        ],
    ),
    (
        "guardrails.yaml",
        &[
            "toolgate: 1\nenvironments: { prod: { reviews: [security], upstreams: [UPSTREAMS] } }",
            "toolgate: 1\nenvironments: { prod: { reviews: [security, legal], upstreams: [UPSTREAMS] } }\napproval: { write: caller }",
            "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: [UPSTREAMS] } }\nbans: { stop: { servers: [billing], call: [look, more] }, all: { people: [one], effects: [write] } }",
            "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: [UPSTREAMS] } }\nbans: { stop: { servers: [hr], in: [prod], everything: true } }",
        ],
    ),
    ("tests/some.yaml", &["toolgate: 1", "nonsense"]),
    ("servers/readme.md", &["", "no policy"]),
];

fn shared(path: &str, text: &str) -> (String, String) {
    let upstreams: Vec<_> = (7001..=7009).map(|port| format!("'127.0.0.1:{port}'")).collect();
    let text = text
        .replace("UPSTREAMS", &upstreams.join(", "))
        .replace("DIGEST", &format!("'{}'", "0".repeat(64)));
    (path.to_owned(), text)
}

fn beginning() -> Texts {
    let servers = SERVERS.iter().map(|name| (path(name), server(name, &[0; 8])));
    let files = SHARED.iter().filter(|(_, texts)| !texts[0].is_empty());
    servers.chain(files.map(|(path, texts)| shared(path, texts[0]))).collect()
}

fn path(name: &str) -> String {
    format!("servers/{name}.yaml")
}

#[derive(Clone, Debug)]
enum Edit {
    /// One key of a server's file is another than to begin with, if any.
    Server(&'static str, Option<(usize, usize)>),
    Remove(&'static str),
    /// Its file has another's name.
    Rename(&'static str, &'static str),
    New,
    Shared(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let server = || select(&SERVERS[..]);
    let key = proptest::option::weighted(0.8, (0..KEYS.len(), 0..4_usize));
    prop_oneof![
        12 => (server(), key).prop_map(|(name, key)| Edit::Server(name, key)),
        2 => server().prop_map(Edit::Remove),
        1 => (server(), server()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => Just(Edit::New),
        3 => (0..SHARED.len(), 0..4_usize).prop_map(|(file, text)| Edit::Shared(file, text)),
    ]
}

fn apply(texts: &mut Texts, edit: &Edit) {
    match edit {
        Edit::Server(name, key) => {
            let mut chosen = [0; 8];
            if let Some((key, value)) = key {
                chosen[*key] = *value;
            }
            texts.insert(path(name), server(name, &chosen));
        }
        Edit::Remove(name) => {
            texts.remove(&path(name));
        }
        Edit::Rename(from, to) => {
            if let Some(text) = texts.remove(&path(from)) {
                texts.insert(path(to), text);
            }
        }
        Edit::New => {
            texts.insert(path("young"), server("young", &[0; 8]));
        }
        Edit::Shared(file, text) => {
            let (path, choices) = SHARED[*file];
            let (path, text) = shared(path, choices[text % choices.len()]);
            if text.is_empty() {
                texts.remove(&path)
            } else {
                texts.insert(path, text)
            };
        }
    }
}

/// Bytes that are shared with the last look as a directory shares them, or read again.
fn files(texts: &Texts, before: &PolicyFiles) -> PolicyFiles {
    let file = |(path, text): (&String, &String)| {
        let known = before.files.iter().find(|file| file.path == *path);
        let same = known.filter(|file| *file.bytes == *text.as_bytes() && path.len() % 2 == 0);
        let bytes = same.map_or_else(|| text.as_bytes().into(), |file| file.bytes.clone());
        PolicyFile { path: path.clone(), bytes }
    };
    PolicyFiles {
        files: texts.iter().map(file).collect(),
        ..PolicyFiles::rooted(Path::new("policies"))
    }
}

/// Everything that a set says. What a rule's id is, is its own affair; where it leads is not.
fn picture(set: &PolicySet) -> String {
    let rule = |id: RuleId| format!("{:?}", set.rule(id));
    let mut text = format!("{}\n{:?}\n", set.digest(), set.guardrails());
    for server in set.servers() {
        let found = set.server(&server.name).map(|found| std::ptr::eq(found, server));
        assert_eq!(found, Some(true), "found by its name");
        writeln!(text, "{server:?}").unwrap();
        let rules = server.grants().iter().map(|grant| grant.rule);
        let rules = rules.chain(server.bans().iter().map(|ban| ban.rule));
        text.extend(rules.map(rule));
    }
    text.extend(set.guardrails().iter().map(|ban| rule(ban.rule)));
    text.extend(set.reviews().map(|review| format!("{review:?}")));
    text.extend(set.group_names().chain(set.place_names()));
    // The number that a server's rules go by.
    let mut parts = text.split("RuleId { of: ");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (of, rest) = part.split_once(',').unwrap();
        plain.push_str(if of == "0" { "RuleId { shared" } else { "RuleId { its own" });
        plain.push_str(rest);
    }
    plain
}

fn told(loaded: &Result<Loaded, toolgate::diagnostics::Diagnostics>) -> String {
    match loaded {
        Ok(loaded) => picture(loaded.set()),
        Err(problems) => problems.to_string(),
    }
}

/// Makes set after set, by what has changed and whole.
fn follow(rounds: &[Vec<Edit>]) -> Result<usize, TestCaseError> {
    let mut texts = beginning();
    let mut now = files(&texts, &PolicyFiles::default());
    let mut loaded = Loaded::new(now.clone(), Cores::One).unwrap();
    let mut good = 0;
    for edits in rounds {
        let before = texts.clone();
        for edit in edits {
            apply(&mut texts, edit);
        }
        now = files(&texts, &now);
        let next = loaded.next(now.clone());
        let full = Loaded::new(files(&texts, &PolicyFiles::default()), Cores::One);
        prop_assert_eq!(told(&next), told(&full), "{:?}", edits);
        match next {
            Ok(next) => {
                prop_assert!(next.is_of(&now.listing()));
                (loaded, good) = (next, good + 1);
            }
            // Or nothing would be good any more.
            Err(_) => texts = before,
        }
    }
    Ok(good)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_has_changed_makes_the_set_that_everything_makes(
        guardrails in 0..4_usize,
        rounds in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..10),
    ) {
        let first = vec![Edit::Shared(3, guardrails)];
        follow(&[vec![first], rounds].concat())?;
    }
}

/// What servers have to do with each other and with the shared files, one story each, and how many
/// of its sets are good.
#[test]
fn what_else_a_server_depends_on_is_seen() {
    let key = |name, key, value| Edit::Server(name, Some((key, value)));
    let plain = |name| Edit::Server(name, None);
    let (upstream, resource, tools, bans) = (0, 2, 4, 5);
    let (groups, surfaces, reviews, guardrails) = (0, 1, 2, 3);
    for (story, good) in [
        // A ban of the guardrails knows a server's tools by their order, and its environments.
        (vec![vec![Edit::Shared(guardrails, 2)], vec![key("billing", tools, 1)]], 2),
        (vec![vec![Edit::Shared(guardrails, 2)], vec![key("billing", tools, 2)]], 1),
        (vec![vec![Edit::Shared(guardrails, 3)], vec![Edit::Remove("hr")]], 1),
        // A review covers only servers that are there, and the tools that they have.
        (vec![vec![Edit::Shared(reviews, 1)], vec![Edit::Remove("ads")]], 1),
        (vec![vec![Edit::Shared(reviews, 1)], vec![key("ads", tools, 1)]], 2),
        // No two servers have an upstream or a resource in common, however they come to it.
        (vec![vec![key("billing", upstream, 1)]], 0),
        (vec![vec![Edit::New], vec![key("crm", upstream, 2)]], 1),
        (vec![vec![key("crm", upstream, 2)], vec![Edit::New], vec![plain("crm"), Edit::New]], 2),
        (vec![vec![Edit::Remove("ads"), key("billing", upstream, 1)], vec![plain("ads")]], 1),
        (vec![vec![key("ads", resource, 1)], vec![key("billing", resource, 2)]], 1),
        (vec![vec![key("ads", resource, 1), key("billing", resource, 2)]], 0),
        // Names are numbers in the model.
        (vec![vec![Edit::Shared(groups, 1)], vec![key("ads", bans, 1)]], 2),
        (vec![vec![Edit::Shared(surfaces, 1), key("ads", bans, 1)], vec![plain("ads")]], 2),
        // The number of one that is gone is another's.
        (vec![vec![Edit::Remove("crm")], vec![Edit::New], vec![plain("crm")]], 3),
        (vec![vec![key("crm", bans, 1)], vec![Edit::Remove("ads")], vec![key("hr", bans, 1)]], 3),
    ] {
        assert_eq!(follow(&story).unwrap(), good, "{story:?}");
    }
}

/// How many files are read again after one edit.
#[test]
fn what_has_not_changed_is_not_read_again() {
    let grant = |name| Edit::Server(name, Some((6, 1)));
    let all = SERVERS.len() + 4;
    for (edit, read) in [
        (grant("crm"), 1),
        (Edit::Remove("crm"), 0),
        (Edit::New, 1),
        (Edit::Rename("hr", "young"), 1 + all),
        (Edit::Server("crm", None), 0),
    ] {
        let mut texts = beginning();
        let first = files(&texts, &PolicyFiles::default());
        let loaded = Loaded::new(first.clone(), Cores::One).unwrap();
        apply(&mut texts, &edit);
        let now = files(&texts, &first);
        loaded.next(now.clone()).ok();
        assert_eq!(now.parsed.get(), read, "{edit:?}");
    }
}

/// What is read is what was listed, or nothing is made of it.
#[test]
fn what_is_not_what_was_listed_is_not_taken() {
    let mut texts = beginning();
    let loaded = Loaded::new(files(&texts, &PolicyFiles::default()), Cores::One).unwrap();
    for edit in [Edit::Server("crm", Some((6, 1))), Edit::Shared(0, 1)] {
        apply(&mut texts, &edit);
        let listed = files(&texts, &PolicyFiles::default());
        let bytes = |path: &str| {
            let file = listed.files.iter().find(|file| file.path == path)?;
            Some(file.bytes.clone())
        };
        assert!(loaded.next_of(listed.listing(), bytes).is_ok());
        // It is another one, or none, by the time that it is wanted.
        let later = |path: &str| Some([&*bytes(path)?, b"\n"].concat().into());
        for read in [&later as &dyn Fn(&str) -> _, &|_: &str| None] {
            let next = loaded.next_of(listed.listing(), read);
            assert!(matches!(next, Err(NextError::Moved(_))), "{edit:?}");
        }
    }
}

/// Bans beside a good set are those that would stand in its guardrails.
#[test]
fn bans_of_another_version_are_what_a_full_load_makes_of_them() {
    let mut texts = beginning();
    apply(&mut texts, &Edit::Server("crm", Some((4, 2))));
    let loaded = Loaded::new(files(&texts, &PolicyFiles::default()), Cores::One).unwrap();
    for (bans, added) in [
        ("all: { people: [one], effects: [write] }", 1),
        ("stop: { servers: [billing, hr], call: [look, more] }", 2),
        (
            "one: { people: [one], via: [chat], everything: true }, two: { in: [prod], people: [two], traits: [costly] }",
            2,
        ),
        ("user: { users: ['corp:bob'], servers: [crm], call: [look] }", 1),
    ] {
        let mut banned = texts.clone();
        write!(banned.get_mut("guardrails.yaml").unwrap(), "\nbans: {{ {bans} }}").unwrap();
        let banned = files(&banned, &PolicyFiles::default());
        let guardrails = banned.files.iter().find(|file| file.path == "guardrails.yaml").unwrap();
        let amended = loaded.with_bans(std::slice::from_ref(guardrails));
        assert!(amended.left_out.list.is_empty(), "{}", amended.left_out);
        let full = Loaded::new(banned.clone(), Cores::One).unwrap();
        let without_digest = |set| picture(set).split_once('\n').unwrap().1.to_owned();
        assert_eq!(without_digest(&amended.set), without_digest(full.set()), "{bans}");
        assert_eq!(amended.added, added);
        let digests = [loaded.set(), full.set(), &amended.set].map(PolicySet::digest);
        assert!(digests[0] != digests[2] && digests[1] != digests[2]);
    }
    // What the set does not know is left out.
    let ban = "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: [] } }\nbans: { a: { servers: [crm, gone], everything: true }, b: { servers: [crm], call: [more] } }";
    let file = PolicyFile { path: "guardrails.yaml".to_owned(), bytes: ban.as_bytes().into() };
    let amended = loaded.with_bans(&[file]);
    assert_eq!((amended.added, amended.left_out.list.len()), (1, 2), "{}", amended.left_out);
}
