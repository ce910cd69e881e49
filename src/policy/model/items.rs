//! What servers offer: tools, resources and prompts.

use super::{Few, PromptId, ResourceId, ToolId};
use crate::identity::GroupSet;
use crate::policy::limits::{Limit, Pointer};
use crate::policy::uri::UriPattern;

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: Box<str>,
    /// What calling it does.
    pub effect: Effect,
    /// What else the review found.
    pub traits: Few<Trait>,
    /// Who must agree to each call.
    pub approval: Option<Approver>,
    /// Minutes that one call saves a person, by the owner's estimate.
    pub minutes_saved: u32,
    /// What its arguments must be, whoever calls.
    pub limits: Box<[Limit]>,
    /// The only arguments it takes; `None` if any are taken.
    pub accepts: Option<Box<[Box<str>]>>,
    /// The arguments that may stand in the record of a call; no other may.
    pub log_args: Few<Pointer>,
}

/// What calling a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Looks.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Changes something that cannot.
    Destructive,
}

/// What else a review found about a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// Touches data that not every colleague may see.
    Sensitive,
    /// Reaches beyond the company.
    External,
    /// Costs noticeable money.
    Costly,
}

/// Who must agree to a call, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approver {
    /// The caller confirms.
    Caller,
    /// Somebody else.
    AnotherPerson,
    /// Somebody else, from one of these groups.
    Groups(GroupSet),
}

/// A resource, or all resources below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Which.
    pub pattern: UriPattern,
    /// What reading it does.
    pub effect: Effect,
    /// What else the review found.
    pub traits: Few<Trait>,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its name.
    pub name: Box<str>,
    /// What getting it does.
    pub effect: Effect,
    /// What else the review found.
    pub traits: Few<Trait>,
}

/// A tool, resource or prompt of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemId {
    /// A tool.
    Tool(ToolId),
    /// A resource.
    Resource(ResourceId),
    /// A prompt.
    Prompt(PromptId),
}

/// What a rule names, by verb; each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Tools that may be called.
    pub call: Box<[ToolId]>,
    /// Resources that may be read.
    pub read: Few<ResourceId>,
    /// Prompts that may be got.
    pub prompt: Few<PromptId>,
}

/// What somebody asks for, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'s> {
    /// Which it is.
    pub id: ItemId,
    /// What using it does.
    pub effect: Effect,
    /// What else the review found.
    pub traits: &'s [Trait],
    /// Who must agree.
    pub approval: Option<&'s Approver>,
}

// === impl Items ===

impl Items {
    /// Whether the item is named.
    #[must_use]
    pub fn contains(&self, item: ItemId) -> bool {
        match item {
            ItemId::Tool(id) => self.call.binary_search(&id).is_ok(),
            ItemId::Resource(id) => self.read.binary_search(&id).is_ok(),
            ItemId::Prompt(id) => self.prompt.binary_search(&id).is_ok(),
        }
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { call, read, prompt } = self;
        call.is_empty() && read.is_empty() && prompt.is_empty()
    }
}

// === impl Target ===

impl<'s> Target<'s> {
    /// Whether a service may be granted it: a read that is neither sensitive nor external.
    #[must_use]
    pub fn is_plain_read(&self) -> bool {
        self.effect == Effect::Read
            && !self.traits.contains(&Trait::Sensitive)
            && !self.traits.contains(&Trait::External)
    }

    /// A tool as a target.
    #[must_use]
    pub fn tool((id, tool): (ToolId, &'s Tool)) -> Self {
        Self {
            id: ItemId::Tool(id),
            effect: tool.effect,
            traits: &tool.traits,
            approval: tool.approval.as_ref(),
        }
    }

    /// A resource as a target.
    #[must_use]
    pub fn resource((id, resource): (ResourceId, &'s Resource)) -> Self {
        let Resource { pattern: _, effect, traits } = resource;
        Self { id: ItemId::Resource(id), effect: *effect, traits, approval: None }
    }

    /// A prompt as a target.
    #[must_use]
    pub fn prompt((id, prompt): (PromptId, &'s Prompt)) -> Self {
        let Prompt { name: _, effect, traits } = prompt;
        Self { id: ItemId::Prompt(id), effect: *effect, traits, approval: None }
    }
}

// === impl Effect, Trait ===

impl Effect {
    /// Every effect, by its name in policies.
    pub const ALL: [(&'static str, Self); 3] =
        [("read", Self::Read), ("write", Self::Write), ("destructive", Self::Destructive)];
}

impl Trait {
    /// Every trait, by its name in policies.
    pub const ALL: [(&'static str, Self); 3] =
        [("sensitive", Self::Sensitive), ("external", Self::External), ("costly", Self::Costly)];
}
