//! `toolgate test`

use std::path::PathBuf;

use super::exit::{Exit, fail, fail_with, hint, print};
use crate::{disk, policy, scenario};

/// Decides every case of the policies' tests, and shows how those were decided that did not go as
/// they should
///
/// Exits with 0 if all went as they should, 1 if not, 2 if there is no answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Also list the grants, bans, tools, resources and prompts that no case touches; exit with 1
    /// if there are any
    #[arg(long)]
    coverage: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    let files = disk::read_policies(&args.policies);
    let set = match policy::load(files.clone()) {
        Ok(set) => set,
        Err(problems) => return fail_with(&problems),
    };
    let report = match scenario::run(&set, &files) {
        Ok(report) => report,
        Err(problems) => return fail_with(&problems),
    };
    if report.suites.is_empty() {
        let directory = args.policies.join("tests");
        let exit = fail(format_args!("{}: there is no test file", directory.display()));
        hint("each file there lists cases under `allowed` and `refused`");
        return exit;
    }
    match args.format {
        Format::Text => print(scenario::text(&report, args.coverage)),
        Format::Json => print(format_args!("{:#}\n", scenario::json(&report))),
    }
    let covered = !args.coverage || report.coverage.uncovered().is_empty();
    if report.passed() && covered { Exit::Success } else { Exit::No }
}
