//! Toolgate with faults on request, for the end-to-end tests: `x-fault: panic` and the like. Never
//! run it anywhere else.

use clap::Parser;
use toolgate::authn;
use toolgate::cli::{Cli, Exit};

fn main() -> Exit {
    if authn::install_crypto().is_err() {
        return Exit::Failure;
    }
    Cli::parse().run()
}
