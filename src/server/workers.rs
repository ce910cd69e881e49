//! The threads that answer Envoy: one for each core, each with an asynchronous runtime of its own.
//!
//! An answer takes microseconds, so moving it between threads costs more than it gains: a connection
//! stays with the thread that it was given to. Envoy opens one for each of its own threads and keeps
//! it, so each new one goes to the thread that has the fewest.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinSet;

/// Of each worker, for what takes long: large lists, and names that are looked up.
const MAX_BLOCKING: usize = 4;

/// A connection of Envoy's, between two runtimes.
pub(super) enum Accepted {
    Unix(std::os::unix::net::UnixStream),
    Tcp(std::net::TcpStream),
}

/// The place that a connection takes on its thread, and of all that there may be.
pub(super) struct Place {
    open: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The threads.
pub(super) struct Workers {
    threads: Vec<Worker>,
    /// One for each; told when it ends, however it ends.
    ended: JoinSet<()>,
}

struct Worker {
    connections: mpsc::UnboundedSender<(Accepted, Place)>,
    open: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts as many threads as there are cores for this process. Each answers every connection
    /// that it is given by a task of its own.
    pub(super) fn start<F>(
        connect: impl Fn(Accepted, Place) -> F + Clone + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut workers = Self { threads: Vec::new(), ended: JoinSet::new() };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        for number in 0..cores {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .max_blocking_threads(MAX_BLOCKING)
                .enable_all()
                .build()?;
            let (connections, given) = mpsc::unbounded_channel();
            let (end, ended) = oneshot::channel::<()>();
            let connect = connect.clone();
            thread::Builder::new().name(format!("envoy-{number}")).spawn(move || {
                // Dropped at the end, or when the thread panics.
                let _end = end;
                runtime.block_on(work(given, connect));
            })?;
            workers.ended.spawn(async move { ended.await.unwrap_or_default() });
            workers.threads.push(Worker { connections, open: Arc::default() });
        }
        Ok(workers)
    }

    /// Gives a connection to the thread with the fewest.
    pub(super) fn give(&self, connection: Accepted, permit: OwnedSemaphorePermit) {
        let fewest = self.threads.iter().min_by_key(|worker| worker.open.load(Ordering::Relaxed));
        if let Some(Worker { connections, open }) = fewest {
            open.fetch_add(1, Ordering::Relaxed);
            let place = Place { open: Arc::clone(open), _permit: permit };
            // A thread that has ended takes the process with it.
            connections.send((connection, place)).ok();
        }
    }

    /// Resolves when a thread has ended: before [`finish`](Self::finish) none should.
    pub(super) async fn any_ended(&mut self) {
        self.ended.join_next().await;
    }

    /// No more connections come. Resolves when those that there are have ended.
    pub(super) async fn finish(self) {
        let Self { threads, mut ended } = self;
        drop(threads);
        while ended.join_next().await.is_some() {}
    }
}

async fn work<F>(
    mut given: mpsc::UnboundedReceiver<(Accepted, Place)>,
    connect: impl Fn(Accepted, Place) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            next = given.recv() => match next {
                Some((connection, place)) => {
                    open.spawn(connect(connection, place));
                }
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    while open.join_next().await.is_some() {}
}
