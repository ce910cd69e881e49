//! One run: warm-up, measuring, and the answers that are still under way.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use axum::body::Bytes;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cpu::Used;
use crate::pace::Pace;
use crate::plan::{Plan, Protocol};
use crate::report::{Report, Tally};
use crate::{grpc, http};

/// How long answers may take to come after the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request that is sent this long after it was due is late.
const LATE: Duration = Duration::from_millis(1);

/// What all streams share.
pub(crate) struct Shared {
    pub(crate) pace: Pace,
    messages: Vec<Message>,
    next: AtomicUsize,
}

/// One request as it is sent.
pub(crate) struct Message {
    pub(crate) file: PathBuf,
    pub(crate) bytes: Bytes,
}

impl Shared {
    fn new(plan: &Plan) -> Result<Self> {
        let read = |file: &PathBuf| {
            let bytes = fs::read(file).with_context(|| file.display().to_string())?;
            let bytes = match plan.protocol {
                Protocol::Grpc => grpc::frame(&bytes)?,
                Protocol::Http => bytes.into(),
            };
            Ok(Message { file: file.clone(), bytes })
        };
        let messages = plan.requests.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { pace: Pace::new(plan.rate)?, messages, next: AtomicUsize::new(0) })
    }

    /// The streams of all connections walk through the requests together.
    pub(crate) fn next(&self) -> Result<&Message> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let next = next.checked_rem(self.messages.len()).and_then(|next| self.messages.get(next));
        next.context("no requests")
    }

    /// A request is sent now.
    pub(crate) fn sent(&self, due: Instant, tally: &mut Tally) {
        if self.pace.open() && self.pace.measures(due) && due.elapsed() > LATE {
            tally.late += 1;
        }
    }

    /// An answer has come now.
    pub(crate) fn answered(&self, due: Instant, tally: &mut Tally) {
        if self.pace.counting() {
            tally.answers += 1;
        }
        if self.pace.measures(due) {
            tally.latencies.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

pub(crate) async fn run(plan: Plan) -> Result<Report> {
    ensure!(plan.connections > 0 && plan.streams > 0, "neither connections nor streams may be 0");
    let warmup = Duration::try_from_secs_f64(plan.warmup).context("warmup")?;
    let seconds = Duration::try_from_secs_f64(plan.seconds).context("seconds")?;
    let shared = Arc::new(Shared::new(&plan)?);
    let mut tasks = JoinSet::new();
    for _ in 0..plan.connections {
        match plan.protocol {
            Protocol::Grpc => grpc::start(&plan, &shared, &mut tasks).await?,
            Protocol::Http => http::start(&plan, &shared, &mut tasks).await?,
        }
    }
    let mut tally = Tally::default();
    collect_for(warmup, &mut tasks, &mut tally).await?;
    let began = shared.pace.begin();
    let (used_before, own_before) = used(&plan.pids)?;
    collect_for(seconds, &mut tasks, &mut tally).await?;
    let (used_after, own_after) = used(&plan.pids)?;
    let lasted = shared.pace.end().duration_since(began);
    collect_for(PATIENCE, &mut tasks, &mut tally).await?;
    let unanswered = "a process has stopped, or the rate is more than can be answered";
    ensure!(tasks.is_empty(), "no answer {PATIENCE:?} after the end: {unanswered}");
    ensure!(tally.answers > 0, "no answer in {lasted:?}");
    let used: Vec<_> =
        used_after.iter().zip(&used_before).map(|(after, before)| after.since(before)).collect();
    Ok(Report::new(tally, lasted, &used, own_after.since(&own_before)))
}

/// Waits so long, or until all streams have ended. The first that fails ends the run.
async fn collect_for(
    long: Duration,
    tasks: &mut JoinSet<Result<Tally>>,
    tally: &mut Tally,
) -> Result<()> {
    let collect = async {
        while let Some(task) = tasks.join_next().await {
            tally.add(task??);
        }
        Ok(())
    };
    timeout(long, collect).await.unwrap_or(Ok(()))
}

/// What each process has used, and this one.
fn used(pids: &[u32]) -> Result<(Vec<Used>, Used)> {
    let used = pids.iter().map(|pid| Used::of(*pid)).collect::<Result<_>>()?;
    Ok((used, Used::of(process::id())?))
}
