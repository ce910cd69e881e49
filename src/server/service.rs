//! `envoy.service.auth.v3.Authorization`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::answer::{Answer, Reply};
use super::edge::Edge;
use super::ext_proc;
use super::live::Live;
use super::peer::Peers;
use super::record::{self, Counted, Facts, Outcome};
use super::request::{Incoming, Route};
use super::response::check_response;
use crate::engine::Reason;
use crate::telemetry::Decided;

/// Answers Envoy.
pub(super) struct Service {
    edge: Arc<Edge>,
    peers: Peers,
}

impl Service {
    pub(super) fn new(edge: Arc<Edge>, peers: Peers) -> Self {
        Self { edge, peers }
    }

    /// Decides, and once more if a key that the token names may have become known since. One
    /// decision counts, and is recorded.
    async fn decide_at_last<'s>(
        &'s self,
        incoming: &Incoming<'_>,
        asked: Asked,
    ) -> (Outcome, Count<'s>) {
        let mut outcome = self.decide(incoming, asked.now);
        let mut count = Count::new(self, &outcome, asked.began);
        let unknown = outcome.unknown_key.take();
        if let Some(fetched) = unknown.and_then(|key| self.edge.keys.unknown(&key)) {
            // Who gives up meanwhile has been refused, and is counted so.
            fetched.await;
            outcome = self.decide(incoming, super::now());
            count.counted = Counted::of(&outcome.record);
        }
        (outcome, count)
    }

    /// A bug must cost one request, and that request is refused.
    fn decide(&self, incoming: &Incoming<'_>, now: Timestamp) -> Outcome {
        let live = self.edge.live.load_full();
        let checked = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "faults")]
            super::faults::panic_if_told(incoming);
            self.edge.check(&live, incoming, now)
        }));
        checked.unwrap_or_else(|_| {
            tracing::error!("a request made the decision panic; it was refused");
            failed(&live, Some(incoming.route), now, "the decision panicked")
        })
    }

    /// Records the decision, and answers; or refuses, where a record may not be lost and would be.
    async fn answer(&self, outcome: Outcome, mut counted: Count<'_>) -> CheckResponse {
        let Outcome {
            answer,
            metadata,
            mut record,
            audit_required,
            minutes_saved,
            unknown_key: _,
            put_up_with,
        } = outcome;
        if let Some(violation) = put_up_with {
            self.edge.metrics.put_up_with(violation.as_str());
        }
        record::took(&mut record, counted.began.elapsed());
        let id = record.id.clone();
        // Envoy may give up while the record waits for room: then it has answered 503 itself.
        let expected = counted.counted.refused();
        if self.edge.log.record(record, audit_required).await.is_err() {
            let reply = Reply::http(503, Reason::Unavailable, &id);
            return check_response(Answer::Refuse(reply), record::unrecorded(metadata));
        }
        counted.counted.answered(expected);
        counted.minutes_saved = minutes_saved;
        check_response(answer, metadata)
    }
}

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (now, began) = (super::now(), Instant::now());
        self.peers.check(&request, now)?;
        let answers_return = ext_proc::is_announced(request.metadata());
        let request = request.into_inner();
        #[cfg(feature = "faults")]
        if let Some(response) = super::faults::inject(&request).await {
            return response;
        }
        let (outcome, count) = match Incoming::of(&request, answers_return) {
            Ok(incoming) => self.decide_at_last(&incoming, Asked { now, began }).await,
            Err(error) => {
                tracing::error!(%error, "Envoy is not configured as `toolgate envoy` renders it");
                let outcome = failed(&self.edge.live.load(), None, now, &error.to_string());
                let count = Count::new(self, &outcome, began);
                (outcome, count)
            }
        };
        Ok(Response::new(self.answer(outcome, count).await))
    }
}

/// Refused, because Toolgate fails; recorded all the same.
fn failed(live: &Live, route: Option<Route<'_>>, now: Timestamp, detail: &str) -> Outcome {
    let id = Uuid::now_v7().to_string();
    let reply = Reply::http(503, Reason::Unavailable, &id);
    let route = route.unwrap_or(Route { server: "", environment: "", path: "", hash: "" });
    let mut facts = Facts::new(id, route, &live.policy, now);
    facts.refused(Reason::Unavailable, detail);
    facts.into_outcome(Answer::Refuse(reply))
}

/// When a request came, by both clocks.
#[derive(Clone, Copy)]
struct Asked {
    now: Timestamp,
    began: Instant,
}

/// Counts a request when it is over, however it ends.
struct Count<'e> {
    counted: Counted,
    minutes_saved: Option<u32>,
    edge: &'e Edge,
    began: Instant,
}

impl<'e> Count<'e> {
    fn new(service: &'e Service, outcome: &Outcome, began: Instant) -> Self {
        let counted = Counted::of(&outcome.record);
        Self { counted, minutes_saved: None, edge: &service.edge, began }
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        let Counted { server, environment, tool, outcome, reason } = &self.counted;
        self.edge.metrics.decided(Decided {
            server,
            environment,
            tool,
            outcome,
            reason,
            minutes_saved: self.minutes_saved,
            duration: self.began.elapsed(),
        });
    }
}
