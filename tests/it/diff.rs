//! What `toolgate diff` says of edits of the samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use toolgate::diff::{self, Diff, Side};
use toolgate::policy::{PolicyFile, PolicyFiles};

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
