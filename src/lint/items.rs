//! What a server's file lists, each with its meaning and its place.

use super::context::File;
use crate::policy::model::{
    Effect, Grant, ItemId, PromptId, ResourceId, Server, Target, Tool, ToolId, Trait,
};
use crate::yaml::{Key, Node};

/// A tool, resource or prompt.
pub(super) struct Item<'r> {
    /// Which of the three it is.
    pub(super) kind: &'static str,
    pub(super) id: ItemId,
    pub(super) effect: Effect,
    pub(super) traits: &'r [Trait],
    pub(super) key: &'r Key,
    pub(super) node: &'r Node,
}

/// A tool, as the file has it.
pub(super) struct ToolAt<'r> {
    pub(super) id: ToolId,
    pub(super) tool: &'r Tool,
    pub(super) key: &'r Key,
    pub(super) node: &'r Node,
}

/// A grant, as the file has it.
pub(super) struct GrantAt<'r> {
    pub(super) grant: &'r Grant,
    pub(super) key: &'r Key,
    pub(super) node: &'r Node,
}

/// A mapping at the top of the file. The model keeps its order.
fn block<'r>(file: &File<'r>, name: &str) -> &'r [(Key, Node)] {
    file.node(&[name]).map_or(&[], |node| node.entries())
}

/// The tools of a server.
pub(super) fn tools<'r>(
    server: &'r Server,
    file: &File<'r>,
) -> impl Iterator<Item = ToolAt<'r>> + use<'r> {
    let ids = (0..).map(ToolId);
    let tools = ids.zip(server.tools()).zip(block(file, "tools"));
    tools.map(|((id, tool), (key, node))| ToolAt { id, tool, key, node })
}

/// Everything that a server offers.
pub(super) fn items<'r>(
    server: &'r Server,
    file: &File<'r>,
) -> impl Iterator<Item = Item<'r>> + use<'r> {
    let tools = (0..).map(ToolId).zip(server.tools()).map(Target::tool);
    let resources = (0..).map(ResourceId).zip(server.resources()).map(Target::resource);
    let prompts = (0..).map(PromptId).zip(server.prompts()).map(Target::prompt);
    let item = |kind| {
        move |(target, (key, node)): (Target<'r>, &'r (Key, Node))| {
            let Target { id, effect, traits, approval: _ } = target;
            Item { kind, id, effect, traits, key, node }
        }
    };
    let tools = tools.zip(block(file, "tools")).map(item("tool"));
    let resources = resources.zip(block(file, "resources")).map(item("resource"));
    let prompts = prompts.zip(block(file, "prompts")).map(item("prompt"));
    tools.chain(resources).chain(prompts)
}

/// The grants of a server.
pub(super) fn grants<'r>(
    server: &'r Server,
    file: &File<'r>,
) -> impl Iterator<Item = GrantAt<'r>> + use<'r> {
    let grants = server.grants().iter().zip(block(file, "grants"));
    grants.map(|(grant, (key, node))| GrantAt { grant, key, node })
}

/// The text of a list, or a text alone, where it says `name`.
pub(super) fn named<'r>(node: &'r Node, key: &str, name: &str) -> Option<&'r Node> {
    let (_, list) = node.entry(key)?;
    [list].into_iter().chain(list.items()).find(|item| item.as_text() == Some(name))
}
