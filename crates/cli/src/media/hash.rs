//! What a medium's content is, as one hash.

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
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

/// SHA-256 of a file's bytes, or of the names and bytes of a folder's files.
///
/// # Errors
/// It cannot be read.
pub fn content_hash(path: &Path) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    if !path.is_dir() {
        add(path, &mut hash)?;
        return Ok(hash.finalize().into());
    }
    for file in files(path)? {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        let mut own = Sha256::new();
        add(&file, &mut own)?;
        hash.update(Sha256::digest(name));
        hash.update(own.finalize());
    }
    Ok(hash.finalize().into())
}

fn add(path: &Path, hash: &mut Sha256) -> Result<()> {
    let at = || format!("{}: cannot read it", path.display());
    let mut file = File::open(path).with_context(at)?;
    let mut block = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut block).with_context(at)?;
        if n == 0 {
            return Ok(());
        }
        hash.update(block.get(..n).unwrap_or_default());
    }
}
