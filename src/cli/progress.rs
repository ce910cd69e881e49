//! How far a long run has come, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::policy::PolicyFiles;

/// Nobody wonders about what takes less.
const PATIENCE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(100);

/// Tells how many files have been read, from half a second on, until it is dropped. It is silent
/// unless the standard error is a terminal.
#[must_use]
pub(super) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// `then` is what follows the reading, such as `linting`.
    pub(super) fn of(files: &PolicyFiles, then: &'static str) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if dumb || !io::stderr().is_terminal() {
            return Self(None);
        }
        let (stop, stopped) = mpsc::channel();
        let (parsed, all) = (files.parsed.clone(), files.files.len());
        let teller = thread::spawn(move || {
            let mut wait = PATIENCE;
            let mut told = false;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = STEP;
                told = true;
                let read = parsed.get();
                let line = if read < all {
                    format!("reading {read} of {all} files")
                } else {
                    format!("{then} {all} files")
                };
                let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
            }
            if told {
                let _ = write!(io::stderr().lock(), "\r\x1b[K");
            }
        });
        Self(Some((stop, teller)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, teller)) = self.0.take() {
            // What is printed next stands on a line of its own.
            drop(stop);
            let _ = teller.join();
        }
    }
}
