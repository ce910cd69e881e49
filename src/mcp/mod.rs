//! WHAT is asked: one MCP message over streamable HTTP, read strictly, as an [`Action`].
//!
//! The action comes out of the JSON-RPC body and nothing else. Revision 2026-07-28 mirrors
//! method and name into headers: they are compared with the body, and never decided on.

mod era;
mod message;
mod method;
mod uris;
mod violation;

#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::era::{Era, MODERN_VERSION, Mirror, MirrorHeaders, OLDER_VERSIONS, spoken};
pub use self::message::{Id, LIMITS, Message, parse, parse_leniently};
pub use self::method::{Method, NoSuchMethod, is_extension};
pub use self::uris::Uris;
pub use self::violation::{NoSuchViolation, Violation};

use crate::json::{JsonError, Object};

/// What a caller wants to do on a server.
#[derive(Clone, Copy, Debug)]
pub enum Action<'m> {
    /// Call a tool.
    CallTool {
        /// The tool's name.
        name: &'m str,
        /// Its arguments; empty if the message has none.
        arguments: &'m Object<'m>,
        /// Whether the result is to be kept as a task, to be fetched later.
        task: bool,
    },
    /// Use a resource.
    Resource {
        /// What is done with it.
        op: ResourceOp,
        /// Its URI.
        uri: &'m str,
    },
    /// Use a prompt.
    Prompt {
        /// What is done with it.
        op: PromptOp,
        /// Its name.
        name: &'m str,
    },
    /// Open a session, look around, keep the connection going.
    Discover(Discovery),
    /// Hear of changes (2026-07-28): of these resources, each of which must be readable, and of
    /// lists.
    Listen(Uris<'m>),
    /// Look after a task: what came of a call that was not waited for.
    Task {
        /// The task's identifier; `None` for a list of them.
        id: Option<&'m str>,
    },
    /// A request of an extension, by its method. It goes through only if the server's file names
    /// it.
    Extension(&'m str),
    /// A well-formed message whose method nobody lets through.
    Unknown,
}

/// What is done with a resource. All of it needs what reading it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceOp {
    /// `resources/read`
    Read,
    /// `resources/subscribe`
    Subscribe,
    /// `resources/unsubscribe`
    Unsubscribe,
    /// `completion/complete`, about a resource
    Complete,
}

/// What is done with a prompt. All of it needs what getting it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptOp {
    /// `prompts/get`
    Get,
    /// `completion/complete`, about a prompt
    Complete,
}

/// What needs no more than one live grant on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `initialize`
    Initialize,
    /// `ping`
    Ping,
    /// `server/discover`
    ServerDiscover,
    /// `tools/list`
    ListTools,
    /// `resources/list`
    ListResources,
    /// `resources/templates/list`
    ListResourceTemplates,
    /// `prompts/list`
    ListPrompts,
    /// `logging/setLevel`
    SetLogLevel,
    /// A notification of the closed list.
    Notification,
    /// A response to a request of the server's.
    Respond,
    /// GET: the server's event stream.
    OpenStream,
    /// DELETE: the end of a session.
    EndSession,
}

/// Why a request is not a message that can be decided on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// The body is not strict JSON.
    #[error("the body is not strict JSON: {0}")]
    NotJson(JsonProblem),
    /// The body is JSON, but not one JSON-RPC message.
    #[error("{0}")]
    NotAMessage(&'static str),
    /// Headers and body disagree, or a header of revision 2026-07-28 is missing.
    #[error("{0}")]
    HeaderMismatch(&'static str),
    /// A modern request whose `_meta` does not say that it is one.
    #[error("{0}")]
    NoMeta(&'static str),
    /// A protocol revision that nobody speaks yet.
    #[error("unsupported protocol version")]
    UnsupportedVersion,
}

/// What a caller may be told about broken JSON.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct JsonProblem(crate::json::JsonErrorKind);

impl From<JsonError> for Malformed {
    fn from(error: JsonError) -> Self {
        Self::NotJson(JsonProblem(error.kind))
    }
}

impl Discovery {
    /// The name it has in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Ping => "ping",
            Self::ServerDiscover => "server/discover",
            Self::ListTools => "tools/list",
            Self::ListResources => "resources/list",
            Self::ListResourceTemplates => "resources/templates/list",
            Self::ListPrompts => "prompts/list",
            Self::SetLogLevel => "logging/setLevel",
            Self::Notification => "notification",
            Self::Respond => "response",
            Self::OpenStream => "GET",
            Self::EndSession => "DELETE",
        }
    }
}
