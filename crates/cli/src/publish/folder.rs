//! A folder that readers fetch a bundle from.

use super::Destination;
use crate::bundle::check_replaceable;
use crate::files;
use anyhow::{Context, Result};
use recsys_core::manifest::{self, FileEntry};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A folder, which is made with the first file.
pub struct Folder(PathBuf);

impl Folder {
    /// A folder with a bundle, without files, or to be made.
    ///
    /// # Errors
    /// It has other files.
    pub fn new(path: &Path) -> Result<Self> {
        check_replaceable(path, "--to")?;
        Ok(Self(path.to_owned()))
    }
}

impl Destination for Folder {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn manifest(&self) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(manifest::FILE_NAME);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    fn holds(&self, entry: &FileEntry) -> Result<bool> {
        let found = std::fs::metadata(self.0.join(&entry.file));
        Ok(found.is_ok_and(|found| found.is_file() && found.len() == entry.bytes))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::put(&self.0, name, bytes)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        files::remove(&path).with_context(|| format!("{}: cannot remove", path.display()))
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Vec::new())),
            Err(error) => return Err(error).with_context(|| self.name()),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.with_context(|| self.name())?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(Some(names))
    }
}
