//! The SPIFFE Workload API, as a SPIRE agent serves it: the only files that name its client.
//!
//! The crate's own sources cannot tell an agent that is dead from one that has nothing to say, so
//! its streams are followed here. A stream tells what changes; that nothing has changed is known
//! by asking again: the agent then attests this process anew and answers at once with what it has.

mod jwt;
#[cfg(test)]
mod tests;
mod x509;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use spiffe::transport::Endpoint;
use spiffe::{WorkloadApiClient, WorkloadApiError};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};

pub(super) use self::jwt::JwtBundles;
pub(super) use self::x509::X509;

/// An agent is at the other end of a Unix socket.
const ANSWER: Duration = Duration::from_secs(10);

/// How often the agent is asked again. One that hangs is noticed after this and an answer's time.
const AGAIN: Duration = Duration::from_secs(60);

/// The wait after the first failure; doubled with each, up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);

const MAX_WAIT: Duration = Duration::from_secs(5);

type Updates<U> = Pin<Box<dyn Stream<Item = Result<U, WorkloadApiError>> + Send>>;

/// What is followed, and where it goes.
pub(super) trait Subject: Send {
    /// All of it, as the agent says it.
    type Update: PartialEq + Send;

    /// For the log.
    const WHAT: &'static str;

    /// Asks for it.
    fn subscribe(
        client: &WorkloadApiClient,
    ) -> impl Future<Output = Result<Updates<Self::Update>, WorkloadApiError>> + Send;

    /// Brings it into force, whole.
    fn accept(&mut self, update: &Self::Update, now: Instant) -> Result<(), String>;

    /// What is in force is what the agent says now.
    fn confirm(&mut self, now: Instant);

    /// It could not be had; what is in force stays. Returns whether that is news.
    fn fail(&mut self, problem: &str) -> bool;

    /// The agent knows this process no longer: nothing of it counts. Returns whether that is news.
    fn withdraw(&mut self, problem: &str) -> bool;
}

/// Why a stream is not followed any further.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the agent does not answer")]
    Silent,
    #[error("the agent has hung up")]
    Ended,
    /// The standard's `PermissionDenied`: whoever has no identity must not go on with it.
    #[error("the agent does not know this process: {0}")]
    Denied(WorkloadApiError),
    #[error("{}", with_sources(.0))]
    Failed(WorkloadApiError),
    #[error("what the agent says cannot be used: {0}")]
    Unusable(String),
}

impl From<WorkloadApiError> for Broken {
    fn from(error: WorkloadApiError) -> Self {
        if matches!(
            error,
            WorkloadApiError::NoIdentityIssued | WorkloadApiError::PermissionDenied(_)
        ) {
            Self::Denied(error)
        } else {
            Self::Failed(error)
        }
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// Follows a subject for ever, through every agent that comes and goes at the socket.
pub(super) async fn follow<S: Subject>(socket: PathBuf, mut subject: S) {
    let mut known = Known { last: None, wait: FIRST_WAIT };
    loop {
        let Err(broken) = session(&socket, &mut subject, &mut known).await;
        let problem = broken.to_string();
        let news = if matches!(broken, Broken::Denied(_)) {
            known.last = None;
            subject.withdraw(&problem)
        } else {
            subject.fail(&problem)
        };
        if news {
            tracing::error!(what = S::WHAT, socket = %socket.display(), problem, "SPIRE agent");
        }
        tokio::time::sleep(known.wait).await;
        known.wait = known.wait.saturating_mul(2).min(MAX_WAIT);
    }
}

/// What outlives a connection.
struct Known<U> {
    /// What is in force.
    last: Option<U>,
    wait: Duration,
}

/// One connection, until it breaks.
async fn session<S: Subject>(
    socket: &Path,
    subject: &mut S,
    known: &mut Known<S::Update>,
) -> Result<std::convert::Infallible, Broken> {
    let endpoint = Endpoint::Unix(socket.to_owned());
    let client = timely(WorkloadApiClient::connect(endpoint)).await??;
    loop {
        let mut updates = timely(S::subscribe(&client)).await??;
        // A stream begins with what there is.
        let mut next = Some(timely(updates.next()).await?);
        while let Some(update) = next {
            take(update.ok_or(Broken::Ended)??, subject, known)?;
            next = timeout(AGAIN, updates.next()).await.ok();
        }
    }
}

fn take<S: Subject>(
    update: S::Update,
    subject: &mut S,
    known: &mut Known<S::Update>,
) -> Result<(), Broken> {
    let now = Instant::now();
    if known.last.as_ref() == Some(&update) {
        subject.confirm(now);
    } else {
        // It is in force only if it is good; until then nothing is confirmed.
        known.last = None;
        subject.accept(&update, now).map_err(Broken::Unusable)?;
        known.last = Some(update);
    }
    known.wait = FIRST_WAIT;
    Ok(())
}

async fn timely<T>(future: impl Future<Output = T>) -> Result<T, Broken> {
    timeout(ANSWER, future).await.map_err(|_| Broken::Silent)
}
