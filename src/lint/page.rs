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

/// The page of all rules, as it is checked in.
#[must_use]
pub fn all() -> String {
    let mut page =
        "# Lint rules\n\nWhat `toolgate lint` finds. `toolgate lint --explain RULE` prints \
        the same. This page is made of the rules' own documentation; `make render` writes it.\n\n\
        | code | rule | weighs | finds |\n|---|---|---|---|\n"
            .to_owned();
    for rule in ALL {
        let (code, name, summary) = (rule.code.as_str(), rule.name(), rule.code.summary());
        let _ = writeln!(
            page,
            "| {code} | [{name}](#{}) | {} | {summary} |",
            anchor(rule),
            weight(rule)
        );
    }
    for rule in ALL {
        let _ = write!(page, "\n{}", of_rule(rule, 2));
    }
    page
}

/// Where a rule stands on the page of all rules: what is behind the `#` of a link.
#[must_use]
pub fn anchor(rule: &Rule) -> String {
    format!("{}-{}", rule.name(), rule.code.as_str().to_ascii_lowercase())
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
