//! Reading policy directories and configuration files from the file system; the only module that
//! does so for the command line and the server alike.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{PolicyFile, PolicyFiles};
use crate::yaml::MAX_FILE_BYTES;

/// `servers/` and `tests/` are one level down; whatever is deeper is unexpected anyway.
const MAX_DEPTH: usize = 3;

/// Reads a whole policy directory, dot files left out. What cannot be read becomes a problem of
/// the result, never a missing file.
#[must_use]
pub fn read_policies(root: &Path) -> PolicyFiles {
    let mut files = PolicyFiles { root: root.to_owned(), ..PolicyFiles::default() };
    if let Err(error) = read_directory(root, "", 0, &mut files) {
        let help = "give the policy directory, which holds servers/, surfaces.yaml, groups.yaml, \
                    reviews.yaml and guardrails.yaml";
        files.problems.push(unreadable(root, &error).help(help));
    }
    files
}

/// Reads a file whole, unless it is larger than any that this program reads.
///
/// # Errors
///
/// As the file system says, or [`io::ErrorKind::FileTooLarge`].
pub fn read_file(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::about_path(Code::Unreadable, path, format!("cannot be read: {error}"))
}

fn read_directory(
    path: &Path,
    inside: &str,
    depth: usize,
    files: &mut PolicyFiles,
) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let message = "the file's name is not UTF-8";
            files.problems.push(Diagnostic::about_path(
                Code::UnexpectedFile,
                entry.path(),
                message,
            ));
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let inside = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
        // Follows links: a ConfigMap is a directory of them.
        let read = match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() && depth < MAX_DEPTH => {
                read_directory(&entry.path(), &inside, depth + 1, files)
            }
            Ok(_) => read_file(&entry.path(), MAX_FILE_BYTES)
                .map(|bytes| files.files.push(PolicyFile { path: inside, bytes })),
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            files.problems.push(unreadable(&entry.path(), &error));
        }
    }
    Ok(())
}
