//! `toolgate completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::exit::{Exit, print};

/// Print what completes commands in a shell
///
/// In bash and zsh: `source <(toolgate completions bash)`, or `zsh`. In fish: `toolgate completions
/// fish | source`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "toolgate", &mut script);
    print(String::from_utf8_lossy(&script));
    Exit::Success
}
