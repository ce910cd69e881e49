//! What rules are called, and where they stand.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a rule, surface or service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'s> {
    /// Its name.
    pub name: &'s str,
    /// The file, as it is shown to people.
    pub file: &'s Path,
    /// The line, from 1.
    pub line: u32,
}

/// The same, as it is read.
#[derive(Clone, Debug)]
pub(in crate::policy) struct OwnRule {
    pub(in crate::policy) name: Box<str>,
    /// The same one for all rules of a file.
    pub(in crate::policy) file: Arc<Path>,
    pub(in crate::policy) line: u32,
}

/// The rules of one file, in its order: those of ten thousand servers are kept.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct Rules {
    file: Option<Arc<Path>>,
    /// One after the other.
    names: Box<str>,
    places: Box<[RulePlace]>,
}

#[derive(Clone, Copy, Debug)]
struct RulePlace {
    /// Where its name ends.
    end: u32,
    line: u32,
}

impl Rule<'_> {
    /// `presto.yaml:44`
    #[must_use]
    pub fn origin(&self) -> String {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{file}:{}", self.line)
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.origin())
    }
}

impl OwnRule {
    pub(in crate::policy) fn as_rule(&self) -> Rule<'_> {
        let Self { name, file, line } = self;
        Rule { name, file, line: *line }
    }
}

impl Rules {
    /// The rules of one file.
    pub(in crate::policy) fn new(rules: &[OwnRule]) -> Self {
        let mut names = String::new();
        let place = |rule: &OwnRule| {
            names.push_str(&rule.name);
            // A file is far smaller.
            RulePlace { end: u32::try_from(names.len()).unwrap_or(u32::MAX), line: rule.line }
        };
        let places = rules.iter().map(place).collect();
        let file = rules.first().map(|rule| Arc::clone(&rule.file));
        Self { file, names: names.into(), places }
    }

    pub(in crate::policy) fn get(&self, index: u32) -> Option<Rule<'_>> {
        let index = index as usize;
        let RulePlace { end, line } = *self.places.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.places.get(before));
        let start = before.map_or(0, |before| before.end);
        let name = self.names.get(start as usize..end as usize)?;
        Some(Rule { name, file: self.file.as_deref()?, line })
    }
}
