//! `toolgate reviews`

mod status;

use std::fs;
use std::path::PathBuf;

use super::exit::{Exit, fail, fail_with, hint, print};
use crate::disk;
use crate::policy::stamp::{self, Change, StampError, Stamped};

/// Look after the reviews
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
    /// change of them needs a new look. A review that a server lists, and that does not cover it
    /// yet, covers it then. Comments and layout are kept.
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
    let Stamped { text, changes } = match stamp::stamp(&files, &args.servers) {
        Ok(stamped) => stamped,
        Err(error) => return refused(&error),
    };
    if changes.is_empty() {
        print("reviews.yaml: every digest is up to date\n");
        return Exit::Success;
    }
    // A link's target is replaced, and not the link. (The new file is a dot file until then: no
    // policy, should one reload while this runs.)
    let replaced =
        fs::canonicalize(&path).and_then(|path| disk::replace_file(&path, text.as_bytes()));
    if let Err(error) = replaced {
        return fail(format_args!("{}: {error}", path.display()));
    }
    for Change { review, server, digest } in changes {
        print(format_args!("{review} now covers {server} {}\n", digest.short()));
    }
    Exit::Success
}

fn refused(error: &StampError) -> Exit {
    match error {
        StampError::Unreadable(problems) => fail_with(problems),
        StampError::UnknownServer { near, .. } => {
            let exit = fail(error);
            match near {
                Some(near) => hint(format_args!("did you mean `{near}`?")),
                None => hint("a server is a file servers/NAME.yaml"),
            }
            exit
        }
        StampError::Layout(changes) => {
            let exit = fail(error);
            for Change { review, server, digest } in changes {
                hint(format_args!("write it under {review}: covers: {{ {server}: \"{digest}\" }}"));
            }
            exit
        }
    }
}
