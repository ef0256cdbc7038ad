//! A Python with the peers that are Python packages.

use crate::run::{exec, step};
use crate::stamp;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// LightGBM's version, as reports name it.
pub(super) const LIGHTGBM: &str = "4.7.0";

/// Makes the environment once; returns its interpreter.
pub(super) fn environment(folder: &Path) -> Result<PathBuf> {
    let packages = [
        format!("lightgbm=={LIGHTGBM}"),
        "numpy==2.4.6".to_owned(),
        "onnx==1.23.2".to_owned(),
    ];
    let place = folder.join("python");
    let python = place.join("bin/python");
    stamp::unless_done(&folder.join("python.stamp"), &packages.join(" "), || {
        step("Python packages of the peers", || {
            exec(Command::new("python3").args(["-m", "venv"]).arg(&place)).context(
                "the peers need Python 3.11 or newer with venv (Debian: apt-get install python3-venv)",
            )?;
            exec(
                Command::new(&python)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(&packages),
            )
        })
    })?;
    Ok(python)
}
