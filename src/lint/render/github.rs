use super::text::summary;
use crate::diagnostics::github::{Annotation, Kind};
use crate::diagnostics::render_github;
use crate::lint::Report;

/// Annotations of GitHub Actions, errors first, and the line that counts them. What GitHub does not
/// show stands in the log.
#[must_use]
pub fn github(report: &Report) -> String {
    let mut text = render_github(&report.diagnostics);
    if !report.not_looked_at.is_empty() {
        let names: Vec<_> = report.not_looked_at.iter().map(|rule| rule.name()).collect();
        let message = format!("not looked at until the policies load: {}", names.join(", "));
        text.push_str(&Annotation::new(Kind::Notice, "toolgate lint", message).to_string());
    }
    text + &summary(report)
}
