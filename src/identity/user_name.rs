//! Users by name, as policies write them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::User;

/// One user: `issuer:subject`, with the issuer's configured name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName {
    issuer: Box<str>,
    subject: Box<str>,
}

/// Why a text is not a user's name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UserNameError {
    /// Without an issuer, subjects of two issuers could be taken for each other.
    #[error("write `issuer:subject`, with the issuer's configured name")]
    NoIssuer,
    /// Nobody has an empty subject, or one with blanks at its ends.
    #[error("the subject is empty, or has blanks at its ends")]
    Subject,
}

impl UserName {
    /// The issuer's configured name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token's subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether this is the user's name. An email address never is.
    #[must_use]
    pub fn is(&self, user: &User) -> bool {
        let Self { issuer, subject } = self;
        *issuer == user.issuer && *subject == user.subject
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let (issuer, subject) = text.split_once(':').ok_or(UserNameError::NoIssuer)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        // `https://…` is an issuer's URL where its name belongs.
        if issuer.is_empty() || !issuer.chars().all(plain) || subject.starts_with("//") {
            return Err(UserNameError::NoIssuer);
        }
        if subject.is_empty() || subject.trim() != subject {
            return Err(UserNameError::Subject);
        }
        Ok(Self { issuer: issuer.into(), subject: subject.into() })
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, subject } = self;
        write!(f, "{issuer}:{subject}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_with_the_issuer() {
        for (text, issuer, subject) in [
            ("corp:alice", "corp", "alice"),
            ("corp-2:auth0|6f:3a", "corp-2", "auth0|6f:3a"),
            ("corp:Zoë", "corp", "Zoë"),
        ] {
            let name: UserName = text.parse().unwrap();
            assert_eq!(
                (name.issuer(), name.subject(), name.to_string().as_str()),
                (issuer, subject, text)
            );
        }
        for text in ["alice", ":alice", "Corp:alice", "https://login.example.com:alice", "a b:c"] {
            assert_eq!(text.parse::<UserName>(), Err(UserNameError::NoIssuer), "{text}");
        }
        for text in ["corp:", "corp: alice", "corp:alice "] {
            assert_eq!(text.parse::<UserName>(), Err(UserNameError::Subject), "{text}");
        }
    }
}
