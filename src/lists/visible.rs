//! What a caller may use, as names.

use std::collections::HashSet;

use crate::policy::uri::{self, UriPattern};

/// What a caller may use, of the kinds that an answer may list; `None` for a kind that it may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// Names of tools.
    pub tools: Option<HashSet<Box<str>>>,
    /// URIs and patterns of resources.
    pub resources: Option<Vec<UriPattern>>,
    /// Names of prompts.
    pub prompts: Option<HashSet<Box<str>>>,
}

/// The lists of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl List {
    pub(super) const ALL: [Self; 4] =
        [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The member of a result that holds it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of an item that says which it is.
    pub(super) fn item_key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }
}

impl Visible {
    /// Whether an item may be seen; `None` if the answer may hold no such list.
    pub(super) fn shows(&self, list: List, item: &str) -> Option<bool> {
        let patterns = self.resources.as_ref();
        match list {
            List::Tools => self.tools.as_ref().map(|names| names.contains(item)),
            List::Prompts => self.prompts.as_ref().map(|names| names.contains(item)),
            List::Resources => patterns.map(|patterns| {
                uri::check(item).is_ok() && patterns.iter().any(|pattern| pattern.matches(item))
            }),
            List::Templates => patterns.map(|patterns| shows_template(patterns, item)),
        }
    }
}

/// Whether whatever a template (RFC 6570) could become lies within a pattern, as far as what stands
/// before its first variable says.
fn shows_template(patterns: &[UriPattern], template: &str) -> bool {
    let Some((prefix, _)) = template.split_once('{') else {
        return uri::check(template).is_ok() && patterns.iter().any(|it| it.matches(template));
    };
    let whole = prefix.strip_suffix('/').unwrap_or(prefix);
    uri::check(whole).is_ok()
        && !prefix.contains('?')
        && patterns.iter().any(|pattern| match pattern {
            UriPattern::Below(start) => prefix.starts_with(&**start),
            UriPattern::Exact(_) => false,
        })
}
