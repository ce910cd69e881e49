//! Whether the reviews that a server needs are in force. Access is compared as if they all were.

use std::collections::BTreeMap;

use super::rules::Own;
use super::{Line, Mark};
use crate::engine::{ReviewState, utc_day};
use crate::policy::PolicySet;
use crate::policy::model::{Server, ServerEnvironment};

/// What is missing of each environment, in words, by kind.
type Missing = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn lines(own: &Own<'_>) -> Vec<Line> {
    let [old, new] = own.both;
    let today = utc_day(own.pair.at);
    let before = old.map(|server| missing(&own.pair.old.set, server, today));
    let Some(after) = new.map(|server| missing(&own.pair.new.set, server, today)) else {
        return Vec::new();
    };
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let several = after.len() > 1;
    for (environment, kinds) in after {
        let was = before.as_ref().and_then(|before| before.get(&environment));
        let was = was.cloned().unwrap_or_default();
        if was.keys().eq(kinds.keys()) {
            continue;
        }
        let what = if kinds.is_empty() {
            "reviews are in force again".to_owned()
        } else {
            let others = kinds.values().all(|why| why == OTHER_TOOLS);
            let cure = if others { "until stamped" } else { "until that is mended" };
            let missing = if others {
                "reviews no longer cover tools".to_owned()
            } else {
                let kinds: Vec<_> =
                    kinds.iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
                format!("reviews are missing ({})", kinds.join("; "))
            };
            format!("{missing}: every call refused {cure}")
        };
        told.entry(what).or_default().push(environment);
    }
    let line = |(what, environments): (String, Vec<String>)| {
        let who = if several { format!("in {}", environments.join(", ")) } else { String::new() };
        Line { who, ..Line::new(Mark::Apart, false, what) }
    };
    told.into_iter().map(line).collect()
}

const OTHER_TOOLS: &str = "covers other tools";

fn missing(set: &PolicySet, server: &Server, today: jiff::civil::Date) -> Missing {
    let of = |environment: &ServerEnvironment| {
        let needed = environment.reviews.iter().filter_map(|needed| {
            let states = needed.listed.iter().map(|listed| ReviewState::of(set, listed, today));
            let states: Vec<_> = states.collect();
            if states.contains(&ReviewState::InForce) {
                return None;
            }
            let why = match states.first() {
                None => "none listed",
                Some(ReviewState::NotYet) => "not yet approved",
                Some(ReviewState::Ended) => "ended",
                Some(ReviewState::NotCovered) => "does not cover the server",
                Some(ReviewState::OtherTools | ReviewState::InForce) => OTHER_TOOLS,
            };
            Some((needed.kind.to_string(), why.to_owned()))
        });
        (set.environment_name(environment.id).to_owned(), needed.collect())
    };
    server.environments.iter().map(of).collect()
}
