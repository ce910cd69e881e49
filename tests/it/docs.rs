//! What the documentation says of metrics and records is so.

use std::fs;
use std::path::Path;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

#[cfg(feature = "serve")]
#[test]
fn every_metric_is_documented_and_nothing_else() {
    use toolgate::telemetry::Metric;
    let page = page("operations.md");
    let table = page.split("| metric | labels |").nth(1).unwrap().split("\n\n").next().unwrap();
    let documented: Vec<_> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(documented.len(), Metric::ALL.len());
    for (documented, metric) in documented.iter().zip(Metric::ALL) {
        assert_eq!(documented.trim_end_matches("_total"), metric.name());
    }
}

#[test]
fn the_record_that_is_shown_is_one_that_is_written() {
    let page = page("decisions.md");
    let shown = page.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    let snapshot = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/record/snapshots/toolgate__record__tests__the_json_form_of_a_full_record_and_of_an_empty_one.snap"),
    );
    assert_eq!(shown, snapshot.unwrap().splitn(3, "---\n").nth(2).unwrap().trim_end());
}
