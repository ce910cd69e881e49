//! Files that appear whole or not at all.

use std::{
    fs::{OpenOptions, Permissions, create_dir_all, rename},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result};

/// Who may read a file.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Everybody,
    Owner,
}

/// Writes `bytes` beside `dir/name` and renames them into place, so that a reader that watches
/// the file never sees half of it.
pub(crate) fn replace(dir: &Path, name: &str, bytes: &[u8], access: Access) -> Result<()> {
    let mode = match access {
        Access::Everybody => 0o644,
        Access::Owner => 0o600,
    };
    let target = dir.join(name);
    let draft = dir.join(format!(".{name}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        create_dir_all(dir)?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        // The mode above holds only for a new file and after the umask.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        rename(&draft, &target)
    };
    write().with_context(|| format!("could not write {}", target.display()))
}
