//! `toolgate probe`

use std::path::PathBuf;

use super::admin;
use super::exit::{Exit, fail, print};

/// Say whether the running process is ready
///
/// Exits with 0 if it is, 1 if not, 2 if it does not answer. For health checks of containers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
    /// Ask whether it is alive, ready or not
    #[arg(long)]
    live: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let path = if args.live { "/livez" } else { "/readyz" };
    match admin::get(&args.config, path) {
        Ok((200, body)) => {
            print(body);
            Exit::Success
        }
        Ok((503, body)) => {
            print(body);
            Exit::No
        }
        Ok((status, _)) => fail(format_args!("`{path}` answers {status}: is that Toolgate?")),
        Err(exit) => exit,
    }
}
