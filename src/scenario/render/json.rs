use serde_json::{Value, json};

use crate::scenario::{Failure, Report, Suite, Tried, Uncovered};

/// JSON for programs.
#[must_use]
pub fn json(report: &Report) -> Value {
    let failure = |(case, failure): (&Tried, &Failure)| {
        json!({
            "line": case.line,
            "case": case.words,
            "problem": failure.problem,
            "trace": failure.trace(),
        })
    };
    let suite = |suite: &Suite| {
        json!({
            "file": suite.file,
            "passed": suite.passed(),
            "failed": suite.failed().map(failure).collect::<Vec<_>>(),
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
