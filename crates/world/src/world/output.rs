//! The folder that a world is written to: made beside its final place, put there in one step.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The file that says that a folder is a demo world.
pub(super) const MARKER: &str = "world.json";

/// A folder being written. Dropped before [`Self::publish`], it leaves nothing behind.
pub(super) struct Output {
    target: PathBuf,
    folder: TempDir,
}

impl Output {
    /// Checks that `target` may be replaced, and makes a folder beside it.
    pub(super) fn prepare(target: &Path, force: bool) -> Result<Self> {
        let target = std::path::absolute(target)
            .with_context(|| format!("the folder {} can't be resolved", target.display()))?;
        let parent = target.parent().filter(|_| target.file_name().is_some());
        let parent = parent.with_context(|| {
            format!(
                "{} has no parent folder; give a folder to make, such as ./world",
                target.display()
            )
        })?;
        ensure!(
            force || replaceable(&target)?,
            "{} exists and is neither empty nor a demo world (it has no {MARKER}); choose another folder, or pass \
             --force to replace it",
            target.display()
        );
        fs::create_dir_all(parent).with_context(|| format!("making the folder {}", parent.display()))?;
        let folder = tempfile::Builder::new()
            .prefix(".demo-world-")
            .tempdir_in(parent)
            .with_context(|| format!("making a folder in {}", parent.display()))?;
        Ok(Self { target, folder })
    }

    /// Where to write.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the folder into its place; what stood there is removed.
    pub(super) fn publish(self) -> Result<()> {
        let Self { target, folder } = self;
        let staging = tempfile::Builder::new()
            .prefix(".demo-world-old-")
            .tempdir_in(folder.path().parent().unwrap_or(Path::new(".")))
            .context("making a folder for the previous world")?;
        let old = staging.path().join("world");
        match fs::rename(&target, &old) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("moving the previous {} away", target.display()));
            }
            _ => {}
        }
        open_to_readers(folder.path())?;
        if let Err(error) = fs::rename(folder.path(), &target) {
            // Readers keep the old world where there was one.
            let _ = fs::rename(&old, &target);
            return Err(error).with_context(|| format!("putting the new world at {}", target.display()));
        }
        // The folder has moved: nothing is left at its temporary path.
        let _ = folder.keep();
        Ok(())
    }
}

/// Temporary folders are private; a published one is readable like any other.
#[cfg(unix)]
fn open_to_readers(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} readable", folder.display()))
}

#[cfg(not(unix))]
fn open_to_readers(_folder: &Path) -> Result<()> {
    Ok(())
}

fn replaceable(target: &Path) -> Result<bool> {
    let mut entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => {
            return Err(error).with_context(|| format!("{} is no folder that can be read", target.display()));
        }
    };
    Ok(entries.next().is_none() || target.join(MARKER).is_file())
}
