//! THE LANGUAGE: policy files in, a [`PolicySet`] that cannot be wrong out.
//!
//! `files` says which files a policy directory has; `raw` mirrors one file each, with the place
//! of every value; `lower` resolves what they say about each other into the `model`, and reports
//! every problem of all of them in one run. Only the model is decided on.

mod cores;
pub mod digest;
mod files;
pub mod limits;
mod lower;
pub mod model;
pub(crate) mod names;
pub mod outline;
mod raw;
pub mod stamp;
pub mod uri;

#[cfg(test)]
mod tests;

use crate::diagnostics::{Diagnostics, SourceId, Sources};
use crate::yaml::Node;

pub use self::cores::Cores;
pub use self::files::{ListedFile, Listing, Parsed, PolicyFile, PolicyFiles, is_test};
pub use self::lower::{Loaded, NextError};
pub use self::model::PolicySet;

/// Reads a whole policy directory.
///
/// # Errors
///
/// Every problem of every file: nothing is loaded while one stands.
pub fn load(files: PolicyFiles) -> Result<PolicySet, Diagnostics> {
    load_on(files, Cores::One)
}

/// Reads a whole policy directory on one core or on all.
///
/// # Errors
///
/// Every problem of every file: nothing is loaded while one stands.
pub fn load_on(files: PolicyFiles, cores: Cores) -> Result<PolicySet, Diagnostics> {
    lower::lower(files, cores)
}

/// A policy directory as it was read, for those who look at how it is written.
#[derive(Debug)]
pub struct Inspected {
    /// The set, if it loads.
    pub set: Option<PolicySet>,
    /// The tree of every file that is YAML, tests included.
    pub trees: Vec<(SourceId, Node)>,
    /// Every problem, and the files. Without a set there is one; beside a set they are about
    /// tests.
    pub problems: Diagnostics,
}

/// Reads a whole policy directory, and keeps what [`load`] throws away. Each file is parsed once.
#[must_use]
pub fn inspect(files: PolicyFiles, cores: Cores) -> Inspected {
    lower::inspect(files, cores)
}

/// A set of good files, and bans of guardrails beside theirs.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The set, with a digest of its own.
    pub set: PolicySet,
    /// How many bans were added.
    pub added: usize,
    /// What could not be added: bans on what the good files do not know.
    pub left_out: Diagnostics,
}

/// The digest that reviews cover, of each server whose file can be read: SHA-256 over the
/// canonical JSON (RFC 8785) of its tools. It does not need the rest of the directory to be right.
#[must_use]
pub fn tools_digests(files: &PolicyFiles) -> Vec<(String, digest::Digest)> {
    let servers = lower::stampable(files, &mut Sources::default(), &mut Vec::new());
    servers.into_iter().map(|server| (server.name, server.digest)).collect()
}
