//! Which files a policy directory has.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::digest::Digest;
use crate::diagnostics::{Code, Diagnostic};

/// One file of a policy directory, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// The path inside the directory, with `/` between its parts.
    pub path: String,
    /// The bytes; shared, since sets are made again and again of files that mostly stay.
    pub bytes: Arc<[u8]>,
}

/// A policy directory, as it was read. Reading it is somebody else's work: the domain has no I/O.
#[derive(Clone, Debug, Default)]
pub struct PolicyFiles {
    /// The directory, as it is shown to people.
    pub root: PathBuf,
    /// The files, dot files left out.
    pub files: Vec<PolicyFile>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
    /// How many of the files have been parsed since, for whoever waits for it.
    pub parsed: Parsed,
}

/// A policy directory without what stands in its files: enough to tell which of them are others.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The directory, as it is shown to people.
    pub root: PathBuf,
    /// The files, sorted by path, dot files left out.
    pub files: Vec<ListedFile>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
    /// How many of the files have been parsed since, for whoever waits for it.
    pub parsed: Parsed,
}

/// One file of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    /// The path inside the directory, with `/` between its parts.
    pub path: Arc<str>,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// A count that is shared by everybody who has a copy.
#[derive(Clone, Debug, Default)]
pub struct Parsed(Arc<AtomicUsize>);

/// What a file of a policy directory says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind<'a> {
    /// `servers/NAME.yaml`, with the name.
    Server(&'a str),
    Surfaces,
    Groups,
    Reviews,
    Guardrails,
    /// `tests/NAME.yaml`: decides nothing, and is read by `scenario` alone.
    Test,
}

/// Whether the file at a path inside the directory has tests.
#[must_use]
pub fn is_test(path: &str) -> bool {
    let name = path.strip_prefix("tests/").and_then(|name| name.strip_suffix(".yaml"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

impl FileKind<'_> {
    /// The kind of the file at a path inside the directory.
    pub(super) fn of(path: &str) -> Result<FileKind<'_>, (Code, &'static str)> {
        match path {
            "surfaces.yaml" => return Ok(FileKind::Surfaces),
            "groups.yaml" => return Ok(FileKind::Groups),
            "reviews.yaml" => return Ok(FileKind::Reviews),
            "guardrails.yaml" => return Ok(FileKind::Guardrails),
            _ => {}
        }
        if is_test(path) {
            return Ok(FileKind::Test);
        }
        match path.strip_prefix("servers/").and_then(|name| name.strip_suffix(".yaml")) {
            Some(name) if !name.contains('/') => Ok(FileKind::Server(name)),
            _ => Err((Code::UnexpectedFile, "this file does not belong in a policy directory")),
        }
    }
}

impl Parsed {
    /// How many there have been.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl PolicyFiles {
    /// No file of that directory.
    #[must_use]
    pub fn rooted(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// The same without the bytes.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let Self { root, files, problems, parsed } = self;
        let listed = |PolicyFile { path, bytes }: &PolicyFile| {
            let (path, digest) = (path.as_str().into(), Digest::of(bytes));
            ListedFile { path, digest }
        };
        let mut files: Vec<_> = files.iter().map(listed).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Listing { root: root.clone(), files, problems: problems.clone(), parsed: parsed.clone() }
    }

    /// The path of a file as it is shown to people.
    pub(super) fn display(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path))
    }
}
