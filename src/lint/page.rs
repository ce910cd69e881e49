//! The page of a rule, and of all rules: made of the rules' doc comments.

use std::fmt::Write as _;

use super::ALL;
use super::rule::{Check, Rule};
use crate::diagnostics::Severity;

/// A rule's page, in Markdown, with headings below `level`.
#[must_use]
pub fn of_rule(rule: &Rule, level: usize) -> String {
    let above = "#".repeat(level.saturating_sub(1));
    let mut page = format!("{above}# {} ({})\n\n", rule.name(), rule.code.as_str());
    let _ = writeln!(page, "{}\n\n*{}*\n", rule.code.summary(), weight(rule));
    for line in rule.page {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let heading = if line.starts_with("## ") { above.as_str() } else { "" };
        let _ = writeln!(page, "{heading}{line}");
    }
    page
}

fn weight(rule: &Rule) -> &'static str {
    match (rule.severity, rule.check) {
        (Severity::Error, Check::Linter) => "an error; always on",
        (Severity::Warning, Check::Linter) => "a warning; always on",
        (Severity::Error, Check::Text(_)) => {
            "an error; looked for even in policies that do not load"
        }
        (Severity::Warning, Check::Text(_)) => {
            "a warning; looked for even in policies that do not load"
        }
        (Severity::Error, Check::Policies(_)) => "an error",
        (Severity::Warning, Check::Policies(_)) => "a warning",
    }
}

/// All rules, a line each: code, name, weight, summary.
#[must_use]
pub fn list() -> String {
    let name = ALL.iter().map(|rule| rule.name().len()).max().unwrap_or_default();
    let mut list = String::new();
    for rule in ALL {
        let severity = match rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (code, summary) = (rule.code.as_str(), rule.code.summary());
        let _ = writeln!(list, "{code}  {:<name$}  {severity:<7}  {summary}", rule.name());
    }
    list
}
