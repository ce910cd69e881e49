//! THE LANGUAGE: policy files in, a [`PolicySet`] that cannot be wrong out.
//!
//! `files` says which files a policy directory has; `raw` mirrors one file each, with the place
//! of every value; `lower` resolves what they say about each other into the `model`, and reports
//! every problem of all of them in one run. Only the model is decided on.

pub mod digest;
mod files;
pub mod limits;
mod lower;
pub mod model;
mod names;
mod raw;
pub mod stamp;
pub mod uri;

#[cfg(test)]
mod tests;

use crate::diagnostics::Diagnostics;

pub use self::files::{PolicyFile, PolicyFiles};
pub use self::model::PolicySet;

/// Reads a whole policy directory.
///
/// # Errors
///
/// Every problem of every file: nothing is loaded while one stands.
pub fn load(files: PolicyFiles) -> Result<PolicySet, Diagnostics> {
    lower::lower(files)
}

/// The digest that reviews cover, of each server whose file can be read: SHA-256 over the
/// canonical JSON (RFC 8785) of its tools. Used to stamp reviews, so it does not need the rest of
/// the directory to be right.
#[must_use]
pub fn tools_digests(files: &PolicyFiles) -> Vec<(String, digest::Digest)> {
    lower::tools_digests(files)
}
