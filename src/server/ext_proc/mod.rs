//! Answers on their way back: Envoy shows Toolgate those that it asked to see.
//!
//! Check decides what is done with an answer ([`Plan`]), and says so twice: in a header, by which
//! Envoy takes the route with the filter, and in the dynamic metadata, which come back with the
//! answer. So nothing is decided a second time, and any replica can look at any answer. What may be
//! seen goes as bits; the names come from the policies, if they are what they were ([`View`]).
//! Whatever is missing on the way, the answer does not pass.

mod framing;
mod plan;
mod processor;
mod session;
mod wire;

#[cfg(test)]
mod tests;

use hyper::HeaderMap;

use self::plan::View;
pub(super) use self::plan::{PLAN, Plan};
pub(super) use self::processor::Processor;
use crate::engine::{self, Query};
use crate::envoy::ANSWERS_HEADER;
use crate::lists::{Bits, Shown};
use crate::mcp::{Action, Discovery, Era, Message};
use crate::policy::PolicySet;
use crate::policy::model::{Items, Lists, Offer};
use crate::server::sessions::OwnerKey;

/// Whether the listener that a request came by brings answers to Toolgate. An older one does not,
/// whatever its routes say.
pub(super) fn is_announced(headers: &HeaderMap) -> bool {
    headers.get(ANSWERS_HEADER).is_some_and(|value| value == "1")
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
    let Some(server) = asked.policy.server(asked.query.server) else {
        // Nobody is let through to it.
        return Plan::Filter(Box::new(view(asked, &Offer::new(&[], Vec::new(), &[]), list)));
    };
    match server.lists {
        Lists::Full => Plan::Pass,
        Lists::Filtered => Plan::Filter(Box::new(view(asked, server.offer(), list))),
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

fn view(asked: &Asked<'_>, offer: &Offer, verb: Verb) -> View {
    let Items { call, read, prompt } = engine::visible(asked.policy, asked.query);
    let of = |this| verb == this || verb == Verb::Any;
    let tools = || Bits::new(offer.tools(), call.iter().map(|id| id.index()));
    let resources = || Bits::new(offer.resources().len(), read.iter().map(|id| id.index()));
    let prompts = || Bits::new(offer.prompts(), prompt.iter().map(|id| id.index()));
    View {
        id: asked.message.and_then(Message::id).map(|id| id.as_json().into()),
        server: asked.query.server.into(),
        decision_id: asked.decision_id.into(),
        offer: offer.digest(),
        shown: Shown {
            tools: of(Verb::Call).then(tools),
            resources: of(Verb::Read).then(resources),
            prompts: of(Verb::Prompt).then(prompts),
        },
        private: asked.era == Era::Modern,
    }
}
