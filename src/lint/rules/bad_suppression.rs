use crate::lint::rule::{Check, rule};

rule! {
    /// ## What it finds
    ///
    /// A comment that starts like `# toolgate: ignore[RULE] why` and ignores nothing: it names no
    /// rule, or one that there is not, or one that cannot be ignored; or it does not say why.
    ///
    /// ## Why
    ///
    /// Whoever reads the file believes that somebody has looked at the finding and decided. Without
    /// a reason nobody can tell later whether that still holds.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   migration:
    ///     last_day: 2026-03-31   # toolgate: ignore[ended-grants]
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write `# toolgate: ignore[ended-grant] the audit in May wants to see it`: the rule by its
    /// name or code, several with commas, and why. This finding itself can be neither ignored nor
    /// turned off; problems that keep policies from loading cannot be ignored at all.
    BadSuppression, Error, Check::Linter
}
