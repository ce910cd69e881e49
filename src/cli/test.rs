//! `toolgate test`

use std::path::PathBuf;

use super::exit::{Exit, fail, fail_with, hint, print};
use crate::diagnostics::{Diagnostics, render_github};
use crate::{disk, policy, scenario};

/// Decide the cases of the policies' tests
///
/// A case that does not go as it should is shown with how it was decided. Exits with 0 if all cases
/// went as they should, 1 if not, 2 if there is no answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy directory
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Also list the grants, bans, tools, resources and prompts that no case touches; exit with 1
    /// if there are any
    #[arg(long)]
    coverage: bool,
    /// Print nothing if all cases went as they should
    #[arg(long, short)]
    quiet: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// JUnit's XML
    Junit,
}

pub(super) fn run(args: &Args) -> Exit {
    let files = disk::read_policies(&args.policies);
    let set = match policy::load_on(files.clone(), policy::Cores::All) {
        Ok(set) => set,
        Err(problems) => return refuse(args, &problems),
    };
    let report = match scenario::run(&set, &files) {
        Ok(report) => report,
        Err(problems) => return refuse(args, &problems),
    };
    if report.suites.is_empty() {
        let directory = args.policies.join("tests");
        let exit = fail(format_args!("{}: there is no test file", directory.display()));
        hint("each file there lists cases under `allowed` and `refused`");
        return exit;
    }
    let covered = !args.coverage || report.coverage.uncovered().is_empty();
    let passed = report.passed() && covered;
    match args.format {
        Format::Text if args.quiet && passed => {}
        Format::Text => print(scenario::text(&report, args.coverage)),
        Format::Json => print(format_args!("{:#}\n", scenario::json(&report))),
        Format::Github => print(scenario::github(&report, args.coverage)),
        Format::Junit => print(scenario::junit(&report, args.coverage)),
    }
    if passed { Exit::Success } else { Exit::No }
}

/// Shows problems where they are looked for. GitHub's runner looks for commands in every line, so
/// it gets no excerpt of a file.
fn refuse(args: &Args, problems: &Diagnostics) -> Exit {
    match args.format {
        Format::Text | Format::Json => fail_with(problems),
        Format::Github => {
            print(render_github(problems));
            Exit::Failure
        }
        Format::Junit => {
            print(scenario::junit_of_problems(problems));
            fail_with(problems)
        }
    }
}
