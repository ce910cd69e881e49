//! A caller that is decided upon differently, as data and in words.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::PlaceWords;
use crate::identity::{UserName, Workload};

/// A caller, from somewhere, with arguments, at some time: enough to ask again.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Who is signed in.
    pub groups: Groups,
    /// The user, if it matters which one it is; else it is somebody whom no rule names.
    pub user: Option<UserName>,
    /// The scopes of the token, as far as they matter.
    pub scopes: Vec<Box<str>>,
    /// The calling workload; `None` if it proves no identity.
    pub workload: Option<Workload>,
    /// The channel that it names.
    pub channel: Option<Box<str>>,
    /// The two in the words of the policies.
    pub place: PlaceWords,
    /// The OAuth client that the token was issued to, if it matters.
    pub client: Option<Box<str>>,
    /// The arguments, if a tool is called: a JSON object.
    pub arguments: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The groups of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Nobody is signed in.
    NobodySignedIn,
    /// The token does not say.
    Unknown,
    /// Exactly these, by their names under the old and under the new policies. They differ where
    /// a group is new or gone, or has another name or other claims.
    Known {
        /// Under the old ones.
        old: Vec<Box<str>>,
        /// Under the new ones.
        new: Vec<Box<str>>,
    },
}

/// Arguments as somebody wants to read them: a text at the edge of a limit may be long.
fn shortened(arguments: &str) -> String {
    const MOST: usize = 120;
    let mut short: String = arguments.chars().take(MOST).collect();
    if short.len() < arguments.len() {
        let _ = write!(short, "… ({} bytes)", arguments.len());
    }
    short
}

/// `{finance, data-trained, scope:revenue} via ai-chat with {"limit":5}`
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user} ")?;
        }
        let scopes = self.scopes.iter().map(|scope| format!("scope:{scope}"));
        match &self.groups {
            Groups::NobodySignedIn => f.write_str("nobody")?,
            Groups::Unknown => {
                let held = std::iter::once("unknown groups".to_owned()).chain(scopes);
                write!(f, "{{{}}}", held.collect::<Vec<_>>().join(", "))?;
            }
            Groups::Known { old, new } => {
                let gone = old.iter().filter(|name| !new.contains(name));
                let names: Vec<_> =
                    new.iter().chain(gone).map(ToString::to_string).chain(scopes).collect();
                write!(f, "{{{}}}", names.join(", "))?;
            }
        }
        let PlaceWords { old, new } = &self.place;
        if let Some(place) = new.as_ref().or(old.as_ref()) {
            write!(f, " via {place}")?;
        }
        if let Some(client) = &self.client {
            write!(f, " with client {client}")?;
        }
        match &self.arguments {
            Some(arguments) if arguments != "{}" => write!(f, " with {}", shortened(arguments)),
            Some(_) | None => Ok(()),
        }
    }
}
