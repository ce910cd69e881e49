//! Faults that cannot be caused from outside. Compiled only with the feature `faults`, which no
//! release has: the end-to-end tests ask for them with a request header.

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::google::rpc::Status as RpcStatus;
use jiff::Timestamp;
use prost::Message as _;
use tonic::Status;

use super::request::Incoming;

const HEADER: &str = "x-fault";

/// What Envoy is answered instead of a decision.
type Injected = Result<Vec<u8>, Status>;

/// An answer that no decision would give, if the request asks for one.
pub(super) async fn inject(incoming: &Incoming<'_>) -> Option<Injected> {
    let fault = incoming.headers.once(HEADER).ok()??;
    let with_status = |code| {
        let status = Some(RpcStatus { code, ..RpcStatus::default() });
        CheckResponse { status, ..CheckResponse::default() }.encode_to_vec()
    };
    match fault {
        b"slow" => {
            tokio::time::sleep(Duration::from_secs(10)).await;
            None
        }
        b"hesitate" => {
            // So that a test knows when the request is in flight.
            tracing::info!("a fault: hesitating");
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
        b"error" => Some(Err(Status::internal("a fault"))),
        b"unknown-status" => Some(Ok(with_status(4711))),
        b"negative-status" => Some(Ok(with_status(-1))),
        _ => None,
    }
}

/// The time, moved by as many seconds as the file that `TOOLGATE_FAULT_CLOCK` names says.
pub(super) fn now() -> Timestamp {
    let seconds = std::env::var_os("TOOLGATE_FAULT_CLOCK")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| text.trim().parse::<i64>().ok())
        .unwrap_or(0);
    let moved = Timestamp::now().checked_add(jiff::SignedDuration::from_secs(seconds));
    moved.unwrap_or_default()
}

/// A duration, divided by what `TOOLGATE_FAULT_HURRY` says.
pub(super) fn hurried(duration: Duration) -> Duration {
    let by = std::env::var("TOOLGATE_FAULT_HURRY").ok().and_then(|text| text.parse::<u32>().ok());
    duration / by.unwrap_or(1).max(1)
}

/// Panics in the middle of a decision.
pub(super) fn panic_if_told(incoming: &Incoming<'_>) {
    assert!(incoming.headers.all(HEADER).all(|fault| fault != b"panic"), "a fault");
}
