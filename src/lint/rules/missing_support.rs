use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A server whose `about` does not say where its users get help.
    ///
    /// ## Why
    ///
    /// Whoever is refused, or gets an answer that cannot be right, needs somebody to ask. Without a
    /// place to ask they ask security, who cannot help with the server; and in an incident nobody
    /// knows whom to call before the server is switched off.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// about:
    ///   title: Presto
    ///   owner: data-platform
    /// ```
    ///
    /// ## How to mend it
    ///
    /// ```yaml
    /// about:
    ///   support: "#presto-mcp"
    /// ```
    MissingSupport, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let support = file.node(&["about", "support"]).and_then(|node| node.as_text());
        if support.is_some_and(|support| !support.trim().is_empty()) {
            continue;
        }
        let Some(place) = file.key(&["about"]).or_else(|| file.value(&["server"])) else { continue };
        let message = format!("nothing says where users of `{}` get help", server.name);
        findings.add(place, message, |finding| {
            finding.help("add `support` under `about`: a channel in quotes, an address or a page")
        });
    }
}
