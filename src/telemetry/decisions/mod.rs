//! The decision log: from the request path into bounded queues, and from there, on threads of their
//! own, to where the configuration says.
//!
//! Every record is accounted for. It is written; or it found no room and is counted as dropped; or,
//! under `deny`, its request was refused instead. A sink that fails keeps what it has and tries
//! again, so that a full disk fills the queue, and the queue decides.

mod file;
mod lines;
mod otlp;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{DecisionsConfig, WhenFull};
use crate::record::Decision;

/// Why the decision log cannot be opened.
#[derive(Debug, Error)]
#[error("the decision log cannot be opened: {path}: {reason}")]
pub struct OpenError {
    /// The file or address.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A record found no room where none may be lost.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the decision cannot be recorded")]
pub struct Full;

/// Takes records in.
#[derive(Debug)]
pub struct DecisionLog {
    when_full: WhenFull,
    sinks: Vec<Arc<Sink>>,
    /// Gone once the log is closed.
    queues: ArcSwapOption<Vec<mpsc::Sender<Arc<Decision>>>>,
    capacity: usize,
    /// Told once nothing more can be waited for.
    give_up: watch::Sender<bool>,
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// One place where records go.
#[derive(Debug)]
pub(super) struct Sink {
    name: &'static str,
    accepted: AtomicU64,
    written: AtomicU64,
    /// Of those accepted, the ones that the sink has dropped itself; they are in `dropped` too.
    given_up: AtomicU64,
    dropped: AtomicU64,
    denied: AtomicU64,
    failing: Mutex<Option<String>>,
}

/// A sink as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkState {
    /// `stdout`, `file` or `otlp`.
    pub name: &'static str,
    /// Records written.
    pub written: u64,
    /// Records that found no room, or that the sink would not take.
    pub dropped: u64,
    /// Requests refused because their record found no room.
    pub denied: u64,
    /// Records that wait.
    pub queued: usize,
    /// How many may wait.
    pub capacity: usize,
    /// Why it cannot be written to at the moment.
    pub failing: Option<String>,
}

/// What a sink's thread needs.
pub(super) struct Feed {
    sink: Arc<Sink>,
    records: mpsc::Receiver<Arc<Decision>>,
    give_up: watch::Receiver<bool>,
    /// Dropped when the thread ends, which is how its end is known.
    _end: oneshot::Sender<()>,
}

impl Sink {
    fn new(name: &'static str) -> Self {
        let zero = AtomicU64::default;
        let (accepted, written, given_up, dropped, denied) =
            (zero(), zero(), zero(), zero(), zero());
        let failing = Mutex::default();
        Self { name, accepted, written, given_up, dropped, denied, failing }
    }

    /// Accepted records that got there, and others that never will.
    fn done(&self, written: u64, given_up: u64) {
        self.written.fetch_add(written, Ordering::Relaxed);
        self.given_up.fetch_add(given_up, Ordering::Relaxed);
        self.dropped.fetch_add(given_up, Ordering::Relaxed);
    }

    fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers how it goes; says so when that changes.
    fn goes(&self, problem: Option<String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*failing, &problem) {
            (None, Some(problem)) => {
                tracing::error!(sink = self.name, problem, "decisions cannot be recorded");
            }
            (Some(_), None) => tracing::info!(sink = self.name, "decisions are recorded again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if *failing != problem {
            *failing = problem;
        }
    }
}

impl Drop for Feed {
    /// A writer ends when its queue is closed. One that ends before has died.
    fn drop(&mut self) {
        if !self.records.is_closed() {
            self.sink.goes(Some("its writer has died; restart Toolgate".to_owned()));
        }
    }
}

/// Counts a record as dropped by every sink unless it gets there: a request that is given up while
/// its record waits for room must not leave the books unbalanced.
struct Unless<'s>(&'s [Arc<Sink>]);

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        for sink in self.0 {
            sink.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl DecisionLog {
    /// Opens every sink and starts its thread. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// If a sink cannot be opened: nobody should find out later.
    pub fn open(config: &DecisionsConfig) -> Result<Self, OpenError> {
        let mut log = Self {
            when_full: config.when_full,
            sinks: Vec::new(),
            queues: ArcSwapOption::empty(),
            capacity: config.queue,
            give_up: watch::channel(false).0,
            ends: Mutex::default(),
        };
        let mut queues = Vec::new();
        if config.stdout {
            let out = lines::stdout().map_err(|error| open_error("stdout", &error))?;
            let feed = log.feed("stdout", &mut queues);
            lines::spawn(feed, out)?;
        }
        if let Some(file) = &config.file {
            let shown = file.path.display().to_string();
            let out = file::RotatingFile::open(file).map_err(|error| open_error(shown, &error))?;
            let feed = log.feed("file", &mut queues);
            lines::spawn(feed, out)?;
        }
        if let Some(otlp) = &config.otlp {
            let exporter = otlp::Exporter::new(otlp)?;
            let feed = log.feed("otlp", &mut queues);
            tokio::spawn(exporter.run(feed));
        }
        log.queues.store(Some(Arc::new(queues)));
        Ok(log)
    }

    fn feed(&mut self, name: &'static str, queues: &mut Vec<mpsc::Sender<Arc<Decision>>>) -> Feed {
        let sink = Arc::new(Sink::new(name));
        let (queue, records) = mpsc::channel(self.capacity);
        let (end, ended) = oneshot::channel();
        self.sinks.push(Arc::clone(&sink));
        self.ends.get_mut().unwrap_or_else(PoisonError::into_inner).push(ended);
        queues.push(queue);
        Feed { sink, records, give_up: self.give_up.subscribe(), _end: end }
    }

    /// Hands a record to every sink. Under `block` this waits for room. With `required` no record
    /// may be lost, whatever the configuration says.
    ///
    /// # Errors
    ///
    /// [`Full`] if a record may not be lost and found no room: the request must be refused.
    pub async fn record(&self, decision: &Arc<Decision>, required: bool) -> Result<(), Full> {
        if let Some(recorded) = self.record_now(decision, required) {
            return recorded;
        }
        let Some(queues) = self.queues.load_full() else {
            return Err(self.closed());
        };
        let mut unless = Unless(&self.sinks);
        let mut room = Vec::with_capacity(queues.len());
        for queue in queues.iter() {
            room.push(queue.reserve().await.map_err(|_| Full)?);
        }
        unless.0 = &[];
        self.send(room, decision);
        Ok(())
    }

    /// The same, without a wait: `None` if there is something to wait for, and nothing was done.
    pub fn record_now(&self, decision: &Arc<Decision>, required: bool) -> Option<Result<(), Full>> {
        let queues = self.queues.load();
        let Some(queues) = &*queues else {
            return Some(Err(self.closed()));
        };
        if self.when_full == WhenFull::Drop && !required {
            for (queue, sink) in queues.iter().zip(&self.sinks) {
                let count = match queue.try_send(Arc::clone(decision)) {
                    Ok(()) => &sink.accepted,
                    Err(_) => &sink.dropped,
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
            return Some(Ok(()));
        }
        // Room everywhere, or the record stands nowhere.
        let mut room = Vec::with_capacity(queues.len());
        for (queue, sink) in queues.iter().zip(&self.sinks) {
            let Ok(permit) = queue.try_reserve() else {
                if self.when_full == WhenFull::Block {
                    return None;
                }
                sink.denied.fetch_add(1, Ordering::Relaxed);
                return Some(Err(Full));
            };
            room.push(permit);
        }
        self.send(room, decision);
        Some(Ok(()))
    }

    /// The process ends: nothing is let through that nobody would know of.
    fn closed(&self) -> Full {
        for sink in &self.sinks {
            sink.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Full
    }

    fn send(&self, room: Vec<mpsc::Permit<'_, Arc<Decision>>>, decision: &Arc<Decision>) {
        for (permit, sink) in room.into_iter().zip(&self.sinks) {
            sink.accepted.fetch_add(1, Ordering::Relaxed);
            permit.send(Arc::clone(decision));
        }
    }

    /// Every sink as it is now.
    #[must_use]
    pub fn sinks(&self) -> Vec<SinkState> {
        let queues = self.queues.load();
        let free = |index: usize| {
            let queue = queues.as_ref().and_then(|queues| queues.get(index));
            queue.map_or(self.capacity, mpsc::Sender::capacity)
        };
        let state = |(index, sink): (usize, &Arc<Sink>)| SinkState {
            name: sink.name,
            written: sink.written.load(Ordering::Relaxed),
            dropped: sink.dropped.load(Ordering::Relaxed),
            denied: sink.denied.load(Ordering::Relaxed),
            queued: self.capacity.saturating_sub(free(index)),
            capacity: self.capacity,
            failing: sink.failing(),
        };
        self.sinks.iter().enumerate().map(state).collect()
    }

    /// Takes nothing more in, and writes what waits, for `patience` at most.
    pub async fn close(&self, patience: Duration) {
        self.queues.store(None);
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            for end in ends {
                // An error is the end: the sender is dropped, never used.
                end.await.ok();
            }
        };
        tokio::pin!(all);
        if tokio::time::timeout(patience, &mut all).await.is_err() {
            self.give_up.send_replace(true);
            // A moment to count what is lost; a thread that hangs in a write is not waited for.
            tokio::time::timeout(Duration::from_secs(1), all).await.ok();
        }
        for sink in &self.sinks {
            // What nobody has seen go is not counted as gone well.
            let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let rest =
                count(&sink.accepted).saturating_sub(count(&sink.written) + count(&sink.given_up));
            sink.dropped.fetch_add(rest, Ordering::Relaxed);
        }
        for sink in self.sinks() {
            let SinkState { name, written, dropped, denied, failing, .. } = sink;
            tracing::info!(sink = name, written, dropped, denied, failing, "decision log closed");
        }
    }
}

fn open_error(path: impl Into<String>, error: &io::Error) -> OpenError {
    OpenError { path: path.into(), reason: error.to_string() }
}
