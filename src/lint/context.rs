//! What rules look at: the policies for what they mean, the trees for where it stands.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;

use super::items::{self, GrantAt};
use crate::access::{Idle, IdleGrants};
use crate::diagnostics::{Place, Source, SourceId, Span};
use crate::policy::PolicySet;
use crate::policy::model::{Grant, Server};
use crate::yaml::{self, Key, Node};

/// Policies that load.
pub(super) struct Context<'r> {
    /// What they mean.
    pub(super) set: &'r PolicySet,
    /// How they are written, tests included.
    pub(super) files: &'r [File<'r>],
    /// When.
    pub(super) now: Timestamp,
    by_path: HashMap<&'r str, &'r File<'r>>,
    servers: Vec<(&'r Server, &'r File<'r>)>,
    /// Found once, for all the rules that are about them.
    idle: OnceCell<Vec<(GrantIn<'r>, Idle)>>,
}

/// A grant of a server.
#[derive(Clone, Copy)]
pub(super) struct GrantIn<'r> {
    pub(super) file: &'r File<'r>,
    pub(super) grant: &'r Grant,
    pub(super) key: &'r Key,
}

/// One file.
pub(super) struct File<'r> {
    pub(super) source: SourceId,
    /// The path inside the directory, such as `servers/presto.yaml`.
    pub(super) path: &'r str,
    /// The whole text.
    pub(super) text: &'r str,
    tree: Option<&'r Node>,
    /// Where each line starts; files may have very many.
    lines: OnceCell<Vec<u32>>,
}

// === impl Context ===

impl<'r> Context<'r> {
    pub(super) fn new(set: &'r PolicySet, files: &'r [File<'r>], now: Timestamp) -> Self {
        let by_path: HashMap<_, _> = files.iter().map(|file| (file.path, file)).collect();
        let with_file = |server: &'r Server| {
            Some((server, *by_path.get(format!("servers/{}.yaml", server.name).as_str())?))
        };
        let servers = set.servers().into_iter().filter_map(with_file).collect();
        Self { set, files, now, by_path, servers, idle: OnceCell::new() }
    }

    /// The file at a path inside the directory.
    pub(super) fn file(&self, path: &str) -> Option<&'r File<'r>> {
        self.by_path.get(path).copied()
    }

    /// Every grant that nobody would miss, and why.
    pub(super) fn idle_grants(&self) -> impl Iterator<Item = (GrantIn<'r>, &Idle)> {
        let idle = self.idle.get_or_init(|| {
            let grants = IdleGrants::new(self.set);
            let mut idle = Vec::new();
            for (server, file) in self.servers() {
                // An error is a bug in the search, not in a policy: then there is no finding.
                let found = grants.of(&server.name, self.now).unwrap_or_default();
                let all: Vec<_> = items::grants(server, file).collect();
                idle.extend(found.into_iter().filter_map(|(index, why)| {
                    let GrantAt { grant, key, node: _ } = all.get(index)?;
                    Some((GrantIn { file, grant, key }, why))
                }));
            }
            idle
        });
        idle.iter().map(|(grant, why)| (*grant, why))
    }

    /// Every server, with its file; sorted by name.
    pub(super) fn servers(&self) -> impl Iterator<Item = (&'r Server, &'r File<'r>)> {
        self.servers.iter().copied()
    }
}

// === impl File ===

impl<'r> File<'r> {
    pub(super) fn new(
        id: SourceId,
        source: &'r Source,
        root: &Path,
        tree: Option<&'r Node>,
    ) -> Self {
        let inside = source.path.strip_prefix(root).unwrap_or(&source.path);
        let path = inside.to_str().unwrap_or_default();
        Self { source: id, path, text: &source.text, tree, lines: OnceCell::new() }
    }

    /// The line that some bytes start on, from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        let starts = self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            (0..).take(1).chain(ends.filter_map(|(at, _)| u32::try_from(at + 1).ok())).collect()
        });
        starts.partition_point(|start| *start <= span.start)
    }

    /// The place of some bytes.
    pub(super) fn place(&self, span: Span) -> Place {
        Place { source: self.source, span }
    }

    /// The tree; a file that is not YAML has none.
    pub(super) fn tree(&self) -> Option<&'r Node> {
        self.tree
    }

    /// What a path of keys leads to.
    pub(super) fn node(&self, path: &[&str]) -> Option<&'r Node> {
        self.tree?.at(path).map(|(_, node)| node)
    }

    /// Where the last key of a path stands.
    pub(super) fn key(&self, path: &[&str]) -> Option<Place> {
        self.tree?.at(path).map(|(key, _)| self.place(key.span))
    }

    /// Where the value of a path stands.
    pub(super) fn value(&self, path: &[&str]) -> Option<Place> {
        self.node(path).map(|node| self.place(node.span))
    }

    /// Where its comments stand, from `#` to the end of the line. It costs a second look at the
    /// file: ask only a file whose text may have what is looked for.
    pub(super) fn comments(&self) -> Vec<Span> {
        yaml::comments(self.text)
    }

    /// The text of some bytes.
    pub(super) fn slice(&self, span: Span) -> &'r str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// What stands on a line before a place.
    pub(super) fn before(&self, span: Span) -> &'r str {
        let before = self.text.get(..span.start as usize).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default()
    }
}
