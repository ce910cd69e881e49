//! Domains that addresses may lead to.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A domain name in lower case: never an IP address, in whatever notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(Box<str>);

/// Why a text is not a domain name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DomainNameError {
    /// Not letters, digits and inner hyphens between dots.
    #[error("a domain is written like `example.com`, in ASCII")]
    Grammar,
    /// It ends in what readers take for an IP address.
    #[error("the last part looks like an IP address; name a domain")]
    Number,
}

impl DomainName {
    /// Whether a host is this domain, ASCII case ignored.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        self.0.eq_ignore_ascii_case(host)
    }
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, DomainNameError> {
        let is_label = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > MAX_NAME || !text.split('.').all(is_label) {
            return Err(DomainNameError::Grammar);
        }
        // `1.2.3.4`, `127.1`, `0x7f000001`: URL readers take what ends in a number for an address.
        let last = text.rsplit('.').next().unwrap_or_default();
        if last.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(DomainNameError::Number);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
