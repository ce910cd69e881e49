use std::collections::HashSet;

use crate::diagnostics::Place;
use crate::lint::context::Context;
use crate::lint::items::named;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{Coverage, NeededReview, ReviewId};

rule! {
    /// ## What it finds
    ///
    /// A server in an environment that needs a kind of review, where no listed review of that kind
    /// covers the tools as they stand: the tools have changed since, or the review does not name
    /// the server, or none of that kind is listed.
    ///
    /// ## Why
    ///
    /// A review is about the tools that it saw. Until reviewers have seen the new ones, every
    /// request to the server is refused with the reason `review`, those to unchanged tools too. It
    /// is better to learn that before the merge than from users after it.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// # presto.yaml has a new tool, and SEC-1412 covers the digest from before.
    /// environments:
    ///   prod: { upstream: "http://127.0.0.1:7101/mcp", reviews: [SEC-1412] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Have the reviewers look at the change. Then `toolgate reviews stamp presto` writes the new
    /// digest into `reviews.yaml`, which is theirs to merge. Stamping first and asking later turns
    /// the review into a formality.
    StaleReview, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let kinds: HashSet<&str> = policies.set.reviews().map(|(_, review)| &*review.kind).collect();
    for (server, file) in policies.servers() {
        let mut reported = HashSet::new();
        let help = format!(
            "let the reviewers look, then run `toolgate reviews stamp {}`; until then every \
             request is refused",
            server.name
        );
        for environment in &server.environments {
            let name = policies.set.environment_name(environment.id);
            for NeededReview { kind, listed } in &environment.reviews {
                if listed.iter().any(|listed| listed.coverage == Coverage::Tools) {
                    continue;
                }
                // Of a kind that there is not at all, `unknown-review-kind` speaks.
                if listed.is_empty() && kinds.contains(&**kind) {
                    let list = file.value(&["environments", name, "reviews"]);
                    let Some(place) = list.or_else(|| file.key(&["environments", name])) else {
                        continue;
                    };
                    let message = format!("no `{kind}` review is listed, and `{name}` needs one");
                    findings.add(place, message, |finding| {
                        finding.help(format!(
                            "list one of `{}`; until then every request is refused",
                            server.name
                        ))
                    });
                }
                for listed in listed.iter().filter(|listed| reported.insert(listed.id)) {
                    let Some(review) = policies.set.review(listed.id) else { continue };
                    let Some(node) = file.node(&["environments", name]) else { continue };
                    let Some(item) = named(node, "reviews", &review.name) else { continue };
                    let covered = covered(policies, listed.id, &server.name);
                    let (review, server) = (&review.name, &server.name);
                    let message = match covered {
                        Some(_) => {
                            format!("the tools of `{server}` are not those that `{review}` covers")
                        }
                        None => format!("the review `{review}` does not cover `{server}`"),
                    };
                    findings.add(file.place(item.span), message, |finding| {
                        let finding = finding.help(help.clone());
                        match covered {
                            Some(place) => finding.related(place, "what it covers"),
                            None => finding,
                        }
                    });
                }
            }
        }
    }
}

/// Where the review says what it covers of the server.
fn covered(policies: &Context<'_>, id: ReviewId, server: &str) -> Option<Place> {
    let file = policies.file("reviews.yaml")?;
    let (_, review) = file.node(&["reviews"])?.entries().get(id.index())?;
    let (_, digest) = review.at(&["covers", server])?;
    Some(file.place(digest.span))
}
