//! `toolgate doctor`

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json as object;

use super::exit::{Exit, fail, hint, print};
use super::load;
use crate::authn::revocation::Revocations;
use crate::config::keys::{KeysSource, KeysStart};
use crate::config::{Config, IssuerConfig};
use crate::disk;
use crate::doctor::{self, Verdict, With};
use crate::policy::PolicySet;
use crate::server::{self, FetchedKeys};

/// More than any header holds.
const MAX_INPUT_BYTES: usize = 1 << 20;

/// Issuers that do not answer by then do not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Find out what keeps people from signing in
///
/// Without `--token`: whether everything could be served, and what keys each issuer has now. With
/// it: why a token is refused, and who it would be; the token itself is never shown. Exits with 0
/// if all is well, 1 if not, 2 if that cannot be known.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
    /// Look at the token in this file, `-` for the standard input; `Bearer ` before it and one end
    /// of line after it are left out
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Look at it as this server would, which may have an audience of its own
    #[arg(long, value_name = "SERVER", requires = "token")]
    server: Option<String>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    let input = match args.token.as_deref().map(input).transpose() {
        Ok(input) => input,
        Err(exit) => return exit,
    };
    let (config, loaded, revoked) = match load::all(&args.config) {
        Ok(all) => all,
        Err(exit) => return exit,
    };
    match input {
        Some(input) => token(doctor::trimmed(&input), &config, loaded.set(), &revoked, args),
        None => checks(&config, loaded.set(), &revoked, args),
    }
}

fn input(path: &Path) -> Result<String, Exit> {
    let name = path.display();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(io::Error::other);
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_INPUT_BYTES).unwrap_or(u64::MAX);
        io::stdin().lock().take(most).read_to_end(&mut bytes).map(|_| bytes).and_then(text)
    } else {
        disk::read_file(path, MAX_INPUT_BYTES).and_then(text)
    };
    read.map_err(|error| {
        // Not the name: it may be the token.
        let what = if path.exists() || path == Path::new("-") {
            format!("{name}: ")
        } else {
            String::new()
        };
        let exit = fail(format_args!("{what}the token cannot be read: {error}"));
        hint(
            "`--token` takes a file, or `-` for the standard input; a token on the command line \
              would stay in the shell's history",
        );
        exit
    })
}

/// The keys of issuers, as of now, and whatever went wrong.
type Fetched = BTreeMap<Box<str>, Result<FetchedKeys, String>>;

fn fetch(issuers: &[&IssuerConfig]) -> Result<Fetched, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(fail)?;
    let fetched = runtime.block_on(async {
        let tasks: Vec<_> = issuers
            .iter()
            .map(|config| {
                let (name, config) = (config.issuer.name.clone(), (*config).clone());
                let fetch = async move {
                    let fetched = tokio::time::timeout(PATIENCE, server::fetch_once(&config)).await;
                    let fetched = fetched.map_err(|_| "nobody answers in time".to_owned());
                    fetched.and_then(|keys| keys.map_err(|error| error.to_string()))
                };
                (name, tokio::spawn(fetch))
            })
            .collect();
        let mut fetched = Fetched::new();
        for (name, task) in tasks {
            let keys = task.await.unwrap_or_else(|error| Err(error.to_string()));
            fetched.insert(name, keys);
        }
        fetched
    });
    runtime.shutdown_background();
    Ok(fetched)
}

fn token(
    token: &str,
    config: &Config,
    policy: &PolicySet,
    revoked: &Revocations,
    args: &Args,
) -> Exit {
    let server = args.server.as_deref().map(|name| (name, policy.server(name)));
    if let Some((name, None)) = server {
        return fail(format_args!("no server is called `{name}`"));
    }
    let resource = server.and_then(|(_, server)| server?.own_resource());
    // Nobody but its own issuer is asked.
    let issuer = doctor::issuer_of(token, config);
    let fetched = match fetch(issuer.as_slice()) {
        Ok(fetched) => fetched,
        Err(exit) => return exit,
    };
    let keys = match fetched.values().next() {
        Some(Ok(keys)) => Ok(&keys.set),
        Some(Err(error)) => Err(error.as_str()),
        None => Err("no configured issuer is the token's"),
    };
    let with = With { config, policy, revoked, keys, resource, now: Timestamp::now() };
    let examination = doctor::examine(token, &with);
    match args.format {
        Format::Text => print(doctor::text(&examination)),
        Format::Json => print(format_args!("{:#}\n", doctor::json(&examination))),
    }
    match examination.verdict {
        Verdict::Accepted => Exit::Success,
        Verdict::Refused(_) => Exit::No,
        Verdict::Unknown => Exit::Failure,
    }
}

/// A thing that was looked at: its name, what there is to say, and whether it is as it should be.
struct Check {
    name: String,
    detail: String,
    good: bool,
}

fn checks(config: &Config, policy: &PolicySet, revoked: &Revocations, args: &Args) -> Exit {
    let issuers: Vec<_> = config.issuers.iter().collect();
    let fetched = match fetch(&issuers) {
        Ok(fetched) => fetched,
        Err(exit) => return exit,
    };
    let mut checks = vec![
        good("configuration", format!("{} is read", args.config.display())),
        good(
            "policies",
            format!("{} servers, {}", policy.servers().len(), policy.digest().short()),
        ),
    ];
    if config.tokens.revoked.is_some() {
        let (tokens, users) = revoked.len();
        checks.push(good("deny-list", format!("{tokens} tokens and {users} users")));
    }
    let problems = server::check(config).into_iter();
    checks.extend(problems.map(|detail| Check { name: "serving".to_owned(), detail, good: false }));
    for issuer in issuers {
        if let Some(keys) = fetched.get(&issuer.issuer.name) {
            checks.extend(key_checks(issuer, keys));
        }
    }
    match args.format {
        Format::Text => {
            for Check { name, detail, good } in &checks {
                print(format_args!("{:<4}  {name}: {detail}\n", if *good { "ok" } else { "miss" }));
            }
        }
        Format::Json => {
            let check = |Check { name, detail, good }: &Check| object!({ "what": name, "good": good, "detail": detail });
            let list: Vec<_> = checks.iter().map(check).collect();
            print(format_args!("{:#}\n", object!({ "checks": list })));
        }
    }
    if checks.iter().all(|check| check.good) { Exit::Success } else { Exit::No }
}

fn good(name: &str, detail: String) -> Check {
    Check { name: name.to_owned(), detail, good: true }
}

/// What keys an issuer has now, and which of the published ones are left out.
fn key_checks(config: &IssuerConfig, keys: &Result<FetchedKeys, String>) -> Vec<Check> {
    let name = format!("keys of {}", config.issuer.name);
    let from = source(&config.keys);
    let FetchedKeys { set, url, fresh_for } = match keys {
        Ok(keys) => keys,
        Err(error) => {
            let detail =
                if error.contains(&from) { error.clone() } else { format!("{from}: {error}") };
            return vec![Check { name, detail, good: false }];
        }
    };
    let from = match url.as_ref().map(ToString::to_string) {
        Some(url) if !from.contains(&url) => format!("{from}, at {url}"),
        Some(_) | None => from,
    };
    let fresh =
        fresh_for.map_or(String::new(), |fresh| format!(", fresh for {} s", fresh.as_secs()));
    let count = set.len();
    let detail = format!("{count} usable from {from}{fresh}");
    let mut checks = vec![Check { name: name.clone(), detail, good: count > 0 }];
    for skipped in set.skipped() {
        let id = skipped.id.as_deref().map_or("(no kid)".to_owned(), |id| {
            let shown: String = id.chars().take(80).collect();
            format!("{shown:?}")
        });
        // Providers publish keys for other uses; one that anybody may sign with is no such thing.
        let good = skipped.error != crate::authn::jwks::KeyError::Private;
        let detail = format!("{id} is left out: {}", skipped.error);
        checks.push(Check { name: name.clone(), detail, good });
    }
    checks
}

fn source(keys: &KeysSource) -> String {
    match keys {
        KeysSource::File(path) => path.display().to_string(),
        KeysSource::Inline(_) => "the configuration".to_owned(),
        KeysSource::Remote(remote) => match &remote.start {
            KeysStart::Url(url) => url.to_string(),
            KeysStart::Discovery(discovery) => discovery.document.to_string(),
        },
    }
}
