//! What the process says about itself: log lines, metrics, and the record of every decision.

mod decisions;
mod lists;
mod metrics;
mod observed;

use std::io;

use tracing_subscriber::EnvFilter;

pub use self::decisions::{DecisionLog, Full, OpenError, SinkState};
pub use self::lists::ListOutcome;
pub use self::metrics::{Decided, Metric, Metrics};
pub use self::observed::{BundlesState, KeysState, Observed, Revoked, TokenCache};

/// Sends log lines to the standard error stream, as JSON, one line each. `TOOLGATE_LOG` narrows or
/// widens them (`info` by default), in the syntax of `tracing_subscriber::EnvFilter`. Decisions are
/// not among them: they have a record of their own.
pub fn init() {
    let filter = EnvFilter::try_from_env("TOOLGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
