use crate::lint::rule::{Check, rule};

rule! {
    /// ## What it finds
    ///
    /// An entry of `lint` in `guardrails.yaml` whose name is no rule's, or is that of a rule that
    /// nothing can turn off or weigh.
    ///
    /// ## Why
    ///
    /// A misspelt name leaves the rule as it was, and somebody believes otherwise. It is no problem
    /// that keeps the policies from loading, since it decides nothing: a sidecar that does not know
    /// a new rule yet goes on.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// # guardrails.yaml
    /// lint: { ended-grants: off }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write the rule's name; `toolgate lint --rules` lists them. This finding can be neither
    /// ignored nor turned off.
    BadOverride, Error, Check::Linter
}
