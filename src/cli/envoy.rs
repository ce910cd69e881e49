//! `toolgate envoy`

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::exit::{Exit, fail, hint, print};
use super::load;
use crate::config::{Told, spire_socket};
use crate::disk;
use crate::envoy::{
    BOOTSTRAP_FILE, CLUSTERS_FILE, Options, ROUTES_FILE, SECRETS_FILE, contexts, render,
    render_static,
};

/// Write Envoy's configuration
///
/// One route per server and environment, each with authorization. Run Envoy in the directory of the configuration file: relative paths are relative to it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
    /// Where to write envoy.json, secrets.json, routes.json and clusters.json [default: the
    /// configuration's `envoy.files`, or beside it]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one file with everything in it instead, as `envoy --mode validate` checks it
    #[arg(long = "static", conflicts_with = "out")]
    static_: bool,
    /// Print what each route tells Toolgate instead, by its path: for an Envoy that a mesh configures
    #[arg(long, conflicts_with_all = ["out", "static_", "plain", "admin", "spire"])]
    context: bool,
    /// Envoy's identity and bundles come from the SPIRE agent at this socket, as with `envoy.spire`
    #[arg(long, value_name = "unix:PATH", value_parser = socket)]
    spire: Option<String>,
    /// Also the plain loopback listener, whose callers have no workload identity
    #[arg(long)]
    plain: bool,
    /// Also Envoy's administration interface, unprotected
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
}

pub(super) fn run(args: &Args) -> Exit {
    let told = Told { spire: args.spire.as_deref() };
    let (config, policies) = match load::both(&args.config, told) {
        Ok(both) => both,
        Err(exit) => return exit,
    };
    if args.context {
        print(format_args!("{:#}\n", contexts(&policies)));
        return Exit::Success;
    }
    let Some(envoy) = &config.envoy else {
        let exit = fail(format_args!("{}: `envoy` is missing", args.config.display()));
        hint("for an Envoy that somebody else configures there is `toolgate envoy --context`");
        return exit;
    };
    let options = Options { plain: args.plain, admin: args.admin };
    if args.plain && envoy.plain.is_none() {
        return fail(format_args!("{}: `envoy.listen.plain` is missing", args.config.display()));
    }
    if args.admin.is_some_and(|admin| !admin.ip().is_loopback()) {
        return fail("`--admin` is unprotected: give it a loopback address");
    }
    if args.static_ {
        print(format_args!("{:#}\n", render_static(&config, envoy, &policies, &options)));
        return Exit::Success;
    }
    let beside = args.config.parent().unwrap_or(Path::new(""));
    let files = envoy.files.as_ref().map(|files| files.path.as_path());
    let out = args.out.as_deref().or(files).unwrap_or(beside);
    if !out.as_os_str().is_empty() && !out.is_dir() {
        let what = if out.exists() { "is not a directory" } else { "does not exist" };
        let exit = fail(format_args!("{}: {what}", out.display()));
        hint("`--out` names a directory that is there; the files are written into it");
        return exit;
    }
    let seen_from_envoy = match seen_from(beside, out) {
        Ok(path) => path,
        Err(error) => return fail(format_args!("{}: {error}", out.display())),
    };
    let rendering = render(&config, envoy, &policies, &options, &seen_from_envoy);
    // Clusters before routes: a route never leads to a cluster that is not there yet.
    let files = [
        (SECRETS_FILE, rendering.secrets.as_ref()),
        (CLUSTERS_FILE, Some(&rendering.clusters)),
        (ROUTES_FILE, Some(&rendering.routes)),
        (BOOTSTRAP_FILE, Some(&rendering.bootstrap)),
    ];
    for (name, content) in files {
        let Some(content) = content else { continue };
        let content = format!("{content:#}\n");
        if let Err(error) = disk::replace_file(&out.join(name), content.as_bytes()) {
            return fail(format_args!("{}: {error}", out.join(name).display()));
        }
    }
    Exit::Success
}

fn socket(written: &str) -> Result<String, &'static str> {
    spire_socket(written).map(str::to_owned).ok_or("write `unix:PATH`")
}

/// The output directory as Envoy sees it from the configuration's directory.
fn seen_from(beside: &Path, out: &Path) -> io::Result<String> {
    let absolute = |path: &Path| {
        fs::canonicalize(if path.as_os_str().is_empty() { Path::new(".") } else { path })
    };
    let out = absolute(out)?;
    if out == absolute(beside)? {
        return Ok(".".to_owned());
    }
    out.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("the path is not UTF-8"))
}
