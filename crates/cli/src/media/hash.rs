//! What a medium's content is, as one hash.

use anyhow::{Context, Result, ensure};
use recsys_core::manifest::{FileDigest, sha256_hex};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The files of a folder of pictures, in the order of their names. Hidden ones and folders do not count.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let at = || folder.display().to_string();
    let entries = std::fs::read_dir(folder).with_context(at)?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .with_context(at)?;
    files.retain(|path| {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.is_file()
    });
    files.sort();
    ensure!(
        !files.is_empty(),
        "{}: expected pictures, found an empty folder",
        at()
    );
    Ok(files)
}

/// SHA-256 of a file's bytes, or of the names and bytes of a folder's files, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn content_hash(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return of_file(path);
    }
    let mut all = FileDigest::default();
    for file in files(path)? {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        all.add(sha256_hex(name).as_bytes());
        all.add(of_file(&file)?.as_bytes());
    }
    Ok(all.sha256())
}

fn of_file(path: &Path) -> Result<String> {
    let digest = File::open(path).and_then(crate::files::digest);
    let digest = digest.with_context(|| format!("{}: cannot read it", path.display()))?;
    Ok(digest.sha256())
}
