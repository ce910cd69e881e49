//! A report as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Failure, Report, Suite, Uncovered};
use crate::explain;

/// Text for people: a line for each file, then each failure with the trace of its decision.
#[must_use]
pub fn text(report: &Report, coverage: bool) -> String {
    let mut out = String::new();
    let width = report.suites.iter().map(|suite| suite.file.len()).max().unwrap_or(0);
    for Suite { file, passed, failed } in &report.suites {
        let failed = match failed.len() {
            0 => String::new(),
            count => format!(", {count} failed"),
        };
        // Writing to a string does not fail.
        writeln!(out, "{file:<width$}  {passed} passed{failed}").ok();
    }
    for suite in &report.suites {
        for Failure { line, case, problem, explanation } in &suite.failed {
            writeln!(out, "\nFAILED  {}:{line}: {case}: {problem}", suite.file).ok();
            for line in explain::text(explanation).lines() {
                writeln!(out, "  {line}").ok();
            }
        }
    }
    let passed: usize = report.suites.iter().map(|suite| suite.passed).sum();
    let failed: usize = report.suites.iter().map(|suite| suite.failed.len()).sum();
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

/// JSON for programs.
#[must_use]
pub fn json(report: &Report) -> Value {
    let failure = |Failure { line, case, problem, explanation }: &Failure| {
        json!({
            "line": line,
            "case": case,
            "problem": problem,
            "trace": explain::text(explanation),
        })
    };
    let suite = |Suite { file, passed, failed }: &Suite| {
        json!({
            "file": file,
            "passed": passed,
            "failed": failed.iter().map(failure).collect::<Vec<_>>(),
        })
    };
    let uncovered = |Uncovered { kind, of, name, origin }: Uncovered| json!({ "kind": kind, "of": of, "name": name, "origin": origin });
    json!({
        "passed": report.passed(),
        "files": report.suites.iter().map(suite).collect::<Vec<_>>(),
        "coverage": {
            "total": report.coverage.total(),
            "untouched": report.coverage.uncovered().into_iter().map(uncovered).collect::<Vec<_>>(),
        },
    })
}
