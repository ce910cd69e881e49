//! The command line: one file per command.

#[cfg(feature = "serve")]
mod admin;
mod completions;
mod diff;
#[cfg(feature = "serve")]
mod doctor;
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

// What a command is for, and its exit codes, stand at its `Args`: a word here would hide them.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    #[cfg(feature = "serve")]
    Status(status::Args),
    #[cfg(feature = "serve")]
    Probe(probe::Args),
    #[cfg(feature = "serve")]
    Doctor(doctor::Args),
    Envoy(envoy::Args),
    Explain(explain::Args),
    Test(test::Args),
    Matrix(matrix::Args),
    Lint(lint::Args),
    Diff(diff::Args),
    New(new::Args),
    Reviews(reviews::Args),
    Schema(schema::Args),
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
            #[cfg(feature = "serve")]
            Command::Doctor(args) => doctor::run(&args),
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
