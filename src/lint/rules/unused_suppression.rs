use crate::lint::rule::{Check, rule};

rule! {
    /// ## What it finds
    ///
    /// A comment `# toolgate: ignore[RULE] why` about a line where that rule finds nothing. Of a
    /// rule that is turned off, or that could not look because the policies do not load, nothing is
    /// said. `--fix` removes the rule from the comment, and the comment once no rule is left.
    ///
    /// ## Why
    ///
    /// What it was about has been mended or has moved, and the comment would hide the next finding
    /// there, which nobody has looked at.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   # toolgate: ignore[ended-grant] the migration is being wound down
    ///   migration: { people: [infra], via: [ai-chat], call: [overwrite_table] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove the comment, or put it on the line of the finding, or alone on the line above.
    /// This finding itself can be neither ignored nor turned off.
    UnusedSuppression, Warning, Check::Linter
}
