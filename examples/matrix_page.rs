//! Writes a page of `matrix::html` from a table that stands here, for testing it and measuring it:
//! `matrix_page odd` has a server with names that no policy takes, `matrix_page 1000` so many more.

use std::io::{self, Write as _};
use std::process::ExitCode;

use toolgate::matrix::{
    self, Approval, Cell, Clause, Column, ColumnKind, End, ItemKind, Matrix, Row, Section, Who,
};
use toolgate::policy::model::{Effect, Trait};

/// A server and its title, an environment, places; then rows: name, marks, cells.
type Server = (&'static str, &'static str, &'static str, &'static str, &'static [Item]);
type Item = (&'static str, &'static str, &'static [&'static str]);

const SERVERS: &[Server] = &[
    (
        "airflow",
        "Airflow",
        "prod",
        "ai-chat ide chat-bot/airflow-support chat-bot/spark-support *nightly-lineage",
        &[
            (
                "looking around",
                "",
                &[
                    "ads-eng|data-platform|infra",
                    "ads-eng|data-platform|infra; @corp:mia to 2026-12-18",
                    "ads-eng|data-platform|infra",
                    "ads-eng|data-platform|infra",
                    "",
                ],
            ),
            (
                "list_dags",
                "read",
                &[
                    "ads-eng|data-platform|infra",
                    "ads-eng|data-platform|infra; @corp:mia to 2026-12-18",
                    "ads-eng|data-platform|infra",
                    "ads-eng|data-platform|infra",
                    "",
                ],
            ),
            (
                "trigger_dag",
                "write",
                &[
                    "",
                    "ads-eng|data-platform !contractors",
                    "ads-eng|data-platform !contractors",
                    "",
                    "",
                ],
            ),
            (
                "clear_task",
                "write",
                &["", "@corp:mia !contractors to 2026-12-18", "data-platform !contractors", "", ""],
            ),
        ],
    ),
    (
        "knowledge",
        "Internal knowledge",
        "prod",
        "ai-chat ide chat-bot *nightly-lineage",
        &[
            ("looking around", "", &["anyone", "anyone", "anyone", ""]),
            ("search", "read", &["anyone", "anyone", "anyone", ""]),
            ("read_page", "read", &["anyone", "anyone", "anyone", ""]),
            ("handbook://company/pages/*", "read", &["anyone", "anyone", "anyone", ""]),
        ],
    ),
    (
        "lab",
        "Lab",
        "dev",
        "ide laptop",
        &[
            ("looking around", "", &["ads-eng|infra", "ads-eng|infra"]),
            ("echo", "read", &["ads-eng|infra", "ads-eng|infra"]),
            ("roll_dice", "read", &["ads-eng|infra", "ads-eng|infra"]),
        ],
    ),
    (
        "presto",
        "Presto",
        "prod",
        "ai-chat ide chat-bot *nightly-lineage",
        &[
            ("looking around", "", &["ads|ads-eng|finance|infra", "ads|finance|infra", "", "yes"]),
            ("list_tables", "read", &["ads|finance|infra", "ads|finance|infra", "", "yes"]),
            ("run_query", "read limits", &["ads|finance|infra", "ads|finance|infra", "", ""]),
            (
                "get_revenue_metrics",
                "read sensitive",
                &["ads-eng & data-trained !contractors", "", "", ""],
            ),
            (
                "overwrite_table",
                "destructive data-stewards",
                &["ads-eng|infra !contractors to 2027-01-31", "", "", ""],
            ),
        ],
    ),
    (
        "presto",
        "Presto",
        "staging",
        "ide chat-bot",
        &[
            ("looking around", "", &["ads-eng|data-platform", ""]),
            ("list_tables", "read", &["ads-eng|data-platform", ""]),
            ("run_query", "read limits", &["ads-eng|data-platform", ""]),
            ("get_revenue_metrics", "read sensitive", &["", ""]),
            ("overwrite_table", "destructive data-stewards", &["", ""]),
        ],
    ),
    (
        "spark",
        "Spark debugging",
        "prod",
        "ai-chat ide chat-bot/airflow-support chat-bot/spark-support *nightly-lineage",
        &[
            ("looking around", "", &["", "", "", "anyone", ""]),
            ("list_applications", "read", &["", "", "", "anyone", ""]),
            ("explain_failure", "read", &["", "", "", "anyone", ""]),
            (
                "kill_application",
                "destructive another-person",
                &["", "", "", "oncall !contractors", ""],
            ),
        ],
    ),
];

const ODD: Server = (
    "<img src=x onerror=alert(1)>",
    "</h2><script>alert(1)</script>",
    "prod",
    "\"><script>alert(1)</script> ide",
    &[("</th><script>alert(1)</script>", "read", &["anyone !contractors", "<b>bold</b>|'\"&amp;"])],
);

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let more = what.parse().unwrap_or(0);
    let mut sections: Vec<_> = SERVERS.iter().map(section).collect();
    let samples = sections.clone();
    for (number, sample) in (0..more).zip(samples.iter().cycle()) {
        let mut copy = sample.clone();
        copy.server = format!("{}-{number}", copy.server);
        let rows = copy.rows.clone();
        let again = |Row { name, .. }: &mut Row| name.push_str("_again");
        copy.rows.extend(rows);
        copy.rows.iter_mut().skip(sample.rows.len()).for_each(again);
        sections.push(copy);
    }
    if what == "odd" {
        sections.push(section(&ODD));
    }
    let at = jiff::Timestamp::from_second(1_795_176_000).unwrap_or_default();
    let page = matrix::html(&Matrix { at, digest: "4e1d90c2a7b0".repeat(5), sections });
    match io::stdout().lock().write_all(page.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn section((server, title, environment, places, rows): &Server) -> Section {
    let column = |word: &str| {
        let (name, kind) = match word.strip_prefix('*') {
            Some(name) => (name, ColumnKind::Service),
            None if word.contains('/') => (word, ColumnKind::Channel),
            None => (word, ColumnKind::Surface),
        };
        Column { name: name.to_owned(), kind }
    };
    Section {
        server: (*server).to_owned(),
        title: Some((*title).to_owned()),
        environment: (*environment).to_owned(),
        columns: places.split(' ').map(column).collect(),
        rows: rows.iter().map(row).collect(),
        notes: Vec::new(),
    }
}

fn row((name, marks, cells): &Item) -> Row {
    let mut row = Row {
        name: (*name).to_owned(),
        kind: match (marks.is_empty(), name.contains(':')) {
            (true, _) => ItemKind::Looking,
            (false, true) => ItemKind::Resource,
            (false, false) => ItemKind::Tool,
        },
        effect: None,
        traits: Vec::new(),
        limited: false,
        approval: None,
        cells: cells.iter().map(|text| cell(text)).collect(),
    };
    for mark in marks.split_whitespace() {
        let effect = Effect::ALL.iter().find(|(name, _)| *name == mark);
        let quality = Trait::ALL.iter().find(|(name, _)| *name == mark);
        match (effect, quality, mark) {
            (Some((_, effect)), _, _) => row.effect = Some(*effect),
            (_, Some((_, quality)), _) => row.traits.push(*quality),
            (_, _, "limits") => row.limited = true,
            (_, _, "another-person") => row.approval = Some(Approval::AnotherPerson),
            (_, _, group) => row.approval = Some(Approval::Groups(names(group))),
        }
    }
    row
}

fn names(text: &str) -> Vec<String> {
    text.split('|').map(str::to_owned).collect()
}

/// `a|b & c !d to 2026-12-31; @issuer:subject`
fn cell(text: &str) -> Cell {
    let clauses = text.split("; ").filter(|text| !text.is_empty()).map(|text| {
        let mut words = text.split(' ');
        let who = words.next().unwrap_or_default();
        let mut clause = Clause::of(match (who, who.strip_prefix('@')) {
            ("yes", _) => Who::NobodySignedIn,
            ("anyone", _) => Who::Anyone,
            (_, Some(users)) => Who::Users(names(users)),
            (groups, None) => Who::Groups(names(groups)),
        });
        while let Some(word) = words.next() {
            match (word, word.strip_prefix('!')) {
                ("&", _) => clause.also_in = names(words.next().unwrap_or_default()),
                (_, Some(left_out)) => {
                    clause.not = names(left_out);
                    clause.unknown_groups = false;
                }
                _ => {
                    let day = words.next().and_then(|day| day.parse().ok());
                    clause.until = day.map(End::LastDay);
                }
            }
        }
        clause
    });
    Cell { clauses: clauses.collect() }
}
