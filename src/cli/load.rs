//! Loading what commands need, with every problem printed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::exit::{Exit, fail, fail_with, hint};
use super::progress::Progress;
#[cfg(feature = "serve")]
use crate::authn::revocation::Revocations;
#[cfg(feature = "serve")]
use crate::config::revoked;
use crate::config::{self, Config, Told};
use crate::disk::{self, PolicyDirectory};
use crate::policy::{self, Cores, Loaded, PolicyFiles, PolicySet};
use crate::yaml::MAX_FILE_BYTES;

/// A directory that keeps changing is taken as it is after so many looks; what changes then is
/// followed.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Everything that is served: the configuration, the policies that it names, with their files, and
/// the deny-list.
#[cfg(feature = "serve")]
pub(super) fn all(path: &Path) -> Result<(Config, Loaded, Revocations), Exit> {
    let config = configuration_or_policies(path, Told::default())?;
    // Everything that is wrong is said in one run.
    let (revoked, policies) = (revoked(&config), policies_under(&config));
    Ok((config, policies?, revoked?))
}

/// The deny-list that a configuration names.
#[cfg(feature = "serve")]
pub(super) fn revoked(config: &Config) -> Result<Revocations, Exit> {
    let Some(path) = &config.tokens.revoked else {
        return Ok(Revocations::default());
    };
    let listed = match disk::read_file(path, revoked::MAX_BYTES) {
        Ok(bytes) => revoked::parse(path, &bytes, &config.issuer_names()),
        Err(error) => revoked::unreadable(path, &error.to_string()),
    };
    listed.whole().map_err(|problems| fail_with(&problems))
}

/// The configuration; if it is broken, what is wrong with the policies is said beside.
fn configuration_or_policies(path: &Path, told: Told<'_>) -> Result<Config, Exit> {
    configuration_told(path, told).inspect_err(|_| {
        if let Some(directory) = policies_of(path) {
            policies(&directory).ok();
        }
    })
}

/// The policies that a configuration names, as far as it can serve them.
fn policies_under(config: &Config) -> Result<Loaded, Exit> {
    let files = settled(&config.policies);
    let loaded = Loaded::new(files, Cores::All).map_err(|problems| fail_with(&problems))?;
    let policies = loaded.set();
    let unclaimable = policies.unclaimable(&config.group_prefixes());
    let mut failed = None;
    if !unclaimable.is_empty() {
        let names = unclaimable.join("`, `");
        failed = Some(fail(format_args!("no configured issuer can claim `{names}`")));
        hint(
            "a ban on such a group or user would ban nobody; correct the issuer's name, or its \
             `group_prefix`",
        );
    }
    let issuers = config.issuers.iter().map(|issuer| &issuer.issuer);
    let audiences: Vec<_> = issuers.flat_map(|issuer| &issuer.audiences).map(|a| &**a).collect();
    let shared = policies.servers_with_audience(&audiences);
    if !shared.is_empty() {
        let names = shared.join("`, `");
        let problem = format_args!("the `resource` of `{names}` is an audience of an issuer");
        failed = Some(fail(problem));
        hint(
            "a token for any server would be one for it; give it a `resource` of its own, which \
             no issuer lists under `audiences`",
        );
    }
    match failed {
        Some(exit) => Err(exit),
        None => Ok(loaded),
    }
}

/// The policy directory, once nobody is writing it any more: half a set is another one.
fn settled(directory: &Path) -> PolicyFiles {
    let mut directory = PolicyDirectory::new(directory.to_owned());
    directory.refresh(SystemTime::now());
    for _ in 0..LOOKS {
        if directory.is_settled() {
            break;
        }
        let before = directory.identity();
        std::thread::sleep(BETWEEN_LOOKS);
        directory.refresh(SystemTime::now());
        if directory.identity() == before {
            break;
        }
    }
    directory.files()
}

/// The configuration, with what is said beside it, and the policies that it names.
pub(super) fn both(path: &Path, told: Told<'_>) -> Result<(Config, PolicySet), Exit> {
    let config = configuration_or_policies(path, told)?;
    let policies = policies_under(&config)?.set().clone();
    Ok((config, policies))
}

pub(super) fn policies(directory: &Path) -> Result<PolicySet, Exit> {
    with_files(directory).map(|(_, policies)| policies)
}

/// A policy directory, with its files. Reading many of them is told on a terminal.
pub(super) fn with_files(directory: &Path) -> Result<(PolicyFiles, PolicySet), Exit> {
    let files = disk::read_policies(directory);
    let progress = Progress::of(&files, "looking through");
    let policies = policy::load_on(files.clone(), Cores::All);
    drop(progress);
    policies.map(|policies| (files, policies)).map_err(|problems| fail_with(&problems))
}

/// The policy directory that a configuration names, if as much can be read of it.
fn policies_of(path: &Path) -> Option<PathBuf> {
    let text = String::from_utf8(disk::read_file(path, MAX_FILE_BYTES).ok()?).ok()?;
    config::policies(path, &text)
}

#[cfg(feature = "serve")]
pub(super) fn configuration(path: &Path) -> Result<Config, Exit> {
    configuration_told(path, Told::default())
}

fn configuration_told(path: &Path, told: Told<'_>) -> Result<Config, Exit> {
    let text = disk::read_file(path, MAX_FILE_BYTES)
        .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    match text {
        Ok(text) => config::parse_told(path, &text, told).map_err(|problems| fail_with(&problems)),
        Err(error) => {
            let exit = fail(format_args!("{}: {error}", path.display()));
            hint("give the sidecar's configuration with `--config FILE`");
            Err(exit)
        }
    }
}
