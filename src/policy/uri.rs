//! URIs of resources, and the patterns that policies name them by.
//!
//! A URI that readers could normalize into another one is none: it is refused, and what is left
//! is compared byte for byte.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Longer than any resource's name.
const MAX_URI: usize = 2048;

/// One resource, or all of them below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriPattern {
    /// Exactly this URI.
    Exact(Box<str>),
    /// Every URI that goes on from here; written with a trailing `/*`, kept without the `*`.
    Below(Box<str>),
}

/// Why a text is not a URI or pattern.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UriError {
    /// Longer than the limit, or empty.
    #[error("a URI is 1 to {MAX_URI} bytes")]
    Length,
    /// A character that RFC 3986 does not know, or that readers treat differently.
    #[error("a URI is printable ASCII without blanks, quotes, brackets, braces and backslashes")]
    Character,
    /// No scheme, or one that is not lower case.
    #[error("a URI starts with a scheme in lower case, such as `db:`")]
    Scheme,
    /// User info, or a host that is not lower case.
    #[error("the host is written in lower case, without a user")]
    Authority,
    /// Dot segments, or two slashes in a row, or one at the end.
    #[error("a path has no empty parts, no `.` and no `..`")]
    Segment,
    /// `%2e`, `%2f`, `%5c`, `%25`, an encoded control character, or a `%` that encodes nothing.
    #[error("dots, slashes, backslashes, percent signs and control characters are not encoded")]
    Encoding,
    /// `#`
    #[error("a resource's URI has no fragment")]
    Fragment,
    /// A pattern that does not hold a scheme and a host and end in `/*`.
    #[error("a pattern is written `scheme://host/*` or `scheme://host/path/*`")]
    Pattern,
}

/// Whether a text is a URI that only one resource can be meant by.
///
/// # Errors
///
/// One variant per broken rule.
pub fn check(uri: &str) -> Result<(), UriError> {
    if uri.is_empty() || uri.len() > MAX_URI {
        return Err(UriError::Length);
    }
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    if !uri.bytes().all(allowed) {
        return Err(UriError::Character);
    }
    if uri.contains('#') {
        return Err(UriError::Fragment);
    }
    let (scheme, rest) = uri.split_once(':').ok_or(UriError::Scheme)?;
    let in_scheme =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.bytes().all(in_scheme) {
        return Err(UriError::Scheme);
    }
    encodings(rest)?;
    let (before_query, _) = rest.split_once('?').unwrap_or((rest, ""));
    let path = match before_query.strip_prefix("//") {
        None => before_query,
        Some(rest) => {
            let (authority, path) =
                rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
            let in_authority = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._~:".contains(&byte)
            };
            if !authority.bytes().all(in_authority) {
                return Err(UriError::Authority);
            }
            match path {
                None => {
                    return if authority.is_empty() { Err(UriError::Authority) } else { Ok(()) };
                }
                Some(path) => path,
            }
        }
    };
    // What some servers take for parameters of a segment (`..;x`) they cut off before they look at
    // the dots.
    let bare = |segment: &str| matches!(segment.split(';').next(), Some("" | "." | "..") | None);
    if path.split('/').any(bare) {
        return Err(UriError::Segment);
    }
    Ok(())
}

fn encodings(text: &str) -> Result<(), UriError> {
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3);
        let byte = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            // Delimiters once more, for readers that decode first.
            None | Some(b'.' | b'/' | b'\\' | b'%' | b'?' | b'#' | b';' | 0x00..=0x1F | 0x7F) => {
                return Err(UriError::Encoding);
            }
            Some(_) => {}
        }
    }
    if percent_decode_str(text).decode_utf8().is_err() {
        return Err(UriError::Encoding);
    }
    Ok(())
}

impl UriPattern {
    /// Whether the pattern names a URI that has passed [`check`]. Below a path a query is not
    /// named: what it adds is known to the server only.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *uri,
            Self::Below(start) => uri.starts_with(&**start) && !uri.contains('?'),
        }
    }

    /// Whether some URI is named by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(uri), pattern) | (pattern, Self::Exact(uri)) => pattern.matches(uri),
            (Self::Below(a), Self::Below(b)) => a.starts_with(&**b) || b.starts_with(&**a),
        }
    }
}

impl FromStr for UriPattern {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let Some(start) = text.strip_suffix('*') else {
            // Elsewhere a `*` would look like a wildcard and be none.
            if text.contains('*') {
                return Err(UriError::Pattern);
            }
            check(text)?;
            return Ok(Self::Exact(text.into()));
        };
        // What stands before `/*` is a URI with a host, and no `*` but the last has a meaning.
        let root = start.strip_suffix('/').ok_or(UriError::Pattern)?;
        let host = root.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        if host.is_empty() || host.starts_with('/') || root.contains(['*', '?']) {
            return Err(UriError::Pattern);
        }
        check(root)?;
        Ok(Self::Below(start.into()))
    }
}

impl fmt::Display for UriPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(uri) => f.write_str(uri),
            Self::Below(start) => write!(f, "{start}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_uri_is_none() {
        use UriError::*;
        for uri in [
            "db://warehouse/tables/ads.clicks",
            "db://warehouse",
            "file:///etc/hosts",
            "urn:isbn:123",
            "memo://insights",
            "http://127.0.0.1:8080/a%20b",
            "db://w/a?b=c",
            "db://w/a*",
            "db://w/...",
            "db://w/.hidden",
            "db://w/a;v=1",
            "db://w/%C3%A9",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
        let long = format!("db://w/{}", "a".repeat(2048));
        for (uri, error) in [
            ("", Length),
            (long.as_str(), Length),
            ("tables/a", Scheme),
            ("//w/a", Scheme),
            (":a", Scheme),
            ("DB://w/a", Scheme),
            ("1db://w/a", Scheme),
            ("db://W/a", Authority),
            ("db://u@w/a", Authority),
            ("db://u:p@w/a", Authority),
            ("db://w%41/a", Authority),
            ("db://", Authority),
            ("db://w/", Segment),
            ("db://w/a/", Segment),
            ("db://w//a", Segment),
            ("db://w/a/../b", Segment),
            ("db://w/..", Segment),
            ("db://w/./a", Segment),
            ("db:a/../b", Segment),
            ("file:///", Segment),
            ("file:////a", Segment),
            ("db:", Segment),
            ("db://w/%2e%2e/b", Encoding),
            ("db://w/a%2Fb", Encoding),
            ("db://w/a%5cb", Encoding),
            ("db://w/a%252fb", Encoding),
            ("db://w/a%00", Encoding),
            ("db://w/a%0A", Encoding),
            ("db://w/a%", Encoding),
            ("db://w/a%2", Encoding),
            ("db://w/a%+1", Encoding),
            ("db://w/a?b=%2e", Encoding),
            ("db://w/a%3Fall=1", Encoding),
            ("db://w/a%23b", Encoding),
            ("db://w/..%3b/b", Encoding),
            ("db://w/%C0%AE%C0%AE/b", Encoding),
            ("db://w/a/..;/b", Segment),
            ("db://w/a/;x/b", Segment),
            ("db://w/a#b", Fragment),
            ("db://w/a b", Character),
            ("db://w/a\\b", Character),
            ("db://w/é", Character),
            ("db://[::1]/a", Character),
            ("db://w/{table}", Character),
            ("db://w/a\n", Character),
            ("db://w/a\0", Character),
        ] {
            assert_eq!(check(uri), Err(error), "{uri}");
        }
    }

    #[test]
    fn a_pattern_names_what_is_below_it() {
        let pattern: UriPattern = "db://w/tables/*".parse().unwrap();
        for (uri, expected) in [
            ("db://w/tables/a", true),
            ("db://w/tables/a/b", true),
            ("db://w/tables", false),
            ("db://w/tablesx/a", false),
            ("db://wx/tables/a", false),
            ("db://w/tables/a?all=1", false),
            ("db2://w/tables/a", false),
        ] {
            assert_eq!(pattern.matches(uri), expected, "{uri}");
        }
        for text in [
            "*",
            "/*",
            "db:*",
            "db:/*",
            "db://*",
            "db:///*",
            "db://*/a",
            "db://w*",
            "db://w/a*",
            "db://w/*/*",
            "db://w/*/a*",
            "db://w/a?/*",
            "db://w/../*",
            "db://W/*",
            "db://u@w/*",
        ] {
            let parsed = text.parse::<UriPattern>();
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }

    #[test]
    fn overlaps_is_symmetric() {
        let parse = |text: &str| text.parse::<UriPattern>().unwrap();
        for (a, b, expected) in [
            ("db://w/*", "db://w/a/*", true),
            ("db://w/*", "db://w/a", true),
            ("db://w/a/*", "db://w/a", false),
            ("db://w/a/*", "db://w/ab/*", false),
            ("db://w/*", "db://v/*", false),
            ("db://w/a", "db://w/a", true),
        ] {
            assert_eq!(parse(a).overlaps(&parse(b)), expected, "{a} {b}");
            assert_eq!(parse(b).overlaps(&parse(a)), expected, "{b} {a}");
        }
    }
}
