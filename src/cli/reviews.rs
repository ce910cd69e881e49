//! `toolgate reviews`

mod status;

use std::fs;
use std::path::{Path, PathBuf};

use super::exit::{Exit, fail, print};
use crate::disk;
use crate::policy::stamp::{self, Stamped};

/// Looks after `reviews.yaml`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the digests of the tools that the reviews cover
    ///
    /// A review covers a server's tools as they stood when it was stamped; afterwards every
    /// change of them needs a new look. Comments and layout are kept.
    Stamp(Stamp),
    /// Say how every review stands, and which servers are refused for want of one
    ///
    /// Exits with 0 if every server has the reviews it needs, 1 if one is refused, 2 if there is
    /// no answer.
    Status(status::Args),
}

#[derive(Debug, clap::Args)]
struct Stamp {
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Only these servers
    #[arg(value_name = "SERVER")]
    servers: Vec<String>,
}

pub(super) fn run(args: &Args) -> Exit {
    match &args.command {
        Command::Stamp(args) => stamp_reviews(args),
        Command::Status(args) => status::run(args),
    }
}

fn stamp_reviews(args: &Stamp) -> Exit {
    let path = args.policies.join("reviews.yaml");
    let files = disk::read_policies(&args.policies);
    let stamped = match stamp::stamp(&files, &args.servers) {
        Ok(stamped) => stamped,
        Err(problems) => return super::exit::fail_with(&problems),
    };
    let Stamped { text, changes } = stamped;
    if changes.is_empty() {
        print("reviews.yaml: every digest is up to date\n");
        return Exit::Success;
    }
    if let Err(error) = replace(&path, &text) {
        return fail(format_args!("{}: {error}", path.display()));
    }
    for change in changes {
        print(format_args!(
            "{} now covers {} {}\n",
            change.review,
            change.server,
            change.digest.short()
        ));
    }
    Exit::Success
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("yaml.new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}
