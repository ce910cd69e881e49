//! What `envoy.service.auth.v3.Authorization` does: from Envoy's message to the answer's, with the
//! decision recorded and counted.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tonic::Status;
use uuid::Uuid;

use super::answer::{Answer, Reply};
use super::edge::{Asked, Edge};
use super::ext_proc;
use super::live::Live;
use super::peer::{Leaf, Peers};
use super::record::{Counted, Facts, Outcome, Told};
use super::request::{Incoming, Route};
use super::response::check_response;
use crate::engine::Reason;
use crate::record::Decision;
use crate::telemetry::{Decided, Full};

/// What is longer takes as long as many decisions.
const LONG_BYTES: usize = 32 * 1024;

/// So many of these at a time; of more, nobody says how much memory they take.
const MAX_LONG: usize = 64;

/// Answers Envoy.
pub(super) struct Service {
    edge: Arc<Edge>,
    peers: Peers,
    /// Places for what takes long.
    long: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(edge: Arc<Edge>, peers: Peers) -> Self {
        Self { edge, peers, long: Arc::new(Semaphore::new(MAX_LONG)) }
    }

    /// Decides beside this thread, since others wait for their answers here, and nobody has said
    /// yet who asks.
    async fn decide_beside(self: &Arc<Self>, asks: &Asks, asked: Asked) -> Outcome {
        let refuse = |detail| failed(&self.edge.live.load(), None, asked, detail);
        let Ok(place) = Arc::clone(&self.long).try_acquire_owned() else {
            return refuse("too many large requests at a time");
        };
        let (service, asks) = (Arc::clone(self), asks.clone());
        let decided = spawn_blocking(move || {
            let _place = place;
            service.decide_now(&asks, asked)
        });
        decided.await.unwrap_or_else(|_| refuse("the decision ended early"))
    }

    /// A bug must cost one request, and that request is refused.
    fn decide_now(&self, asks: &Asks, asked: Asked) -> Outcome {
        let live = self.edge.live.load();
        let incoming = match Incoming::of(&asks.message, asks.answers_return) {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::error!(%error, "Envoy is not configured as `toolgate envoy` renders it");
                return failed(&live, None, asked, &error.to_string());
            }
        };
        let checked = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "faults")]
            super::faults::panic_if_told(&incoming);
            self.edge.check(&live, &incoming, asked)
        }));
        checked.unwrap_or_else(|_| {
            tracing::error!("a request made the decision panic; it was refused");
            failed(&live, Some(incoming.route), asked, "the decision panicked")
        })
    }

    /// Answers, unless something has to be waited for: a key that the token names may become known,
    /// or there may be room for the record.
    fn answer_now(&self, outcome: Outcome, began: Instant) -> Result<Vec<u8>, Waits<'_>> {
        let count = Count::new(&self.edge, &outcome, began);
        if outcome.unknown_key.is_some() {
            return Err(Box::new((outcome, count)));
        }
        match self.edge.log.record_now(&outcome.record, outcome.audit_required) {
            Some(recorded) => Ok(self.answer(outcome, count, recorded)),
            None => Err(Box::new((outcome, count))),
        }
    }

    /// Answers after that wait. Whoever gives up meanwhile has been refused, and is counted so. One
    /// decision counts, and is recorded.
    async fn answer_later(
        self: &Arc<Self>,
        asks: &Asks,
        asked: Asked,
        waits: Waits<'_>,
    ) -> Vec<u8> {
        let (mut outcome, mut count) = *waits;
        let unknown = outcome.unknown_key.take();
        if let Some(fetched) = unknown.and_then(|key| self.edge.keys.unknown(&key)) {
            fetched.await;
            let asked = Asked { now: super::now(), ..asked };
            outcome = if asks.is_long() {
                self.decide_beside(asks, asked).await
            } else {
                self.decide_now(asks, asked)
            };
            count.is_about(&outcome);
        }
        // Envoy may give up while the record waits for room: then it has answered 503 itself.
        let expected = std::mem::replace(&mut count.counted, Counted::unrecorded());
        let recorded = self.edge.log.record(&outcome.record, outcome.audit_required).await;
        count.counted = expected;
        self.answer(outcome, count, recorded)
    }

    /// Answers; or refuses, where a record may not be lost and is.
    fn answer(
        &self,
        outcome: Outcome,
        mut count: Count<'_>,
        recorded: Result<(), Full>,
    ) -> Vec<u8> {
        let Outcome {
            answer,
            record,
            audit_required: _,
            minutes_saved,
            unknown_key: _,
            put_up_with,
        } = outcome;
        if let Some(violation) = put_up_with {
            self.edge.metrics.put_up_with(violation.as_str());
        }
        if recorded.is_err() {
            count.counted = Counted::unrecorded();
            let reply = Reply::http(503, Reason::Unavailable, &record.id);
            return check_response(Answer::Refuse(reply), &Told::unrecorded(&record));
        }
        count.minutes_saved = minutes_saved;
        check_response(answer, &Told::of(&record))
    }

    /// Answers one `CheckRequest` with a `CheckResponse`. `headers` and `leaf` are of whoever asks.
    pub(super) async fn check(
        self: &Arc<Self>,
        message: Bytes,
        headers: &HeaderMap,
        leaf: &Leaf,
    ) -> Result<Vec<u8>, Status> {
        let asked = Asked { now: super::now(), began: Instant::now() };
        self.peers.check(Some(leaf), asked.now)?;
        let answers_return = ext_proc::is_announced(headers);
        let asks = Asks { message, answers_return };
        #[cfg(feature = "faults")]
        if let Ok(incoming) = Incoming::of(&asks.message, answers_return)
            && let Some(response) = super::faults::inject(&incoming).await
        {
            return response;
        }
        let decided = if asks.is_long() {
            self.decide_beside(&asks, asked).await
        } else {
            self.decide_now(&asks, asked)
        };
        // Most have nothing to wait for.
        match self.answer_now(decided, asked.began) {
            Ok(message) => Ok(message),
            Err(waits) => Ok(Box::pin(self.answer_later(&asks, asked, waits)).await),
        }
    }
}

/// A `CheckRequest` as it came, and whether Envoy shows Toolgate answers.
#[derive(Clone)]
struct Asks {
    message: Bytes,
    answers_return: bool,
}

impl Asks {
    /// Whether to decide takes as long as many decisions.
    fn is_long(&self) -> bool {
        self.message.len() > LONG_BYTES
    }
}

/// What is decided, and has something to wait for.
type Waits<'e> = Box<(Outcome, Count<'e>)>;

/// Refused, because Toolgate fails; recorded all the same.
fn failed(live: &Live, route: Option<Route<'_>>, asked: Asked, detail: &str) -> Outcome {
    let id = Uuid::now_v7().to_string();
    let reply = Reply::http(503, Reason::Unavailable, &id);
    let route = route.unwrap_or(Route { server: "", environment: "", path: "", hash: "" });
    let mut facts = Facts::new(id, route, &live.policy, asked.now);
    facts.refused(Reason::Unavailable, detail);
    facts.into_outcome(Answer::Refuse(reply), asked.began.elapsed())
}

/// Counts a request when it is over, however it ends.
struct Count<'e> {
    record: Arc<Decision>,
    counted: Counted,
    minutes_saved: Option<u32>,
    edge: &'e Edge,
    began: Instant,
}

impl<'e> Count<'e> {
    fn new(edge: &'e Edge, outcome: &Outcome, began: Instant) -> Self {
        let (record, counted) = (Arc::clone(&outcome.record), Counted::of(&outcome.record));
        Self { record, counted, minutes_saved: None, edge, began }
    }

    /// It has been decided once more.
    fn is_about(&mut self, outcome: &Outcome) {
        self.record = Arc::clone(&outcome.record);
        self.counted = Counted::of(&outcome.record);
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        let Counted { outcome, reason } = self.counted;
        self.edge.metrics.decided(Decided {
            server: &self.record.server,
            environment: &self.record.environment,
            tool: &self.record.tool,
            outcome,
            reason,
            minutes_saved: self.minutes_saved,
            duration: self.began.elapsed(),
        });
    }
}
