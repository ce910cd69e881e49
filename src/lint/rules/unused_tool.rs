use crate::lint::context::Context;
use crate::lint::items::{Item, items};
use crate::lint::rule::{Check, Findings, rule};

rule! {
    /// ## What it finds
    ///
    /// A tool, resource or prompt that no grant of its server names, neither itself nor by a set.
    /// Nobody can use it. An ended grant still names it.
    ///
    /// ## Why
    ///
    /// The review spent time on it, and it stands in the file as if somebody could use it. Often a
    /// grant was forgotten, or a set was: `sets: [browse]` is one line, and easily left out of the
    /// third tool.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   list_tables: { effect: read, sets: [browse] }
    ///   list_views:  { effect: read }
    /// grants:
    ///   analysts: { people: [ads], via: [ai-chat], call: [browse] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Grant it, or remove it until somebody needs it: what does not stand in the file cannot be
    /// used either. Removing it changes what the reviews cover.
    UnusedTool, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        let is_granted = |item| server.grants().iter().any(|grant| grant.items.contains(item));
        for Item { kind, id, key, .. } in items(server, file) {
            if !is_granted(id) {
                let message = format!("no grant names the {kind} `{}`", key.text);
                findings.add(file.place(key.span), message, |finding| {
                    finding.help(format!("grant it, or remove the {kind} until it is needed"))
                });
            }
        }
        let named = |item: ItemId| server.grants().iter().any(|grant| grant.items.contains(item));
        let mut look = |kind: &str, block: &str, items: Vec<(ItemId, String)>| {
            for (_, name) in items.into_iter().filter(|(item, _)| !named(*item)) {
                let Some(place) = file.key(&[block, &name]) else { continue };
                findings.add(place, format!("no grant names the {kind} `{name}`"), |finding| {
                    finding.help(format!("grant it, or remove the {kind} until it is needed"))
                });
            }
        };
        let tools = (0..).map(ToolId).map(ItemId::Tool).zip(server.tools());
        look("tool", "tools", tools.map(|(id, tool)| (id, tool.name.to_string())).collect());
        let resources = (0..).map(ResourceId).map(ItemId::Resource).zip(server.resources());
        let resources = resources.map(|(id, resource)| (id, resource.pattern.to_string()));
        look("resource", "resources", resources.collect());
        let prompts = (0..).map(PromptId).map(ItemId::Prompt).zip(server.prompts());
        let prompts = prompts.map(|(id, prompt)| (id, prompt.name.to_string()));
        look("prompt", "prompts", prompts.collect());
    }
}
