use std::collections::BTreeMap;

use crate::diagnostics::junit::{Case, Outcome, Suite, render};
use crate::diagnostics::{Diagnostic, Lines, Severity, id, plain_path, render_one};
use crate::lint::Report;

/// JUnit's XML: a suite for each file, a case for each finding, and a passed one for a file without
/// any. Warnings are skipped cases, unless they are denied.
#[must_use]
pub fn junit(report: &Report, deny_warnings: bool) -> String {
    let diagnostics = &report.diagnostics;
    let sources = &diagnostics.sources;
    let lines = Lines::of(sources);
    let case = |finding: &Diagnostic| {
        let message = finding.message.clone();
        let text = render_one(sources, finding);
        let kind = id(finding);
        let line = finding.place.map(|place| lines.region(place).line);
        let name = format!("{kind}: {message}");
        let outcome = match finding.severity {
            Severity::Warning if !deny_warnings => Outcome::Skipped { message, text },
            Severity::Error | Severity::Warning => Outcome::Failed { kind, message, text },
        };
        Case { name, line, outcome }
    };
    let files = sources.iter().map(|(_, source)| (plain_path(&source.path), Vec::new()));
    let mut suites: BTreeMap<String, Vec<Case>> = files.collect();
    let (foremost, left_out) = diagnostics.foremost();
    for finding in foremost {
        let file = finding.file(sources).map_or_else(|| "policies".to_owned(), plain_path);
        suites.entry(file).or_default().push(case(finding));
    }
    if left_out > 0 {
        let message = format!("{left_out} more findings are not listed");
        let (name, text) = (message.clone(), message.clone());
        let outcome = Outcome::Skipped { message, text };
        suites.entry("policies".to_owned()).or_default().push(Case { name, line: None, outcome });
    }
    let suites: Vec<_> = suites.into_iter().map(|(name, cases)| suite(name, cases)).collect();
    render("toolgate-lint", &suites)
}

fn suite(name: String, mut cases: Vec<Case>) -> Suite {
    if cases.is_empty() {
        let name = "no findings".to_owned();
        cases.push(Case { name, line: None, outcome: Outcome::Passed });
    }
    Suite { name, cases }.with_own_names()
}
