use crate::lint::context::Context;
use crate::lint::items::{GrantAt, Item, grants, items, named};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::listed;
use crate::policy::model::{GrantWho, People, Trait};

rule! {
    /// ## What it finds
    ///
    /// A grant of something `sensitive` to `anyone-signed-in`, without `also_in`.
    ///
    /// ## Why
    ///
    /// Sensitive means that not every colleague may see it, and the grant says that every colleague
    /// may: contractors, interns, and every account that an attacker gets hold of. One of the two
    /// is wrong.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   get_salaries: { effect: read, traits: [sensitive] }
    /// grants:
    ///   everyone: { people: [anyone-signed-in], via: [ai-chat], call: [get_salaries] }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Name the groups that need it, or add `also_in` with a group that one has to be let into. If
    /// it is not sensitive after all, remove the trait; the reviews then have to be renewed.
    AnyoneOnSensitive, Warning, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for GrantAt { grant, node, .. } in grants(server, file) {
            let anyone = matches!(
                grant.who,
                GrantWho::People { people: People::AnyoneSignedIn, also_in: None, .. }
            );
            let Some(people) = named(node, "people", "anyone-signed-in").filter(|_| anyone) else {
                continue;
            };
            let is_meant = |item: &Item<'_>| {
                item.traits.contains(&Trait::Sensitive) && grant.items.contains(item.id)
            };
            let sensitive: Vec<_> = items(server, file).filter(is_meant).collect();
            let Some(first) = sensitive.first() else { continue };
            let what = listed(sensitive.iter().map(|item| item.key.text.as_str()));
            let message = format!("everybody with a valid token may use the sensitive {what}");
            let said = first.node.entry("traits").map_or(first.key.span, |(_, node)| node.span);
            findings.add(file.place(people.span), message, |finding| {
                finding
                    .related(file.place(said), "sensitive")
                    .help("name the groups that need it, or add `also_in`")
            });
        }
    }
}
