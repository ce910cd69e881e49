//! `toolgate lint`

mod fix;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::exit::{Exit, fail, hint, is_coloured, print};
use super::progress::Progress;
use crate::diagnostics::{Severity, did_you_mean};
use crate::disk;
use crate::lint::{self, Report, Rule, page};

/// Find what loads, and is probably not wanted
///
/// Exits with 0 if there is no error, 1 if there is one, 2 if there is no answer. Problems that
/// keep the policies from loading are errors too.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Args {
    /// A policy directory, or files of one: then only what is found in them is shown, and what
    /// keeps the directory from loading
    #[arg(value_name = "PATH", default_value = "policies")]
    paths: Vec<PathBuf>,
    /// Exit with 1 for warnings, too
    #[arg(long)]
    deny_warnings: bool,
    /// Print only what makes it exit with 1, and nothing if there is nothing
    #[arg(long, short)]
    quiet: bool,
    /// Mend what has one safe answer, and show what is left
    #[arg(long)]
    fix: bool,
    /// Show how `--fix` would change the files, and change nothing; exit with 1 if it would
    #[arg(long, conflicts_with_all = ["fix", "format"])]
    diff: bool,
    /// When, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::explain::instant)]
    at: Option<Timestamp>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print the page of a rule, by its name or code
    #[arg(long, value_name = "RULE", exclusive = true)]
    explain: Option<String>,
    /// List the rules
    #[arg(long, exclusive = true)]
    rules: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// JUnit's XML
    Junit,
}

pub(super) fn run(args: &Args) -> Exit {
    if let Some(name) = &args.explain {
        return explain(name);
    }
    if args.rules {
        print(page::list());
        return Exit::Success;
    }
    let directory = match directory(&args.paths) {
        Ok(directory) => directory,
        Err(exit) => return exit,
    };
    let now = args.at.unwrap_or_else(Timestamp::now);
    let whole = args.paths.contains(&directory);
    let named: HashSet<_> = args.paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let keep = |path: &Path| whole || path.canonicalize().is_ok_and(|path| named.contains(&path));
    let files = disk::read_policies(&directory);
    let progress = Progress::of(&files, "linting");
    let report = if args.fix || args.diff {
        let mended = lint::mend(files, now, keep);
        drop(progress);
        if args.diff {
            return fix::diff(&mended);
        }
        if let Err(exit) = fix::write(&mended) {
            return exit;
        }
        if args.format == Format::Text && !args.quiet {
            fix::tell(&mended);
        }
        mended.report
    } else {
        let report = lint::lint(files, now);
        drop(progress);
        report
    };
    let mut report = report.narrowed(keep);
    let counts = report.counts();
    if args.quiet {
        let counts = |severity| severity == Severity::Error || args.deny_warnings;
        report.diagnostics.list.retain(|finding| counts(finding.severity));
    }
    show(args, &report);
    let warned = args.deny_warnings && counts.warnings > 0;
    if counts.errors > 0 || warned { Exit::No } else { Exit::Success }
}

fn show(args: &Args, report: &Report) {
    match args.format {
        Format::Text if args.quiet && report.diagnostics.list.is_empty() => {}
        Format::Text => print(lint::text(report, is_coloured(&io::stdout()))),
        Format::Json => print(format_args!("{:#}\n", lint::json(report))),
        Format::Sarif => print(format_args!("{:#}\n", lint::sarif(report))),
        Format::Github => print(lint::github(report)),
        Format::Gitlab => print(format_args!("{:#}\n", lint::gitlab(report))),
        Format::Junit => print(lint::junit(report, args.deny_warnings)),
    }
}

fn explain(name: &str) -> Exit {
    if let Some(rule) = Rule::named(name) {
        print(page::of_rule(rule, 1));
        return Exit::Success;
    }
    let exit = fail(format_args!("there is no rule `{name}`"));
    match did_you_mean(name, lint::ALL.iter().map(|rule| rule.name())) {
        Some(near) => hint(format_args!("did you mean `{near}`?")),
        None => hint("`toolgate lint --rules` lists them"),
    }
    exit
}

/// The one policy directory that the paths are, or are in.
fn directory(paths: &[PathBuf]) -> Result<PathBuf, Exit> {
    let mut found: Option<PathBuf> = None;
    for path in paths {
        let directory = directory_of(path)?;
        match &found {
            None => found = Some(directory),
            Some(other) if is_same(other, &directory) => {}
            Some(other) => {
                let (one, two) = (other.display(), directory.display());
                let exit = fail(format_args!("two policy directories: {one} and {two}"));
                hint("policies of one directory mean nothing to another: lint them one by one");
                return Err(exit);
            }
        }
    }
    Ok(found.unwrap_or_default())
}

/// The policy directory that a path is, or is in.
fn directory_of(path: &Path) -> Result<PathBuf, Exit> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        let exit = fail(format_args!("{}: {error}", path.display()));
        hint("give a policy directory, or files of one");
        exit
    })?;
    let directory = if metadata.is_dir() {
        path.to_owned()
    } else {
        let parent = path.parent().unwrap_or(Path::new(""));
        let is_inner = |name: &str| parent.file_name().is_some_and(|parent| parent == name);
        let inner = is_inner("servers") || is_inner("tests");
        let directory = if inner { parent.parent() } else { Some(parent) };
        match directory {
            Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
            Some(_) | None => PathBuf::from("."),
        }
    };
    let has = |name: &str| directory.join(name).exists();
    if has("servers") || has("guardrails.yaml") || has("surfaces.yaml") {
        return Ok(directory);
    }
    let exit = fail(format_args!("{}: is no policy directory", directory.display()));
    hint("a policy directory holds servers/NAME.yaml, surfaces.yaml and guardrails.yaml");
    Err(exit)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}
