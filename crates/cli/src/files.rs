//! Files that are there as a whole, or not at all.

use anyhow::{Context, Result, bail};
use recsys_core::manifest::FileDigest;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Starts the names of files that are being written.
pub const UNFINISHED: &str = ".recsys-put-";

/// Writes `bytes` to `name` in a folder, which is made: under another name first, and on the disk when this returns.
///
/// # Errors
/// A write fails.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    let put = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(readable())
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        // The name is on the disk before the next step.
        File::open(folder)?.sync_all()
    };
    put().with_context(|| format!("{}: cannot write", path.display()))
}

/// Permissions of a file for others to read; a temporary file would be its owner's alone.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Reads to the end.
///
/// # Errors
/// A read fails.
pub fn digest(mut from: impl Read) -> std::io::Result<FileDigest> {
    let (mut digest, mut buffer) = (FileDigest::default(), vec![0; 1 << 16]);
    loop {
        let n = from.read(&mut buffer)?;
        match buffer.get(..n) {
            None | Some([]) => return Ok(digest),
            Some(bytes) => digest.add(bytes),
        }
    }
}

/// Removes a file, which need not be there.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The user's cache folder for this program. Variables that hold no absolute path do not count.
///
/// # Errors
/// The environment does not tell it; `instead` is the option that names another.
pub fn cache_folder(instead: &str) -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || {
        let home = variable("HOME")?;
        Some(if cfg!(target_os = "macos") {
            home.join("Library/Caches")
        } else {
            home.join(".cache")
        })
    };
    let base = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(home);
    match base {
        Some(base) => Ok(base.join("recsys")),
        None => bail!("cannot tell the user's cache folder; set XDG_CACHE_HOME or HOME, or pass {instead}"),
    }
}
