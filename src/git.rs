//! Policies as of a git revision, read through the `git` that wrote them.
//!
//! Only commands that look objects up are run: none of them reads the working tree, runs a hook or
//! a filter, or writes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use thiserror::Error;

use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{PolicyFile, PolicyFiles};
use crate::yaml::MAX_FILE_BYTES;

#[cfg(test)]
mod tests;

/// Why a revision could not be read.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no `git`, or it could not be talked to.
    #[error("git: {0}")]
    Run(#[from] io::Error),
    /// Git says no.
    #[error("{0}")]
    Refused(String),
    /// The revision is there, and the directory is not in it.
    #[error("`{directory}` is not a directory of `{revision}`")]
    NoDirectory {
        /// As it was asked for.
        revision: String,
        /// As it was asked for.
        directory: String,
    },
    /// Git says something that this program does not understand.
    #[error("git {command}: unexpected output")]
    Unexpected {
        /// What was run.
        command: &'static str,
    },
}

impl GitError {
    /// Words for where git itself has none.
    fn or_say(self, words: impl FnOnce() -> String) -> Self {
        match &self {
            Self::Refused(said) if said.is_empty() => Self::Refused(words()),
            Self::Refused(_)
            | Self::Run(_)
            | Self::NoDirectory { .. }
            | Self::Unexpected { .. } => self,
        }
    }
}

/// A repository, by a directory in it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Where git runs; paths are relative to it.
    directory: PathBuf,
}

/// A file of a revision.
struct Entry {
    /// Inside the policy directory.
    path: String,
    object: String,
    bytes: usize,
    is_file: bool,
}

impl Repository {
    /// The repository that a directory is in.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The commit that a revision means.
    ///
    /// # Errors
    ///
    /// If there is no such commit, or no git.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        let commit = format!("{revision}^{{commit}}");
        self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .map_err(|error| error.or_say(|| format!("git knows no revision `{revision}`")))
    }

    /// The commit that two revisions have in common last.
    ///
    /// # Errors
    ///
    /// If one of them is not known, or they have nothing in common.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<String, GitError> {
        let (one_commit, other_commit) = (self.commit(one)?, self.commit(other)?);
        let meet = self.run(["merge-base", &one_commit, &other_commit]);
        meet.map_err(|error| {
            error.or_say(|| {
                format!(
                    "`{one}` and `{other}` have no commit in common; a shallow clone may lack it"
                )
            })
        })
    }

    /// The policy directory as of a revision, dot files left out; `directory` is relative to where
    /// the repository was opened. What cannot be read becomes a problem of the result, never a
    /// missing file.
    ///
    /// # Errors
    ///
    /// If there is no such revision or no such directory in it, or git cannot be run.
    pub fn policies(&self, revision: &str, directory: &Path) -> Result<PolicyFiles, GitError> {
        let commit = self.commit(revision)?;
        let tree = self.tree(&commit, directory)?.ok_or_else(|| GitError::NoDirectory {
            revision: revision.to_owned(),
            directory: directory.display().to_string(),
        })?;
        let root = PathBuf::from(format!("{revision}:{}", directory.display()));
        let mut files = PolicyFiles::rooted(&root);
        let mut entries = self.entries(&tree)?;
        entries.retain(|entry| {
            let problem = if !entry.is_file {
                "a link or submodule: a revision is read without what it leads to".to_owned()
            } else if entry.bytes > MAX_FILE_BYTES {
                "the file is larger than 1 MiB".to_owned()
            } else {
                return true;
            };
            let path = root.join(&entry.path);
            files.problems.push(Diagnostic::about_path(Code::Unreadable, path, problem));
            false
        });
        let contents = self.contents(&entries)?;
        for Entry { path, object, .. } in entries {
            let bytes = contents.get(&object).cloned();
            let bytes = bytes.ok_or(GitError::Unexpected { command: "cat-file" })?;
            files.files.push(PolicyFile { path, bytes });
        }
        Ok(files)
    }

    /// The tree of a directory; nothing if the commit has none there.
    fn tree(&self, commit: &str, directory: &Path) -> Result<Option<String>, GitError> {
        let inside = if directory.is_absolute() {
            let top = PathBuf::from(self.run(["rev-parse", "--show-toplevel"])?);
            let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
            match directory.strip_prefix(&top) {
                Ok(inside) => inside.to_owned(),
                Err(_) => return Ok(None),
            }
        } else {
            let mut inside = PathBuf::from(self.run(["rev-parse", "--show-prefix"])?);
            for part in directory.components() {
                match part {
                    Component::ParentDir if !inside.pop() => return Ok(None),
                    Component::Normal(part) => inside.push(part),
                    Component::ParentDir | Component::CurDir => {}
                    Component::RootDir | Component::Prefix(_) => return Ok(None),
                }
            }
            inside
        };
        let name = format!("{commit}:{}", inside.display());
        match self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]) {
            Ok(object) => {
                let kind = self.run(["cat-file", "-t", &object])?;
                Ok((kind == "tree").then_some(object))
            }
            Err(GitError::Refused(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn entries(&self, tree: &str) -> Result<Vec<Entry>, GitError> {
        let unexpected = || GitError::Unexpected { command: "ls-tree" };
        let list = self.output(["ls-tree", "-r", "-l", "-z", "--full-tree", tree])?;
        let list = String::from_utf8(list).map_err(|_| unexpected())?;
        let mut entries = Vec::new();
        for line in list.split_terminator('\0') {
            let (facts, path) = line.split_once('\t').ok_or_else(unexpected)?;
            let mut facts = facts.split_ascii_whitespace();
            let facts = [facts.next(), facts.next(), facts.next(), facts.next()];
            let [Some(mode), Some(_kind), Some(object), Some(bytes)] = facts else {
                return Err(unexpected());
            };
            if path.split('/').any(|part| part.starts_with('.')) {
                continue;
            }
            entries.push(Entry {
                path: path.to_owned(),
                object: object.to_owned(),
                // A submodule has no size.
                bytes: bytes.parse().unwrap_or(0),
                is_file: mode.starts_with("100"),
            });
        }
        Ok(entries)
    }

    /// The bytes of every object.
    fn contents(&self, entries: &[Entry]) -> Result<HashMap<String, Arc<[u8]>>, GitError> {
        let unexpected = || GitError::Unexpected { command: "cat-file" };
        let mut git = self
            .command(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = git.stdin.take().ok_or_else(unexpected)?;
        let stdout = git.stdout.take().ok_or_else(unexpected)?;
        let contents = std::thread::scope(|scope| {
            // Both pipes fill up: one side has to be elsewhere.
            scope.spawn(move || {
                let mut stdin = io::BufWriter::new(stdin);
                for entry in entries {
                    if writeln!(stdin, "{}", entry.object).is_err() {
                        break;
                    }
                }
            });
            let mut stdout = BufReader::new(stdout);
            let mut contents = HashMap::new();
            for entry in entries {
                let mut head = String::new();
                stdout.read_line(&mut head)?;
                let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
                let known = head.starts_with(&entry.object);
                let size: usize = size.filter(|_| known).ok_or_else(unexpected)?;
                if size > MAX_FILE_BYTES {
                    return Err(unexpected());
                }
                let mut bytes = vec![0; size + 1];
                stdout.read_exact(&mut bytes)?;
                bytes.pop();
                contents.insert(entry.object.clone(), bytes.into());
            }
            Ok(contents)
        });
        if contents.is_err() {
            git.kill().ok();
        }
        git.wait()?;
        contents
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&self.directory)
            .args(arguments.map(OsStr::new))
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null());
        command
    }

    fn output<const N: usize>(&self, arguments: [&str; N]) -> Result<Vec<u8>, GitError> {
        let output = self.command(arguments).output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        Err(GitError::Refused(said.trim_start_matches("fatal: ").to_owned()))
    }

    /// What git prints, without the line feed.
    fn run<const N: usize>(&self, arguments: [&str; N]) -> Result<String, GitError> {
        let output = self.output(arguments)?;
        let text = String::from_utf8(output);
        let text = text.map_err(|_| GitError::Unexpected { command: "rev-parse" })?;
        Ok(text.trim_end_matches('\n').to_owned())
    }
}
