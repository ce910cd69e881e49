//! Loading what commands need, with every problem printed.

use std::path::Path;

use super::exit::{Exit, fail, fail_with, hint};
use crate::config::{self, Config};
use crate::disk;
use crate::policy::{self, PolicySet};
use crate::yaml::MAX_FILE_BYTES;

/// The configuration, and the policies that it names.
pub(super) fn both(path: &Path) -> Result<(Config, PolicySet), Exit> {
    let config = configuration(path)?;
    let policies = policies(&config.policies)?;
    let issuers: Vec<_> = config
        .issuers
        .iter()
        .map(|issuer| (&*issuer.issuer.name, &*issuer.issuer.group_prefix))
        .collect();
    let unclaimable = policies.unclaimable(&issuers);
    if unclaimable.is_empty() {
        return Ok((config, policies));
    }
    let names = unclaimable.join("`, `");
    let exit = fail(format_args!("no configured issuer can claim `{names}`"));
    hint(
        "a ban on such a group or user would ban nobody; correct the issuer's name, or its \
         `group_prefix`",
    );
    Err(exit)
}

pub(super) fn policies(directory: &Path) -> Result<PolicySet, Exit> {
    policy::load(disk::read_policies(directory)).map_err(|problems| fail_with(&problems))
}

fn configuration(path: &Path) -> Result<Config, Exit> {
    let text = disk::read_file(path, MAX_FILE_BYTES)
        .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    match text {
        Ok(text) => config::parse(path, &text).map_err(|problems| fail_with(&problems)),
        Err(error) => {
            let exit = fail(format_args!("{}: {error}", path.display()));
            hint("give the sidecar's configuration with `--config FILE`");
            Err(exit)
        }
    }
}
