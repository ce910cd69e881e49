//! What names may look like. Names compare byte for byte.

use thiserror::Error;
use url::Url;

use super::uri::{UriError, UriPattern};

/// The longest name of a server, surface, channel, service, environment, grant or ban.
const MAX_NAME: usize = 63;

/// The longest group or tool name.
const MAX_LONG_NAME: usize = 128;
/// The longest URL.
const MAX_URL: usize = 2048;

/// Everybody with a valid token; never a group's name.
pub(crate) const ANYONE: &str = "anyone-signed-in";

/// What names look like, for editors: regular expressions that JavaScript, Python and Rust read
/// alike. The checks below decide.
pub(crate) mod pattern {
    /// [`super::plain`]
    pub(crate) const PLAIN: &str = "^[a-z0-9-]{1,63}$";
    /// [`super::review`]
    pub(crate) const REVIEW: &str = "^[A-Za-z0-9._-]{1,63}$";
    /// [`super::group`], without its length and the word of the language
    pub(crate) const GROUP: &str =
        r"^[^\x00-\x20\x7F-\xA0]([^\x00-\x1F\x7F-\x9F]*[^\x00-\x20\x7F-\xA0])?$";
    /// [`super::tool`] and [`super::channel_id`]
    pub(crate) const TOOL: &str = "^[!-~]{1,128}$";
    /// [`super::scope`]
    pub(crate) const SCOPE: &str = r"^[!#-\[\]-~]{1,128}$";
    /// [`super::resource`], in part
    pub(crate) const RESOURCE: &str = r"^https://[a-z0-9.:\[\]-]+(/[^?#\s]*)?$";
    /// [`crate::mcp::is_extension`], in part
    pub(crate) const EXTENSION: &str = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$";
    /// [`super::uri`], in part
    pub(crate) const URI: &str = r"^[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%-]+$";
}

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
    #[error(
        "a scope is 1 to {MAX_LONG_NAME} printable ASCII characters without blanks, quotes and backslashes"
    )]
    Scope,
    #[error("write `https://host/path` as a browser would, without user, query and fragment")]
    Resource,
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

/// A server's own resource (RFC 8707 §2). Tokens name it byte for byte, so it is written in one way.
pub(super) fn resource(text: &str) -> Result<(), NameError> {
    let plain = Url::parse(text).is_ok_and(|url| {
        let written = url.as_str();
        url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && (written == text || written.strip_suffix('/') == Some(text))
    });
    if plain && text.len() <= MAX_URL { Ok(()) } else { Err(NameError::Resource) }
}

/// The identifier of a channel in its chat system.
pub(super) fn channel_id(text: &str) -> Result<(), NameError> {
    check(text, MAX_LONG_NAME, NameError::ChannelId, |c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    type Check = fn(&str) -> Result<(), NameError>;

    #[test]
    fn editors_are_told_what_is_checked() {
        let long = |length| "a".repeat(length);
        let texts = [
            "",
            "a",
            "a-1",
            "-",
            "A",
            "a_b",
            "a.b",
            "a b",
            " a",
            "a ",
            "a\tb",
            "a\u{a0}",
            "é",
            "aé",
            "a\n",
            "a\u{85}b",
            "#C1",
            "~",
            "db://w/a",
            "db://w/*",
            "7:a",
            "D:a",
            "db:",
            "urn:x:y",
            "db://w/a b",
            "a\"b",
            "a\\b",
            "[]!#",
            "\u{7f}",
        ];
        let texts = texts.map(str::to_owned).into_iter();
        let texts: Vec<_> = texts.chain([63, 64, 128, 129].map(long)).collect();
        let rows: [(&str, Check); 7] = [
            (pattern::PLAIN, plain),
            (pattern::REVIEW, review),
            (pattern::GROUP, |text| if text.len() > MAX_LONG_NAME { Ok(()) } else { group(text) }),
            (pattern::TOOL, tool),
            (pattern::TOOL, channel_id),
            (pattern::SCOPE, scope),
            (pattern::URI, uri),
        ];
        for (pattern, check) in rows {
            let regex = Regex::new(pattern).unwrap();
            for text in &texts {
                assert_eq!(regex.is_match(text), check(text).is_ok(), "{pattern} {text:?}");
            }
        }
    }
}
