//! Parse, run, exit code.

use clap::Parser;
use toolgate::authn;
use toolgate::cli::{Cli, Exit};

/// Requests allocate little, and often: glibc's allocator took a fifth of what an answer costs.
#[cfg(feature = "serve")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Exit {
    // First thing of all: whatever a dependency enables, there is one crypto back-end.
    if authn::install_crypto().is_err() {
        return Exit::Failure;
    }
    Cli::parse().run()
}
