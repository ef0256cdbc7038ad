//! A file under way: `NAME.part`, with its hash so far, and beside it the server's name of what it is a part of.

use crate::files;
use anyhow::{Context, Result, bail};
use recsys_core::manifest::FileDigest;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file under way.
pub struct Part {
    file: File,
    path: PathBuf,
    digest: FileDigest,
}

impl Part {
    /// Opens what an earlier run left of `dest`, or starts.
    ///
    /// # Errors
    /// It cannot be read or made, or another run has it.
    pub fn open(dest: &Path) -> Result<Self> {
        let path = with_ending(dest, ".part");
        let open = || {
            if let Some(folder) = dest.parent() {
                std::fs::create_dir_all(folder)?;
            }
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(&path)
        };
        let file = open().with_context(|| format!("{}: cannot write", path.display()))?;
        match file.try_lock() {
            // Some file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "{}: another run is downloading it; wait for that one, or use another folder with --cache DIR",
                path.display()
            ),
        }
        let digest = file.try_clone().and_then(files::digest);
        let digest = digest.with_context(|| format!("{}: cannot read it", path.display()))?;
        Ok(Self { file, path, digest })
    }

    /// Bytes that are there.
    pub const fn len(&self) -> u64 {
        self.digest.bytes()
    }

    /// SHA-256 of what is there.
    pub fn sha256(&self) -> String {
        self.digest.sha256()
    }

    /// The server's name of what this is a part of.
    pub fn etag(&self) -> Option<String> {
        std::fs::read_to_string(with_ending(&self.path, ".etag")).ok()
    }

    /// Throws away what is there, for something of another name, or of none.
    ///
    /// # Errors
    /// A write fails.
    pub fn restart(&mut self, etag: Option<&str>) -> Result<()> {
        let name = with_ending(&self.path, ".etag");
        let restart = || {
            self.file.set_len(0)?;
            match etag {
                Some(etag) => std::fs::write(&name, etag),
                None => files::remove(&name),
            }
        };
        let result = restart();
        self.digest = FileDigest::default();
        result.map_err(|error| self.failed(&error))
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// A write fails.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| self.failed(&error))?;
        self.digest.add(bytes);
        Ok(())
    }

    /// Gives it its name: all of it is on the disk before.
    ///
    /// # Errors
    /// A write fails.
    pub fn finish(self, dest: &Path) -> Result<()> {
        let finish = || {
            self.file.sync_all()?;
            std::fs::rename(&self.path, dest)?;
            files::remove(&with_ending(&self.path, ".etag"))
        };
        finish().map_err(|error| self.failed(&error))
    }

    /// Leaves nothing.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(self) -> Result<()> {
        let discard = || {
            files::remove(&with_ending(&self.path, ".etag"))?;
            files::remove(&self.path)
        };
        discard().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> anyhow::Error {
        failed(&self.path, self.len(), error)
    }
}

/// What to do when a write fails.
pub fn failed(path: &Path, bytes: u64, error: &std::io::Error) -> anyhow::Error {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room and run again, it continues where it stopped; or choose another folder with --cache DIR"
        }
        _ => "choose a folder that can be written with --cache DIR",
    };
    anyhow::anyhow!(
        "{}: cannot write after {bytes} bytes: {error}; {remedy}",
        path.display()
    )
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
