use crate::access::Idle;
use crate::lint::context::{Context, GrantIn};
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A grant of which nothing is left, from now on: whoever it is for, bans take away everything
    /// that it names, from wherever they come. It still lets them look around, unless a ban is on
    /// `everything`.
    ///
    /// ## Why
    ///
    /// Somebody believes that this works, and learns from a refusal that it does not. Once the ban
    /// is lifted for another reason, the forgotten grant begins to grant.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// # guardrails.yaml: contractors-destroy: { people: [contractors], effects: [destructive] }
    /// grants:
    ///   clean-up: { people: [contractors], via: [ai-chat], call: [overwrite_table] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove the grant, or ask whoever owns the ban to narrow it.
    BannedGrant, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (GrantIn { file, grant: _, key }, why) in policies.idle_grants() {
        let Idle::Banned(by) = why else { continue };
        let rules: Vec<_> = by.iter().filter_map(|rule| policies.set.rule(*rule)).collect();
        let names: Vec<_> =
            rules.iter().map(|rule| format!("`{}` ({})", rule.name, rule.origin())).collect();
        let message = format!("everything that `{}` grants is banned", key.text);
        findings.add(file.place(key.span), message, |finding| {
            let bans = names.join(" and ");
            finding.label(format!("by {bans}")).help("remove it, or narrow the ban")
        });
    }
}
