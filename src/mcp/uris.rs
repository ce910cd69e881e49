//! A list of URIs, all of which are strings.

use super::Malformed;
use crate::json::Value;

/// More in one request than clients listen to; each of them is decided on.
const MAX: usize = 256;

/// The URIs of a subscription.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uris<'m>(&'m [Value<'m>]);

impl<'m> Uris<'m> {
    pub(super) fn new(list: &'m [Value<'m>]) -> Result<Self, Malformed> {
        if list.len() > MAX {
            return Err(Malformed::NotAMessage("too many subscriptions in one request"));
        }
        if list.iter().any(|uri| uri.as_str().is_none()) {
            return Err(Malformed::NotAMessage("a subscription is not a string"));
        }
        Ok(Self(list))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = &'m str> {
        self.0.iter().filter_map(Value::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}
