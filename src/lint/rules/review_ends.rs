use std::collections::HashMap;

use jiff::civil::Date;

use crate::diagnostics::Severity;
use crate::engine::utc_day;
use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{Coverage, ListedReview, NeededReview, Review, ReviewId};

/// From so many days before its end a review is a warning.
const WARNING_DAYS: i32 = 30;
/// And from so many an error.
const ERROR_DAYS: i32 = 7;

rule! {
    /// ## What it finds
    ///
    /// A review that a server rests on and whose `last_day` is at most 30 days away, or has passed:
    /// a warning, and an error once it is at most 7 days away. A review that no server rests on is
    /// left alone: nobody lists it, the environment does not ask for its kind, or a longer one of
    /// the same kind stands beside it.
    ///
    /// ## Why
    ///
    /// On the day after, every request to the server is refused with the reason `review`. A review
    /// takes weeks, and whoever could renew it learns of its end only if CI looks ahead.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// reviews:
    ///   SEC-1412:
    ///     kind: security
    ///     approved: 2025-12-01
    ///     last_day: 2026-11-30
    ///     covers: { presto: "4e1d90c2…" }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Ask for the review to be renewed, and move `last_day` once it is; or list the new review
    /// beside the old one.
    ReviewEnds, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let today = utc_day(policies.now);
    let Some(file) = policies.file("reviews.yaml") else { return };
    let days_left = |review: &Review| (review.last_day - today).get_days();
    let mut resting = resting(policies, |review| days_left(review) <= WARNING_DAYS);
    for (id, review) in policies.set.reviews() {
        let Some(resting) = resting.remove(&id) else { continue };
        let days = days_left(review);
        let Some(place) = file.value(&["reviews", &review.name, "last_day"]) else { continue };
        let severity = if days > ERROR_DAYS { Severity::Warning } else { Severity::Error };
        let message = format!("the review `{}` {}", review.name, ends(review.last_day, days));
        let from = if days < 0 { "" } else { "from the day after, " };
        let servers = resting.join(", ");
        findings.add(place, message, |finding| {
            finding
                .weighing(severity)
                .help(format!("{from}every request to {servers} is refused; renew the review"))
        });
    }
}

fn ends(last_day: Date, days: i32) -> String {
    match days {
        0 => format!("ends today, {last_day}"),
        1 => format!("ends tomorrow, {last_day}"),
        2.. => format!("ends on {last_day}, in {days} days"),
        _ => format!("ended on {last_day}"),
    }
}

/// For every review that `ends`: the servers that are refused once it has, as `presto@prod`.
fn resting(
    policies: &Context<'_>,
    ends: impl Fn(&Review) -> bool,
) -> HashMap<ReviewId, Vec<String>> {
    let mut resting: HashMap<ReviewId, Vec<String>> = HashMap::new();
    for (server, _) in policies.servers() {
        for environment in &server.environments {
            for ListedReview { id, coverage: _ } in &environment.listed {
                let Some(review) = policies.set.review(*id).filter(|review| ends(review)) else {
                    continue;
                };
                let outlasts = |listed: &ListedReview| {
                    let other = policies.set.review(listed.id);
                    listed.coverage == Coverage::Tools
                        && other.is_some_and(|other| other.last_day > review.last_day)
                };
                let needs = |needed: &NeededReview| {
                    needed.listed.iter().any(|listed| listed.id == *id)
                        && !needed.listed.iter().any(outlasts)
                };
                if environment.reviews.iter().any(needs) {
                    let name = policies.set.environment_name(environment.id);
                    resting.entry(*id).or_default().push(format!("{}@{name}", server.name));
                }
            }
        }
    }
    resting
}
