//! Envoy's routes and clusters, kept in step with the policies in force.

use std::path::PathBuf;

use super::status::Status;
use crate::config::{Config, EnvoyConfig};
use crate::disk;
use crate::envoy::{CLUSTERS_FILE, ROUTES_FILE, render_routes};
use crate::policy::PolicySet;
use crate::policy::digest::Digest;

/// The two files that follow the policies. The bootstrap does not: Envoy reads it once.
pub(super) struct EnvoyFiles {
    envoy: EnvoyConfig,
    directory: PathBuf,
    /// The set that the files are of, once they are.
    written: Option<Digest>,
}

impl EnvoyFiles {
    /// Where the configuration says, if it does.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let envoy = config.envoy.clone()?;
        let directory = envoy.files.as_ref()?.path.clone();
        Some(Self { envoy, directory, written: None })
    }

    /// Brings the files in step; what cannot be written is said, and tried again.
    pub(super) fn write(&mut self, config: &Config, policy: &PolicySet, status: &Status) {
        let rendering = render_routes(config, &self.envoy, policy);
        // Clusters before routes: a route never leads to a cluster that is not there yet.
        for (name, content) in
            [(CLUSTERS_FILE, &rendering.clusters), (ROUTES_FILE, &rendering.routes)]
        {
            let path = self.directory.join(name);
            match disk::replace_file(&path, format!("{content:#}\n").as_bytes()) {
                Ok(true) => tracing::info!(path = %path.display(), "written for Envoy"),
                Ok(false) => {}
                Err(error) => {
                    let problem = format!("{}: {error}", path.display());
                    if status.envoy_files(Some(problem.clone())) {
                        tracing::error!(problem, "Envoy's routes are not those of the policies");
                    }
                    self.written = None;
                    return;
                }
            }
        }
        status.envoy_files(None);
        self.written = Some(policy.digest());
    }

    /// Tries again what could not be written.
    pub(super) fn retry(&mut self, config: &Config, policy: &PolicySet, status: &Status) {
        if self.written != Some(policy.digest()) {
            self.write(config, policy, status);
        }
    }
}
