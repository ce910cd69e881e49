//! What stands in the cells of the table.

use std::fmt::Write as _;

use toolgate::matrix::{self, Matrix};
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

const SURFACES: &str = "toolgate: 1
surfaces:
  chat: { workloads: [spiffe://td/chat], reaches: [prod], clients: [web, app] }
  bot: { workloads: [spiffe://td/bot], reaches: [prod], channels: { help: [C1], ops: [C2] } }
services:
  night: { workloads: [spiffe://td/night], reaches: [prod] }
";
const GROUPS: &str = "toolgate: 1
groups:
  ads: {}
  fin: {}
  all: { claims: ['corp:staff', 'corp:boss'] }
  bosses: { claims: ['corp:boss'] }
  away: {}
";

/// A policy set with one tool `t`, from lines of grants and bans.
fn load(tool: &str, more: &str, grants: &str, bans: &str) -> PolicySet {
    let mut server = format!(
        "toolgate: 1\nserver: s\nenvironments: {{ prod: {{ upstream: 'http://127.0.0.1:1/mcp'{more} }} }}\n\
         discovery: {{ without_user: [bot] }}\n\
         tools: {{ t: {{ {tool} }} }}\n"
    );
    for (block, name, rules) in [("grants", "g", grants), ("bans", "b", bans)] {
        let rules: Vec<_> = rules.split("; ").filter(|rule| !rule.is_empty()).collect();
        if !rules.is_empty() {
            let _ = writeln!(server, "{block}:");
        }
        for (index, rule) in rules.iter().enumerate() {
            let _ = writeln!(server, "  {name}{index}: {{ {rule}, call: [t] }}");
        }
    }
    let guardrails =
        "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: ['127.0.0.1:1'] } }\n";
    let file = |(path, text): (&str, &str)| PolicyFile {
        path: path.to_owned(),
        bytes: text.as_bytes().to_vec().into(),
    };
    let files = [
        ("surfaces.yaml", SURFACES),
        ("groups.yaml", GROUPS),
        ("guardrails.yaml", guardrails),
        ("servers/s.yaml", &server),
    ];
    let files = files.into_iter().map(file).collect();
    policy::load(PolicyFiles { files, ..PolicyFiles::default() })
        .unwrap_or_else(|problems| panic!("{problems}\n{server}"))
}

fn table(set: &PolicySet) -> Matrix {
    let server = set.server("s").unwrap();
    let wanted = [(server, server.environments[0].id)];
    Matrix::of(set, "2026-11-20T12:00:00Z".parse().unwrap(), &wanted)
}

#[test]
fn cells_say_it_in_few_words() {
    let plain = "effect: read";
    let cases = [
        ("one grant", "people: [ads], via: [chat]", ""),
        ("alternatives", "people: [ads], via: [chat]; people: [fin], via: [chat]", ""),
        (
            "alternatives that are narrowed alike",
            "people: [ads], also_in: [all], via: [chat]; people: [fin], also_in: [all], via: [chat]",
            "",
        ),
        (
            "what another one includes",
            "people: [ads, fin], also_in: [all], via: [chat]; people: [ads], via: [chat]",
            "",
        ),
        (
            "all include one",
            "people: [ads], via: [chat]; people: [anyone-signed-in], via: [chat]",
            "",
        ),
        (
            "what two include together",
            "people: [ads], except: [away], via: [chat]; people: [ads], also_in: [away], via: [chat]; people: [ads], also_in: [fin], via: [chat]",
            "",
        ),
        (
            "a group within another one, by its claims",
            "people: [bosses], via: [chat]; people: [all], via: [chat]",
            "",
        ),
        (
            "nobody is in one and not in the other",
            "people: [bosses], except: [all], via: [chat]",
            "",
        ),
        ("a ban", "people: [ads, away], via: [chat]", "people: [away]"),
        (
            "a ban on all of a grant",
            "people: [away], via: [chat]; people: [ads], via: [chat]",
            "people: [away]",
        ),
        ("a ban on everybody", "people: [ads], via: [chat]", "people: [anyone-signed-in]"),
        ("a ban by name", "people: [ads], via: [chat]", "users: ['corp:eve']"),
        (
            "a ban by name on trial",
            "people: [anyone-signed-in], via: [chat]",
            "users: ['corp:eve'], trial_until: 2026-12-24T00:00:00Z",
        ),
        (
            "a ban on trial",
            "people: [anyone-signed-in], via: [chat]",
            "people: [away], trial_until: 2026-12-24T09:30:00Z",
        ),
        (
            "a ban that ends",
            "people: [ads], via: [chat]",
            "people: [away], until: 2026-12-24T09:30:00Z",
        ),
        (
            "named people",
            "users: ['corp:mia', 'corp:eve'], ticket: T-1, last_day: 2026-12-18, via: [chat]; users: ['corp:zoe'], ticket: T-2, until: 2026-12-19T00:00:00Z, last_day: 2026-12-31, via: [chat]",
            "people: [away], users: ['corp:eve']",
        ),
        (
            "ends",
            "people: [ads], via: [chat], until: 2026-12-01T09:30:00Z; people: [ads], also_in: [fin], via: [chat]; people: [ads], via: [chat], last_day: 2026-11-25",
            "",
        ),
        ("a grant that has ended", "people: [ads], via: [chat], last_day: 2026-11-19", ""),
        (
            "limits of the grant",
            "people: [ads], via: [chat], limits: { /n: { between: [1, 9] } }; people: [fin], via: [chat]",
            "",
        ),
        (
            "limits that another grant does not ask for",
            "people: [ads], via: [chat], limits: { /n: { is: 1 } }; people: [ads], via: [chat]",
            "",
        ),
        ("channels", "people: [ads], via: [bot]; people: [fin], via: [bot/help]", ""),
        ("a ban by channel", "people: [ads], via: [bot]", "via: [bot/help]"),
        ("a service", "services: [night]", ""),
    ];
    let mut shown = String::new();
    for (name, grants, bans) in cases {
        let set = load(plain, "", grants, bans);
        let lines = matrix::text(&table(&set), 200);
        let lines: Vec<_> = lines.lines().skip(3).map(str::trim_end).collect();
        let _ = writeln!(shown, "# {name}\n{}\n", lines.join("\n"));
    }
    let shadow = ", mode: { shadow_until: 2026-12-24T00:00:00Z }";
    let set = load(
        "effect: write, limits: { /n: { is: 1 } }",
        shadow,
        "people: [ads], via: [chat]",
        "people: [away]",
    );
    let _ = writeln!(shown, "# shadow\n{}", matrix::text(&table(&set), 200));
    insta::assert_snapshot!(shown);
}

#[test]
fn reviews_that_are_not_in_force_are_noted() {
    let files =
        toolgate::disk::read_policies(concat!(env!("CARGO_MANIFEST_DIR"), "/policies").as_ref());
    let set = policy::load(files).unwrap();
    let server = set.server("presto").unwrap();
    let wanted = [(server, set.environment("prod").unwrap())];
    let table = Matrix::of(&set, "2030-01-01T00:00:00Z".parse().unwrap(), &wanted);
    assert_eq!(
        table.sections[0].notes,
        [
            "no security review is in force: until one is, all is refused",
            "no legal review is in force: until one is, all is refused",
            "no genai review is in force: until one is, all is refused",
        ]
    );
    assert!(
        table.sections[0].rows.iter().any(|row| row.cells.iter().any(|cell| !cell.is_nobody()))
    );
}
