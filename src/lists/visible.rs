//! What a caller may use: one bit for each of what its server offers.

use std::sync::Arc;

use crate::policy::model::Offer;
use crate::policy::uri::{self, UriPattern};

/// One bit for each tool, resource or prompt of a server: whether it may be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits(Box<[u8]>);

impl Bits {
    /// So many bits, of which these are set. What lies beyond is left out.
    #[must_use]
    pub fn new(count: usize, set: impl IntoIterator<Item = usize>) -> Self {
        let mut bytes = vec![0; count.div_ceil(8)].into_boxed_slice();
        for index in set.into_iter().filter(|index| *index < count) {
            if let Some(byte) = bytes.get_mut(index / 8) {
                *byte |= 1 << (index % 8);
            }
        }
        Self(bytes)
    }

    /// The first bit is the lowest of the first byte.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The same bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether they are one for each of so many, and nothing is set beyond.
    fn are(&self, count: usize) -> bool {
        let beyond = count % 8;
        let last = self.0.last().map_or(0, |last| last >> beyond);
        self.0.len() == count.div_ceil(8) && (beyond == 0 || last == 0)
    }

    fn has(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }
}

/// What may be seen, of the kinds that an answer may list; `None` for a kind that it may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Tools.
    pub tools: Option<Bits>,
    /// Resources, and patterns of them.
    pub resources: Option<Bits>,
    /// Prompts.
    pub prompts: Option<Bits>,
}

/// What may be seen, and what its bits mean.
#[derive(Clone, Debug)]
pub struct Visible {
    offer: Arc<Offer>,
    shown: Shown,
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
    /// `None` if these are not the bits of this offer.
    #[must_use]
    pub fn new(offer: Arc<Offer>, shown: Shown) -> Option<Self> {
        let Shown { tools, resources, prompts } = &shown;
        let fit = |bits: &Option<Bits>, count| bits.as_ref().is_none_or(|bits| bits.are(count));
        let fits = fit(tools, offer.tools())
            && fit(resources, offer.resources().len())
            && fit(prompts, offer.prompts());
        fits.then_some(Self { offer, shown })
    }

    /// Whether an item may be seen; `None` if the answer may hold no such list.
    pub(super) fn shows(&self, list: List, item: &str) -> Option<bool> {
        let Self { offer, shown: Shown { tools, resources, prompts } } = self;
        let resources = resources.as_ref();
        match list {
            List::Tools => {
                tools.as_ref().map(|bits| offer.tool(item).is_some_and(|id| bits.has(id.index())))
            }
            List::Prompts => {
                let seen = |bits: &Bits| offer.prompt(item).is_some_and(|id| bits.has(id.index()));
                prompts.as_ref().map(seen)
            }
            List::Resources => resources.map(|bits| self.shows_uri(bits, item)),
            List::Templates => resources.map(|bits| self.shows_template(bits, item)),
        }
    }

    fn patterns(&self, bits: &Bits) -> impl Iterator<Item = &UriPattern> {
        let all = self.offer.resources().iter().enumerate();
        all.filter(|(index, _)| bits.has(*index)).map(|(_, pattern)| pattern)
    }

    fn shows_uri(&self, bits: &Bits, uri: &str) -> bool {
        uri::check(uri).is_ok() && self.patterns(bits).any(|pattern| pattern.matches(uri))
    }

    /// Whether whatever a template (RFC 6570) could become lies within a pattern, as far as what
    /// stands before its first variable says.
    fn shows_template(&self, bits: &Bits, template: &str) -> bool {
        let Some((prefix, _)) = template.split_once('{') else {
            return self.shows_uri(bits, template);
        };
        let whole = prefix.strip_suffix('/').unwrap_or(prefix);
        uri::check(whole).is_ok()
            && !prefix.contains('?')
            && self.patterns(bits).any(|pattern| match pattern {
                UriPattern::Below(start) => prefix.starts_with(&**start),
                UriPattern::Exact(_) => false,
            })
    }
}
