//! Remembering what was made from which sources, so that long steps run again only where something changed.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A hash over the names and contents of all files below these paths, and over `extra`.
pub(crate) fn of(paths: &[impl AsRef<Path>], extra: &str) -> Result<String> {
    let mut files = Vec::new();
    for path in paths {
        collect(path.as_ref(), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(&file).with_context(|| file.display().to_string())?);
    }
    hash.update(extra);
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|n| n != "__pycache__" && n != "node_modules")
        {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// Does `work` unless `file` says that it was done for this stamp; marks it as done afterwards.
pub(crate) fn unless_done(file: &Path, stamp: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|done| done == stamp) {
        return Ok(());
    }
    if file.exists() {
        std::fs::remove_file(file)?;
    }
    work()?;
    std::fs::write(file, stamp).with_context(|| file.display().to_string())
}
