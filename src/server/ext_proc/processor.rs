//! `envoy.service.ext_proc.v3.ExternalProcessor`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Seen;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::protobuf::value::Kind;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::plan::Plan;
use super::{session, wire};
use crate::engine::Reason;
use crate::server::answer::Reply;
use crate::server::peer::Peers;

/// What Envoy calls an answer that an upstream gave.
const VIA_UPSTREAM: &str = "via_upstream";

/// Looks at answers.
pub(in crate::server) struct Processor {
    peers: Peers,
}

impl Processor {
    pub(in crate::server) fn new(peers: Peers) -> Self {
        Self { peers }
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
        self.peers.check(&request, crate::server::now())?;
        let mut exchange = Exchange::new();
        let replies = request.into_inner().map(move |message| {
            let message = message?;
            // A bug must cost one answer, and that answer does not pass.
            catch_unwind(AssertUnwindSafe(|| exchange.reply(message))).unwrap_or_else(|_| {
                tracing::error!("an answer made Toolgate panic; it does not pass");
                Err(Status::internal("looking at the answer panicked"))
            })
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

/// One answer on its way.
pub(super) enum Exchange {
    /// Nothing of it has been seen.
    Begins,
    /// Nothing is to be done with its body.
    Passes,
    /// It does not go on.
    Ended,
}

impl Exchange {
    pub(super) fn new() -> Self {
        Self::Begins
    }

    /// Answers one message of Envoy's. After an error there is no other.
    pub(super) fn reply(&mut self, seen: ProcessingRequest) -> Result<ProcessingResponse, Status> {
        let ProcessingRequest { metadata_context, attributes, request, .. } = seen;
        let was = std::mem::replace(self, Self::Ended);
        match (was, request) {
            (Self::Begins, Some(Seen::ResponseHeaders(headers))) => {
                let local = attributes.values().any(is_local);
                Ok(self.begin(local, metadata_context.as_ref(), &headers))
            }
            (Self::Passes, Some(Seen::ResponseBody(_))) => {
                *self = Self::Passes;
                Ok(wire::pass_body())
            }
            (Self::Begins | Self::Passes | Self::Ended, _) => {
                tracing::error!("Envoy's filter is not configured as `toolgate envoy` renders it");
                Err(Status::failed_precondition("not a part of an answer that is expected here"))
            }
        }
    }

    fn begin(
        &mut self,
        local: bool,
        metadata: Option<&Metadata>,
        headers: &HttpHeaders,
    ) -> ProcessingResponse {
        // Envoy's own refusals, and what it says in place of an upstream that does not answer.
        if local {
            *self = Self::Passes;
            return wire::pass();
        }
        match Plan::of(metadata) {
            Ok(Plan::Pass) => {
                *self = Self::Passes;
                wire::pass()
            }
            Ok(Plan::Session(owner)) => match session::bound(&owner, headers) {
                Ok(name) => {
                    *self = Self::Passes;
                    wire::pass_with_session(name)
                }
                Err(error) => refuse(&error),
            },
            Err(error) => refuse(&error),
        }
    }
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
