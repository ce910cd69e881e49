//! `envoy.service.auth.v3.Authorization`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use jiff::Timestamp;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::answer::{Answer, Reply};
use super::edge::Edge;
use super::record::{self, Counted, Outcome};
use super::request::Incoming;
use super::response::check_response;
use crate::authn::svid;
use crate::config::{GrpcListener, GrpcTls};
use crate::engine::Reason;
use crate::identity::Workload;
use crate::telemetry::Decided;

/// Answers Envoy.
pub(super) struct Service {
    edge: Arc<Edge>,
    /// Who may ask, where the transport proves it; `None` where it need not.
    accept: Option<Vec<Workload>>,
}

impl Service {
    pub(super) fn new(edge: Arc<Edge>, listener: &GrpcListener) -> Self {
        let accept = match listener {
            GrpcListener::Tcp { tls: Some(GrpcTls { accept, .. }), .. } => Some(accept.clone()),
            GrpcListener::Tcp { tls: None, .. } | GrpcListener::Unix(_) => None,
        };
        Self { edge, accept }
    }

    /// A bug must cost one request, and that request is refused.
    fn decide(&self, incoming: &Incoming<'_>, now: Timestamp) -> Outcome {
        let checked = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "faults")]
            super::faults::panic_if_told(incoming);
            self.edge.check(incoming, now)
        }));
        checked.unwrap_or_else(|_| {
            tracing::error!("a request made the decision panic; it was refused");
            self.failed(now, "the decision panicked")
        })
    }

    /// Refused, because Toolgate fails; recorded all the same.
    fn failed(&self, now: Timestamp, detail: &str) -> Outcome {
        let id = Uuid::now_v7().to_string();
        let reply = Reply::http(503, Reason::Unavailable, &id);
        let policy = self.edge.live.load().policy.digest().to_string();
        Outcome {
            answer: Answer::Refuse(reply),
            metadata: Vec::new(),
            record: record::failed(now, id, policy, detail),
            audit_required: false,
            minutes_saved: None,
        }
    }

    /// Records the decision, and answers; or refuses, where a record may not be lost and would be.
    async fn answer(&self, outcome: Outcome, began: Instant) -> CheckResponse {
        let Outcome { mut answer, metadata, mut record, audit_required, mut minutes_saved } =
            outcome;
        record::took(&mut record, began.elapsed());
        let counted = Counted::of(&record);
        let (mut outcome, mut reason) = (counted.outcome, counted.reason);
        let id = record.id.clone();
        if self.edge.log.record(record, audit_required).await.is_err() {
            answer = Answer::Refuse(Reply::http(503, Reason::Unavailable, &id));
            (outcome, reason, minutes_saved) = ("refuse", Reason::Unavailable.as_str(), None);
        }
        self.edge.metrics.decided(Decided {
            server: &counted.server,
            environment: &counted.environment,
            tool: &counted.tool,
            outcome,
            reason,
            minutes_saved,
            duration: began.elapsed(),
        });
        check_response(answer, metadata)
    }

    /// TLS has verified the chain; only the configured identities may ask.
    fn may_ask<T>(&self, request: &Request<T>, now: Timestamp) -> bool {
        let Some(accept) = &self.accept else {
            return true;
        };
        let tls = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
        let certificates = tls.and_then(TlsConnectInfo::peer_certs);
        let leaf = certificates.as_deref().and_then(|certificates| certificates.first());
        match leaf.map(|leaf| svid::leaf(leaf.as_ref(), now)) {
            Some(Ok(workload)) => accept.contains(&workload),
            Some(Err(_)) | None => false,
        }
    }
}

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (now, began) = (super::now(), Instant::now());
        if !self.may_ask(&request, now) {
            tracing::error!("somebody other than Envoy asked");
            return Err(Status::permission_denied("only Envoy may ask"));
        }
        let request = request.into_inner();
        #[cfg(feature = "faults")]
        if let Some(response) = super::faults::inject(&request).await {
            return response;
        }
        let outcome = match Incoming::of(&request) {
            Ok(incoming) => self.decide(&incoming, now),
            Err(error) => {
                tracing::error!(%error, "Envoy is not configured as `toolgate envoy` renders it");
                self.failed(now, &error.to_string())
            }
        };
        Ok(Response::new(self.answer(outcome, began).await))
    }
}
