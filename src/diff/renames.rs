//! What only has another name on the new side. A rule that says the new name instead of the old
//! one has not changed.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use super::value;
use crate::yaml::Node;

/// New names by old ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Renames {
    places: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    /// Of one server.
    sets: BTreeMap<String, String>,
}

impl Renames {
    /// Surfaces, services and groups that keep all that they say.
    pub(super) fn shared(old: &Side, new: &Side) -> Self {
        let mut renames = Self::default();
        for block in ["surfaces", "services"] {
            renames.places.extend(of_block(old, new, "surfaces.yaml", block));
        }
        // A group without claims is its name.
        let mut groups = of_block(old, new, "groups.yaml", "groups");
        groups.retain(|name, _| {
            let group = old.node("groups.yaml").and_then(|root| root.at(&["groups", name]));
            group.is_some_and(|(_, group)| !group.entries().is_empty())
        });
        renames.groups = groups;
        renames
    }

    /// And the sets of a server that keep all their members.
    pub(super) fn with_sets(&self, old: &Node, new: &Node) -> Self {
        let (old, new) = (members(old), members(new));
        let sets = pairs(&old, &new);
        Self { sets, ..self.clone() }
    }

    /// The name that stands under a key, as the new side says it.
    pub(super) fn name(&self, key: &str, name: &str) -> String {
        let names = match key {
            "people" | "also_in" | "except" | "approval" => &self.groups,
            "services" | "without_user" | "via" => &self.places,
            "call" | "read" | "prompt" | "sets" => &self.sets,
            _ => return name.to_owned(),
        };
        match name.split_once('/') {
            Some((surface, channel)) if key == "via" => match names.get(surface) {
                Some(new) => format!("{new}/{channel}"),
                None => name.to_owned(),
            },
            Some(_) | None => names.get(name).map_or(name, String::as_str).to_owned(),
        }
    }

    /// Whether an entry of a block is called so on one side and only renamed.
    pub(super) fn is_other_name(&self, block: &str, name: &str) -> bool {
        // A place may be called as a group is.
        let names = match block {
            "groups" => &self.groups,
            "services" | "surfaces" => &self.places,
            _ => return false,
        };
        names.iter().any(|(old, new)| old == name || new == name)
    }

    /// Whether nothing that all servers share is renamed.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.groups.is_empty()
    }
}

/// The members of each set.
fn members(server: &Node) -> BTreeMap<String, String> {
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in ["tools", "resources", "prompts"] {
        let Some((_, items)) = server.entry(block) else { continue };
        for (item, node) in items.entries() {
            let Some((_, list)) = node.entry("sets") else { continue };
            for set in list.items().iter().filter_map(Node::as_text) {
                let member = format!("{block} {}", item.text);
                sets.entry(set.to_owned()).or_default().insert(member);
            }
        }
    }
    sets.into_iter().map(|(set, members)| (set, format!("{members:?}"))).collect()
}

fn of_block(old: &Side, new: &Side, file: &str, block: &str) -> BTreeMap<String, String> {
    let entries = |side: &Side| -> BTreeMap<String, String> {
        let block = side.node(file).and_then(|root| root.entry(block));
        let entries = block.map(|(_, node)| node.entries()).unwrap_or_default();
        let none = Renames::default();
        entries
            .iter()
            .map(|(key, node)| (key.text.clone(), sorted(&value::of(&key.text, node, &none))))
            .collect()
    };
    pairs(&entries(old), &entries(new))
}

/// A text that is the same for equal values.
pub(super) fn sorted(value: &serde_json::Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}

/// Names that went and came with the same content, if there is no doubt which became which.
fn pairs(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    let mut pairs = BTreeMap::new();
    for (name, content) in gone {
        let alike = |side: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
            side.iter()
                .filter(|(name, text)| *text == content && !other.contains_key(*name))
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        if let ([_], [new_name]) = (alike(old, new).as_slice(), alike(new, old).as_slice()) {
            pairs.insert(name.clone(), new_name.clone());
        }
    }
    pairs
}
