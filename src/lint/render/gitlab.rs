use serde_json::{Value, json};

use super::fingerprint::Fingerprints;
use crate::diagnostics::{Diagnostic, Lines, Severity, id, plain_path};
use crate::lint::Report;

/// GitLab's code quality report: <https://docs.gitlab.com/ci/testing/code_quality/>.
#[must_use]
pub fn gitlab(report: &Report) -> Value {
    let diagnostics = &report.diagnostics;
    let sources = &diagnostics.sources;
    let lines = Lines::of(sources);
    let mut fingerprints = Fingerprints::default();
    let entry = |finding: &Diagnostic| {
        let file = finding.file(sources).map_or_else(|| "policies".to_owned(), plain_path);
        json!({
            "description": finding.message,
            "check_name": id(finding),
            "fingerprint": fingerprints.next(sources, &lines, finding),
            "severity": match finding.severity {
                Severity::Error => "major",
                Severity::Warning => "minor",
            },
            "location": {
                "path": file,
                "lines": { "begin": finding.place.map_or(1, |place| lines.region(place).line) },
            },
        })
    };
    let (foremost, _) = diagnostics.foremost();
    foremost.into_iter().map(entry).collect()
}
