//! Load for `make bench`: asks an authorization service over gRPC, or a proxy over HTTP/1.1, and
//! measures what an answer costs the processes that give it. Every answer is looked at; a wrong one
//! ends the run.
//!
//! One JSON object on standard input says what to do (`plan.rs`), one on standard output what was
//! measured (`report.rs`).
#![expect(clippy::print_stdout, reason = "the report is what the program is started for")]

mod batch;
mod connect;
mod cpu;
mod grpc;
mod http;
mod judge;
mod pace;
mod plan;
mod report;
mod run;

use std::io;

use anyhow::{Context as _, Result};

// One thread: it has one core, and nothing here waits for anything but sockets.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let plan = serde_json::from_reader(io::stdin().lock()).context("standard input")?;
    println!("{}", serde_json::to_string(&run::run(plan).await?)?);
    Ok(())
}
