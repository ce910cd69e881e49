//! A set that differs from the last one in a few servers: what has not changed is not read again.
//!
//! A server is what its own file and the shared files say, and nothing else, but for what servers
//! may not have in common. So where the shared files are the same, only the servers are made whose
//! files are others. Whatever could need a second look is left to a full load, and so is every
//! problem: this either finds the set that a full load would, or nothing.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::read::{read, trees};
use super::{Asks, Lowering, whole};
use crate::diagnostics::{Diagnostics, Sources};
use crate::policy::cores::Cores;
use crate::policy::digest::Digest;
use crate::policy::files::{FileKind, PolicyFile, PolicyFiles, is_test};
use crate::policy::model::{PolicySet, Server};
use crate::policy::{Amended, load_with_bans};

/// More changes than this share of the files are a full load's work.
const MOST_CHANGES: usize = 4;

/// A set, and what it was made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    root: PathBuf,
    /// What decides, sorted by path.
    files: Vec<KeptFile>,
    set: PolicySet,
    asks: Arc<Asks>,
}

#[derive(Clone, Debug)]
struct KeptFile {
    path: Arc<str>,
    bytes: Arc<[u8]>,
    digest: Digest,
}

/// What is different.
#[derive(Default)]
struct Changes<'f> {
    /// Other than they were, or new.
    changed: Vec<&'f PolicyFile>,
    /// By path.
    removed: Vec<&'f str>,
}

impl Loaded {
    /// Reads a whole policy directory.
    ///
    /// # Errors
    ///
    /// Every problem of every file.
    pub fn new(files: PolicyFiles, cores: Cores) -> Result<Self, Diagnostics> {
        let root = files.root.clone();
        let (Amended { set, .. }, asks, files) = whole(files, &[], cores)?;
        let files = files.files.iter().map(KeptFile::of).collect();
        Ok(Self { root, files, set, asks })
    }

    /// Reads a policy directory that may differ in a few files; what comes out is what
    /// [`Loaded::new`] makes of it.
    ///
    /// # Errors
    ///
    /// Every problem of every file.
    pub fn next(&self, files: PolicyFiles) -> Result<Self, Diagnostics> {
        match self.again(&files) {
            Some(loaded) => Ok(loaded),
            None => Self::new(files, Cores::One),
        }
    }

    /// The set.
    #[must_use]
    pub fn set(&self) -> &PolicySet {
        &self.set
    }

    /// A file of those that the set was made of, by its path inside the directory.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<PolicyFile> {
        self.files.iter().find(|file| *file.path == *path).map(KeptFile::file)
    }

    /// Whether the set was made of these files, but for tests.
    #[must_use]
    pub fn is_of(&self, files: &PolicyFiles) -> bool {
        let Changes { changed, removed } = self.changes(&deciding(files)).0;
        files.problems.is_empty() && changed.is_empty() && removed.is_empty()
    }

    /// The set with the bans of other versions of `guardrails.yaml`; see [`load_with_bans`].
    ///
    /// # Errors
    ///
    /// None, since the files have been read before.
    pub fn with_bans(&self, guardrails: &[PolicyFile]) -> Result<Amended, Diagnostics> {
        let files = self.files.iter().map(KeptFile::file).collect();
        load_with_bans(PolicyFiles { files, ..PolicyFiles::rooted(&self.root) }, guardrails)
    }

    /// What a full load would make of other files, if that can be told from what has changed.
    fn again(&self, files: &PolicyFiles) -> Option<Self> {
        if files.root != self.root || !files.problems.is_empty() {
            return None;
        }
        let (Changes { changed, removed }, kept) = self.changes(&deciding(files));
        let once = kept.is_sorted_by(|a, b| a.path < b.path);
        if !once || (changed.len() + removed.len()) * MOST_CHANGES > self.files.len() {
            return None;
        }
        // ⚠ Everything may depend on any file but a server's.
        let changed_names = changed.iter().map(|file| server_of(&file.path));
        let changed_names = changed_names.collect::<Option<Vec<_>>>()?;
        let removed = removed.into_iter().map(server_of).collect::<Option<Vec<_>>>()?;
        if self.shared_files_name(&changed_names, &removed) {
            return None;
        }
        let mut set = self.set.clone();
        for name in removed {
            set.servers.remove(name);
        }
        let changed = PolicyFiles {
            files: changed.into_iter().cloned().collect(),
            parsed: files.parsed.clone(),
            ..PolicyFiles::rooted(&self.root)
        };
        self.put(&changed, &mut set)?;
        if set.servers.len() == 0 {
            return None;
        }
        set.digest = Digest::of_digests(kept.iter().map(|file| (&*file.path, file.digest)));
        Some(Self { root: self.root.clone(), files: kept, set, asks: Arc::clone(&self.asks) })
    }

    /// What is different, and what is kept of the files as they are now.
    fn changes<'f>(&'f self, now: &[&'f PolicyFile]) -> (Changes<'f>, Vec<KeptFile>) {
        let mut changes = Changes::default();
        let mut kept = Vec::with_capacity(now.len());
        let mut known = self.files.iter().peekable();
        for file in now {
            while let Some(old) = known.next_if(|old| *old.path < *file.path) {
                changes.removed.push(&old.path);
            }
            match known.next_if(|old| *old.path == *file.path) {
                // The same bytes, shared; or read again, and equal.
                Some(old) if Arc::ptr_eq(&old.bytes, &file.bytes) || old.bytes == file.bytes => {
                    let (path, bytes) = (Arc::clone(&old.path), Arc::clone(&file.bytes));
                    kept.push(KeptFile { path, bytes, digest: old.digest });
                }
                Some(_) | None => {
                    changes.changed.push(file);
                    kept.push(KeptFile::of(file));
                }
            }
        }
        changes.removed.extend(known.map(|old| &*old.path));
        (changes, kept)
    }

    /// Whether what the shared files say is about one of these servers: guardrails know a server's
    /// tools and environments, and reviews cover only servers that are there.
    fn shared_files_name(&self, changed: &[&str], removed: &[&str]) -> bool {
        let touched: HashSet<&str> = changed.iter().chain(removed).copied().collect();
        let banned = self.set.guardrails().iter().filter_map(|ban| ban.servers.as_ref());
        let covers = |name: &&str| self.asks.covers.iter().any(|by| by.contains_key(*name));
        banned.flatten().any(|name| touched.contains(&**name)) || removed.iter().any(covers)
    }

    /// Puts the servers of some files into a set, unless there is a problem.
    fn put(&self, changed: &PolicyFiles, set: &mut PolicySet) -> Option<()> {
        let mut sources = Sources::default();
        let mut problems = Vec::new();
        let trees = trees(changed, Cores::One, &mut sources, &mut problems);
        let raw = read(&trees, Cores::One, &mut problems);
        if !problems.is_empty() || raw.servers.len() != changed.files.len() {
            return None;
        }
        let mut lowering = Lowering {
            shared: Arc::clone(&self.set.shared),
            asks: Arc::clone(&self.asks),
            ..Lowering::new(&sources, problems, &raw.broken, Vec::new())
        };
        for (raw, file_name) in &raw.servers {
            let number = set.servers.number_for(raw.name.value);
            set.servers.put(lowering.server(raw, file_name, number));
        }
        // ⚠ What no two servers may have: among these it has been seen to.
        let mine: HashSet<&str> = raw.servers.iter().map(|(raw, _)| raw.name.value).collect();
        let is_mine = |server: &&Arc<Server>| mine.contains(&*server.name);
        let of_mine = || set.servers.iter().filter(is_mine);
        let taken: HashSet<_> = of_mine().flat_map(|server| upstreams(server)).collect();
        let owned: HashSet<_> = of_mine().filter_map(|server| resource(server)).collect();
        let shares = |server: &Arc<Server>| {
            resource(server).is_some_and(|own| owned.contains(own))
                || upstreams(server).any(|upstream| taken.contains(&upstream))
        };
        let clash = set.servers.iter().filter(|server| !is_mine(server)).any(shares);
        (lowering.problems.is_empty() && !clash).then_some(())
    }
}

impl KeptFile {
    fn of(file: &PolicyFile) -> Self {
        let PolicyFile { path, bytes } = file;
        let (digest, path) = (Digest::of(bytes), path.as_str().into());
        Self { path, bytes: Arc::clone(bytes), digest }
    }

    fn file(&self) -> PolicyFile {
        PolicyFile { path: self.path.to_string(), bytes: Arc::clone(&self.bytes) }
    }
}

/// The files that decide, sorted by path.
fn deciding(files: &PolicyFiles) -> Vec<&PolicyFile> {
    let mut files: Vec<_> = files.files.iter().filter(|file| !is_test(&file.path)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The name of the server whose file it is.
fn server_of(path: &str) -> Option<&str> {
    match FileKind::of(path) {
        Ok(FileKind::Server(name)) => Some(name),
        Ok(_) | Err(_) => None,
    }
}

fn upstreams(server: &Server) -> impl Iterator<Item = (&str, u16)> {
    let upstreams = server.environments.iter().map(|environment| &environment.upstream);
    upstreams.map(|upstream| (&*upstream.host, upstream.port))
}

/// As two are compared.
fn resource(server: &Server) -> Option<&str> {
    server.own_resource.as_deref().map(|text| text.trim_end_matches('/'))
}
