//! Every method of every revision that a client sends: a closed list.

use std::str::FromStr;

use super::Era;

macro_rules! methods {
    ($($name:ident = $text:literal, $older:literal, $modern:literal;)+) => {
        /// A method of the protocol, sent by a client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $text, "`")] $name,)+
        }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it stands in a message.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether an era has it.
            #[must_use]
            pub fn is_in(self, era: Era) -> bool {
                let (older, modern) = match self {
                    $(Self::$name => ($older, $modern),)+
                };
                match era {
                    Era::Older => older,
                    Era::Modern => modern,
                }
            }
        }

        impl FromStr for Method {
            type Err = NoSuchMethod;

            fn from_str(text: &str) -> Result<Self, NoSuchMethod> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(NoSuchMethod),
                }
            }
        }
    };
}

/// Not a method of the protocol.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a method of the protocol")]
pub struct NoSuchMethod;

// Whether revisions up to 2025-11-25 have it (any of them), and whether 2026-07-28 does, with the
// tasks extension.
methods! {
    Initialize = "initialize", true, false;
    Ping = "ping", true, false;
    ServerDiscover = "server/discover", false, true;
    ListTools = "tools/list", true, true;
    CallTool = "tools/call", true, true;
    ListResources = "resources/list", true, true;
    ListResourceTemplates = "resources/templates/list", true, true;
    ReadResource = "resources/read", true, true;
    SubscribeResource = "resources/subscribe", true, false;
    UnsubscribeResource = "resources/unsubscribe", true, false;
    Listen = "subscriptions/listen", false, true;
    ListPrompts = "prompts/list", true, true;
    GetPrompt = "prompts/get", true, true;
    Complete = "completion/complete", true, true;
    SetLogLevel = "logging/setLevel", true, false;
    GetTask = "tasks/get", true, true;
    TaskResult = "tasks/result", true, false;
    CancelTask = "tasks/cancel", true, true;
    UpdateTask = "tasks/update", false, true;
    ListTasks = "tasks/list", true, false;
    Initialized = "notifications/initialized", true, false;
    Cancelled = "notifications/cancelled", true, false;
    Progress = "notifications/progress", true, false;
    RootsListChanged = "notifications/roots/list_changed", true, false;
    TaskStatus = "notifications/tasks/status", true, false;
}

/// What every notification's method begins with.
const NOTIFICATION: &str = "notifications/";

/// First parts of methods that are the protocol's, of whichever side sends them, and JSON-RPC's
/// own.
const RESERVED: &[&str] = &[
    "initialize",
    "ping",
    "server",
    "tools",
    "resources",
    "prompts",
    "completion",
    "logging",
    "tasks",
    "subscriptions",
    "notifications",
    "sampling",
    "elicitation",
    "roots",
    "rpc",
];

/// The longest name of an extension method.
const MAX_EXTENSION: usize = 128;

/// Whether a method's name is one of a notification.
pub(super) fn is_notification(method: &str) -> bool {
    method.starts_with(NOTIFICATION)
}

/// Whether a name is one that an extension's requests may have: parts of letters, digits, `.`, `_`
/// and `-`, joined by slashes, at least two. What begins like the protocol's own, in whichever
/// case, is none: a server that folds case, or a later revision, would take it for more.
#[must_use]
pub fn is_extension(method: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !part.is_empty() && part.bytes().all(plain)
    };
    let Some((first, _)) = method.split_once('/') else {
        return false;
    };
    // JSON-RPC keeps all that begins with `rpc.` for itself.
    let start = first.split('.').next().unwrap_or_default();
    let reserved =
        |known: &&str| first.eq_ignore_ascii_case(known) || start.eq_ignore_ascii_case("rpc");
    method.len() <= MAX_EXTENSION && method.split('/').all(part) && !RESERVED.iter().any(reserved)
}
