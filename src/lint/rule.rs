//! What a rule is.

use super::context::{Context, File};
use crate::diagnostics::{Code, Diagnostic, Place, Severity};

/// A rule. Its code, with the name and the summary, stands in `diagnostics::Code`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its code.
    pub code: Code,
    /// How much its findings weigh, unless it says otherwise of one.
    pub severity: Severity,
    /// Its page, line by line, without the summary.
    pub(super) page: &'static [&'static str],
    pub(super) check: Check,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Each file by itself, also if nothing loads.
    Text(fn(&File<'_>, &mut Findings)),
    /// Policies that load.
    Policies(fn(&Context<'_>, &mut Findings)),
    /// The linter's own: nothing turns it off.
    Linter,
}

/// Declares the `RULE` of a file. The doc comment is its page.
macro_rules! rule {
    ($(#[doc = $page:literal])+ $code:ident, $severity:ident, $check:expr) => {
        pub(in crate::lint) const RULE: crate::lint::Rule = crate::lint::Rule {
            code: crate::diagnostics::Code::$code,
            severity: crate::diagnostics::Severity::$severity,
            page: &[$($page,)+],
            check: $check,
        };
    };
}

pub(super) use rule;

/// What a rule has found so far.
#[derive(Debug)]
pub(super) struct Findings {
    code: Code,
    severity: Severity,
    list: Vec<Diagnostic>,
}

// === impl Rule ===

impl Rule {
    /// Its name, such as `ended-grant`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.code.rule().unwrap_or_default()
    }

    /// The rule of that code or name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        super::ALL.iter().copied().find(|rule| rule.name() == name || rule.code.as_str() == name)
    }

    /// Whether it can be ignored, and weighed by the guardrails.
    #[must_use]
    pub fn is_adjustable(&self) -> bool {
        !matches!(self.check, Check::Linter)
    }
}

// === impl Findings ===

impl Findings {
    pub(super) fn of(rule: &Rule) -> Self {
        Self { code: rule.code, severity: rule.severity, list: Vec::new() }
    }

    /// Notes a finding; `say` adds a label, a second place, a cure, a fix.
    pub(super) fn add(
        &mut self,
        place: Place,
        message: impl Into<String>,
        say: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let finding = Diagnostic::error(self.code, place, message).weighing(self.severity);
        self.list.push(say(finding));
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }
}
