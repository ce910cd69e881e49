use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// Each method under `methods`.
    ///
    /// ## Why
    ///
    /// Whoever may look around on the server may use it, with whatever parameters. It has no effect
    /// and no limits in the file, no grant names it, and the digest of a review does not cover it.
    /// So somebody has to have looked at what it does, and has to do so again when it changes.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// methods: [com.example/index/rebuild]
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Let the server offer it as a tool, which can be granted, limited and reviewed. Or say who
    /// looked at it:
    ///
    /// ```yaml
    /// # toolgate: ignore[extension-method] SEC-1412 looked at it: it reads the caller's own drafts
    /// methods: [com.example/drafts]
    /// ```
    ExtensionMethod, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let Some(node) = file.node(&["methods"]) else { continue };
        for method in &server.protocol().methods {
            let named = node.items().iter().find(|item| item.as_text() == Some(method));
            let message = format!("no review covers `{method}`, and no grant names it");
            findings.add(file.place(named.unwrap_or(node).span), message, |finding| {
                finding.help("let the server offer it as a tool, or say who looked at it")
            });
        }
    }
}
