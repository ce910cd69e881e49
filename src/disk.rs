//! Reading policy directories and configuration files from the file system, and replacing files
//! there; the only module that does so for the command line and the server alike.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::diagnostics::{Code, Diagnostic};
use crate::policy::digest::Digest;
use crate::policy::{ListedFile, Listing, PolicyFile, PolicyFiles};
use crate::yaml::MAX_FILE_BYTES;

/// `servers/` and `tests/` are one level down; whatever is deeper is unexpected anyway.
const MAX_DEPTH: usize = 3;

/// A file that was changed this shortly before it was read may change again without a trace: file
/// systems count time in steps of their own.
const RACY: Duration = Duration::from_secs(2);

/// Reads a whole policy directory, dot files left out. What cannot be read becomes a problem of
/// the result, never a missing file.
#[must_use]
pub fn read_policies(root: &Path) -> PolicyFiles {
    let mut directory = PolicyDirectory::new(root.to_owned());
    directory.refresh(SystemTime::UNIX_EPOCH);
    directory.files()
}

/// A policy directory that is looked at again and again. Only what has changed is read again, by
/// what the file system says of each file: symbolic links that are swapped, files that are
/// replaced by rename and files that are written in place all show there.
#[derive(Debug)]
pub struct PolicyDirectory {
    root: PathBuf,
    /// Sorted by path.
    files: Vec<Known>,
    /// Where in there the files stand that the last look found, in its order: that of the directory
    /// seldom changes, and a path need not be searched for then.
    order: Vec<u32>,
    /// What was read, and nobody has asked for yet.
    bytes: BTreeMap<Arc<str>, Arc<[u8]>>,
    problems: Vec<Diagnostic>,
    identity: Digest,
    read: usize,
    /// Looks so far.
    looks: u64,
}

/// A file as it was when it was read.
#[derive(Debug)]
struct Known {
    path: Arc<str>,
    stamp: Stamp,
    /// Whether an equal stamp means equal bytes.
    settled: bool,
    digest: Digest,
    /// The last look that has found it.
    seen: u64,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file that is looked at again and again, and read when it may have changed.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    max_bytes: usize,
    /// How the file looked when it was read; nothing if an equal look would not mean equal bytes.
    settled: Option<Stamp>,
}

impl WatchedFile {
    /// A file that nobody has looked at yet.
    #[must_use]
    pub fn new(path: PathBuf, max_bytes: usize) -> Self {
        Self { path, max_bytes, settled: None }
    }

    /// What stands in the file, unless that is what the last look found. `now` is the file
    /// system's idea of the time.
    pub fn look(&mut self, now: SystemTime) -> Option<io::Result<Vec<u8>>> {
        if self.settled.is_some() && self.settled == stamp(&self.path) {
            return None;
        }
        self.settled = None;
        Some(self.read(now))
    }

    fn read(&mut self, now: SystemTime) -> io::Result<Vec<u8>> {
        let file = open_regular(&self.path)?;
        // Older than the bytes, so that what changes in between is read again.
        let stamp = Stamp::of(&file.metadata()?);
        let bytes = read_whole(file, self.max_bytes)?;
        self.settled = stamp.is_older_than(now).then_some(stamp);
        Ok(bytes)
    }

    /// Reads the file at the next look, whatever the file system says.
    pub fn distrust(&mut self) {
        self.settled = None;
    }
}

/// A pipe or a device could be read for ever.
fn open_regular(path: &Path) -> io::Result<fs::File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    fs::File::open(path)
}

impl PolicyDirectory {
    /// A directory that nobody has looked at yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: Vec::new(),
            order: Vec::new(),
            bytes: BTreeMap::new(),
            problems: Vec::new(),
            identity: Digest::of(&[]),
            read: 0,
            looks: 0,
        }
    }

    /// Looks at the directory as of `now`, the file system's idea of the time.
    pub fn refresh(&mut self, now: SystemTime) {
        self.looks += 1;
        let former = std::mem::take(&mut self.problems);
        let mut look = Look {
            now,
            looks: self.looks,
            changed: self.looks == 1,
            problems: Vec::new(),
            read: 0,
            new: BTreeMap::new(),
            order: Vec::with_capacity(self.order.len()),
            before: self,
        };
        let root = look.before.root.clone();
        if let Err(error) = look.directory(&root, &mut String::new(), 0) {
            let help = "give the policy directory, which holds servers/, surfaces.yaml, \
                        groups.yaml, reviews.yaml and guardrails.yaml";
            look.problems.push(unreadable(&root, &error).help(help));
        }
        let Look { problems, read, changed, new, order, .. } = look;
        let (before, looks) = (self.files.len(), self.looks);
        self.files.retain(|known| known.seen == looks);
        let moved = self.files.len() != before || !new.is_empty();
        if moved {
            self.files.extend(new.into_values());
            self.files.sort_by(|a, b| a.path.cmp(&b.path));
            self.files.shrink_to_fit();
        }
        self.order = if moved { Vec::new() } else { order };
        (self.problems, self.read) = (problems, read);
        if changed || moved || !(self.problems.is_empty() && former.is_empty()) {
            self.identify();
        }
    }

    fn identify(&mut self) {
        let problems = self.problems.iter().map(|problem| format!("{problem:?}"));
        let problems: String = problems.collect();
        let parts = self
            .files
            .iter()
            .flat_map(|known| [known.path.as_bytes(), known.digest.as_bytes()])
            .chain([problems.as_bytes()]);
        self.identity = Digest::of_parts(parts);
    }

    /// Reads everything again at the next look, whatever the file system says.
    pub fn distrust(&mut self) {
        self.files.iter_mut().for_each(|known| known.settled = false);
    }

    fn known(&self, path: &str) -> Option<&Known> {
        let at = self.files.binary_search_by(|known| (*known.path).cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether the guardrails' file is another one than the last look found; a look at all files
    /// may be some time off.
    #[must_use]
    pub fn guardrails_changed(&self) -> bool {
        const NAME: &str = "guardrails.yaml";
        stamp(&self.root.join(NAME)) != self.known(NAME).map(|known| known.stamp)
    }

    /// Whether nothing has changed in the moments before the last look.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.files.iter().all(|known| known.settled)
    }

    /// A digest of all that was found: files, and what could not be read.
    #[must_use]
    pub fn identity(&self) -> Digest {
        self.identity
    }

    /// How many files the last look had to read.
    #[must_use]
    pub fn read(&self) -> usize {
        self.read
    }

    /// The directory as of the last look, without what stands in its files.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let listed = |known: &Known| {
            let Known { path, digest, stamp: _, settled: _, seen: _ } = known;
            ListedFile { path: Arc::clone(path), digest: *digest }
        };
        Listing {
            root: self.root.clone(),
            files: self.files.iter().map(listed).collect(),
            problems: self.problems.clone(),
            ..Listing::default()
        }
    }

    /// What stands in a file: as a look has read it, or read once more. Whether that is what was
    /// found, its digest says.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<Arc<[u8]>> {
        if let Some(bytes) = self.bytes.get(path) {
            return Some(Arc::clone(bytes));
        }
        let file = open_regular(&self.root.join(path)).ok()?;
        read_whole(file, MAX_FILE_BYTES).ok().map(Arc::from)
    }

    /// A file as the last look has found it, unless it is another one by now.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<PolicyFile> {
        self.found(path, self.known(path)?.digest)
    }

    fn found(&self, path: &str, digest: Digest) -> Option<PolicyFile> {
        let bytes = match self.bytes.get(path) {
            Some(bytes) => Arc::clone(bytes),
            None => self.bytes(path).filter(|bytes| Digest::of(bytes) == digest)?,
        };
        Some(PolicyFile { path: path.to_owned(), bytes })
    }

    /// Drops what looks have read: a file that is wanted is read once more.
    pub fn forget(&mut self) {
        self.bytes.clear();
    }

    /// The directory as of the last look. A file that is another one by now is a problem.
    #[must_use]
    pub fn files(&self) -> PolicyFiles {
        let mut problems = self.problems.clone();
        let mut files = Vec::with_capacity(self.files.len());
        for Known { path, digest, stamp: _, settled: _, seen: _ } in &self.files {
            match self.found(path, *digest) {
                Some(file) => files.push(file),
                None => problems.push(Diagnostic::about_path(
                    Code::Unreadable,
                    self.root.join(&**path),
                    "it changed while it was read",
                )),
            }
        }
        PolicyFiles { root: self.root.clone(), files, problems, ..PolicyFiles::default() }
    }
}

/// One look at a directory.
struct Look<'d> {
    before: &'d mut PolicyDirectory,
    now: SystemTime,
    /// The number of this one.
    looks: u64,
    problems: Vec<Diagnostic>,
    read: usize,
    /// Whether a file is another than it was.
    changed: bool,
    /// Files that were not there, by path.
    new: BTreeMap<Arc<str>, Known>,
    /// Where the others stand.
    order: Vec<u32>,
}

impl Look<'_> {
    /// Where a file stands that was there before.
    fn find(&self, path: &str) -> Option<usize> {
        let PolicyDirectory { files, order, .. } = &*self.before;
        let next = order.get(self.order.len()).map(|at| *at as usize);
        let is_it = |at: &usize| files.get(*at).is_some_and(|known| *known.path == *path);
        next.filter(is_it).or_else(|| files.binary_search_by(|known| (*known.path).cmp(path)).ok())
    }

    /// Looks at a directory, whose path inside the whole is `inside`.
    fn directory(&mut self, path: &Path, inside: &mut String, depth: usize) -> io::Result<()> {
        let outer = inside.len();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let message = "the file's name is not UTF-8";
                let problem = Diagnostic::about_path(Code::UnexpectedFile, entry.path(), message);
                self.problems.push(problem);
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            if outer > 0 {
                inside.push('/');
            }
            inside.push_str(name);
            let looked = match metadata_of(&entry) {
                Ok(metadata) if metadata.is_dir() && depth < MAX_DEPTH => {
                    self.directory(&entry.path(), inside, depth + 1)
                }
                Ok(metadata) => self.file(&entry, inside, &metadata),
                Err(error) => Err(error),
            };
            inside.truncate(outer);
            if let Err(error) = looked {
                self.problems.push(unreadable(&entry.path(), &error));
            }
        }
        // The order of a directory is nobody's choice.
        self.problems.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
        Ok(())
    }

    fn file(&mut self, entry: &DirEntry, inside: &str, metadata: &Metadata) -> io::Result<()> {
        let stamp = Stamp::of(metadata);
        let found = self.find(inside);
        if let Some(at) = found {
            self.order.push(u32::try_from(at).unwrap_or(u32::MAX));
            if let Some(known) = self.before.files.get_mut(at)
                && known.settled
                && known.stamp == stamp
            {
                known.seen = self.looks;
                return Ok(());
            }
        }
        self.read += 1;
        if !metadata.is_file() {
            // A pipe or a device could be read for ever.
            return Err(io::Error::other("it is not a regular file"));
        }
        let file = fs::File::open(entry.path())?;
        // Of the file that is read, whatever the path leads to by now; and older than the bytes,
        // so that what changes in between is read again.
        let stamp = Stamp::of(&file.metadata()?);
        let bytes: Arc<[u8]> = read_whole(file, MAX_FILE_BYTES)?.into();
        let settled = stamp.is_older_than(self.now);
        let digest = Digest::of(&bytes);
        let seen = self.looks;
        let known = match found.and_then(|at| self.before.files.get_mut(at)) {
            Some(known) => known,
            None => self.new.entry(inside.into()).or_insert_with_key(|path| {
                let path = Arc::clone(path);
                Known { path, stamp, settled, digest: Digest::of(&[]), seen }
            }),
        };
        if known.digest != digest {
            self.changed = true;
            self.before.bytes.insert(Arc::clone(&known.path), bytes);
        }
        (known.stamp, known.settled, known.digest, known.seen) = (stamp, settled, digest, seen);
        Ok(())
    }
}

/// Follows links: a `ConfigMap` is a directory of them.
fn metadata_of(entry: &DirEntry) -> io::Result<Metadata> {
    // By the directory that is open: cheaper than by its path, which only a link needs.
    let metadata = entry.metadata()?;
    if metadata.is_symlink() { fs::metadata(entry.path()) } else { Ok(metadata) }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a change after `now` could not leave this stamp as it is.
    fn is_older_than(&self, now: SystemTime) -> bool {
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else {
            return false;
        };
        let (seconds, _) = self.changed.max(self.modified);
        u64::try_from(seconds).is_ok_and(|changed| changed + RACY.as_secs() < now.as_secs())
    }
}

/// Reads a file whole, unless it is larger than any that this program reads.
///
/// # Errors
///
/// As the file system says, or [`io::ErrorKind::FileTooLarge`].
pub fn read_file(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    read_whole(fs::File::open(path)?, max_bytes)
}

fn read_whole(file: fs::File, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// What the file system says of a file; nothing if it is not there.
#[must_use]
pub fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

/// Replaces a file by rename, so that nobody ever reads half of it; a file that says the same
/// already is left alone. Returns whether it was replaced.
///
/// # Errors
///
/// As the file system says. The old file stays then.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let mode = fs::metadata(path).map_or(0o644, |old| old.permissions().mode() & 0o777);
    let (mut file, new) = new_beside(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left of it would be in the way of nobody, and of use to nobody.
        fs::remove_file(&new).ok();
    }
    written.map(|()| true)
}

/// A new file beside another one, which nobody else has: not a second writer, nor whoever put a
/// link there.
fn new_beside(path: &Path) -> io::Result<(fs::File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let new = path.with_file_name(format!(".{name}.{}-{number}.new", std::process::id()));
        match fs::File::create_new(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(file) => return Ok((file, new)),
            Err(error) => return Err(error),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::about_path(Code::Unreadable, path, format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory, and what a look at it finds: whether it changed, and how many files were read.
    struct Watched(PolicyDirectory, Digest);

    impl Watched {
        fn new(root: &Path) -> Self {
            let mut directory = PolicyDirectory::new(root.to_owned());
            directory.refresh(later());
            let identity = directory.identity();
            Self(directory, identity)
        }

        fn look(&mut self) -> (bool, usize) {
            self.0.refresh(later());
            let changed = self.0.identity() != self.1;
            self.1 = self.0.identity();
            (changed, self.0.read())
        }
    }

    /// Long after any file was written, so that stamps are believed.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        for name in 0..1000 {
            write(&root.path().join(format!("servers/s{name}.yaml")), "toolgate: 1");
        }
        let mut watched = Watched::new(root.path());
        assert_eq!(watched.0.read(), 1000);
        assert_eq!(watched.look(), (false, 0));

        write(&root.path().join("servers/s7.yaml"), "toolgate: 2");
        assert_eq!(watched.look(), (true, 1), "same size, written in place");
        let other = root.path().join("other");
        fs::write(&other, "toolgate: 3").unwrap();
        fs::rename(&other, root.path().join("servers/s8.yaml")).unwrap();
        assert_eq!(watched.look(), (true, 1), "replaced by rename");
        fs::remove_file(root.path().join("servers/s9.yaml")).unwrap();
        assert_eq!(watched.look(), (true, 0), "removed");
        fs::rename(root.path().join("servers/s10.yaml"), root.path().join("servers/t.yaml"))
            .unwrap();
        assert_eq!(watched.look(), (true, 1), "renamed");
        assert_eq!(watched.look(), (false, 0));
        watched.0.distrust();
        assert_eq!(watched.look(), (false, 999));
    }

    #[test]
    fn what_was_read_is_dropped_and_read_once_more() {
        let root = tempfile::tempdir().unwrap();
        for name in ["groups.yaml", "servers/a.yaml", "servers/b.yaml"] {
            write(&root.path().join(name), "toolgate: 1");
        }
        let Watched(mut directory, _) = Watched::new(root.path());
        let files = |directory: &PolicyDirectory| {
            let PolicyFiles { files, problems, .. } = directory.files();
            let paths: Vec<_> = files.into_iter().map(|file| file.path).collect();
            (paths.join(" "), problems.len())
        };
        let all = "groups.yaml servers/a.yaml servers/b.yaml".to_owned();
        assert_eq!(files(&directory), (all.clone(), 0));
        directory.forget();
        assert_eq!(files(&directory), (all.clone(), 0));
        // Only what the look has found is believed.
        write(&root.path().join("servers/a.yaml"), "toolgate: 2");
        fs::remove_file(root.path().join("groups.yaml")).unwrap();
        assert_eq!(files(&directory), ("servers/b.yaml".to_owned(), 2));
        assert!(directory.file("servers/a.yaml").is_none());
        assert!(directory.file("servers/b.yaml").is_some());
        directory.refresh(later());
        assert_eq!(files(&directory), ("servers/a.yaml servers/b.yaml".to_owned(), 0));
        let found = directory.listing().files;
        assert_eq!(found[0].digest, Digest::of(b"toolgate: 2"));
    }

    #[test]
    fn a_young_file_is_read_again_until_its_stamp_can_be_believed() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("surfaces.yaml"), "toolgate: 1");
        let mut directory = PolicyDirectory::new(root.path().to_owned());
        for _ in 0..2 {
            directory.refresh(SystemTime::now());
            assert_eq!(directory.read(), 1);
        }
        // Clocks that were set back make every file young.
        directory.refresh(SystemTime::UNIX_EPOCH);
        assert_eq!(directory.read(), 1);
    }

    #[test]
    fn a_config_map_is_swapped_by_its_link() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (version, text) in [("..1", "toolgate: 1"), ("..2", "toolgate: 2")] {
            write(&root.join(version).join("servers/presto.yaml"), text);
            write(&root.join(version).join("groups.yaml"), "toolgate: 1");
        }
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/servers", root.join("servers")).unwrap();
        symlink("..data/groups.yaml", root.join("groups.yaml")).unwrap();
        let mut watched = Watched::new(root);
        assert_eq!(watched.0.files().files.len(), 2);
        symlink("..2", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        assert_eq!(watched.look(), (true, 2));
        let files = watched.0.files().files;
        assert_eq!(files.last().map(|file| &*file.bytes), Some(&b"toolgate: 2"[..]));

        // A link to the directory itself, as git-sync swaps it.
        let link = root.join("current");
        symlink("..1", &link).unwrap();
        let mut watched = Watched::new(&link);
        symlink("..2", root.join("next")).unwrap();
        fs::rename(root.join("next"), &link).unwrap();
        assert_eq!(watched.look(), (true, 2));
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_a_change() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("policies");
        let mut watched = Watched::new(&missing);
        assert_eq!(watched.0.files().problems.len(), 1);
        write(&missing.join("groups.yaml"), "toolgate: 1");
        assert_eq!(watched.look(), (true, 1));
        symlink("nowhere", missing.join("servers")).unwrap();
        assert_eq!(watched.look(), (true, 0));
        assert_eq!(watched.0.files().problems.len(), 1);
    }

    #[test]
    fn a_file_is_replaced_whole_and_only_if_it_says_something_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("routes.json");
        assert!(replace_file(&path, b"1").unwrap());
        assert!(!replace_file(&path, b"1").unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(replace_file(&path, b"2").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o604);
        assert!(replace_file(&root.path().join("missing/routes.json"), b"1").is_err());
        fs::create_dir(root.path().join("directory")).unwrap();
        assert!(replace_file(&root.path().join("directory"), b"1").is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn two_that_replace_one_file_never_show_half_of_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("routes.json");
        let texts = ["a".repeat(100_000), "b".repeat(100_000)];
        replace_file(&path, texts[0].as_bytes()).unwrap();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| {
                    for _ in 0..100 {
                        replace_file(&path, text.as_bytes()).unwrap();
                    }
                });
            }
            for _ in 0..200 {
                let read = fs::read_to_string(&path).unwrap();
                assert!(texts.contains(&read), "half a file");
            }
        });
    }

    #[test]
    fn a_watched_file_is_read_when_it_may_have_changed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("revoked.yaml");
        let mut file = WatchedFile::new(path.clone(), 4);
        assert!(file.look(later()).unwrap().is_err(), "not there");
        fs::write(&path, "abc").unwrap();
        assert_eq!(file.look(SystemTime::now()).unwrap().unwrap(), b"abc");
        assert!(file.look(later()).is_some(), "it was young");
        assert!(file.look(later()).is_none());
        fs::write(&path, "abd").unwrap();
        assert_eq!(file.look(later()).unwrap().unwrap(), b"abd");
        file.distrust();
        assert!(file.look(later()).is_some());
        fs::write(&path, "abcde").unwrap();
        for _ in 0..2 {
            assert!(file.look(later()).unwrap().is_err(), "too large, each time");
        }
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(file.look(later()).unwrap().is_err());
    }

    #[test]
    fn what_could_be_read_for_ever_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("servers")).unwrap();
        let pipe = root.path().join("servers/presto.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let files = read_policies(root.path());
        assert_eq!(files.problems.len(), 1);
        assert!(files.problems[0].message.contains("not a regular file"));
    }
}
