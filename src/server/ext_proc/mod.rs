//! Answers on their way back: Envoy shows Toolgate those that it asked to see.
//!
//! Check decides what is done with an answer ([`Plan`]), and says so twice: in a header, by which
//! Envoy takes the route with the filter, and in the dynamic metadata, which come back with the
//! answer. So nothing is decided a second time, and any replica can look at any answer. Whatever
//! is missing on the way, the answer does not pass.

mod plan;
mod processor;
mod session;
mod wire;

#[cfg(test)]
mod tests;

use tonic::metadata::MetadataMap;

pub(super) use self::plan::{PLAN, Plan};
pub(super) use self::processor::Processor;
use crate::engine::Query;
use crate::envoy::ANSWERS_HEADER;
use crate::mcp::{Action, Discovery, Era};
use crate::server::sessions::OwnerKey;

/// Whether the listener that a request came by brings answers to Toolgate. An older one does not,
/// whatever its routes say.
pub(super) fn is_announced(metadata: &MetadataMap) -> bool {
    metadata.get(ANSWERS_HEADER).is_some_and(|value| value == "1")
}

/// What is done with the answer to a request that is let through.
pub(super) fn plan(query: &Query<'_>, era: Era, owner: impl FnOnce() -> OwnerKey) -> Plan {
    match (&query.action, era) {
        (Action::Discover(Discovery::Initialize), Era::Older) => Plan::Session(owner()),
        (
            Action::CallTool { .. }
            | Action::Resource { .. }
            | Action::Prompt { .. }
            | Action::Discover(_)
            | Action::Listen(_)
            | Action::Task { .. }
            | Action::Extension(_)
            | Action::Unknown,
            Era::Older | Era::Modern,
        ) => Plan::Pass,
    }
}
