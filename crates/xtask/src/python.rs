//! Virtual environments with Python packages, each made once.

use crate::run::exec;
use crate::stamp;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

fn stamp_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("stamp")
}

fn interpreter(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).join("bin/python")
}

/// The interpreter of an environment that was made to its end, with these packages.
pub(crate) fn made(folder: &Path, name: &str, packages: &[&str]) -> Option<PathBuf> {
    let done = std::fs::read_to_string(stamp_of(folder, name)).ok()?;
    let interpreter = interpreter(folder, name);
    (done == packages.join(" ") && interpreter.is_file()).then_some(interpreter)
}

/// Makes an environment where it is not there; its interpreter.
pub(crate) fn environment(folder: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let (place, python) = (folder.join(name), interpreter(folder, name));
    stamp::unless_done(&stamp_of(folder, name), &packages.join(" "), || {
        std::fs::create_dir_all(folder)?;
        exec(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&place),
        )
        .context("Python 3.11 or newer with venv is needed (Debian: apt-get install python3-venv)")?;
        let install = || {
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            exec(pip.args(packages))
        };
        // A registry may fail once.
        install().or_else(|_| install())
    })?;
    Ok(python)
}
