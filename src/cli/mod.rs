//! The command line: one file per command.

#[cfg(feature = "serve")]
mod admin;
mod completions;
mod diff;
mod envoy;
mod exit;
mod explain;
mod lint;
mod load;
mod matrix;
mod new;
#[cfg(feature = "serve")]
mod probe;
mod progress;
mod reviews;
mod schema;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod status;
mod test;

use clap::{Parser, Subcommand};

pub use self::exit::Exit;

/// Decides who may call which tool of which MCP server, from where.
#[derive(Debug, Parser)]
#[command(name = "toolgate", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer Envoy
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Show how the running process is doing
    #[cfg(feature = "serve")]
    Status(status::Args),
    /// Say whether the running process is ready
    #[cfg(feature = "serve")]
    Probe(probe::Args),
    /// Write Envoy's configuration
    Envoy(envoy::Args),
    /// Decide one call, and say why
    Explain(explain::Args),
    /// Decide the cases of the policies' tests
    Test(test::Args),
    /// Show who may call what
    Matrix(matrix::Args),
    /// Find what loads, and is probably not wanted
    Lint(lint::Args),
    /// Say what changes from one policy directory to another
    Diff(diff::Args),
    /// Start a file
    New(new::Args),
    /// Look after the reviews
    Reviews(reviews::Args),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Args),
    /// Print what completes commands in a shell
    Completions(completions::Args),
}

impl Cli {
    /// Runs the command.
    #[must_use]
    pub fn run(self) -> Exit {
        match self.command {
            #[cfg(feature = "serve")]
            Command::Serve(args) => serve::run(&args),
            #[cfg(feature = "serve")]
            Command::Status(args) => status::run(&args),
            #[cfg(feature = "serve")]
            Command::Probe(args) => probe::run(&args),
            Command::Envoy(args) => envoy::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Matrix(args) => matrix::run(&args),
            Command::Lint(args) => lint::run(&args),
            Command::Diff(args) => diff::run(&args),
            Command::New(args) => new::run(&args),
            Command::Reviews(args) => reviews::run(&args),
            Command::Schema(args) => schema::run(&args),
            Command::Completions(args) => completions::run(&args),
        }
    }
}
