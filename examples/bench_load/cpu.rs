//! CPU time of processes.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use anyhow::{Context as _, Result};

/// What the threads of one process have used, in nanoseconds.
pub(crate) struct Used(BTreeMap<u32, u64>);

impl Used {
    /// Reads the first number of `/proc/PID/task/*/schedstat`, which is in nanoseconds where
    /// `/proc/PID/stat` has hundredths of a second.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        let directory = format!("/proc/{pid}/task");
        for entry in fs::read_dir(&directory).with_context(|| format!("process {pid}"))? {
            let entry = entry.with_context(|| format!("process {pid}"))?;
            let text = match fs::read_to_string(entry.path().join("schedstat")) {
                Ok(text) => text,
                // The thread ended after the directory was listed.
                Err(error) if gone(&error) => continue,
                Err(error) => return Err(error).with_context(|| format!("{directory}/schedstat")),
            };
            let name = entry.file_name();
            let thread = name.to_string_lossy().parse().with_context(|| directory.clone())?;
            let used = text.split(' ').next().unwrap_or_default();
            let used = used.parse().with_context(|| format!("{directory}: schedstat: {text}"))?;
            threads.insert(thread, used);
        }
        Ok(Self(threads))
    }

    /// What was used since `earlier`. What a thread used that has ended meanwhile is lost.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let new = |(thread, used): (&u32, &u64)| {
            used.saturating_sub(earlier.0.get(thread).copied().unwrap_or(0))
        };
        self.0.iter().map(new).sum()
    }
}

/// `ESRCH` is what reading a file of a thread says that ended while it was open.
fn gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(3)
}
