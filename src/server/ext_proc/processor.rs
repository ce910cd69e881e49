//! `envoy.service.ext_proc.v3.ExternalProcessor`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Seen;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::protobuf::value::Kind;
use serde_json::json;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::framing::{Content, Foreign, content};
use super::plan::{Plan, View};
use super::{session, wire};
use crate::engine::Reason;
use crate::lists::{Body, Counts, Released, Rooms, Rules, Visible};
use crate::policy::PolicySet;
use crate::policy::model::Server;
use crate::server::answer::{Reply, code};
use crate::server::edge::Edge;
use crate::server::peer::Peers;
use crate::telemetry::ListOutcome;

/// What Envoy calls an answer that an upstream gave.
const VIA_UPSTREAM: &str = "via_upstream";

/// What may be held of one answer: far more than any list has.
const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;

/// What may be held of all of them.
const MAX_HELD_BYTES_OF_ALL: usize = 128 * 1024 * 1024;

/// To look at so much takes about as long as ten decisions.
const LONG_BYTES: usize = 32 * 1024;

/// Looks at answers.
pub(in crate::server) struct Processor {
    edge: Arc<Edge>,
    peers: Peers,
    rooms: Rooms,
}

impl Processor {
    pub(in crate::server) fn new(edge: Arc<Edge>, peers: Peers) -> Self {
        Self { edge, peers, rooms: Rooms::new(MAX_HELD_BYTES, MAX_HELD_BYTES_OF_ALL) }
    }
}

/// ⚠ Each message is answered by one, and the stream ends only after Envoy's side has ended or with
/// an error: Envoy takes an end without one for leave to pass on the rest unseen.
type Replies = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = Replies;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Replies>, Status> {
        self.peers.check(request.extensions().get(), crate::server::now())?;
        let exchange = Exchange::new(Arc::clone(&self.edge), self.rooms.clone());
        let exchange = Arc::new(Mutex::new(exchange));
        let replies = request.into_inner().then(move |message| {
            let exchange = Arc::clone(&exchange);
            async move { reply(&exchange, message?).await }
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

/// Beside this thread, if it takes long: others wait for their answers here.
async fn reply(
    exchange: &Arc<Mutex<Exchange>>,
    message: ProcessingRequest,
) -> Result<ProcessingResponse, Status> {
    let locked = |exchange: &Mutex<Exchange>, message| {
        let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
        // A bug must cost one answer, and that answer does not pass.
        catch_unwind(AssertUnwindSafe(|| exchange.reply(message)))
    };
    let replied = if exchange.lock().unwrap_or_else(PoisonError::into_inner).is_long(&message) {
        let exchange = Arc::clone(exchange);
        spawn_blocking(move || locked(&exchange, message)).await.ok()
    } else {
        Some(locked(exchange, message))
    };
    replied.and_then(Result::ok).unwrap_or_else(|| {
        tracing::error!("an answer made Toolgate panic; it does not pass");
        Err(Status::internal("looking at the answer panicked"))
    })
}

/// One answer on its way.
pub(super) struct Exchange {
    pub(super) edge: Arc<Edge>,
    rooms: Rooms,
    state: State,
}

enum State {
    /// Nothing of it has been seen.
    Begins,
    /// Nothing is to be done with its body.
    Passes,
    /// Its body is looked at.
    Filtered(Box<Body>, Whose),
    /// It is over, or does not go on.
    Ended,
}

/// Whose answer it is, for the log.
#[derive(Clone, Debug)]
struct Whose {
    server: Box<str>,
    decision_id: Box<str>,
}

impl Exchange {
    pub(super) fn new(edge: Arc<Edge>, rooms: Rooms) -> Self {
        Self { edge, rooms, state: State::Begins }
    }

    /// Whether answering it could take longer than decisions do.
    fn is_long(&self, seen: &ProcessingRequest) -> bool {
        match (&self.state, &seen.request) {
            (State::Filtered(body, _), Some(Seen::ResponseBody(piece))) => {
                body.held() + piece.body.len() > LONG_BYTES
            }
            _ => false,
        }
    }

    /// Answers one message of Envoy's. After an error there is no other.
    pub(super) fn reply(&mut self, seen: ProcessingRequest) -> Result<ProcessingResponse, Status> {
        let ProcessingRequest { metadata_context, attributes, request, .. } = seen;
        let was = std::mem::replace(&mut self.state, State::Ended);
        match (was, request) {
            (State::Begins, Some(Seen::ResponseHeaders(headers))) => {
                // Envoy's own refusals, and what it says in place of an upstream that does not
                // answer.
                if attributes.values().any(is_local) {
                    return Ok(self.pass());
                }
                Ok(self.begin(metadata_context.as_ref(), &headers))
            }
            (State::Passes, Some(Seen::ResponseBody(_))) => {
                self.state = State::Passes;
                Ok(wire::pass_body())
            }
            (State::Filtered(mut body, whose), Some(Seen::ResponseBody(piece))) => {
                let HttpBody { body: bytes, end_of_stream, .. } = piece;
                let released = body.push(&bytes, end_of_stream);
                self.count(&released, &whose);
                if !end_of_stream {
                    self.state = State::Filtered(body, whose);
                }
                Ok(wire::body(released.bytes))
            }
            (State::Begins | State::Passes | State::Filtered(..) | State::Ended, _) => {
                tracing::error!("Envoy's filter is not configured as `toolgate envoy` renders it");
                Err(Status::failed_precondition("not a part of an answer that is expected here"))
            }
        }
    }

    fn begin(&mut self, metadata: Option<&Metadata>, headers: &HttpHeaders) -> ProcessingResponse {
        match Plan::of(metadata) {
            Ok(Plan::Pass) => self.pass(),
            Ok(Plan::Session(owner)) => match session::bound(&owner, headers) {
                Ok(name) => {
                    self.state = State::Passes;
                    wire::pass_with_session(name)
                }
                Err(error) => refuse(&error),
            },
            Ok(Plan::Filter(view)) => self.filter(*view, headers),
            Err(error) => refuse(&error),
        }
    }

    fn pass(&mut self) -> ProcessingResponse {
        self.state = State::Passes;
        wire::pass()
    }

    fn filter(&mut self, view: View, headers: &HttpHeaders) -> ProcessingResponse {
        let error = error(&view);
        let policy = &self.edge.live.load().policy;
        let looked_at = match content(headers) {
            Ok(Content::Nothing) => return self.pass(),
            Ok(Content::Messages(framing)) => rules(&view, policy).map(|rules| (framing, rules)),
            Err(problem) => Err(Unseen::Foreign(problem)),
        };
        let View { id, server, decision_id, offer: _, shown: _, private: _ } = view;
        match looked_at {
            Ok((framing, rules)) => {
                let body = Body::new(framing, rules, id, error.into(), self.rooms.one());
                self.state = State::Filtered(Box::new(body), Whose { server, decision_id });
                wire::look_at_body()
            }
            Err(problem) => {
                self.edge.metrics.list(ListOutcome::Refused);
                tracing::warn!(%problem, server, decision_id, "a list does not pass");
                wire::refuse(match id {
                    Some(id) => Reply::whole_error(&id, &error, &decision_id),
                    None => Reply::http(503, Reason::Unavailable, &decision_id),
                })
            }
        }
    }

    fn count(&self, released: &Released, whose: &Whose) {
        let Released { bytes: _, counts: Counts { lists, hidden }, refused } = released;
        let Whose { server, decision_id } = whose;
        if *lists > 0 {
            let filtered = *hidden > 0;
            let outcome = if filtered { ListOutcome::Filtered } else { ListOutcome::Whole };
            self.edge.metrics.list(outcome);
            tracing::debug!(server, decision_id, lists, hidden, "a list");
        }
        for problem in refused {
            self.edge.metrics.list(ListOutcome::Refused);
            tracing::warn!(%problem, server, decision_id, "a list does not pass");
        }
    }
}

/// Why nobody can say what may be seen of an answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
enum Unseen {
    #[error(transparent)]
    Foreign(Foreign),
    #[error("the request was let through under policies in which the server offers something else")]
    OtherOffer,
    #[error("the plan says more or less than one bit for each of what the server offers")]
    OtherBits,
}

/// What is left out. ⚠ What was decided is bits, and they mean nothing under policies in which the
/// server offers something else: those of another replica, or of after a reload.
fn rules(view: &View, policy: &PolicySet) -> Result<Rules, Unseen> {
    let View { id: _, server, decision_id: _, offer, shown, private } = view;
    let known = policy.server(server).map(Server::offer);
    let known = known.filter(|known| known.digest() == *offer).ok_or(Unseen::OtherOffer)?;
    let visible = Visible::new(Arc::clone(known), shown.clone()).ok_or(Unseen::OtherBits)?;
    Ok(Rules { visible, private: *private })
}

/// What is said in the place of a list that does not pass: a JSON-RPC error but for its id.
fn error(view: &View) -> String {
    let View { server, decision_id, .. } = view;
    let reason = Reason::Unavailable;
    let error = json!({
        "code": code::REFUSED,
        "message": format!("{server}: {} ({reason})", reason.public_message()),
        "data": { "reason": reason.as_str(), "server": server, "decision_id": decision_id },
    });
    format!(r#""error":{error}"#)
}

fn refuse(error: &dyn std::error::Error) -> ProcessingResponse {
    tracing::error!(%error, "an answer does not pass");
    let id = Uuid::now_v7().to_string();
    wire::refuse(Reply::http(503, Reason::Unavailable, &id))
}

/// Whether Envoy says that an answer is its own. What it says nothing about is an upstream's.
fn is_local(attributes: &Struct) -> bool {
    let details = attributes.fields.get(crate::envoy::CODE_DETAILS);
    match details.and_then(|details| details.kind.as_ref()) {
        Some(Kind::StringValue(details)) => !details.is_empty() && details != VIA_UPSTREAM,
        Some(
            Kind::NullValue(_)
            | Kind::NumberValue(_)
            | Kind::BoolValue(_)
            | Kind::StructValue(_)
            | Kind::ListValue(_),
        )
        | None => false,
    }
}
