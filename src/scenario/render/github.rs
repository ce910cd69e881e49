use crate::diagnostics::github::{Annotation, Kind};
use crate::diagnostics::{Region, plain_path};
use crate::scenario::{Report, Uncovered};

/// Annotations of GitHub Actions: cases that failed, and with `coverage` what no case touches; then
/// a line that counts.
#[must_use]
pub fn github(report: &Report, coverage: bool) -> String {
    let mut text = String::new();
    for suite in &report.suites {
        for (case, failure) in suite.failed() {
            let region = Region { line: case.line, column: 1, end_line: case.line, end_column: 1 };
            let trace = failure.trace();
            let annotation = Annotation {
                file: Some(plain_path(suite.file.as_ref())),
                region: Some(region),
                ..Annotation::new(
                    Kind::Error,
                    format!("toolgate test: {}", failure.problem),
                    format!("{}\n{}", case.words, trace.trim_end()),
                )
            };
            text.push_str(&annotation.to_string());
        }
    }
    if coverage {
        for uncovered in report.coverage.uncovered() {
            let origin = uncovered.origin.as_deref();
            let origin = origin.map(|origin| format!(" ({origin})")).unwrap_or_default();
            let Uncovered { kind, of, name, origin: _ } = uncovered;
            let message = format!("no case touches {kind} {of}/{name}{origin}");
            text.push_str(&Annotation::new(Kind::Error, "toolgate test", message).to_string());
        }
    }
    let (passed, failed) = report.counts();
    text + &format!("{passed} passed, {failed} failed\n")
}
