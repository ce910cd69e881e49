//! One side: what its files say, and what that means.

use std::collections::BTreeMap;

use super::{Origin, Rule, RuleKind};
use crate::diagnostics::{Diagnostics, Place, SourceId, Sources, Span};
use crate::policy::model::RuleId;
use crate::policy::{self, Cores, PolicyFile, PolicyFiles, PolicySet};
use crate::yaml::Node;

/// A policy directory as of one moment, ready to be compared.
#[derive(Debug)]
pub struct Side {
    pub(super) set: PolicySet,
    files: PolicyFiles,
    tests: PolicyFiles,
    /// By path inside the directory.
    trees: BTreeMap<String, (SourceId, Node)>,
    sources: Sources,
}

impl Side {
    /// Reads a policy directory.
    ///
    /// # Errors
    ///
    /// Every problem of every file that decides.
    pub fn load(mut files: PolicyFiles) -> Result<Self, Diagnostics> {
        // Tests decide nothing.
        let is_test = |file: &mut PolicyFile| policy::is_test(&file.path);
        let tests = files.files.extract_if(.., is_test).collect();
        let tests = PolicyFiles { files: tests, ..PolicyFiles::rooted(&files.root) };
        let policy::Inspected { set, trees, problems } = policy::inspect(files.clone(), Cores::All);
        let Some(set) = set else { return Err(problems) };
        let sources = problems.sources;
        let root = files.root.clone();
        let inside = |id: SourceId| {
            let path = &sources.get(id)?.path;
            Some(path.strip_prefix(&root).ok()?.to_string_lossy().into_owned())
        };
        let trees =
            trees.into_iter().filter_map(|(id, node)| Some((inside(id)?, (id, node)))).collect();
        Ok(Self { set, files, tests, trees, sources })
    }

    /// What a file says.
    pub(super) fn node(&self, path: &str) -> Option<&Node> {
        self.trees.get(path).map(|(_, node)| node)
    }

    /// The files that it was read from.
    #[must_use]
    pub fn files(&self) -> &PolicyFiles {
        &self.files
    }

    /// The files that say what must be allowed and refused.
    pub(super) fn tests(&self) -> &PolicyFiles {
        &self.tests
    }

    /// Whether it has that server.
    #[must_use]
    pub fn has_server(&self, name: &str) -> bool {
        self.set.server(name).is_some()
    }

    /// The names of its servers.
    pub fn server_names(&self) -> impl Iterator<Item = &str> {
        self.set.servers().into_iter().map(|server| &*server.name)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let (source, _) = self.trees.get(path)?;
        Some(self.sources.get(*source)?.text.as_str())
    }

    /// Where a span of a file is.
    pub(super) fn origin(&self, path: &str, span: Span) -> Option<Origin> {
        let (source, _) = self.trees.get(path)?;
        let (line, _) = self.sources.line_column(Place { source: *source, span });
        Some(Origin { file: self.sources.get(*source)?.path.clone(), line })
    }

    /// A rule by its number.
    pub(super) fn rule(&self, id: RuleId) -> Option<Rule> {
        let rule = self.set.rule(id)?;
        let inside = rule.file.strip_prefix(&self.files.root).ok()?;
        let path = inside.to_string_lossy().into_owned();
        let entry = |block: &str| {
            let (key, _) = self.node(&path)?.at(&[block, rule.name])?;
            let origin = self.origin(&path, key.span)?;
            // Grants and bans may have the same names.
            (origin.line == rule.line as usize).then_some(())
        };
        let kind = if entry("bans").is_some() { RuleKind::Ban } else { RuleKind::Grant };
        let origin = Origin { file: rule.file.to_path_buf(), line: rule.line as usize };
        Some(Rule { kind, name: rule.name.into(), path, origin })
    }
}
