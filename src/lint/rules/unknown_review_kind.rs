use std::collections::{BTreeSet, HashSet};

use crate::diagnostics::did_you_mean;
use crate::lint::context::Context;
use crate::lint::items::named;
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// An environment in `guardrails.yaml` that needs a kind of review which no review has. An
    /// environment in which no server runs yet is left alone.
    ///
    /// ## Why
    ///
    /// The kinds are whatever reviews call themselves, so a typo in the guardrails is no error: it
    /// asks for a review that nobody will ever write, and every request to every server of the
    /// environment is refused.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// # guardrails.yaml
    /// environments:
    ///   prod: { reviews: [securty], upstreams: ["127.0.0.1:7101"] }
    /// # reviews.yaml
    /// reviews:
    ///   SEC-1412: { kind: security, … }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Correct the kind, in the guardrails or in the reviews.
    UnknownReviewKind, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let Some(file) = policies.file("guardrails.yaml") else { return };
    let kinds: BTreeSet<&str> = policies.set.reviews().map(|(_, review)| &*review.kind).collect();
    let mut seen = HashSet::new();
    let environments = policies.servers().flat_map(|(server, _)| &server.environments);
    for environment in environments.filter(|environment| seen.insert(environment.id)) {
        let name = policies.set.environment_name(environment.id);
        let Some(node) = file.node(&["environments", name]) else { continue };
        for needed in environment.reviews.iter().filter(|needed| !kinds.contains(&*needed.kind)) {
            let Some(item) = named(node, "reviews", &needed.kind) else { continue };
            let kind = &needed.kind;
            let message = format!("no review is of the kind `{kind}`: all of `{name}` is refused");
            let near = did_you_mean(kind, kinds.iter().copied());
            let help = near.map_or_else(
                || format!("add reviews with `kind: {kind}` to reviews.yaml, or remove it here"),
                |near| format!("did you mean `{near}`?"),
            );
            findings.add(file.place(item.span), message, |finding| finding.help(help));
        }
    }
}
