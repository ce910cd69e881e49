//! What names may look like. Names compare byte for byte.

use thiserror::Error;

use super::uri::{UriError, UriPattern};

/// The longest name of a server, surface, channel, service, environment, grant or ban.
const MAX_NAME: usize = 63;

/// The longest group or tool name.
const MAX_LONG_NAME: usize = 128;

/// Everybody with a valid token; never a group's name.
pub(super) const ANYONE: &str = "anyone-signed-in";

/// Words by which people mean [`ANYONE`]. A hint only: they are fine names for groups.
pub(super) fn means_anyone(text: &str) -> bool {
    let words = ["all", "any", "anybody", "anyone", "authenticated", "everybody", "everyone", "*"];
    words.contains(&text) || text == ANYONE
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum NameError {
    #[error("a name is 1 to {MAX_NAME} of a-z, 0-9 and `-`")]
    Plain,
    #[error("a review is 1 to {MAX_NAME} of A-Z, a-z, 0-9, `-`, `_` and `.`")]
    Review,
    #[error("a group is 1 to {MAX_LONG_NAME} bytes without control characters or outer blanks")]
    Group,
    #[error("`{ANYONE}` is a word of the language")]
    Reserved,
    #[error("a tool is 1 to {MAX_LONG_NAME} printable ASCII characters without blanks")]
    Tool,
    #[error("an ID is 1 to {MAX_LONG_NAME} printable ASCII characters without blanks")]
    ChannelId,
    #[error("a scope is printable ASCII without blanks, quotes and backslashes")]
    Scope,
    #[error("a method is printable ASCII without blanks, such as `vendor/method`")]
    Method,
    #[error(transparent)]
    Uri(UriError),
}

fn check(
    text: &str,
    max: usize,
    error: NameError,
    ok: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    if !text.is_empty() && text.len() <= max && text.chars().all(ok) { Ok(()) } else { Err(error) }
}

/// A server, surface, channel, service, environment, grant or ban.
pub(super) fn plain(text: &str) -> Result<(), NameError> {
    check(text, MAX_NAME, NameError::Plain, |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
    })
}

/// A review's identifier.
pub(super) fn review(text: &str) -> Result<(), NameError> {
    check(text, MAX_NAME, NameError::Review, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
    })
}

/// A group. Identity providers allow nearly anything; what would look like another group on the
/// screen is refused.
pub(super) fn group(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::Group, |c| !c.is_control())?;
    if text == ANYONE {
        return Err(NameError::Reserved);
    }
    if text.trim() == text { Ok(()) } else { Err(NameError::Group) }
}

/// A tool.
pub(super) fn tool(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::Tool, |c| c.is_ascii_graphic())
}

/// A resource's URI or pattern.
pub(super) fn uri(text: &str) -> Result<(), NameError> {
    text.parse::<UriPattern>().map(|_| ()).map_err(NameError::Uri)
}

/// An OAuth scope (RFC 6749 §3.3).
pub(super) fn scope(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::Scope, |c| {
        c.is_ascii_graphic() && !matches!(c, '"' | '\\')
    })
}

/// A JSON-RPC method.
pub(super) fn method(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::Method, |c| c.is_ascii_graphic())
}

/// The identifier of a channel in its chat system.
pub(super) fn channel_id(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::ChannelId, |c| c.is_ascii_graphic())
}
