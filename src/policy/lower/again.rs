//! A set that differs from the last one in a few servers: what has not changed is not read again.
//!
//! A server is what its own file and the shared files say, and nothing else, but for what servers
//! may not have in common. So where the shared files are the same, only the servers are made whose
//! files are others. Whatever could need a second look is left to a full load, and so is every
//! problem: this either finds the set that a full load would, or nothing.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::amend::amended;
use super::read::{read, trees};
use super::{Asks, Lowering, whole};
use crate::diagnostics::{Diagnostics, Sources};
use crate::policy::Amended;
use crate::policy::cores::Cores;
use crate::policy::digest::Digest;
use crate::policy::files::{FileKind, ListedFile, Listing, PolicyFile, PolicyFiles, is_test};
use crate::policy::model::{PolicySet, Server};

/// More changes than this share of the files are a full load's work.
const MOST_CHANGES: usize = 4;

/// A set, and what it was made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    root: PathBuf,
    /// What decides, sorted by path.
    files: Vec<ListedFile>,
    set: PolicySet,
    asks: Arc<Asks>,
}

/// Why there is no next set.
#[derive(Debug, Error)]
pub enum NextError {
    /// Every problem of every file.
    #[error("{0}")]
    Problems(Diagnostics),
    /// A file is not what was listed.
    #[error("{0} has changed meanwhile")]
    Moved(Arc<str>),
}

/// What is different.
#[derive(Default)]
struct Changes<'f> {
    /// Other than they were, or new.
    changed: Vec<&'f ListedFile>,
    /// By path.
    removed: Vec<&'f str>,
}

/// Brings the bytes of a file that was listed.
type Bring<'b> = dyn FnMut(&ListedFile) -> Result<PolicyFile, NextError> + 'b;

impl Loaded {
    /// Reads a whole policy directory.
    ///
    /// # Errors
    ///
    /// Every problem of every file.
    pub fn new(files: PolicyFiles, cores: Cores) -> Result<Self, Diagnostics> {
        let root = files.root.clone();
        let (set, asks, files) = whole(files, cores)?;
        Ok(Self { root, files: files.listing().files, set, asks })
    }

    /// Reads a policy directory that may differ in a few files; what comes out is what
    /// [`Loaded::new`] makes of it.
    ///
    /// # Errors
    ///
    /// Every problem of every file.
    pub fn next(&self, files: PolicyFiles) -> Result<Self, Diagnostics> {
        let bytes = |path: &str| {
            let file = files.files.iter().find(|file| *file.path == *path)?;
            Some(Arc::clone(&file.bytes))
        };
        match self.next_of(files.listing(), bytes) {
            Ok(loaded) => Ok(loaded),
            Err(NextError::Problems(problems)) => Err(problems),
            // Two files of one path.
            Err(NextError::Moved(_)) => Self::new(files, Cores::One),
        }
    }

    /// The same, of a directory whose files are read as they are needed. ⚠ Only bytes that have
    /// the digest that was listed are believed: what was found twice is what is taken.
    ///
    /// # Errors
    ///
    /// Every problem of every file, or that one of them is not what was listed.
    pub fn next_of(
        &self,
        mut now: Listing,
        read: impl Fn(&str) -> Option<Arc<[u8]>>,
    ) -> Result<Self, NextError> {
        // Tests decide nothing, and are no part of the digest.
        now.files.retain(|file| !is_test(&file.path));
        let mut bring = |listed: &ListedFile| {
            let ListedFile { path, digest } = listed;
            let bytes = read(path).filter(|bytes| Digest::of(bytes) == *digest);
            let bytes = bytes.ok_or_else(|| NextError::Moved(Arc::clone(path)))?;
            Ok(PolicyFile { path: path.to_string(), bytes })
        };
        if let Some((set, asks)) = self.again(&now, &mut bring)? {
            return Ok(Self { root: now.root, files: now.files, set, asks });
        }
        let Listing { root, files, problems, parsed } = now;
        let files = files.iter().map(bring).collect::<Result<_, _>>()?;
        let files = PolicyFiles { root, files, problems, parsed };
        Self::new(files, Cores::One).map_err(NextError::Problems)
    }

    /// The set.
    #[must_use]
    pub fn set(&self) -> &PolicySet {
        &self.set
    }

    /// The digest of a file of those that the set was made of, by its path inside the directory.
    #[must_use]
    pub fn digest_of(&self, path: &str) -> Option<Digest> {
        let at = self.files.binary_search_by(|file| (*file.path).cmp(path)).ok()?;
        self.files.get(at).map(|file| file.digest)
    }

    /// Whether the set was made of these files, but for tests.
    #[must_use]
    pub fn is_of(&self, listing: &Listing) -> bool {
        let deciding = listing.files.iter().filter(|file| !is_test(&file.path));
        listing.problems.is_empty() && deciding.eq(&self.files)
    }

    /// The set with the bans of other versions of its `guardrails.yaml` beside its own. This is how
    /// a ban takes effect while another file is broken: of those versions nothing but the bans is
    /// taken, and what a ban names that the set does not know is left out.
    #[must_use]
    pub fn with_bans(&self, guardrails: &[PolicyFile]) -> Amended {
        let mut amended = amended(&self.set, &self.asks, &self.root, guardrails);
        let bans = guardrails.iter().map(|PolicyFile { path, bytes }| {
            let path = format!("{path}+bans").into();
            ListedFile { path, digest: Digest::of(bytes) }
        });
        let bans: Vec<_> = bans.collect();
        amended.set.digest = digest(self.files.iter().chain(&bans));
        amended
    }

    /// What a full load would make of other files, if that can be told from what has changed.
    fn again(
        &self,
        now: &Listing,
        bring: &mut Bring<'_>,
    ) -> Result<Option<(PolicySet, Arc<Asks>)>, NextError> {
        if now.root != self.root || !now.problems.is_empty() {
            return Ok(None);
        }
        let Changes { changed, removed } = self.changes(&now.files);
        let once = now.files.is_sorted_by(|a, b| a.path < b.path);
        if !once || (changed.len() + removed.len()) * MOST_CHANGES > self.files.len() {
            return Ok(None);
        }
        // ⚠ Everything may depend on any file but a server's.
        let names = servers_of(changed.iter().map(|file| &*file.path));
        let removed = servers_of(removed);
        let (Some(names), Some(removed)) = (names, removed) else { return Ok(None) };
        if self.shared_files_name(&names, &removed) {
            return Ok(None);
        }
        let mut set = self.set.clone();
        for name in removed {
            set.servers.remove(name);
        }
        let changed = PolicyFiles {
            files: changed.into_iter().map(bring).collect::<Result<_, _>>()?,
            parsed: now.parsed.clone(),
            ..PolicyFiles::rooted(&self.root)
        };
        if self.put(&changed, &mut set).is_none() || set.servers.len() == 0 {
            return Ok(None);
        }
        set.digest = digest(&now.files);
        Ok(Some((set, Arc::clone(&self.asks))))
    }

    /// What is different.
    fn changes<'f>(&'f self, now: &'f [ListedFile]) -> Changes<'f> {
        let mut changes = Changes::default();
        let mut known = self.files.iter().peekable();
        for file in now {
            // Most are the very same.
            let is_it =
                |old: &&ListedFile| Arc::ptr_eq(&old.path, &file.path) || *old.path == *file.path;
            let mut old = known.next_if(is_it);
            if old.is_none() {
                while let Some(old) = known.next_if(|old| *old.path < *file.path) {
                    changes.removed.push(&old.path);
                }
                old = known.next_if(is_it);
            }
            if old.is_none_or(|old| old.digest != file.digest) {
                changes.changed.push(file);
            }
        }
        changes.removed.extend(known.map(|old| &*old.path));
        changes
    }

    /// Whether what the shared files say is about one of these servers: guardrails know a server's
    /// tools and environments, and reviews cover only servers that are there.
    fn shared_files_name(&self, changed: &HashSet<&str>, removed: &HashSet<&str>) -> bool {
        let touched = |name: &str| changed.contains(name) || removed.contains(name);
        let banned = self.set.guardrails().iter().filter_map(|ban| ban.servers.as_ref());
        let covers = |name: &&str| self.asks.covers.iter().any(|by| by.get(name).is_some());
        banned.flatten().any(|name| touched(name)) || removed.iter().any(covers)
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
        // ⚠ What no two servers may have: among these it has been seen to, and no two had it
        // before. What a server had then, it has from nobody else.
        let mine: HashSet<&str> = raw.servers.iter().map(|(raw, _)| raw.name.value).collect();
        let is_mine = |server: &&Arc<Server>| mine.contains(&*server.name);
        let has_moved = |server: &&Arc<Server>| {
            self.set.servers.get(&server.name).is_none_or(|before| {
                !upstreams(before).eq(upstreams(server)) || resource(before) != resource(server)
            })
        };
        let moved = raw.servers.iter().filter_map(|(raw, _)| set.servers.get(raw.name.value));
        let moved: Vec<_> = moved.filter(has_moved).collect();
        let taken: HashSet<_> = moved.iter().flat_map(|server| upstreams(server)).collect();
        let owned: HashSet<_> = moved.iter().filter_map(|server| resource(server)).collect();
        let shares = |server: &Arc<Server>| {
            resource(server).is_some_and(|own| owned.contains(own))
                || upstreams(server).any(|upstream| taken.contains(&upstream))
        };
        let mut others = set.servers.iter().filter(|server| !is_mine(server));
        let clash = !moved.is_empty() && others.any(shares);
        (lowering.problems.is_empty() && !clash).then_some(())
    }
}

/// The digest of a set of files.
fn digest<'f>(files: impl IntoIterator<Item = &'f ListedFile>) -> Digest {
    Digest::of_digests(files.into_iter().map(|ListedFile { path, digest }| (&**path, *digest)))
}

/// The names of the servers whose files they are, if all are servers'.
fn servers_of<'f>(paths: impl IntoIterator<Item = &'f str>) -> Option<HashSet<&'f str>> {
    paths.into_iter().map(server_of).collect()
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
