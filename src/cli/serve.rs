//! `toolgate serve`

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, fail, print};
use super::load;
use crate::server::{Serving, Signals};
use crate::{server, telemetry};

/// Answer Envoy
///
/// Runs until SIGTERM or SIGINT. Policies are followed as they change; SIGHUP reads all of them
/// again. The configuration is read once.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
    /// Only say whether the configuration and the policies could be served
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let (config, loaded, revoked) = match load::all(&args.config) {
        Ok(all) => all,
        Err(exit) => return exit,
    };
    if args.check {
        let problems = server::check(&config);
        for problem in &problems {
            fail(problem);
        }
        if !problems.is_empty() {
            return Exit::Failure;
        }
        let (digest, servers) = (loaded.set().digest().short(), loaded.set().servers().len());
        print(format_args!("ok: {servers} servers, policy {digest}\n"));
        return Exit::Success;
    }
    telemetry::init();
    let serving = Serving { config, loaded, revoked };
    // For what goes on beside requests, which have threads of their own.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let outcome = runtime.block_on(async {
            let stop = stop_signal().map_err(|error| error.to_string())?;
            let reread = reread_signal().map_err(|error| error.to_string())?;
            let signals = Signals { stop, reread };
            server::run(serving, signals).await.map_err(|error| error.to_string())
        });
        // What still waits for the network waits for nobody.
        runtime.shutdown_background();
        outcome
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

fn reread_signal() -> io::Result<Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (reread, receiver) = mpsc::channel();
    tokio::spawn(async move { while hangup.recv().await.is_some() && reread.send(()).is_ok() {} });
    Ok(receiver)
}
