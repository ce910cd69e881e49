//! One JSON-RPC 2.0 message: a request, a notification or a response, and never a mixture.

use super::method::{is_extension, is_notification};
use super::{Action, Discovery, Era, Malformed, Method, PromptOp, ResourceOp, Uris, Violation};
use crate::json::{self, Limits, Object, Text, Value, folds_to};

/// The keys that Toolgate or an MCP server acts on. Spelled with other case they would be a
/// second message to a reader that folds case.
const KEYS: &[&str] = &[
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "error",
    "name",
    "arguments",
    "uri",
    "_meta",
    "cursor",
    "ref",
    "type",
    "taskId",
    "task",
    "requestId",
    "level",
    "notifications",
    "resourceSubscriptions",
    "inputResponses",
    "requestState",
    "protocolVersion",
    super::era::META_VERSION,
];

/// How a body is read.
pub const LIMITS: Limits = Limits { max_depth: 64, guarded_keys: KEYS };

/// Ids are echoed; real ones are numbers and UUIDs.
const MAX_ID_BYTES: usize = 256;

/// A request's id, as it stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a>(&'a str);

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// Its id.
        id: Id<'a>,
        /// The method.
        method: Text<'a>,
        /// The parameters; empty if there are none.
        params: Object<'a>,
    },
    /// Wants none.
    Notification {
        /// The method.
        method: Text<'a>,
        /// The parameters; empty if there are none.
        params: Object<'a>,
    },
    /// Answers a request of the server.
    Response,
}

/// The arguments of a call that has none.
static NO_ARGUMENTS: Object<'static> = Object::EMPTY;

/// Reads a body.
///
/// # Errors
///
/// [`Malformed::NotJson`] or [`Malformed::NotAMessage`].
pub fn parse(body: &[u8]) -> Result<Message<'_>, Malformed> {
    parse_leniently(body, &[]).map(|(message, _)| message)
}

/// Reads a body, and says which of the violations that are put up with it has.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_leniently<'a>(
    body: &'a [u8],
    put_up_with: &[Violation],
) -> Result<(Message<'a>, Option<Violation>), Malformed> {
    let value = json::parse(body, LIMITS)?;
    let Value::Object(object) = value else {
        return Err(Malformed::NotAMessage("the body is one JSON object, not a batch"));
    };
    no_variants(&object)?;
    let mut members = object.into_members();
    let mut take = |key: &str| {
        let index = members.iter().position(|(name, _)| name.as_str() == key)?;
        Some(members.swap_remove(index).1)
    };
    if take("jsonrpc").as_ref().and_then(Value::as_str) != Some("2.0") {
        return Err(Malformed::NotAMessage("`jsonrpc` is not \"2.0\""));
    }
    let id = take("id");
    let (method, params) = (take("method"), take("params"));
    let (result, error) = (take("result"), take("error"));
    let Some(method) = method else {
        return match (id, params, result.is_some() != error.is_some()) {
            (Some(Value::String(_) | Value::Number(_)), None, true) => {
                Ok((Message::Response, None))
            }
            _ => Err(Malformed::NotAMessage("neither a request, a notification nor a response")),
        };
    };
    if result.is_some() || error.is_some() {
        return Err(Malformed::NotAMessage("a mixture of request and response"));
    }
    let Value::String(method) = method else {
        return Err(Malformed::NotAMessage("`method` is not a string"));
    };
    let violation = match &params {
        Some(Value::Null) => Some(Violation::NullParams),
        Some(Value::Array(items)) if items.is_empty() => Some(Violation::ArrayParams),
        _ => None,
    };
    let violation = violation.filter(|violation| put_up_with.contains(violation));
    let params = match params {
        None => Object::EMPTY,
        Some(Value::Object(params)) => params,
        Some(_) if violation.is_some() => Object::EMPTY,
        Some(_) => return Err(Malformed::NotAMessage("`params` is not an object")),
    };
    no_variants(&params)?;
    if let Some(meta) = params.get("_meta") {
        let meta = meta.as_object().ok_or(Malformed::NotAMessage("`_meta` is not an object"))?;
        no_variants(meta)?;
    }
    let notification = is_notification(method.as_str());
    match id {
        None if notification => Ok((Message::Notification { method, params }, violation)),
        None => Err(Malformed::NotAMessage("a request without an id")),
        Some(_) if notification => Err(Malformed::NotAMessage("a notification with an id")),
        Some(id) => Ok((Message::Request { id: Id::new(&id)?, method, params }, violation)),
    }
}

fn name<'m>(object: &'m Object<'_>) -> Result<&'m str, Malformed> {
    let name = object.get("name").and_then(Value::as_str);
    name.ok_or(Malformed::NotAMessage("the name is not a string"))
}

fn uri<'m>(object: &'m Object<'_>) -> Result<&'m str, Malformed> {
    let uri = object.get("uri").and_then(Value::as_str);
    uri.ok_or(Malformed::NotAMessage("the URI is not a string"))
}

/// A completion is about a prompt or a resource, and needs what using that needs. A reference
/// that could be read as both is none.
fn completion<'m>(params: &'m Object<'_>) -> Result<Action<'m>, Malformed> {
    let reference = params.get("ref").and_then(Value::as_object);
    let reference = reference.ok_or(Malformed::NotAMessage("`params.ref` is not an object"))?;
    no_variants(reference)?;
    match reference.get("type").and_then(Value::as_str) {
        Some("ref/prompt") if !reference.contains("uri") => {
            Ok(Action::Prompt { op: PromptOp::Complete, name: name(reference)? })
        }
        Some("ref/resource") if !reference.contains("name") => {
            Ok(Action::Resource { op: ResourceOp::Complete, uri: uri(reference)? })
        }
        _ => Err(Malformed::NotAMessage("`params.ref` names neither a prompt nor a resource")),
    }
}

/// A call of a tool. With `task`, its result is to be fetched later (2025-11-25).
fn call<'m>(params: &'m Object<'_>) -> Result<Action<'m>, Malformed> {
    let name = name(params)?;
    let arguments = match params.get("arguments") {
        None => &NO_ARGUMENTS,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(Malformed::NotAMessage("`params.arguments` is not an object")),
    };
    Ok(Action::CallTool { name, arguments, task: params.contains("task") })
}

fn task<'m>(params: &'m Object<'_>) -> Result<&'m str, Malformed> {
    let id = params.get("taskId").and_then(Value::as_str);
    id.ok_or(Malformed::NotAMessage("the task's ID is not a string"))
}

/// The resources that a client wants to hear of.
fn subscriptions<'m>(params: &'m Object<'_>) -> Result<Uris<'m>, Malformed> {
    let Some(wanted) = params.get("notifications") else {
        return Ok(Uris::default());
    };
    let wanted =
        wanted.as_object().ok_or(Malformed::NotAMessage("`notifications` is not an object"))?;
    no_variants(wanted)?;
    match wanted.get("resourceSubscriptions") {
        None => Ok(Uris::default()),
        Some(Value::Array(uris)) => Uris::new(uris),
        Some(_) => Err(Malformed::NotAMessage("`resourceSubscriptions` is not an array")),
    }
}

/// Refuses keys that a reader that folds case would take for one that is acted on.
fn no_variants(object: &Object<'_>) -> Result<(), Malformed> {
    // ASCII folds to as many bytes as there are.
    let folds = |key: &str, known: &str| {
        if key.is_ascii() { key.eq_ignore_ascii_case(known) } else { folds_to(key, known) }
    };
    let variant = |key: &str| !KEYS.contains(&key) && KEYS.iter().any(|known| folds(key, known));
    if object.iter().any(|(key, _)| variant(key)) {
        return Err(Malformed::NotAMessage("a key differs only by case from one of the protocol"));
    }
    // Some readers take the first for more than a member, and others end a key at a NUL.
    let special = |key: &str| key == "__proto__" || key.contains(char::is_control);
    if object.iter().any(|(key, _)| special(key)) {
        return Err(Malformed::NotAMessage("a key that some readers take specially"));
    }
    Ok(())
}

// === impl Id ===

impl<'a> Id<'a> {
    fn new(value: &Value<'a>) -> Result<Self, Malformed> {
        let raw = match value {
            Value::String(text) => text.raw(),
            Value::Number(number) if !number.as_str().contains(['.', 'e', 'E']) => number.as_str(),
            Value::Number(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => {
                return Err(Malformed::NotAMessage("`id` is neither a string nor an integer"));
            }
        };
        if raw.len() > MAX_ID_BYTES {
            return Err(Malformed::NotAMessage("`id` is too long"));
        }
        Ok(Self(raw))
    }

    /// The id as it stands in the body: a JSON string with its quotes, or digits.
    #[must_use]
    pub fn as_json(self) -> &'a str {
        self.0
    }
}

// === impl Message ===

impl Message<'_> {
    /// What the message asks for, if its era has the method ([`Message::is_in`]).
    ///
    /// # Errors
    ///
    /// [`Malformed::NotAMessage`] for a known method whose parameters do not name its target.
    pub fn action(&self) -> Result<Action<'_>, Malformed> {
        let (method, params) = match self {
            Self::Response => return Ok(Action::Discover(Discovery::Respond)),
            Self::Request { method, params, .. } | Self::Notification { method, params } => {
                (method.as_str(), params)
            }
        };
        let Ok(method) = method.parse::<Method>() else {
            let request = matches!(self, Self::Request { .. });
            let extension = request && is_extension(method);
            return Ok(if extension { Action::Extension(method) } else { Action::Unknown });
        };
        Ok(match method {
            Method::Initialize => Action::Discover(Discovery::Initialize),
            Method::Ping => Action::Discover(Discovery::Ping),
            Method::ServerDiscover => Action::Discover(Discovery::ServerDiscover),
            Method::ListTools => Action::Discover(Discovery::ListTools),
            Method::ListResources => Action::Discover(Discovery::ListResources),
            Method::ListResourceTemplates => Action::Discover(Discovery::ListResourceTemplates),
            Method::ListPrompts => Action::Discover(Discovery::ListPrompts),
            Method::SetLogLevel => Action::Discover(Discovery::SetLogLevel),
            Method::ReadResource => Action::Resource { op: ResourceOp::Read, uri: uri(params)? },
            Method::SubscribeResource => {
                Action::Resource { op: ResourceOp::Subscribe, uri: uri(params)? }
            }
            Method::UnsubscribeResource => {
                Action::Resource { op: ResourceOp::Unsubscribe, uri: uri(params)? }
            }
            Method::GetPrompt => Action::Prompt { op: PromptOp::Get, name: name(params)? },
            Method::Complete => completion(params)?,
            Method::Listen => Action::Listen(subscriptions(params)?),
            Method::CallTool => call(params)?,
            Method::GetTask | Method::TaskResult | Method::CancelTask | Method::UpdateTask => {
                Action::Task { id: Some(task(params)?) }
            }
            Method::ListTasks => Action::Task { id: None },
            Method::Initialized
            | Method::Cancelled
            | Method::Progress
            | Method::RootsListChanged
            | Method::TaskStatus => Action::Discover(Discovery::Notification),
        })
    }

    /// Whether an era has a message of that kind. What is no method of the protocol may be an
    /// extension's in either.
    #[must_use]
    pub fn is_in(&self, era: Era) -> bool {
        match self.method().map(str::parse::<Method>) {
            Some(Ok(method)) => method.is_in(era),
            Some(Err(_)) => true,
            None => era == Era::Older,
        }
    }

    /// The method, if the message has one.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request { method, .. } | Self::Notification { method, .. } => {
                Some(method.as_str())
            }
            Self::Response => None,
        }
    }

    /// The id to answer to, if an answer is wanted.
    #[must_use]
    pub fn id(&self) -> Option<Id<'_>> {
        match self {
            Self::Request { id, .. } => Some(*id),
            Self::Notification { .. } | Self::Response => None,
        }
    }

    pub(super) fn params(&self) -> Option<&Object<'_>> {
        match self {
            Self::Request { params, .. } | Self::Notification { params, .. } => Some(params),
            Self::Response => None,
        }
    }
}
