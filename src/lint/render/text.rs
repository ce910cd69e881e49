use crate::diagnostics::render_excerpts;
use crate::lint::{Counts, Report};

/// Text for people: an excerpt per finding, and a closing line that counts them. Without any, that
/// line is all.
#[must_use]
pub fn text(report: &Report, colour: bool) -> String {
    render_excerpts(&report.diagnostics, colour) + &summary(report)
}

/// The line that counts what was found.
pub(super) fn summary(report: &Report) -> String {
    let looked = match report.not_looked_at.len() {
        0 => String::new(),
        some => {
            format!("; {} cannot look until the policies load", count(some, "rule", "rules"))
        }
    };
    let files = count(report.files, "file", "files");
    let Counts { errors, warnings, fixable } = report.counts();
    let mut found = Vec::new();
    if errors > 0 {
        found.push(count(errors, "error", "errors"));
    }
    if warnings > 0 {
        found.push(count(warnings, "warning", "warnings"));
    }
    if found.is_empty() {
        format!("{files}: no findings{looked}\n")
    } else {
        let found = found.join(", ");
        let fixable = match fixable {
            0 => String::new(),
            some => format!(" ({some} can be fixed with --fix)"),
        };
        format!("{found} in {files}{fixable}{looked}\n")
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
