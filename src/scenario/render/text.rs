use std::fmt::Write as _;

use crate::scenario::{Report, Tried, Uncovered};

/// Text for people: a line for each file, then each failure with the trace of its decision.
#[must_use]
pub fn text(report: &Report, coverage: bool) -> String {
    let mut out = String::new();
    let width = report.suites.iter().map(|suite| suite.file.len()).max().unwrap_or(0);
    for suite in &report.suites {
        let (file, passed) = (&suite.file, suite.passed());
        let failed = match suite.failed().count() {
            0 => String::new(),
            count => format!(", {count} failed"),
        };
        // Writing to a string does not fail.
        writeln!(out, "{file:<width$}  {passed} passed{failed}").ok();
    }
    for suite in &report.suites {
        for (Tried { line, words, .. }, failure) in suite.failed() {
            let problem = &failure.problem;
            writeln!(out, "\nFAILED  {}:{line}: {words}: {problem}", suite.file).ok();
            for line in failure.trace().lines() {
                writeln!(out, "  {line}").ok();
            }
        }
    }
    let (passed, failed) = report.counts();
    if report.suites.len() != 1 || failed > 0 {
        writeln!(out, "\n{passed} passed, {failed} failed").ok();
    }
    if coverage {
        out.push_str(&covered(report));
    }
    out
}

fn covered(report: &Report) -> String {
    let uncovered = report.coverage.uncovered();
    let total = report.coverage.total();
    let mut out = format!(
        "\n{} of {total} grants, bans, tools, resources and prompts are touched by a case\n",
        total.saturating_sub(uncovered.len())
    );
    for Uncovered { kind, of, name, origin } in uncovered {
        let origin = origin.map(|origin| format!("  ({origin})")).unwrap_or_default();
        writeln!(out, "  no case touches {kind} {of}/{name}{origin}").ok();
    }
    out
}
