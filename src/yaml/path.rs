//! Finding a place in a tree by the keys that lead to it.

use super::{Key, Kind, Node};

impl Node {
    /// The entry of a mapping.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<(&Key, &Self)> {
        match &self.kind {
            Kind::Mapping(entries) => {
                entries.iter().find(|(key, _)| key.text == name).map(|(key, node)| (key, node))
            }
            Kind::Text(_) | Kind::Plain(..) | Kind::Sequence(_) => None,
        }
    }

    /// The entry that a path of keys leads to; the path has at least one.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<(&Key, &Self)> {
        let (last, before) = path.split_last()?;
        before.iter().try_fold(self, |node, name| Some(node.entry(name)?.1))?.entry(last)
    }

    /// The entries of a mapping; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            Kind::Text(_) | Kind::Plain(..) | Kind::Sequence(_) => &[],
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Text(_) | Kind::Plain(..) | Kind::Mapping(_) => &[],
        }
    }

    /// The text of a scalar that is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Plain(..) | Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }
}
