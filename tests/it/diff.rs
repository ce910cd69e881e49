//! What `toolgate diff` says of edits of the samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use toolgate::diagnostics::{Source, Sources};
use toolgate::diff::{self, Diff, Mark, Side, Verdict};
use toolgate::policy::{PolicyFile, PolicyFiles};
use toolgate::yaml::{self, Kind, Node};

const NOW: &str = "2026-11-20T12:00:00Z";

type Files = BTreeMap<String, String>;

fn samples() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files = Files::new();
    for directory in ["", "servers/"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap();
                files.insert(format!("{directory}{name}"), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

fn load(files: &Files) -> Side {
    let mut policies = PolicyFiles::rooted(Path::new("policies"));
    policies.files = files
        .iter()
        .map(|(path, text)| PolicyFile { path: path.clone(), bytes: text.as_bytes().into() })
        .collect();
    Side::load(policies).unwrap_or_else(|problems| panic!("{problems}"))
}

fn compare(old: &Files, new: &Files) -> Diff {
    diff::diff(&load(old), &load(new), NOW.parse().unwrap(), &[]).unwrap()
}

/// One text of a file becomes another one. A file without an old text is new; without a new one,
/// gone.
type Edit = (&'static str, &'static str, &'static str);

fn edited(files: &Files, edits: &[Edit]) -> Files {
    let mut files = files.clone();
    for (path, from, to) in edits {
        let text = files.entry((*path).to_owned()).or_default();
        if from.is_empty() {
            text.push_str(to);
        } else if *from == "*" {
            files.remove(*path);
        } else {
            assert!(text.contains(from), "{path}: {from}");
            *text = text.replacen(from, to, 1);
        }
    }
    files
}

const PRESTO: &str = "servers/presto.yaml";
const SPARK: &str = "servers/spark.yaml";
const AIRFLOW: &str = "servers/airflow.yaml";

/// What is done to the samples, and what is told about it.
const EDITS: &[(&str, &[Edit])] = &[
    ("nothing", &[]),
    (
        "a group more",
        &[(
            PRESTO,
            "    people: [ads-eng]\n    also_in",
            "    people: [ads-eng, finance]\n    also_in",
        )],
    ),
    ("a group less", &[(PRESTO, "[ads, finance, infra]", "[ads, infra]")]),
    ("everybody", &[(PRESTO, "[ads, finance, infra]", "[anyone-signed-in]")]),
    ("no group left out, and the bans on it stay", &[(PRESTO, "    except: [contractors]\n", "")]),
    (
        "no group left out, and one ban on it gone",
        &[
            (PRESTO, "    except: [contractors]\n", ""),
            (
                PRESTO,
                "\nbans:\n  contractors-revenue:\n    people: [contractors]\n    call: [get_revenue_metrics]\n",
                "",
            ),
        ],
    ),
    (
        "a ban that changes nothing today",
        &[(
            PRESTO,
            "\nbans:\n  contractors-revenue:\n    people: [contractors]\n    call: [get_revenue_metrics]\n",
            "",
        )],
    ),
    (
        "a ban that changes nothing beside a grant that does",
        &[
            (
                PRESTO,
                "\nbans:\n  contractors-revenue:\n    people: [contractors]\n    call: [get_revenue_metrics]\n",
                "",
            ),
            (PRESTO, "[ads, finance, infra]", "[ads, finance, infra, oncall]"),
        ],
    ),
    (
        "a new ban",
        &[(
            AIRFLOW,
            "\ngrants:",
            "\nbans:\n  no-infra: { people: [infra], call: [list_dags] }\n\ngrants:",
        )],
    ),
    (
        "a place more",
        &[(
            PRESTO,
            "    via: [ai-chat]\n    in: [prod]\n    call: [get_revenue_metrics]",
            "    via: [ai-chat, ide]\n    in: [prod]\n    call: [get_revenue_metrics]",
        )],
    ),
    (
        "a tool more, in a grant",
        &[
            (
                PRESTO,
                "  get_revenue_metrics:\n    effect",
                "  export_table: { effect: write }\n  get_revenue_metrics:\n    effect",
            ),
            (PRESTO, "call: [browse, run_query]", "call: [browse, run_query, export_table]"),
        ],
    ),
    (
        "a tool more, in a set",
        &[(
            PRESTO,
            "  get_revenue_metrics:\n    effect",
            "  show_table: { effect: read, sets: [browse] }\n  get_revenue_metrics:\n    effect",
        )],
    ),
    (
        "a tool more, for nobody",
        &[(
            PRESTO,
            "  get_revenue_metrics:\n    effect",
            "  show_table: { effect: read }\n  get_revenue_metrics:\n    effect",
        )],
    ),
    (
        "a tool less",
        &[
            (AIRFLOW, "  trigger_dag:\n    effect: write\n    minutes_saved: 6\n", ""),
            (
                AIRFLOW,
                "  teams-run:\n    people: [ads-eng, data-platform]\n    via: [ide, chat-bot/airflow-support]\n    call: [trigger_dag]\n",
                "",
            ),
        ],
    ),
    (
        "an effect",
        &[(AIRFLOW, "  trigger_dag:\n    effect: write", "  trigger_dag:\n    effect: read")],
    ),
    ("a wider limit", &[(PRESTO, "between: [1, 10000]", "between: [1, 50000]")]),
    ("a narrower limit", &[(PRESTO, "max_length: 20000", "max_length: 1000")]),
    (
        "limits wider and narrower",
        &[
            (PRESTO, "between: [1, 10000]", "between: [1, 50000]"),
            (PRESTO, "max_length: 20000", "max_length: 1000"),
        ],
    ),
    (
        "a limit that cannot be compared",
        &[
            (PRESTO, "/sql:   { max_length: 20000 }", "/sql:   { matches: 'select .*' }"),
            (
                PRESTO,
                "log_args: [/limit]                 #",
                "log_args: [/limit, /sql]           #",
            ),
        ],
    ),
    ("no limit", &[(PRESTO, "      /sql:   { max_length: 20000 }\n", "")]),
    ("more arguments", &[(PRESTO, "accepts: [sql, limit]", "accepts: [sql, limit, timeout]")]),
    (
        "any arguments",
        &[(
            PRESTO,
            "    accepts: [sql, limit]              # and no other argument, now or later\n",
            "",
        )],
    ),
    (
        "a limit in a grant",
        &[(
            AIRFLOW,
            "    call: [trigger_dag]",
            "    call: [trigger_dag]\n    limits: { /dag: { one_of: [daily, hourly] } }",
        )],
    ),
    ("a weaker approval", &[(PRESTO, "approval: [data-stewards]", "approval: another-person")]),
    ("a stricter approval", &[(SPARK, "approval: another-person", "approval: [infra]")]),
    (
        "no approval",
        &[
            ("guardrails.yaml", "approval: { destructive: another-person }", "approval: {}"),
            (SPARK, "    approval: another-person\n", ""),
        ],
    ),
    ("tasks", &[(PRESTO, "\ntools:", "\ntasks: bound_to_user\ntools:")]),
    ("a method of an extension", &[(PRESTO, "\ntools:", "\nmethods: [vendor/ask]\ntools:")]),
    ("another shape of refusals", &[(PRESTO, "\ntools:", "\nrefusal: result\ntools:")]),
    ("a later end", &[(PRESTO, "last_day: 2027-01-31", "last_day: 2027-06-30")]),
    ("an earlier end", &[(PRESTO, "last_day: 2027-01-31", "last_day: 2026-12-31")]),
    ("a user more", &[(AIRFLOW, "users: [\"corp:mia\"]", "users: [\"corp:mia\", \"corp:noa\"]")]),
    (
        "a new grant",
        &[(
            SPARK,
            "  oncall-kills:",
            "  infra-kills:\n    people: [infra]\n    via: [ide]\n    call: [kill_application]\n  oncall-kills:",
        )],
    ),
    (
        "a grant less",
        &[(
            SPARK,
            "  oncall-kills:\n    people: [oncall]\n    via: [chat-bot/spark-support]\n    call: [kill_application]\n",
            "",
        )],
    ),
    (
        "a service",
        &[(
            PRESTO,
            "    services: [nightly-lineage]\n    in: [prod]\n    call: [browse]",
            "    services: [nightly-lineage]\n    in: [prod]\n    call: [browse, run_query]",
        )],
    ),
    (
        "another upstream",
        &[
            ("guardrails.yaml", "\"127.0.0.1:7104\"]", "\"127.0.0.1:7104\", \"127.0.0.1:7105\"]"),
            (
                PRESTO,
                "upstream: \"http://127.0.0.1:7101/mcp\"",
                "upstream: \"http://127.0.0.1:7105/mcp\"",
            ),
        ],
    ),
    (
        "a shadow",
        &[(SPARK, "GENAI-55] }", "GENAI-55], mode: { shadow_until: 2026-12-01T00:00:00Z } }")],
    ),
    (
        "before signing in",
        &[(SPARK, "\ntools:", "\ndiscovery: { without_user: [ide, chat-bot] }\n\ntools:")],
    ),
    (
        "audit, and what the upstream is told",
        &[(SPARK, "\ntools:", "\naudit: required\nforward_groups: referenced\n\ntools:")],
    ),
    ("a renewed review", &[("reviews.yaml", "last_day: 2027-05-31", "last_day: 2028-05-31")]),
    ("a review that ended", &[("reviews.yaml", "last_day: 2027-05-31", "last_day: 2026-10-31")]),
    (
        "fewer kinds of review",
        &[("guardrails.yaml", "reviews: [security, legal, genai]", "reviews: [security, legal]")],
    ),
    ("a claim more", &[("groups.yaml", "-5d2f3c4b7a11\"]", "-5d2f3c4b7a11\", \"corp:ads\"]")]),
    (
        "a group by name that gets a claim",
        &[("groups.yaml", "oncall: {}", "oncall: { claims: [\"corp:on-call\"] }")],
    ),
    ("a new group", &[("groups.yaml", "oncall: {}", "oncall: {}\n  pilots: {}")]),
    (
        "a surface reaches more",
        &[("surfaces.yaml", "    reaches: [dev]", "    reaches: [dev, prod]")],
    ),
    (
        "a workload more",
        &[(
            "surfaces.yaml",
            "workloads: [\"spiffe://prod.example.com/ns/ide-gateway/sa/gateway\"]",
            "workloads: [\"spiffe://prod.example.com/ns/ide-gateway/sa/gateway\", \"spiffe://prod.example.com/ns/new-ide/sa/gateway\"]",
        )],
    ),
    ("a channel more", &[("surfaces.yaml", "[C07SPARK1]", "[C07SPARK1, C07SPARK2]")]),
    (
        "a guardrail less",
        &[(
            "guardrails.yaml",
            "  contractors-change-nothing: { people: [contractors], effects: [write, destructive] }\n",
            "",
        )],
    ),
    (
        "a scope",
        &[(
            PRESTO,
            "    in: [prod]\n    call: [browse, run_query]",
            "    in: [prod]\n    scopes: [openid, presto.read]\n    call: [browse, run_query]",
        )],
    ),
    (
        "tokens of its own",
        &[(PRESTO, "\ntools:", "\nresource: \"https://presto.example.com/mcp\"\ntools:")],
    ),
    (
        "tokens that are forwarded",
        &[(
            SPARK,
            "\ntools:",
            "\nforward_token: true\nresource: \"https://spark.example.com/mcp\"\ntools:",
        )],
    ),
    ("what holds anyway, said", &[(PRESTO, "\ntools:", "\nforward_token: false\ntools:")]),
    (
        "a grant by scope",
        &[(
            PRESTO,
            "grants:\n",
            "grants:\n  by-scope:\n    people: [anyone-signed-in]\n    via: [ide]\n    in: [prod]\n    scopes: [presto.read]\n    call: [list_tables]\n",
        )],
    ),
    (
        "a guardrail less that nobody misses",
        &[(
            "guardrails.yaml",
            "  services-stay-small:\n    services: any-service\n    effects: [write, destructive]\n    traits: [sensitive, external]\n",
            "",
        )],
    ),
    ("the kill switch", &[("guardrails.yaml", "  # incident-4711:", "  incident-4711:")]),
    (
        "a new server",
        &[
            ("guardrails.yaml", "[\"127.0.0.1:7301\"]", "[\"127.0.0.1:7301\", \"127.0.0.1:7302\"]"),
            (
                "servers/mail.yaml",
                "",
                "toolgate: 1\nserver: mail\nenvironments:\n  dev: { upstream: \"http://127.0.0.1:7302/mail\" }\ntools:\n  read_mail: { effect: read }\n  send_mail: { effect: write, traits: [external] }\ngrants:\n  try:\n    people: [ads-eng]\n    via: [ide]\n    call: [read_mail, send_mail]\n",
            ),
        ],
    ),
    ("a server less", &[("servers/lab.yaml", "*", "")]),
    (
        "a resource",
        &[
            (
                "servers/knowledge.yaml",
                "\"handbook://company/pages/*\": { effect: read }",
                "\"handbook://company/*\": { effect: read }",
            ),
            (
                "servers/knowledge.yaml",
                "read: [\"handbook://company/pages/*\"]",
                "read: [\"handbook://company/*\"]",
            ),
        ],
    ),
    (
        "what decides nothing",
        &[
            (PRESTO, "title: Presto", "title: Trino"),
            (PRESTO, "minutes_saved: 8", "minutes_saved: 9"),
            (AIRFLOW, "ticket: DATA-2291", "ticket: DATA-2292"),
            ("guardrails.yaml", "approval:", "lint: { unused-tool: off }\napproval:"),
        ],
    ),
    ("another name for a grant", &[(SPARK, "  oncall-kills:", "  on-call-kills:")]),
];

#[test]
fn what_is_said_of_edits() {
    let samples = samples();
    let mut told = String::new();
    for (name, edits) in EDITS {
        let found = compare(&samples, &edited(&samples, edits));
        writeln!(told, "=== {name}\n{}", diff::text(&found)).unwrap();
    }
    insta::assert_snapshot!(told);
}

// === What says the same ===

/// Every file in another style, with everything in another order and under other names.
struct Rewritten<'r> {
    /// Names of surfaces, services, groups and sets, where they are named.
    /// What comes after the names of rules.
    rules: &'r str,
    names: &'r [(&'static str, &'static str)],
}

impl Rewritten<'_> {
    fn files(&self, files: &Files) -> Files {
        let mut sources = Sources::default();
        let rewritten = files.iter().map(|(path, text)| {
            let source = Source { path: path.into(), text: text.clone() };
            let tree = yaml::parse(sources.add(source), text, &mut Vec::new()).unwrap();
            (path.clone(), self.node("", &tree))
        });
        rewritten.collect()
    }

    fn name(&self, name: &str) -> String {
        let (first, rest) = match name.split_once('/') {
            Some((first, rest)) => (first, format!("/{rest}")),
            None => (name, String::new()),
        };
        let new = self.names.iter().find(|(old, _)| *old == first).map_or(first, |(_, new)| new);
        format!("{new}{rest}")
    }

    fn node(&self, key: &str, node: &Node) -> String {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        match &node.kind {
            Kind::Text(text) => {
                let named = ["via", "people", "also_in", "except", "services", "call", "sets"];
                if named.contains(&key) { quoted(&self.name(text)) } else { quoted(text) }
            }
            Kind::Plain(_, text) => text.clone(),
            // Reviews cover tools down to the order of their lists.
            Kind::Sequence(items) if ["accepts", "between"].contains(&key) => {
                let items: Vec<_> = items.iter().map(|item| self.node("", item)).collect();
                format!("[{}]", items.join(","))
            }
            Kind::Sequence(items) => {
                let items: Vec<_> = items.iter().rev().map(|item| self.node(key, item)).collect();
                format!("[\n {} ]", items.join(" ,"))
            }
            Kind::Mapping(entries) => {
                let entry = |(name, node): &(yaml::Key, Node)| {
                    let name = match key {
                        "grants" | "bans" => format!("{}{}", name.text, self.rules),
                        "surfaces" | "services" | "groups" => self.name(&name.text),
                        _ => name.text.clone(),
                    };
                    format!("{}: {}", quoted(&name), self.node(&name, node))
                };
                let entries: Vec<_> = entries.iter().rev().map(entry).collect();
                format!("{{ # again\n {} }}", entries.join(",\n "))
            }
        }
    }
}

/// What must always hold is proved of the new policies, and servers of which the same is said
/// stand together.
#[test]
fn what_must_hold_and_what_many_share_is_said_once() {
    let mut before = samples();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/tests");
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        before.insert(format!("tests/{name}"), fs::read_to_string(&path).unwrap());
    }
    let more = (PRESTO, "people: [ads-eng]\n", "people: [ads-eng, finance]\n");
    let ban = ("guardrails.yaml", "bans: ", "bans:\n  pause: { everything: true, in: [dev] }\n#");
    let unreadable = ("tests/presto.yaml", "now:", "then:");
    let mut told = String::new();
    for edits in [vec![more], vec![ban], vec![unreadable]] {
        let found = compare(&before, &edited(&before, &edits));
        let (text, markdown) = (diff::text(&found), diff::markdown(&found));
        let _ = writeln!(told, "{text}\n{markdown}\n{:#}\n", diff::json(&found)["always"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn style_order_and_names_change_nothing() {
    let samples = samples();
    let styled = Rewritten { rules: "", names: &[] }.files(&samples);
    let found = compare(&samples, &styled);
    assert!(found.no_access_changes() && found.sections.is_empty(), "{}", diff::text(&found));
    let others = [
        ("ai-chat", "talk"),
        ("chat-bot", "robot"),
        ("nightly-lineage", "night"),
        ("finance", "money"),
    ];
    let found = compare(&samples, &Rewritten { rules: "-again", names: &others }.files(&samples));
    assert!(
        found.no_access_changes() && found.verdict() == Verdict::Same,
        "{}",
        diff::text(&found)
    );
    let lines = found.sections.iter().flat_map(|section| &section.lines);
    // Rules are called otherwise, and that is all.
    for line in lines {
        assert!(line.what.contains("another name decides nothing"), "{}", diff::text(&found));
    }
    // What reviews cover are tools with their sets.
    let found = compare(
        &samples,
        &Rewritten { rules: "-again", names: &[("browse", "look-around")] }.files(&samples),
    );
    assert!(found.no_access_changes() && found.verdict() == Verdict::Changed);
}

#[test]
fn a_renamed_place_does_not_hide_a_group_of_that_name() {
    let samples = samples();
    let groups = |claims: &str| {
        let group = format!("groups:\n  talk: {{ claims: [{claims}] }}\n#");
        edited(&samples, &[("groups.yaml", "groups: ", group.leak())])
    };
    let renamed = Rewritten { rules: "", names: &[("ai-chat", "talk")] };
    let found =
        compare(&groups("\"corp:a\""), &renamed.files(&groups("\"corp:a\", \"corp:contractors\"")));
    // Who claims that value is no contractor any more.
    assert!(found.is_wider(), "{}", diff::text(&found));
}

#[test]
fn the_same_both_ways() {
    let samples = samples();
    for (name, edits) in EDITS {
        let other = edited(&samples, edits);
        let (there, back) = (compare(&samples, &other), compare(&other, &samples));
        assert_eq!(there.no_access_changes(), back.no_access_changes(), "{name}");
        // What differs is told in both directions.
        assert_eq!(there.sections.is_empty(), back.sections.is_empty(), "{name}");
        for found in [there, back] {
            let wider = |section: &diff::Section| {
                section.access.iter().any(|access| access.change.direction.is_wider())
            };
            for section in &found.sections {
                assert!(!section.lines.is_empty(), "{name}");
                if wider(section) {
                    let told = section.lines.iter().any(|line| line.wider);
                    assert!(told, "{name}: {}", diff::text(&found));
                }
                let nothing = section.lines.iter().all(|line| line.mark == Mark::Nothing);
                assert!(section.access.is_empty() || !nothing, "{name}");
            }
        }
    }
}

// === Other formats ===

/// Names that would be something else to a reader of Markdown, if they could.
const NASTY: &[Edit] = &[
    (
        "groups.yaml",
        "  oncall: {}",
        "  oncall: {}\n  \"```\": {}\n  \"</pre><img src=x onerror=alert(1)> @octocat #12\": {}\n  \"-->|[x](https://evil.example)\": {}",
    ),
    (
        SPARK,
        "people: [oncall]",
        "people: [oncall, \"```\", \"</pre><img src=x onerror=alert(1)> @octocat #12\", \"-->|[x](https://evil.example)\"]",
    ),
];

#[test]
fn markdown_holds_names_in_fences() {
    let samples = samples();
    let mut told = String::new();
    for (name, edits) in EDITS.iter().chain([&("nasty names", NASTY)]) {
        let markdown = diff::markdown(&compare(&samples, &edited(&samples, edits)));
        assert!(markdown.starts_with("<!-- toolgate-diff -->\n### Toolgate: "), "{name}");
        if ["nothing", "a group more", "a weaker approval", "a new server", "nasty names"]
            .contains(name)
        {
            writeln!(told, "=== {name}\n{markdown}").unwrap();
        }
        let mut fence: Option<String> = None;
        for line in markdown.lines() {
            match &fence {
                Some(end) if line == end => fence = None,
                Some(_) => {}
                None if line.starts_with("```") => {
                    fence = Some(line.trim_end_matches("diff").to_owned());
                }
                None => {
                    assert!(!line.contains(['@', '#', '[']) || line.starts_with("### "), "{line}");
                }
            }
        }
        assert_eq!(fence, None, "{name}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_name_never_makes_a_line_of_its_own() {
    let samples = samples();
    let forged = "::stop-commands::x";
    let accepts = format!("accepts: [sql, limit, \"x\\n{forged}\\n\"]").leak();
    let found = compare(&samples, &edited(&samples, &[(PRESTO, "accepts: [sql, limit]", accepts)]));
    for told in [diff::text(&found), diff::markdown(&found)] {
        assert!(told.contains(forged), "{told}");
        assert!(!told.lines().any(|line| line.trim_start().starts_with(forged)), "{told}");
    }
}

#[test]
fn markdown_fits_into_a_comment_and_says_what_does_not() {
    let samples = samples();
    let mut new = samples.clone();
    let lab = &samples["servers/lab.yaml"];
    let mut hosts = String::new();
    for number in 0..600 {
        let host = format!("127.0.1.{}:{}", number % 250, 8000 + number);
        write!(hosts, ", \"{host}\"").unwrap();
        let text = lab.replace("server: lab", &format!("server: lab-{number}"));
        new.insert(format!("servers/lab-{number}.yaml"), text.replace("127.0.0.1:7301", &host));
    }
    let guardrails = samples["guardrails.yaml"]
        .replace("[\"127.0.0.1:7301\"", &format!("[\"127.0.0.1:7301\"{hosts}"));
    new.insert("guardrails.yaml".to_owned(), guardrails);
    let markdown = diff::markdown(&compare(&samples, &new));
    assert!(markdown.len() < 65_536, "{}", markdown.len());
    assert!(markdown.contains(" more sections do not fit into a comment"));
}

#[test]
fn json_is_as_documented() {
    let samples = samples();
    let edits = EDITS.iter().find(|(name, _)| *name == "a group more").unwrap().1;
    let json = diff::json(&compare(&samples, &edited(&samples, edits)));
    insta::assert_snapshot!(format!("{json:#}"));
}

// === The command ===

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(directory: &Path, files: &Files) {
    fs::remove_dir_all(directory).ok();
    fs::create_dir_all(directory.join("servers")).unwrap();
    for (path, text) in files {
        fs::write(directory.join(path), text).unwrap();
    }
}

#[test]
fn the_command_takes_directories_and_revisions() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let policies = root.join("policies");
    let samples = samples();
    let edit = |name: &str| EDITS.iter().find(|(known, _)| *known == name).unwrap().1;
    git(root, &["init", "-q", "-b", "main"]);
    write(&policies, &samples);
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "samples"]);
    git(root, &["checkout", "-q", "-b", "topic"]);
    write(&policies, &edited(&samples, edit("a group more")));
    git(root, &["commit", "-q", "-a", "-m", "a group more"]);
    git(root, &["checkout", "-q", "main"]);
    write(&policies, &edited(&samples, edit("a grant less")));
    git(root, &["commit", "-q", "-a", "-m", "a grant less"]);
    // And not committed.
    write(&policies, &edited(&samples, edit("a renewed review")));
    write(
        &root.join("broken"),
        &edited(&samples, &[(SPARK, "people: [oncall]", "peeple: [oncall]")]),
    );
    write(&root.join("other"), &edited(&samples, edit("a later end")));
    let run = |arguments: &str| {
        Command::new(env!("CARGO_BIN_EXE_toolgate"))
            .args(["diff", "--at", NOW])
            .args(arguments.split(' '))
            .current_dir(root)
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    };
    let mut told = String::new();
    for arguments in [
        "main..topic",
        "main...topic",
        "main...topic --deny-widening",
        "topic..main --server presto",
        "main topic --server spark airflow",
        "main",
        "main~1",
        "HEAD other",
        "other policies --deny-widening",
        "..topic --server prest",
        "policies broken",
        "broken broken",
        "policies",
        "nowhere",
        "main..nowhere",
        "main...nowhere",
        "main topic --policies elsewhere",
        "main policies",
    ] {
        let output = run(arguments);
        let (out, err) = (output.stdout, output.stderr);
        let text = [out, err].map(|text| String::from_utf8(text).unwrap()).concat();
        let code = output.status.code().unwrap();
        writeln!(told, "$ toolgate diff {arguments}\nexit: {code}\n{text}").unwrap();
    }
    insta::assert_snapshot!(told);
    // What is compared could add a directory that is called as a side is, and holds the other one.
    write(&root.join("topic"), &samples);
    let output = run("main topic --deny-widening");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`topic` is a directory and a git revision"), "{said}");
    assert_eq!(run("main ./topic").status.code(), Some(0));
    assert_eq!(run("main..topic --deny-widening").status.code(), Some(1));
}
