//! `toolgate matrix`

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use jiff::Timestamp;

use super::exit::{Exit, fail, hint, print};
use super::load;
use super::progress::Progress;
use crate::disk;
use crate::explain::{self, QuestionError};
use crate::matrix::{self, By, Matrix};
use crate::policy::PolicySet;
use crate::policy::model::{EnvironmentId, Place, PlaceKind, Server};

/// How wide tables are where nobody says: not on a terminal.
const WIDTH: usize = 120;

/// Show who may call what
///
/// Exits with 0, or with 2 if there is no answer. Reviews count as in force, and notes say which
/// are not.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `SERVER@ENVIRONMENT`, or `SERVER` for its only environment, else `prod` [default: all]
    #[arg(value_name = "SERVER[@ENVIRONMENT]")]
    servers: Vec<String>,
    /// What one `group`, `surface` or `service` reaches; without a name, each in turn, counted
    #[arg(long, num_args = 1..=2, value_names = ["KIND", "NAME"])]
    by: Option<Vec<String>>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// When, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::explain::instant)]
    at: Option<Timestamp>,
    /// Write it to this file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    /// For spreadsheets: one line for each clause of each cell
    Csv,
    Markdown,
    /// One page that stands alone, with filters
    Html,
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    let (files, policies) = match load::with_files(&args.policies) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let by = args.by.as_deref().map(|words| named(&policies, words));
    let (wanted, by) = match (wanted(&policies, &args.servers), by.transpose()) {
        (Ok(wanted), Ok(by)) => (wanted, by),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    // Nobody reads fractions of a second.
    let now = || Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let at = args.at.unwrap_or_else(now);
    let progress = Progress::of(&files, "looking through");
    let matrix = Matrix::of(&policies, at, &wanted);
    drop(progress);
    let text = match by {
        None => drawn(args, &matrix),
        Some((by, Some(name))) => {
            let part = matrix::reached(&matrix, by, name);
            if part.sections.is_empty() && args.format == Format::Text {
                let of = if args.servers.is_empty() { "" } else { " of what is named" };
                format!("{name} reaches nothing{of}\n")
            } else {
                drawn(args, &part)
            }
        }
        Some((by, None)) => match counted(args.format, by, &matrix) {
            Ok(text) => text,
            Err(exit) => return exit,
        },
    };
    let Some(out) = &args.out else {
        print(text);
        return Exit::Success;
    };
    match disk::replace_file(out, text.as_bytes()) {
        Ok(_) => Exit::Success,
        Err(error) => fail(format_args!("{}: {error}", out.display())),
    }
}

/// The servers that are named, in the order of their names; each wrong name is told.
fn wanted<'s>(
    set: &'s PolicySet,
    names: &[String],
) -> Result<Vec<(&'s Server, EnvironmentId)>, Exit> {
    let all = set.servers().into_iter().flat_map(|server| {
        server.environments.iter().map(move |environment| (server, environment.id))
    });
    if names.is_empty() {
        return Ok(all.collect());
    }
    let mut found = Vec::new();
    let mut wrong = None;
    for name in names {
        match explain::server(set, name) {
            Ok((server, environment)) => found.push((&server.name, environment)),
            Err(error) => wrong = Some(fail(error)),
        }
    }
    match wrong {
        Some(exit) => Err(exit),
        None => Ok(all.filter(|(server, id)| found.contains(&(&server.name, *id))).collect()),
    }
}

/// What to narrow it to.
fn named<'a>(set: &PolicySet, words: &'a [String]) -> Result<(By, Option<&'a str>), Exit> {
    let (word, name) = match words {
        [word, name] => (word.as_str(), Some(name.as_str())),
        words => (words.first().map_or("", String::as_str), None),
    };
    let kinds = [By::Group, By::Surface, By::Service];
    let Some(by) = kinds.into_iter().find(|by| by.as_str() == word) else {
        return Err(fail(QuestionError::unknown("kind", word, kinds.map(By::as_str))));
    };
    let Some(name) = name else { return Ok((by, None)) };
    let places = |service: bool| {
        let is = move |place: &&Place| matches!(place.kind, PlaceKind::Service) == service;
        set.places().iter().filter(is).map(|place| &*place.name).collect()
    };
    let names: Vec<_> = match by {
        By::Group => set.group_names().collect(),
        By::Surface => places(false),
        By::Service => places(true),
    };
    if names.contains(&name) {
        return Ok((by, Some(name)));
    }
    Err(fail(QuestionError::unknown(by.as_str(), name, names)))
}

fn drawn(args: &Args, matrix: &Matrix) -> String {
    match args.format {
        Format::Text => matrix::text(matrix, width(args)),
        Format::Csv => matrix::csv(matrix),
        Format::Markdown => matrix::markdown(matrix),
        Format::Html => matrix::html(matrix),
        Format::Json => format!("{:#}\n", matrix::json(matrix)),
    }
}

fn counted(format: Format, by: By, matrix: &Matrix) -> Result<String, Exit> {
    let all = matrix::reach(matrix, by);
    match format {
        Format::Text => Ok(matrix::reach_text(by, &all)),
        Format::Csv => Ok(matrix::reach_csv(by, &all)),
        Format::Json => Ok(format!("{:#}\n", matrix::reach_json(by, &all))),
        Format::Markdown | Format::Html => {
            let exit = fail("each in turn is only counted as text, csv or json");
            hint(format_args!("name one, as `--by {} NAME`", by.as_str()));
            Err(exit)
        }
    }
}

/// As wide as the terminal; else what `COLUMNS` says.
fn width(args: &Args) -> usize {
    let terminal = (args.out.is_none() && io::stdout().is_terminal())
        .then(terminal_size::terminal_size)
        .flatten()
        .map(|(terminal_size::Width(width), _)| usize::from(width));
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(said).unwrap_or(WIDTH)
}
