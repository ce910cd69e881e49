//! Records as JSON lines, to the standard output stream or a file.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use super::{Feed, OpenError, open_error};
use crate::record::{Decision, write_json};

/// One write has this many records at most.
const BATCH: usize = 1024;

/// After a write more are let come together, for as long as this with the usual queue: to be woken
/// for each costs a request more than the rest of its record.
const PAUSE: Duration = Duration::from_millis(10);
const USUAL_QUEUE: u32 = 4096;

/// The wait after a failure; doubled up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// Where lines go.
pub(super) trait Output: Send + 'static {
    /// Makes room for so many bytes; only `between_lines` may another file begin by choice. `true`
    /// if another file has begun.
    fn prepare(&mut self, bytes: usize, between_lines: bool) -> io::Result<bool>;

    /// Writes some of the bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// The standard output stream, without a buffer of its own.
pub(super) fn stdout() -> io::Result<Stdout> {
    Ok(Stdout(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

pub(super) struct Stdout(File);

impl Output for Stdout {
    fn prepare(&mut self, _: usize, _: bool) -> io::Result<bool> {
        Ok(false)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
}

pub(super) fn spawn(feed: Feed, out: impl Output) -> Result<(), OpenError> {
    let name = feed.sink.name;
    thread::Builder::new()
        .name(format!("decisions-{name}"))
        .spawn(move || Writer { feed, out }.run())
        .map(drop)
        .map_err(|error| open_error(name, &error))
}

struct Writer<O> {
    feed: Feed,
    out: O,
}

impl<O: Output> Writer<O> {
    fn run(mut self) {
        let mut lines = Vec::new();
        // A shorter queue would fill up meanwhile.
        let queue = u32::try_from(self.feed.records.max_capacity()).unwrap_or(USUAL_QUEUE);
        let pause = PAUSE * queue.min(USUAL_QUEUE) / USUAL_QUEUE;
        while let Some(first) = self.feed.records.blocking_recv() {
            lines.clear();
            push(&mut lines, &first);
            let mut records = 1;
            while records < BATCH
                && let Ok(next) = self.feed.records.try_recv()
            {
                push(&mut lines, &next);
                records += 1;
            }
            self.write(&lines, records as u64);
            // More of them wait.
            if records < BATCH {
                thread::sleep(pause);
            }
        }
    }

    /// Writes whole lines, however often that takes, until it is told to give up.
    fn write(&mut self, lines: &[u8], records: u64) {
        let (mut done, mut retry) = (0, FIRST_RETRY);
        while let Some(rest) = lines.get(done..)
            && !rest.is_empty()
        {
            match self.write_some(lines, &mut done) {
                Ok(()) => {
                    self.feed.sink.goes(None);
                    retry = FIRST_RETRY;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.feed.sink.goes(Some(error.to_string()));
                    if !self.sleep(retry) {
                        break;
                    }
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
        let rest = lines.get(done..).unwrap_or_default();
        let lost = rest.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.feed.sink.done(records - lost, lost);
    }

    /// Waits, and says whether there is any use in trying again.
    fn sleep(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            if *self.feed.give_up.borrow() {
                return false;
            }
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            thread::sleep(rest.min(FIRST_RETRY));
        }
    }

    fn write_some(&mut self, lines: &[u8], done: &mut usize) -> io::Result<()> {
        let between_lines = line_start(lines, *done) == *done;
        if self.out.prepare(lines.len().saturating_sub(*done), between_lines)? {
            // What stands in the old file is half a line; the new one begins with a whole one.
            *done = line_start(lines, *done);
        }
        match self.out.write(lines.get(*done..).unwrap_or_default())? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => {
                *done += written;
                Ok(())
            }
        }
    }
}

fn push(lines: &mut Vec<u8>, decision: &Decision) {
    write_json(decision, lines);
    lines.push(b'\n');
}

/// The start of the line in which a byte stands.
fn line_start(lines: &[u8], at: usize) -> usize {
    let before = lines.get(..at).unwrap_or(lines);
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
