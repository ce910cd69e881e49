//! Which of the two eras a request belongs to, and whether its headers say what its body says.
//!
//! A request is modern if a header or its `_meta` names 2026-07-28 or later. Then method and name
//! must be mirrored exactly ("Request metadata" in that revision's streamable HTTP transport);
//! anything else is a header mismatch.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Action, Malformed, Message, Method, PromptOp, ResourceOp, Violation};
use crate::json::Value;

/// The revision that mirrors requests into headers.
pub const MODERN_VERSION: &str = "2026-07-28";

/// The revisions with sessions.
pub const OLDER_VERSIONS: &[&str] = &["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Where a modern request's body names its revision.
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// What `Mcp-Name` mirrors, of one method or another.
const NAMES: &[&str] = &["name", "uri", "taskId"];

/// Which rules a request follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25: sessions; `Mcp-*` headers mean nothing and are removed.
    Older,
    /// 2026-07-28: stateless, mirrored into headers.
    Modern,
}

/// One header that mirrors the body: absent, once, or more often than a reader can know which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mirror<'h> {
    /// Not there.
    #[default]
    Absent,
    /// Once, with this value.
    Once(&'h str),
    /// Twice or more, or not text.
    Unreadable,
}

/// The headers of revision 2026-07-28 that mirror the body.
#[derive(Clone, Copy, Debug, Default)]
pub struct MirrorHeaders<'h> {
    /// `MCP-Protocol-Version`
    pub version: Mirror<'h>,
    /// `Mcp-Method`
    pub method: Mirror<'h>,
    /// `Mcp-Name`
    pub name: Mirror<'h>,
}

impl<'h> Mirror<'h> {
    /// Takes in one more header of that name. What is not printable ASCII has to be encoded.
    pub fn add(&mut self, value: Option<&'h str>) {
        let value = value.map(|value| value.trim_matches([' ', '\t']));
        let printable = |value: &&str| value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
        *self = match (*self, value.filter(printable)) {
            (Self::Absent, Some(value)) => Self::Once(value),
            _ => Self::Unreadable,
        };
    }
}

impl<'h> MirrorHeaders<'h> {
    /// The era of a request, if headers and body agree on it.
    ///
    /// # Errors
    ///
    /// [`Malformed::HeaderMismatch`], [`Malformed::NoMeta`], [`Malformed::UnsupportedVersion`], or
    /// [`Malformed::NotAMessage`] for a version that is not one.
    pub fn era(&self, message: &Message<'_>, action: &Action<'_>) -> Result<Era, Malformed> {
        let mismatch = |what| Err(Malformed::HeaderMismatch(what));
        let in_body = body_version(message)?;
        // Before either is looked at alone: of two that differ, neither is what was asked for.
        if let (Mirror::Once(header), Some(body)) = (self.version, in_body)
            && header != body
            && !(is_older(header) && is_older(body))
        {
            return mismatch("`MCP-Protocol-Version` and `_meta` do not agree");
        }
        let header_era = self.version_era()?;
        let body_era = in_body.map(version_era).transpose()?;
        if header_era != Some(Era::Modern) && body_era != Some(Era::Modern) {
            return Ok(Era::Older);
        }
        match (self.version, in_body) {
            (Mirror::Once(_), Some(_)) => {}
            (Mirror::Once(_), None) => {
                return Err(Malformed::NoMeta("`_meta` does not name the protocol version"));
            }
            (Mirror::Absent | Mirror::Unreadable, _) => {
                return mismatch("`MCP-Protocol-Version` and `_meta` do not agree");
            }
        }
        match (self.method, message.method()) {
            (Mirror::Once(header), Some(method)) if header == method => {}
            _ => return mismatch("`Mcp-Method` and the body's method do not agree"),
        }
        // Methods that nobody lets through are refused for that, whatever they mirror.
        if !message.is_in(Era::Modern) || matches!(action, Action::Unknown) {
            return Ok(Era::Modern);
        }
        let name = match action {
            Action::CallTool { name, .. } | Action::Prompt { op: PromptOp::Get, name } => {
                Some(*name)
            }
            Action::Resource { op: ResourceOp::Read, uri } => Some(*uri),
            Action::Task { id } => *id,
            // What an extension mirrors is its own affair, as long as it is what the body says.
            Action::Extension(_) => match self.name {
                Mirror::Absent | Mirror::Unreadable => None,
                Mirror::Once(header) => NAMES.iter().find_map(|key| {
                    let said = message.params()?.get(key)?.as_str()?;
                    (decoded(header).as_deref() == Some(said)).then_some(said)
                }),
            },
            // What is mirrored is the name or URI in `params` itself.
            Action::Discover(_)
            | Action::Listen(_)
            | Action::Unknown
            | Action::Resource {
                op: ResourceOp::Complete | ResourceOp::Subscribe | ResourceOp::Unsubscribe,
                ..
            }
            | Action::Prompt { op: PromptOp::Complete, .. } => None,
        };
        match (self.name, name) {
            (Mirror::Absent, None) => Ok(Era::Modern),
            (Mirror::Once(header), Some(name)) if decoded(header).as_deref() == Some(name) => {
                Ok(Era::Modern)
            }
            _ => mismatch("`Mcp-Name` and the body's name do not agree"),
        }
    }

    /// The headers with those filled in that a client leaves out of `server/discover`, if that is
    /// put up with; what is there and says something else stays.
    #[must_use]
    pub fn filled_in<'m>(
        &self,
        message: &'m Message<'_>,
        put_up_with: &[Violation],
    ) -> (MirrorHeaders<'m>, Option<Violation>)
    where
        'h: 'm,
    {
        let Self { version, method, name } = *self;
        let violation = Violation::DiscoverWithoutMirrors;
        let discover = Method::ServerDiscover.as_str();
        let said = body_version(message).ok().flatten().filter(|said| *said == MODERN_VERSION);
        let missing = matches!(version, Mirror::Absent) || matches!(method, Mirror::Absent);
        match said {
            Some(said)
                if missing
                    && message.method() == Some(discover)
                    && put_up_with.contains(&violation) =>
            {
                let or = |mirror, value| match mirror {
                    Mirror::Absent => Mirror::Once(value),
                    Mirror::Once(_) | Mirror::Unreadable => mirror,
                };
                let headers = MirrorHeaders {
                    version: or(version, said),
                    method: or(method, discover),
                    name,
                };
                (headers, Some(violation))
            }
            _ => (*self, None),
        }
    }

    /// The revision that is asked for and not spoken, as the request spells it.
    #[must_use]
    pub fn requested<'m>(&'m self, message: Option<&'m Message<'_>>) -> Option<&'m str> {
        let header = match self.version {
            Mirror::Once(version) => Some(version),
            Mirror::Absent | Mirror::Unreadable => None,
        };
        let body = message.and_then(|message| body_version(message).ok().flatten());
        let known = |version: &&str| version_era(version).is_err();
        header.filter(known).or(body.filter(known))
    }

    /// The era of a request without a body.
    ///
    /// # Errors
    ///
    /// As [`MirrorHeaders::era`].
    pub fn bodiless_era(&self) -> Result<Era, Malformed> {
        Ok(self.version_era()?.unwrap_or(Era::Older))
    }

    fn version_era(&self) -> Result<Option<Era>, Malformed> {
        match self.version {
            Mirror::Absent => Ok(None),
            Mirror::Once(version) => version_era(version).map(Some),
            Mirror::Unreadable => Err(Malformed::HeaderMismatch("two `MCP-Protocol-Version`")),
        }
    }
}

fn body_version<'m>(message: &'m Message<'_>) -> Result<Option<&'m str>, Malformed> {
    let meta = message.params().and_then(|params| params.get("_meta")).and_then(Value::as_object);
    let Some(version) = meta.and_then(|meta| meta.get(META_VERSION)) else {
        return Ok(None);
    };
    version
        .as_str()
        .map(Some)
        .ok_or(Malformed::NotAMessage("the protocol version in `_meta` is not a string"))
}

/// The revisions that somebody can turn to who asked for one that is not spoken. Whoever says so in
/// `_meta` speaks none of the older ones that way: those are agreed on by `initialize`.
#[must_use]
pub fn spoken(message: Option<&Message<'_>>) -> Vec<&'static str> {
    let in_body = message.and_then(|message| body_version(message).ok().flatten());
    let older = if in_body.is_some() { &[] } else { OLDER_VERSIONS };
    older.iter().copied().chain([MODERN_VERSION]).collect()
}

fn is_older(version: &str) -> bool {
    OLDER_VERSIONS.contains(&version)
}

fn version_era(version: &str) -> Result<Era, Malformed> {
    if version == MODERN_VERSION {
        return Ok(Era::Modern);
    }
    if is_older(version) {
        return Ok(Era::Older);
    }
    Err(Malformed::UnsupportedVersion)
}

/// `Mcp-Name` may hold its value as `=?base64?…?=`.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="))
    else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
