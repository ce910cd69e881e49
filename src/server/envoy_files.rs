//! Envoy's routes and clusters, kept in step with the policies in force.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use super::live::GRACE;
use super::status::Status;
use crate::config::{Config, EnvoyConfig};
use crate::disk::{self, Stamp};
use crate::envoy::{CLUSTERS_FILE, ROUTES_FILE, render_routes};
use crate::policy::PolicySet;
use crate::policy::digest::Digest;

/// The two files that follow the policies. The bootstrap does not: Envoy reads it once.
pub(super) struct EnvoyFiles {
    envoy: EnvoyConfig,
    directory: PathBuf,
    /// The set that the files are of, and how they looked when they were written.
    written: Option<(Digest, [Option<Stamp>; 2])>,
    /// Clusters as they are now.
    clusters: Vec<Value>,
    /// Clusters that nothing leads to any more, as soon as Envoy has read the new routes.
    former: Vec<(Value, Instant)>,
}

impl EnvoyFiles {
    /// Where the configuration says, if it does.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let envoy = config.envoy.clone()?;
        let directory = envoy.files.as_ref()?.path.clone();
        let (clusters, former) = (Vec::new(), Vec::new());
        Some(Self { envoy, directory, written: None, clusters, former })
    }

    /// Brings the files in step if they are not: behind a new set, behind somebody who wrote or
    /// removed them, or once a former cluster has had its time. What cannot be written is said, and
    /// tried again at the next look.
    pub(super) fn keep(&mut self, config: &Config, policy: &PolicySet, status: &Status) {
        let now = Instant::now();
        let expired = self.former.iter().any(|(_, until)| *until <= now);
        let in_step = self.written == Some((policy.digest(), self.stamps()));
        if in_step && !expired {
            return;
        }
        self.former.retain(|(_, until)| *until > now);
        let rendering = render_routes(config, &self.envoy, policy);
        let mut clusters = rendering.clusters;
        self.remember(&clusters, now);
        if let Some(list) = clusters.get_mut("resources").and_then(Value::as_array_mut) {
            list.extend(self.former.iter().map(|(cluster, _)| cluster.clone()));
        }
        // Clusters before routes, and former clusters until after them: a route never leads to a
        // cluster that is not there.
        let written = self
            .write(CLUSTERS_FILE, &clusters)
            .and_then(|()| self.write(ROUTES_FILE, &rendering.routes));
        self.written = None;
        match written {
            Ok(()) => {
                status.envoy_files(None);
                self.written = Some((policy.digest(), self.stamps()));
            }
            Err(problem) => {
                if status.envoy_files(Some(problem.clone())) {
                    tracing::error!(problem, "Envoy's routes are not those of the policies");
                }
            }
        }
    }

    /// Keeps the clusters of a moment ago that are not among the new ones.
    fn remember(&mut self, clusters: &Value, now: Instant) {
        let new = clusters.get("resources").and_then(Value::as_array).cloned().unwrap_or_default();
        let name = |cluster: &Value| cluster.get("name").cloned();
        self.former.retain(|(former, _)| !new.iter().any(|new| name(new) == name(former)));
        for old in std::mem::replace(&mut self.clusters, new) {
            let is_there = |cluster: &Value| name(cluster) == name(&old);
            let known = self.former.iter().any(|(former, _)| is_there(former));
            if !known && !self.clusters.iter().any(is_there) {
                self.former.push((old, now + GRACE));
            }
        }
    }

    fn write(&self, name: &str, content: &Value) -> Result<(), String> {
        let path = self.directory.join(name);
        match disk::replace_file(&path, format!("{content:#}\n").as_bytes()) {
            Ok(true) => tracing::info!(path = %path.display(), "written for Envoy"),
            Ok(false) => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
        Ok(())
    }

    fn stamps(&self) -> [Option<Stamp>; 2] {
        [CLUSTERS_FILE, ROUTES_FILE].map(|name| disk::stamp(&self.directory.join(name)))
    }
}
