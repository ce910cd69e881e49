use jiff::ToSpan;
use jiff::civil::Date;

use crate::engine::utc_day;
use crate::lint::context::Context;
use crate::lint::items::{GrantAt, Item, grants, items};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;
use crate::policy::model::{Effect, Grant};

/// The longest that a grant of something destructive should last.
const DAYS: i32 = 90;

rule! {
    /// ## What it finds
    ///
    /// A grant of something destructive that has no end, or ends more than 90 days from now.
    ///
    /// ## Why
    ///
    /// Most need for destructive tools is for a task that ends, while the grant stays: people move
    /// on and keep it, and nobody asks again. In 2025 a coding agent that was allowed to deleted a
    /// production database in the middle of a code freeze; it had kept access from the days of
    /// building. An end turns "does anybody still need this?" into a question that comes up by
    /// itself.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// grants:
    ///   overwrite: { people: [infra], via: [ai-chat], call: [overwrite_table] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Give the grant a `last_day` at most 90 days away, and move it in a change that is reviewed,
    /// for as long as it is needed. The finding comes back only when the new end is too far away.
    LongDestructiveGrant, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let today = utc_day(policies.now);
    let latest = today.checked_add(DAYS.days()).unwrap_or(Date::MAX);
    for (server, file) in policies.servers() {
        let destructive: Vec<Item<'_>> =
            items(server, file).filter(|item| item.effect == Effect::Destructive).collect();
        if destructive.is_empty() {
            continue;
        }
        for GrantAt { grant, key, node } in grants(server, file) {
            let called = destructive.iter().filter(|item| grant.items.contains(item.id));
            let what = listed(called.map(|item| item.key.text.as_str()));
            if what.is_empty() {
                continue;
            }
            let (place, ends, label) = match end(grant) {
                None => (key.span, "has no end".to_owned(), "no `last_day`"),
                Some((_, day)) if day <= latest => continue,
                Some((said_by, day)) => {
                    let span = node.entry(said_by).map_or(key.span, |(_, node)| node.span);
                    (span, format!("lasts until {day}"), "more than 90 days from now")
                }
            };
            let message = format!("the grant `{}` of the destructive {what} {ends}", key.text);
            findings.add(file.place(place), message, |finding| {
                finding
                    .label(label)
                    .help(format!("give it a `last_day`, {latest} at the latest; move that while the need lasts"))
            });
        }
    }
}

/// The last day of a grant, and the key that says so.
fn end(grant: &Grant) -> Option<(&'static str, Date)> {
    let last_day = grant.last_day.map(|day| ("last_day", day));
    let until = grant.until.map(|until| ("until", utc_day(until)));
    last_day.into_iter().chain(until).min_by_key(|(_, day)| *day)
}
