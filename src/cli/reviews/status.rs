//! `toolgate reviews status`

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::cli::exit::{Exit, print};
use crate::cli::load;
use crate::engine::{self, ReviewState};
use crate::policy::PolicySet;
use crate::policy::model::{Coverage, ListedReview, Review, ReviewId, Server, ServerEnvironment};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// When, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A review, how it stands, and who lists it.
struct Status<'s> {
    review: &'s Review,
    days_left: i64,
    standing: Standing,
    listed_by: Vec<Listing<'s>>,
}

/// How a review stands on a day, whatever it covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    NotYet,
    InForce,
    Ended,
}

/// A server in an environment that lists a review.
struct Listing<'s> {
    server: &'s str,
    environment: &'s str,
    coverage: Coverage,
}

/// A server in an environment where a review that is needed is not in force.
struct Refused<'s> {
    server: &'s str,
    environment: &'s str,
    kinds: Vec<&'s str>,
}

pub(super) fn run(args: &Args) -> Exit {
    let policies = match load::policies(&args.policies) {
        Ok(policies) => policies,
        Err(exit) => return exit,
    };
    let today = engine::utc_day(args.at.unwrap_or_else(Timestamp::now));
    let statuses: Vec<_> =
        policies.reviews().map(|found| status(&policies, found, today)).collect();
    let refused = refused(&policies, today);
    match args.format {
        Format::Text => print(text(today, &statuses, &refused)),
        Format::Json => print(format_args!("{:#}\n", document(today, &statuses, &refused))),
    }
    if refused.is_empty() { Exit::Success } else { Exit::No }
}

fn places(set: &PolicySet) -> impl Iterator<Item = (&Server, &ServerEnvironment)> {
    let servers = set.servers().into_iter();
    servers.flat_map(|server| server.environments.iter().map(move |place| (server, place)))
}

fn status<'s>(set: &'s PolicySet, (id, review): (ReviewId, &'s Review), today: Date) -> Status<'s> {
    let listing = |(server, place): (&'s Server, &'s ServerEnvironment)| {
        let listed: &ListedReview = place.listed.iter().find(|listed| listed.id == id)?;
        Some(Listing {
            server: &server.name,
            environment: set.environment_name(place.id),
            coverage: listed.coverage,
        })
    };
    let days_left = i64::from((review.last_day - today).get_days());
    let standing = if today < review.approved {
        Standing::NotYet
    } else if today > review.last_day {
        Standing::Ended
    } else {
        Standing::InForce
    };
    Status { review, days_left, standing, listed_by: places(set).filter_map(listing).collect() }
}

fn refused(set: &PolicySet, today: Date) -> Vec<Refused<'_>> {
    let in_force =
        |listed: &ListedReview| ReviewState::of(set, listed, today) == ReviewState::InForce;
    places(set)
        .filter_map(|(server, place)| {
            let missing = place.reviews.iter().filter(|needed| !needed.listed.iter().any(in_force));
            let kinds: Vec<_> = missing.map(|needed| &*needed.kind).collect();
            let environment = set.environment_name(place.id);
            (!kinds.is_empty()).then_some(Refused { server: &server.name, environment, kinds })
        })
        .collect()
}

fn text(today: Date, statuses: &[Status<'_>], refused: &[Refused<'_>]) -> String {
    let width = |of: fn(&Review) -> usize| {
        statuses.iter().map(|status| of(status.review)).max().unwrap_or_default()
    };
    let names = width(|review| review.name.len());
    let kinds = width(|review| review.kind.len());
    let mut text = format!("{today} UTC\n");
    for Status { review, days_left, standing, listed_by } in statuses {
        let Review { name, kind, approved, last_day } = review;
        let stands = match (standing, days_left) {
            (Standing::NotYet, _) => format!("counts from {approved}"),
            (Standing::Ended, _) => format!("ended {last_day}"),
            (Standing::InForce, 0) => format!("to {last_day}, its last"),
            (Standing::InForce, 1) => format!("to {last_day}, 1 day left"),
            (Standing::InForce, days) => format!("to {last_day}, {days} days left"),
        };
        let listing = |listing: &Listing<'_>| {
            let Listing { server, environment, coverage } = listing;
            let covers = match coverage {
                Coverage::Tools => "",
                Coverage::OtherTools => " (covers other tools)",
                Coverage::Nothing => " (does not cover it)",
            };
            format!("{server}@{environment}{covers}")
        };
        let listed: Vec<_> = listed_by.iter().map(listing).collect();
        let listed =
            if listed.is_empty() { "listed by nobody".to_owned() } else { listed.join(", ") };
        let _ = writeln!(text, "  {name:<names$}  {kind:<kinds$}  {stands:<30}  {listed}");
    }
    for Refused { server, environment, kinds } in refused {
        let kinds = kinds.join(", ");
        let _ = writeln!(text, "{server}@{environment} is refused: no {kinds} review in force");
    }
    text
}

fn document(today: Date, statuses: &[Status<'_>], refused: &[Refused<'_>]) -> Value {
    let status = |status: &Status<'_>| {
        let Status { review, days_left, standing, listed_by } = status;
        let Review { name, kind, approved, last_day } = review;
        let listed_by = listed_by.iter().map(|listing| {
            let Listing { server, environment, coverage } = listing;
            let covers_tools = *coverage == Coverage::Tools;
            json!({ "server": server, "environment": environment, "covers_tools": covers_tools })
        });
        json!({
            "name": name,
            "kind": kind,
            "state": match standing {
                Standing::NotYet => "not_yet",
                Standing::InForce => "in_force",
                Standing::Ended => "ended",
            },
            "approved": approved.to_string(),
            "last_day": last_day.to_string(),
            "days_left": days_left,
            "listed_by": listed_by.collect::<Vec<_>>(),
        })
    };
    let refused = refused.iter().map(|refused| {
        let Refused { server, environment, kinds } = refused;
        json!({ "server": server, "environment": environment, "missing": kinds })
    });
    json!({
        "day": today.to_string(),
        "reviews": statuses.iter().map(status).collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}
