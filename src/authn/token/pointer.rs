//! Where a claim stands: JSON Pointers (RFC 6901).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::json::Value;

/// A JSON Pointer to a member of a token's payload. Names are never split at dots, since claims
/// are called `https://app.example.com/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPointer(Vec<Box<str>>);

/// Why a text is no JSON Pointer to a claim.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ClaimPointerError {
    /// RFC 6901 §3: `json-pointer = *( "/" reference-token )`; the empty one means the payload.
    #[error("it starts with `/`")]
    NoSlash,
    /// RFC 6901 §3: `~0` and `~1` are the only escapes.
    #[error("`~` is followed by 0 or 1")]
    Escape,
}

impl ClaimPointer {
    /// The claim of that name, at the top of the payload.
    #[must_use]
    pub fn member(name: &str) -> Self {
        Self(vec![name.into()])
    }

    /// A claim within claims.
    #[must_use]
    pub fn members(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).into()).collect())
    }

    /// The name at the top of the payload.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(|name| &**name)
    }

    /// The claim's own name.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(|name| &**name)
    }

    /// What stands there.
    #[must_use]
    pub fn of<'v, 'a>(&self, payload: &'v Value<'a>) -> Option<&'v Value<'a>> {
        payload.pointer(&self.0)
    }

    /// Whether something stands in the way that has no members: the claim is not absent, it is
    /// unreadable.
    #[must_use]
    pub fn is_blocked(&self, payload: &Value<'_>) -> bool {
        let mut value = payload;
        for name in &self.0 {
            let Some(members) = value.as_object() else {
                return true;
            };
            let Some(member) = members.get(name) else {
                return false;
            };
            value = member;
        }
        false
    }
}

impl FromStr for ClaimPointer {
    type Err = ClaimPointerError;

    fn from_str(text: &str) -> Result<Self, ClaimPointerError> {
        let tokens = text.strip_prefix('/').ok_or(ClaimPointerError::NoSlash)?;
        let tokens = tokens.split('/').map(|token| {
            if token.replace("~0", "").replace("~1", "").contains('~') {
                return Err(ClaimPointerError::Escape);
            }
            Ok(token.replace("~1", "/").replace("~0", "~").into())
        });
        Ok(Self(tokens.collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for ClaimPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_members() {
        for (text, names) in [
            ("/groups", &["groups"][..]),
            ("/realm_access/roles", &["realm_access", "roles"]),
            ("/https:~1~1app.example.com~1groups", &["https://app.example.com/groups"]),
            ("/a~0b~01", &["a~b~1"]),
            ("/", &[""]),
        ] {
            let pointer: ClaimPointer = text.parse().unwrap();
            assert_eq!(pointer, ClaimPointer::members(names), "{text}");
            assert_eq!(pointer.to_string(), text);
        }
        for (text, error) in [
            ("", ClaimPointerError::NoSlash),
            ("groups", ClaimPointerError::NoSlash),
            ("/a~2", ClaimPointerError::Escape),
            ("/a~", ClaimPointerError::Escape),
        ] {
            assert_eq!(text.parse::<ClaimPointer>(), Err(error), "{text}");
        }
    }
}
