//! Parse, run, exit code.

use clap::Parser;
#[cfg(feature = "serve")]
use tikv_jemallocator::Jemalloc;
use toolgate::authn;
use toolgate::cli::{Cli, Exit};

/// Faster than glibc's, and it gives back to the system what a policy set took while it was read.
#[cfg(feature = "serve")]
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> Exit {
    // First thing of all: whatever a dependency enables, there is one crypto back-end.
    if authn::install_crypto().is_err() {
        return Exit::Failure;
    }
    Cli::parse().run()
}
