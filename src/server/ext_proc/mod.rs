//! Answers on their way back: Envoy shows Toolgate those that it asked to see.
//!
//! Check decides what is done with an answer ([`Plan`]), and says so twice: in a header, by which
//! Envoy takes the route with the filter, and in the dynamic metadata, which come back with the
//! answer. So nothing is decided a second time, and any replica can look at any answer. Whatever
//! is missing on the way, the answer does not pass.

mod framing;
mod plan;
mod processor;
mod session;
mod wire;

#[cfg(test)]
mod tests;

use tonic::metadata::MetadataMap;

use self::plan::View;
pub(super) use self::plan::{PLAN, Plan};
pub(super) use self::processor::Processor;
use crate::engine::{self, Query};
use crate::envoy::ANSWERS_HEADER;
use crate::lists::{Rules, Visible};
use crate::mcp::{Action, Discovery, Era, Message};
use crate::policy::PolicySet;
use crate::policy::model::{Items, Lists, Server};
use crate::server::sessions::OwnerKey;

/// Whether the listener that a request came by brings answers to Toolgate. An older one does not,
/// whatever its routes say.
pub(super) fn is_announced(metadata: &MetadataMap) -> bool {
    metadata.get(ANSWERS_HEADER).is_some_and(|value| value == "1")
}

/// A request that is let through.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a PolicySet,
    pub(super) query: &'a Query<'a>,
    pub(super) message: Option<&'a Message<'a>>,
    pub(super) era: Era,
    /// Whether a stream is to go on from what was said before (`Last-Event-ID`).
    pub(super) replay: bool,
    pub(super) decision_id: &'a str,
}

/// What is done with its answer.
pub(super) fn plan(asked: &Asked<'_>, owner: impl FnOnce() -> OwnerKey) -> Plan {
    let Action::Discover(discovery) = asked.query.action else {
        return Plan::Pass;
    };
    let list = match (discovery, asked.era) {
        (Discovery::Initialize, Era::Older) => return Plan::Session(owner()),
        (Discovery::ListTools, _) => Verb::Call,
        (Discovery::ListResources | Discovery::ListResourceTemplates, _) => Verb::Read,
        (Discovery::ListPrompts, _) => Verb::Prompt,
        (Discovery::OpenStream, _) if asked.replay => Verb::Any,
        (
            Discovery::Initialize
            | Discovery::Ping
            | Discovery::ServerDiscover
            | Discovery::Notification
            | Discovery::OpenStream
            | Discovery::EndSession
            | Discovery::SetLogLevel
            | Discovery::Respond,
            Era::Older | Era::Modern,
        ) => return Plan::Pass,
    };
    match asked.policy.server(asked.query.server) {
        Some(Server { lists: Lists::Full, .. }) => Plan::Pass,
        Some(server) => Plan::Filter(Box::new(view(asked, server, list))),
        // Nobody is let through to it.
        None => Plan::Filter(Box::default()),
    }
}

/// What a list is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Call,
    Read,
    Prompt,
    Any,
}

fn view(asked: &Asked<'_>, server: &Server, verb: Verb) -> View {
    let Items { call, read, prompt } = engine::visible(asked.policy, asked.query);
    let of = |this| verb == this || verb == Verb::Any;
    let visible = Visible {
        tools: of(Verb::Call).then(|| {
            let tools = call.iter().filter_map(|id| server.tools().get(id.index()));
            tools.map(|tool| tool.name.clone()).collect()
        }),
        resources: of(Verb::Read).then(|| {
            let resources = read.iter().filter_map(|id| server.resources().get(id.index()));
            resources.map(|resource| resource.pattern.clone()).collect()
        }),
        prompts: of(Verb::Prompt).then(|| {
            let prompts = prompt.iter().filter_map(|id| server.prompts().get(id.index()));
            prompts.map(|prompt| prompt.name.clone()).collect()
        }),
    };
    let id = asked.message.and_then(Message::id).map(|id| id.as_json().into());
    let rules = Rules { visible, private: asked.era == Era::Modern };
    View { id, server: server.name.clone(), decision_id: asked.decision_id.into(), rules }
}
