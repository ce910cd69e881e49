//! One matrix with every kind of cell and odd names, in every format.

use insta::assert_snapshot;

use super::*;
use crate::policy::model::{Effect, Trait};

fn words(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn groups(names: &[&str]) -> Clause {
    Clause::of(Who::Groups(words(names)))
}

fn cell(clauses: impl IntoIterator<Item = Clause>) -> Cell {
    Cell { clauses: clauses.into_iter().collect() }
}

fn column(name: &str, kind: ColumnKind) -> Column {
    Column { name: name.to_owned(), kind }
}

fn row(name: &str, kind: ItemKind, effect: Effect, cells: Vec<Cell>) -> Row {
    Row {
        name: name.to_owned(),
        kind,
        effect: Some(effect),
        traits: Vec::new(),
        limited: false,
        approval: None,
        cells,
    }
}

fn presto() -> Section {
    let analysts = || cell([groups(&["ads", "finance", "infra"])]);
    let nobody = Cell::default;
    let service = || cell([Clause::of(Who::NobodySignedIn)]);
    let tool = |name, effect, cells| row(name, ItemKind::Tool, effect, cells);
    let contractors = || words(&["contractors"]);
    let revenue =
        Clause { also_in: words(&["data-trained"]), not: contractors(), ..groups(&["ads-eng"]) };
    let overwrite = Clause {
        not: contractors(),
        until: Some(End::LastDay("2026-12-31".parse().unwrap())),
        ..groups(&["ads-eng", "infra"])
    };
    Section {
        server: "presto".to_owned(),
        title: Some("Presto".to_owned()),
        environment: "prod".to_owned(),
        columns: vec![
            column("ai-chat", ColumnKind::Surface),
            column("ide", ColumnKind::Surface),
            column("chat-bot", ColumnKind::Surface),
            column("nightly-lineage", ColumnKind::Service),
        ],
        rows: vec![
            tool("list_tables", Effect::Read, vec![analysts(), analysts(), nobody(), service()]),
            Row {
                limited: true,
                ..tool("run_query", Effect::Read, vec![analysts(), analysts(), nobody(), nobody()])
            },
            Row {
                traits: vec![Trait::Sensitive],
                ..tool(
                    "get_revenue_metrics",
                    Effect::Read,
                    vec![cell([revenue]), nobody(), nobody(), nobody()],
                )
            },
            Row {
                approval: Some(Approval::Groups(words(&["data-stewards"]))),
                ..tool(
                    "overwrite_table",
                    Effect::Destructive,
                    vec![cell([overwrite]), nobody(), nobody(), nobody()],
                )
            },
        ],
        notes: Vec::new(),
    }
}

/// No policy says such names; renderers do not rely on that.
fn odd() -> Section {
    let users = Clause {
        until: Some(End::Until("2026-12-01T17:00:00Z".parse().unwrap())),
        unknown_groups: false,
        ..Clause::of(Who::Users(words(&["corp:dora@example.com", "corp:\"zed\""])))
    };
    let limited = Clause {
        limits: words(&["/limit between 1 and 10"]),
        scopes: words(&["https://a.example/read|b", "=x"]),
        remarks: words(&["ban try-out is on trial until 2026-12-24T00:00:00Z"]),
        ..groups(&["a|b", "c\nd"])
    };
    let anyone = Clause {
        not: words(&["contractors"]),
        not_users: words(&["corp:eve"]),
        unknown_groups: false,
        ..Clause::of(Who::Anyone)
    };
    let formula = Clause { also_in: words(&["+1", "-1"]), ..groups(&["=1+1", "@here", "'quoted"]) };
    Section {
        server: "<script>alert(1)</script>".to_owned(),
        title: Some("\"Odd\" & 'names' | <b>".to_owned()),
        environment: "a&b".to_owned(),
        columns: vec![
            column("bot/<i>", ColumnKind::Channel),
            column("\"onload=x", ColumnKind::Surface),
            column("nightly", ColumnKind::Service),
            column("idle|one", ColumnKind::Surface),
        ],
        rows: vec![
            Row {
                effect: None,
                ..row(
                    "looking around",
                    ItemKind::Looking,
                    Effect::Read,
                    vec![
                        cell([anyone]),
                        Cell::default(),
                        cell([Clause::of(Who::NobodySignedIn)]),
                        Cell::default(),
                    ],
                )
            },
            Row {
                traits: vec![Trait::Sensitive, Trait::External, Trait::Costly],
                limited: true,
                approval: Some(Approval::AnotherPerson),
                ..row(
                    "</td><script>",
                    ItemKind::Tool,
                    Effect::Destructive,
                    vec![cell([users, limited]), cell([formula]), Cell::default(), Cell::default()],
                )
            },
            row(
                "db://warehouse/sales/[x](https://www.example.com/a_b_c)/*",
                ItemKind::Resource,
                Effect::Read,
                vec![
                    cell([Clause::of(Who::Anyone)]),
                    Cell::default(),
                    Cell::default(),
                    Cell::default(),
                ],
            ),
            Row {
                approval: Some(Approval::Caller),
                ..row("`nobody`", ItemKind::Prompt, Effect::Write, vec![Cell::default(); 4])
            },
        ],
        notes: words(&["review legal: LEGAL-<1> ended | 2026-01-01", "=note"]),
    }
}

fn sample() -> Matrix {
    Matrix {
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
        digest: "4e1d90c2a7b04e1d90c2a7b04e1d90c2a7b04e1d90c2a7b04e1d90c2a7b04e1d".to_owned(),
        sections: vec![presto(), odd()],
    }
}

#[test]
fn text_for_a_wide_terminal() {
    assert_snapshot!(text(&sample(), 120));
}

#[test]
fn text_for_a_narrow_terminal() {
    assert_snapshot!(text(&sample(), 72));
}

#[test]
fn csv_for_spreadsheets() {
    assert_snapshot!(csv(&sample()));
}

#[test]
fn markdown_for_wikis() {
    assert_snapshot!(markdown(&sample()));
}

#[test]
fn json_for_programs() {
    assert_snapshot!(format!("{:#}", json(&sample())));
}

#[test]
fn no_value_of_a_spreadsheet_is_a_formula() {
    for line in csv(&sample()).lines() {
        for field in line.split(',') {
            let value = field.trim_start_matches('"');
            assert!(!value.starts_with(['=', '+', '-', '@']), "{line}");
        }
    }
}

/// The page without its style and script, which are files of their own, and their hashes.
fn body(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, rest) = rest.split_once("<script>").unwrap();
    let (_, end) = rest.split_once("</script>").unwrap();
    assert!(!end.contains("<script"));
    let (head, policy) = head.split_once("default-src").unwrap();
    let (_, tail) = policy.split_once("\">").unwrap();
    format!("{head}...\">{tail}<style></style>{body}<script></script>{end}")
}

#[test]
fn html_for_people() {
    assert_snapshot!(body(&html(&sample())));
}

#[test]
fn the_page_holds_one_script_and_no_slot() {
    let page = html(&sample());
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert_eq!(page.matches("<style").count(), 1);
    let body = body(&page);
    for forbidden in ["{{", "}}", " style=", " src=", "\"onload=", "javascript:", "http://"] {
        assert!(!body.contains(forbidden), "{forbidden}");
    }
    for slot in ["csp", "css", "js", "as-of", "totals", "groups", "places", "sections"] {
        assert!(!body.contains(&format!(">{slot}<")), "{slot}");
    }
}

#[test]
fn the_page_allows_its_own_script_and_style_only() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};
    let page = html(&sample());
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (_, rest) = page.split_once(&format!("<{tag}>")).unwrap();
        let (text, _) = rest.split_once(&format!("</{tag}>")).unwrap();
        let hash = STANDARD.encode(Sha256::digest(text));
        assert!(page.contains(&format!("{directive} 'sha256-{hash}';")), "{tag}");
    }
    assert!(page.contains("content=\"default-src 'none';"));
}

/// `server/item` for each row that is reached.
fn items(by: By, name: &str) -> Vec<String> {
    let reached = reached(&sample(), by, name);
    let sections = reached.sections.iter().filter(|section| section.server == "presto");
    sections.flat_map(|section| section.rows.iter().map(|row| row.name.clone())).collect()
}

#[test]
fn what_one_of_them_reaches() {
    let rows: [(By, &str, &[&str]); 11] = [
        (By::Group, "ads", &["list_tables", "run_query"]),
        (By::Group, "infra", &["list_tables", "run_query", "overwrite_table"]),
        (By::Group, "data-trained", &["get_revenue_metrics"]),
        (By::Group, "contractors", &[]),
        (By::Group, "data-stewards", &[]),
        (By::Group, "ad", &[]),
        (By::Surface, "ide", &["list_tables", "run_query"]),
        (By::Surface, "chat-bot", &[]),
        (By::Surface, "nightly-lineage", &[]),
        (By::Service, "nightly-lineage", &["list_tables"]),
        (By::Service, "ide", &[]),
    ];
    for (by, name, expected) in rows {
        assert_eq!(items(by, name), expected, "{by:?} {name}");
    }
    // Anyone who is signed in, but not who is left out.
    let odd = |name| reached(&sample(), By::Group, name).sections.pop().unwrap().rows.len();
    assert_eq!((odd("ads"), odd("contractors")), (2, 1));
    // All channels of a surface.
    assert_eq!(reached(&sample(), By::Surface, "bot").sections.pop().unwrap().rows.len(), 3);
}

#[test]
fn the_blast_radius_of_a_group() {
    assert_snapshot!(text(&reached(&sample(), By::Group, "data-stewards"), 120));
    assert_snapshot!(text(&reached(&sample(), By::Group, "infra"), 120));
}

#[test]
fn the_blast_radius_of_each() {
    let mut text = String::new();
    for by in [By::Group, By::Surface, By::Service] {
        let all = reach(&sample(), by);
        text.push_str(&reach_text(by, &all));
        text.push_str(&reach_csv(by, &all));
        text.push('\n');
    }
    assert_snapshot!(text);
    let services = reach(&sample(), By::Service);
    assert_snapshot!(format!("{:#}", reach_json(By::Service, &services)));
}

#[test]
fn every_word_stands_in_the_text_however_narrow_the_terminal() {
    let words = |text: &str| {
        let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    let matrix = Matrix { sections: vec![presto()], ..sample() };
    let wide = words(&text(&matrix, 200));
    for width in 0..200 {
        let text = text(&matrix, width);
        let more: &[&str] = &["nobody", "from"];
        let narrow = words(&text);
        assert!(wide.iter().all(|word| narrow.contains(word)), "{width}: {text}");
        assert!(narrow.iter().all(|word| wide.contains(word) || more.contains(&word.as_str())));
        let longest = text.lines().skip(2).map(|line| line.chars().count()).max().unwrap();
        assert!(width < 65 || longest <= width, "{width}: {longest} {text}");
    }
}
