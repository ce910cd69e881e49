//! A server's tools, resources and prompts, and what names them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Lowering;
use super::common::Offers;
use crate::diagnostics::{Code, Diagnostic, Place, did_you_mean};
use crate::policy::limits::Pointer;
use crate::policy::model::{
    Few, ItemId, Items, Offered, Prompt, PromptId, Resource, ResourceId, Server, Set, Tool, ToolId,
};
use crate::policy::raw::{RawItem, RawServer, RawTool, RawVerbs, Text};
use crate::policy::uri::UriPattern;

/// The names that a verb of one server understands: items, and sets of items.
pub(super) struct Named<'r> {
    tools: Vec<NamedItem<'r>>,
    resources: Vec<NamedItem<'r>>,
    prompts: Vec<NamedItem<'r>>,
}

/// An item, and the sets that it is in.
struct NamedItem<'r> {
    name: Cow<'r, str>,
    sets: Vec<&'r str>,
}

impl<'r> Named<'r> {
    /// Those of a file that is being read.
    pub(super) fn new(raw: &'r RawServer<'r>) -> Self {
        let named = |item: &'r RawItem<'r>| NamedItem {
            name: item.name.value.into(),
            sets: item.sets.iter().map(|set| set.value).collect(),
        };
        Self {
            tools: raw.tools.iter().map(|tool| named(&tool.item)).collect(),
            resources: raw.resources.iter().map(named).collect(),
            prompts: raw.prompts.iter().map(named).collect(),
        }
    }

    /// Those of a server whose file has been read.
    pub(super) fn kept(server: &'r Server) -> Self {
        let sets = &server.offered.sets;
        let within = |item: ItemId| {
            let sets = sets.iter().filter(move |set| set.items.contains(item));
            sets.map(|set| &*set.name).collect()
        };
        let tools = (0..).map(ToolId).zip(server.tools());
        let resources = (0..).map(ResourceId).zip(server.resources());
        let prompts = (0..).map(PromptId).zip(server.prompts());
        let tool = |(id, tool): (ToolId, &'r Tool)| NamedItem {
            name: (&*tool.name).into(),
            sets: within(ItemId::Tool(id)),
        };
        let resource = |(id, resource): (ResourceId, &'r Resource)| NamedItem {
            name: resource.pattern.to_string().into(),
            sets: within(ItemId::Resource(id)),
        };
        let prompt = |(id, prompt): (PromptId, &'r Prompt)| NamedItem {
            name: (&*prompt.name).into(),
            sets: within(ItemId::Prompt(id)),
        };
        Self {
            tools: tools.map(tool).collect(),
            resources: resources.map(resource).collect(),
            prompts: prompts.map(prompt).collect(),
        }
    }

    /// Whether a verb may name that.
    pub(super) fn has(&self, verb: Verb, name: &str) -> bool {
        let items = match verb {
            Verb::Call => &self.tools,
            Verb::Read => &self.resources,
            Verb::Prompt => &self.prompts,
        };
        items.iter().any(|item| item.is_meant(name))
    }

    fn sets(&self) -> Few<Set> {
        let (tools, resources, prompts) = (&self.tools, &self.resources, &self.prompts);
        let all = || tools.iter().chain(resources).chain(prompts);
        let names: BTreeSet<_> = all().flat_map(|item| &item.sets).copied().collect();
        let set = |name: &str| Set {
            name: name.into(),
            items: Items {
                call: within(tools, name, ToolId).collect(),
                read: within(resources, name, ResourceId).collect(),
                prompt: within(prompts, name, PromptId).collect(),
            },
        };
        names.into_iter().map(set).collect()
    }
}

impl NamedItem<'_> {
    /// Whether a name means it: its own, or that of a set that it is in.
    fn is_meant(&self, name: &str) -> bool {
        *self.name == *name || self.sets.contains(&name)
    }
}

/// The items of a set.
fn within<Id>(items: &[NamedItem<'_>], set: &str, id: fn(u32) -> Id) -> impl Iterator<Item = Id> {
    let items = (0_u32..).zip(items).filter(move |(_, item)| item.sets.contains(&set));
    items.map(move |(index, _)| id(index))
}

/// What a rule does with what it names.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Call,
    Read,
    Prompt,
}

impl Lowering<'_> {
    /// What a server offers.
    pub(super) fn offered(&mut self, raw: &RawServer<'_>) -> Arc<Offered> {
        let tools = raw.tools.iter().map(|tool| self.tool(tool)).collect();
        let mut resources = Vec::new();
        let mut patterns: Vec<(UriPattern, Text<'_>)> = Vec::new();
        for RawItem { name, effect, traits, sets: _ } in &raw.resources {
            // What is none was reported when it was read.
            let Ok(pattern) = name.value.parse::<UriPattern>() else { continue };
            if let Some((_, other)) = patterns.iter().find(|(other, _)| other.overlaps(&pattern)) {
                let message = format!("`{}` and `{}` overlap", other.value, name.value);
                self.report(
                    Diagnostic::error(Code::Conflict, name.place, message)
                        .related(other.place, "first here")
                        .help(
                            "narrow one of them: every resource has one effect and is granted by one name",
                        ),
                );
            }
            patterns.push((pattern.clone(), *name));
            let traits = traits.iter().copied().collect();
            resources.push(Resource { pattern, effect: *effect, traits });
        }
        let prompt = |RawItem { name, effect, traits, sets: _ }: &RawItem<'_>| {
            let (name, traits) = (name.value.into(), traits.iter().copied().collect());
            Prompt { name, effect: *effect, traits }
        };
        let prompts = raw.prompts.iter().map(prompt).collect();
        self.one_name_space(raw);
        let sets = Named::new(raw).sets();
        let resources = resources.into_iter().collect();
        self.common.offered(raw.tools_digest, Offers { tools, resources, prompts, sets })
    }

    /// ⚠ A name that is a tool's and a set's could grant more than the reader of a grant sees.
    fn one_name_space(&mut self, raw: &RawServer<'_>) {
        let tools = || raw.tools.iter().map(|tool| &tool.item);
        let all = || tools().chain(&raw.resources).chain(&raw.prompts);
        for set in all().flat_map(|item| &item.sets) {
            let Some(item) = all().find(|item| item.name.value == set.value) else {
                continue;
            };
            let message = format!("`{}` is also the name of a set", item.name.value);
            self.report(
                Diagnostic::error(Code::Conflict, set.place, message)
                    .related(item.name.place, "named here")
                    .help("tools, prompts and sets share one name space: rename the set"),
            );
        }
    }

    fn tool(&mut self, raw: &RawTool<'_>) -> Tool {
        let RawTool { item, approval, minutes_saved, limits, accepts, log_args } = raw;
        let RawItem { name, effect, traits, sets: _ } = item;
        if let Some(accepts) = accepts {
            let accepts: Vec<_> = accepts.iter().map(|text| text.value).collect();
            let limited = limits.iter().map(|limit| (&limit.value.pointer, limit.place));
            let logged = log_args.iter().map(|pointer| (&pointer.value, pointer.place));
            self.pointers_within(limited.chain(logged), name.value, &accepts);
        }
        let boxed = |names: &Vec<Text<'_>>| names.iter().map(|name| name.value.into()).collect();
        Tool {
            name: name.value.into(),
            effect: *effect,
            traits: traits.iter().copied().collect(),
            approval: self.approval(*name, *effect, traits, approval.as_ref()),
            minutes_saved: *minutes_saved,
            limits: limits.iter().map(|limit| self.common.limit(&limit.value)).collect(),
            accepts: accepts.as_ref().map(boxed),
            log_args: log_args.iter().map(|pointer| pointer.value.clone()).collect(),
        }
    }

    /// What the verbs of a rule name.
    pub(super) fn verbs(&mut self, raw: &RawVerbs<'_>, named: &Named<'_>) -> Items {
        let RawVerbs { call, read, prompt } = raw;
        let (tools, resources, prompts) = (&named.tools, &named.resources, &named.prompts);
        let call = self.verb(call, tools, "tool", "the server's `tools`", ToolId);
        let read = self.verb(read, resources, "resource", "the server's `resources`", ResourceId);
        let prompt = self.verb(prompt, prompts, "prompt", "the server's `prompts`", PromptId);
        Items { call, read: read.into(), prompt: prompt.into() }
    }

    /// The items that the names of one verb mean: each an item's own, or a set's. There is no
    /// pattern and no "all".
    fn verb<Id: Ord>(
        &mut self,
        names: &[Text<'_>],
        items: &[NamedItem<'_>],
        what: &str,
        declared_in: &str,
        id: fn(u32) -> Id,
    ) -> Box<[Id]> {
        let mut ids = Vec::new();
        for name in names {
            let before = ids.len();
            let found = (0_u32..).zip(items).filter(|(_, item)| item.is_meant(name.value));
            ids.extend(found.map(|(index, _)| id(index)));
            if ids.len() > before {
                continue;
            }
            if what == "tool" && name.value.contains('*') {
                let message = format!("unknown tool `{}`", name.value);
                self.report(
                    Diagnostic::error(Code::UnknownTool, name.place, message)
                        .help("there are no wildcards: name each tool, or a set of them"),
                );
            } else {
                let own = items.iter().map(|item| &*item.name);
                let sets = items.iter().flat_map(|item| &item.sets).copied();
                let candidates: Vec<_> = own.chain(sets).map(str::to_owned).collect();
                let what = format!("{what} or set");
                self.unknown(Code::UnknownTool, *name, &what, declared_in, &candidates);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids.into()
    }

    /// A limit on an argument that the tool does not take would hold for nothing, and the argument
    /// that was meant would have none.
    pub(super) fn pointers_within<'p>(
        &mut self,
        pointers: impl Iterator<Item = (&'p Pointer, Place)>,
        tool: &str,
        accepts: &[&str],
    ) {
        for (pointer, place) in pointers {
            let argument = pointer.argument();
            if accepts.contains(&argument) {
                continue;
            }
            let message = format!("`{tool}` does not accept `{argument}`");
            let help = match did_you_mean(argument, accepts.iter().copied()) {
                Some(near) => format!("did you mean `/{near}`?"),
                None => "correct the pointer, or add the argument to `accepts`".to_owned(),
            };
            self.report(Diagnostic::error(Code::LimitOutside, place, message).help(help));
        }
    }
}
