//! Parse, run, exit code.

use clap::Parser;
use toolgate::authn;
use toolgate::cli::{Cli, Exit};

fn main() -> Exit {
    // First thing of all: whatever a dependency enables, there is one crypto back-end.
    if authn::install_crypto().is_err() {
        return Exit::Failure;
    }
    Cli::parse().run()
}
