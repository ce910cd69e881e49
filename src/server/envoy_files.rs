//! Envoy's routes and clusters, kept in step with the policies in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::live::GRACE;
use super::status::Status;
use crate::config::{Config, EnvoyConfig};
use crate::disk::{self, Stamp};
use crate::envoy::{CLUSTERS_FILE, ROUTES_FILE, render_routes};
use crate::policy::PolicySet;

/// The two files that follow the policies. The bootstrap does not: Envoy reads it once.
pub(super) struct EnvoyFiles {
    envoy: EnvoyConfig,
    directory: PathBuf,
    /// The set that the files are of, and how they looked when they were written.
    written: Option<(Arc<PolicySet>, [Option<Stamp>; 2])>,
    /// Clusters of former sets by name, and until when they are kept: Envoy takes up the two files
    /// one after the other, and a route that it still has must lead somewhere.
    former: BTreeMap<String, (Value, Instant)>,
}

/// Far more than any set has.
const MAX_CLUSTERS_BYTES: usize = 256 * 1024 * 1024;

impl EnvoyFiles {
    /// Where the configuration says, if it does.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let envoy = config.envoy.clone()?;
        let directory = envoy.files.as_ref()?.path.clone();
        Some(Self { envoy, directory, written: None, former: BTreeMap::new() })
    }

    /// Brings the files in step if they are not: behind a new set, behind somebody who wrote or
    /// removed them, or once a former cluster has had its time. What cannot be written is said, and
    /// tried again at the next look.
    pub(super) fn keep(
        &mut self,
        config: &Config,
        policy: &Arc<PolicySet>,
        status: &Status,
        now: Instant,
    ) {
        let over = self.former.values().any(|(_, until)| *until <= now);
        let stamps = self.stamps();
        if let Some((written, looked)) = &mut self.written
            && *looked == stamps
            && !over
            && (written.digest() == policy.digest() || written.routes_as(policy))
        {
            // The version in the files stays that of the routes.
            *written = Arc::clone(policy);
            return;
        }
        if self.written.as_ref().is_none_or(|(written, _)| written.digest() != policy.digest()) {
            self.remember(now);
        }
        self.former.retain(|_, (_, until)| *until > now);
        let mut rendering = render_routes(config, &self.envoy, policy);
        if let Some(Value::Array(clusters)) = rendering.clusters.get_mut("resources") {
            for cluster in &*clusters {
                name(cluster).and_then(|name| self.former.remove(name));
            }
            clusters.extend(self.former.values().map(|(cluster, _)| cluster.clone()));
        }
        // Clusters before routes: a route never leads to a cluster that is not there yet.
        let written = self
            .write(CLUSTERS_FILE, &rendering.clusters)
            .and_then(|()| self.write(ROUTES_FILE, &rendering.routes));
        self.written = None;
        match written {
            Ok(()) => {
                status.envoy_files(None);
                self.written = Some((Arc::clone(policy), self.stamps()));
            }
            Err(problem) => {
                if status.envoy_files(Some(problem.clone())) {
                    tracing::error!(problem, "Envoy's routes are not those of the policies");
                }
            }
        }
    }

    /// The clusters that Envoy has now, be they from before a restart.
    fn remember(&mut self, now: Instant) {
        let file = disk::read_file(&self.directory.join(CLUSTERS_FILE), MAX_CLUSTERS_BYTES);
        let document = file.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let clusters = document.as_ref().and_then(|document| document.get("resources"));
        for cluster in clusters.and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name(cluster) {
                let kept = || (cluster.clone(), now + GRACE);
                self.former.entry(name.to_owned()).or_insert_with(kept);
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

fn name(cluster: &Value) -> Option<&str> {
    cluster.get("name")?.as_str()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::policy::{Cores, Loaded, PolicyFiles};
    use crate::{config, policy};

    /// The samples, with some texts replaced.
    fn edited(replace: &[(&str, &str)]) -> PolicyFiles {
        let mut files = disk::read_policies("policies".as_ref());
        for file in &mut files.files {
            let text = String::from_utf8(file.bytes.to_vec()).unwrap();
            let text = replace.iter().fold(text, |text, (from, to)| text.replace(from, to));
            file.bytes = text.into_bytes().into();
        }
        files
    }

    /// The samples, with knowledge at this port.
    fn policies(port: u16) -> PolicySet {
        policy::load(edited(&[(":7104", &format!(":{port}"))])).unwrap()
    }

    #[test]
    fn files_are_written_again_where_envoy_sees_something_else() {
        const HERE: &str = "http://127.0.0.1:7104";
        const LISTED: &str = "\"127.0.0.1:7104\"";
        let both = format!("{LISTED}, \"127.0.0.1:7105\"");
        let directory = tempfile::tempdir().unwrap();
        let path = "envoy/toolgate.yaml".as_ref();
        let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
        let first = Loaded::new(edited(&[(LISTED, &both)]), Cores::One).unwrap();
        let status = Status::new(first.set(), None, Timestamp::UNIX_EPOCH);
        let mut files = EnvoyFiles::of(&config).unwrap();
        files.directory = directory.path().to_owned();
        let now = Instant::now();
        files.keep(&config, &Arc::new(first.set().clone()), &status, now);
        for (replace, is_written) in [
            (("minutes_saved: 8", "minutes_saved: 9"), false),
            ((HERE, "http://127.0.0.1:7105"), true),
        ] {
            let before = files.stamps();
            let next = first.next(edited(&[(LISTED, &both), replace])).unwrap();
            assert_ne!(next.set().digest(), first.set().digest(), "nothing was replaced");
            files.keep(&config, &Arc::new(next.set().clone()), &status, now);
            assert_eq!(files.stamps() != before, is_written, "{replace:?}");
        }
    }

    #[test]
    fn where_a_server_was_stays_for_as_long_as_the_way_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = "envoy/toolgate.yaml".as_ref();
        let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
        let (old, new) = (Arc::new(policies(7104)), Arc::new(policies(7105)));
        let status = Status::new(&old, None, Timestamp::UNIX_EPOCH);
        let files = || {
            let mut files = EnvoyFiles::of(&config).unwrap();
            files.directory = directory.path().to_owned();
            files
        };
        let clusters = || {
            let text = std::fs::read_to_string(directory.path().join(CLUSTERS_FILE)).unwrap();
            let count = |port: u16| text.matches(&format!("\"port_value\": {port}")).count();
            (count(7104), count(7105))
        };
        let start = Instant::now();
        let mut first = files();
        first.keep(&config, &old, &status, start);
        assert_eq!(clusters(), (1, 0));
        first.keep(&config, &new, &status, start);
        assert_eq!(clusters(), (1, 1));
        first.keep(&config, &new, &status, start + GRACE / 2);
        assert_eq!(clusters(), (1, 1));
        first.keep(&config, &new, &status, start + GRACE);
        assert_eq!(clusters(), (0, 1));
        // Back again, by a process that has just started.
        files().keep(&config, &old, &status, start);
        assert_eq!(clusters(), (1, 1));
    }
}
