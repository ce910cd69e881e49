use crate::lint::context::Context;
use crate::lint::items::{Item, items};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;
use crate::policy::model::{Lists, Trait};

rule! {
    /// ## What it finds
    ///
    /// `lists: full` on a server with something `sensitive`.
    ///
    /// ## Why
    ///
    /// Whoever may use anything of the server is shown all of it: that there is a tool for salaries,
    /// and what it says of itself. Models read those descriptions and act upon them, those of tools
    /// that no review has seen, too. What nobody has to see costs nothing to leave out.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// lists: full
    /// tools:
    ///   list_tables: { effect: read }
    ///   get_salaries: { effect: read, traits: [sensitive] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove `lists: full`: lists then show what their caller may use. If a client needs them
    /// whole, say why in a comment that ignores this finding.
    FullLists, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let Some(place) = file.value(&["lists"]).filter(|_| server.lists == Lists::Full) else {
            continue;
        };
        let is_sensitive = |item: &Item<'_>| item.traits.contains(&Trait::Sensitive);
        let sensitive: Vec<_> = items(server, file).filter(is_sensitive).collect();
        let Some(first) = sensitive.first() else { continue };
        let what = listed(sensitive.iter().map(|item| item.key.text.as_str()));
        let message = format!("whoever may use anything here is shown the sensitive {what}");
        let said = first.node.entry("traits").map_or(first.key.span, |(_, node)| node.span);
        findings.add(place, message, |finding| {
            finding
                .related(file.place(said), "sensitive")
                .help("remove `lists: full`: lists then show what their caller may use")
        });
    }
}
