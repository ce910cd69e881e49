//! What the process says about itself.

use std::io;

use tracing_subscriber::EnvFilter;

/// Sends log lines to the standard error stream, as JSON, one line each. `TOOLGATE_LOG` narrows or
/// widens them (`info` by default), in the syntax of `tracing_subscriber::EnvFilter`; decisions
/// are always among them.
pub fn init() {
    let filter = EnvFilter::try_from_env("TOOLGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Decisions are a record, and not chatter.
    let filter = match "toolgate::decision=info".parse() {
        Ok(always) => filter.add_directive(always),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
