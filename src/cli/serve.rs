//! `toolgate serve`

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, fail};
use super::load;
use crate::{server, telemetry};

/// Answers Envoy until SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> Exit {
    let (config, policies) = match load::both(&args.config) {
        Ok(both) => both,
        Err(exit) => return exit,
    };
    telemetry::init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            let stop = stop_signal().map_err(|error| error.to_string())?;
            server::run(config, policies, stop).await.map_err(|error| error.to_string())
        })
    });
    match served {
        Ok(()) => Exit::Success,
        Err(error) => fail(error),
    }
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
