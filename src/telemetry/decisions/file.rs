//! A file that is rotated by size, and that may be moved or removed by others at any time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::lines::Output;
use crate::config::FileSink;

/// The operator and a group that collects logs may read it.
const MODE: u32 = 0o640;

const ROTATE_AGAIN: Duration = Duration::from_secs(60);

pub(super) struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    file: Option<File>,
    size: u64,
    /// When a rotation that failed is tried again.
    rotate_again: Option<Instant>,
}

impl RotatingFile {
    pub(super) fn open(config: &FileSink) -> io::Result<Self> {
        let FileSink { path, max_bytes, keep } = config.clone();
        let mut rotating = Self { path, max_bytes, keep, file: None, size: 0, rotate_again: None };
        rotating.open_file()?;
        Ok(rotating)
    }

    fn open_file(&mut self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).mode(MODE).open(&self.path)?;
        let metadata = file.metadata()?;
        // A device has no size, and is never moved away.
        self.size = if metadata.is_file() { metadata.len() } else { 0 };
        // The end of a process that was killed in the middle of a line.
        if self.size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                self.size += 1;
            }
        }
        self.file = Some(file);
        Ok(())
    }

    /// Whether the path still leads to the file that is open.
    fn is_in_place(&self) -> bool {
        let Some(Ok(open)) = self.file.as_ref().map(File::metadata) else {
            return false;
        };
        fs::metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino()))
    }

    /// `PATH` becomes `PATH.1`, that becomes `PATH.2`; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            let old = numbered(&self.path, number);
            if old.exists() {
                fs::rename(old, numbered(&self.path, number + 1))?;
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))
    }
}

impl Output for RotatingFile {
    fn prepare(&mut self, bytes: usize, between_lines: bool) -> io::Result<bool> {
        let in_place = self.is_in_place();
        let has_room = self.size == 0 || self.size + bytes as u64 <= self.max_bytes;
        if in_place && (has_room || !between_lines) {
            return Ok(false);
        }
        if in_place {
            if self.rotate_again.is_some_and(|at| Instant::now() < at) {
                return Ok(false);
            }
            if let Err(error) = self.rotate() {
                // Larger than it should be is better than not written.
                let path = self.path.display();
                tracing::error!(%path, %error, "the decision log cannot be rotated");
                self.rotate_again = Some(Instant::now() + ROTATE_AGAIN);
                return Ok(false);
            }
            self.rotate_again = None;
        }
        self.open_file()?;
        Ok(true)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let written = file.write(bytes)?;
        if file.metadata()?.is_file() {
            self.size += written as u64;
        }
        Ok(written)
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}
