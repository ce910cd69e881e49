use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::policy::model::{ItemId, PromptId, ResourceId, ToolId};

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
        let named = |item: ItemId| server.grants().iter().any(|grant| grant.items.contains(item));
        let mut look = |(kind, block): (&str, &str), item: ItemId, name: &str| {
            let Some(place) = file.key(&[block, name]).filter(|_| !named(item)) else { return };
            findings.add(place, format!("no grant names the {kind} `{name}`"), |finding| {
                finding.help(format!("grant it, or remove the {kind} until it is needed"))
            });
        };
        for (id, tool) in (0..).map(ToolId).zip(server.tools()) {
            look(("tool", "tools"), ItemId::Tool(id), &tool.name);
        }
        for (id, resource) in (0..).map(ResourceId).zip(server.resources()) {
            let name = resource.pattern.to_string();
            look(("resource", "resources"), ItemId::Resource(id), &name);
        }
        for (id, prompt) in (0..).map(PromptId).zip(server.prompts()) {
            look(("prompt", "prompts"), ItemId::Prompt(id), &prompt.name);
        }
    }
}
