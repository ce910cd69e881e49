//! Loading what commands need, with every problem printed.

use std::path::Path;

use super::exit::{Exit, fail, fail_with, hint};
use crate::config::{self, Config};
use crate::disk;
use crate::policy::{self, PolicySet};
use crate::yaml::MAX_FILE_BYTES;

pub(super) fn policies(directory: &Path) -> Result<PolicySet, Exit> {
    policy::load(disk::read_policies(directory)).map_err(|problems| fail_with(&problems))
}

pub(super) fn configuration(path: &Path) -> Result<Config, Exit> {
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
