//! What `toolgate lint --fix` writes, and `--diff` only shows.

use std::fs;

use similar::TextDiff;

use crate::cli::exit::{Exit, fail, hint, print};
use crate::disk;
use crate::lint::{Mended, MendedFile};

/// Writes the files that were mended, each as a whole.
pub(super) fn write(mended: &Mended) -> Result<(), Exit> {
    for MendedFile { path, before, after } in &mended.files {
        // A link's target is replaced, and not the link.
        let written = fs::canonicalize(path).and_then(|real| {
            // Whoever saved it meanwhile keeps what they wrote.
            let unchanged = fs::read(&real)? == before.as_bytes();
            unchanged.then(|| disk::replace_file(&real, after.as_bytes())).transpose()
        });
        match written {
            Ok(Some(_)) => {}
            Ok(None) => {
                let exit = fail(format_args!("{}: somebody changed it just now", path.display()));
                hint("run it again");
                return Err(exit);
            }
            Err(error) => return Err(fail(format_args!("{}: {error}", path.display()))),
        }
    }
    Ok(())
}

/// Says what was mended.
pub(super) fn tell(mended: &Mended) {
    for (path, line, title) in &mended.fixes {
        print(format_args!("fixed {}:{line}: {title}\n", path.display()));
    }
}

/// Shows how the files would change.
pub(super) fn diff(mended: &Mended) -> Exit {
    for MendedFile { path, before, after } in &mended.files {
        let shown = path.display().to_string();
        let diff = TextDiff::from_lines(before.as_str(), after.as_str());
        print(diff.unified_diff().header(&shown, &shown));
    }
    if mended.files.is_empty() { Exit::Success } else { Exit::No }
}
