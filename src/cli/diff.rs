//! `toolgate diff`

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::exit::{Exit, fail, fail_with, hint, print};
use super::progress::Progress;
use crate::diagnostics::did_you_mean;
use crate::diff::{self, Diff, Side};
use crate::disk;
use crate::git::Repository;
use crate::policy::PolicyFiles;

/// Say what changes from one policy directory to another
///
/// Who gains access, who loses it, and which lines of the files cause that. Reviews count as in
/// force on both sides; whether they are is said apart. Exits with 0, or with 1 if
/// `--deny-widening` is given and something became allowed, or 2 if there is no answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy directory, a git revision, or `A..B`, or `A...B` for what B adds to what both had
    /// in common last
    old: String,
    /// The other one [default: the policy directory as it stands]
    new: Option<String>,
    /// The policy directory inside a revision, and beside a single one
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Only these servers, and what all share
    #[arg(long, value_name = "NAME", num_args = 1..)]
    server: Vec<String>,
    /// From when on, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::explain::instant)]
    at: Option<Timestamp>,
    /// Exit with 1 if something became allowed, or might have
    ///
    /// It is about all servers: what is not shown would not be refused.
    #[arg(long, conflicts_with = "server")]
    deny_widening: bool,
    /// How to print the differences
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// Where a side comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Directory(PathBuf),
    Revision(String),
    /// What two revisions had in common last.
    MergeBase(String, String),
}

pub(super) fn run(args: &Args) -> Exit {
    let [old, new] = match sources(args) {
        Ok(sources) => sources,
        Err(exit) => return exit,
    };
    // What is wrong with either side is said in one run.
    let (old, new) = (side(args, &old, "old"), side(args, &new, "new"));
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    for name in &args.server {
        if !(old.has_server(name) || new.has_server(name)) {
            let exit = fail(format_args!("unknown server `{name}`"));
            let names: Vec<_> = old.server_names().chain(new.server_names()).collect();
            if let Some(near) = did_you_mean(name, names) {
                hint(format_args!("did you mean `{near}`?"));
            }
            return exit;
        }
    }
    let at = args.at.unwrap_or_else(Timestamp::now);
    let progress = Progress::of(old.files(), "comparing");
    let found = diff::diff(&old, &new, at, &args.server);
    drop(progress);
    match found {
        Ok(found) => show(args, &found),
        Err(error) => fail(error),
    }
}

fn show(args: &Args, found: &Diff) -> Exit {
    match args.format {
        Format::Text => print(diff::text(found)),
        Format::Markdown => print(diff::markdown(found)),
        Format::Json => print(format_args!("{:#}\n", diff::json(found))),
    }
    if args.deny_widening && found.is_wider() { Exit::No } else { Exit::Success }
}

/// What an argument names. What could be either is neither: in a working tree that is checked, a
/// directory may be called as a revision is, to be compared in its place.
fn named(name: &str) -> Result<Source, Exit> {
    if !Path::new(name).is_dir() {
        return Ok(Source::Revision(name.to_owned()));
    }
    if Repository::at(Path::new(".")).commit(name).is_ok() {
        let exit = fail(format_args!("`{name}` is a directory and a git revision"));
        hint(format_args!("write `./{name}` for the directory, and a range or hash for the other"));
        return Err(exit);
    }
    Ok(Source::Directory(name.into()))
}

/// What the arguments name.
fn sources(args: &Args) -> Result<[Source; 2], Exit> {
    let old = named(&args.old)?;
    if let Some(new) = &args.new {
        return Ok([old, named(new)?]);
    }
    let Source::Revision(range) = &old else {
        let exit = fail("one directory is nothing to compare");
        hint("name two, or a git revision to compare with the directory as it stands");
        return Err(exit);
    };
    let head = |name: &str| if name.is_empty() { "HEAD".to_owned() } else { name.to_owned() };
    if let Some((a, b)) = range.split_once("...") {
        let (a, b) = (head(a), head(b));
        return Ok([Source::MergeBase(a, b.clone()), Source::Revision(b)]);
    }
    if let Some((a, b)) = range.split_once("..") {
        return Ok([Source::Revision(head(a)), Source::Revision(head(b))]);
    }
    Ok([old, Source::Directory(args.policies.clone())])
}

fn side(args: &Args, source: &Source, which: &str) -> Result<Side, Exit> {
    let files = match source {
        Source::Directory(directory) => disk::read_policies(directory),
        Source::Revision(revision) => of_revision(args, revision)?,
        Source::MergeBase(a, b) => {
            let base = Repository::at(Path::new(".")).merge_base(a, b).map_err(fail)?;
            of_revision(args, &base)?
        }
    };
    let name = files.root.display().to_string();
    let progress = Progress::of(&files, "comparing");
    let side = Side::load(files);
    drop(progress);
    side.map_err(|problems| {
        fail_with(&problems);
        fail(format_args!("the {which} side, {name}, does not load"))
    })
}

fn of_revision(args: &Args, revision: &str) -> Result<PolicyFiles, Exit> {
    Repository::at(Path::new(".")).policies(revision, &args.policies).map_err(|error| {
        let exit = fail(error);
        hint("give two of: a policy directory, a git revision");
        exit
    })
}
