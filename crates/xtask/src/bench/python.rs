//! A Python with the peers that are Python packages.

use crate::run::{exec, step};
use crate::stamp;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// LightGBM's version, as reports name it.
pub(super) const LIGHTGBM: &str = "4.7.0";

/// Versions of the search engines, as reports name them.
pub(super) const HNSWLIB: &str = "0.8.0";
pub(super) const USEARCH: &str = "2.26.6";
const NUMPY: &str = "numpy==2.4.6";

/// The environment of `bench rank` and `bench page`, made once; its interpreter.
pub(super) fn with_lightgbm(folder: &Path) -> Result<PathBuf> {
    let lightgbm = format!("lightgbm=={LIGHTGBM}");
    environment(folder, "python", &[&lightgbm, NUMPY, "onnx==1.23.2"])
}

/// The environment of `bench search`, made once; its interpreter. hnswlib is compiled for this very machine.
pub(super) fn with_search_engines(folder: &Path) -> Result<PathBuf> {
    let (hnswlib, usearch) = (format!("hnswlib=={HNSWLIB}"), format!("usearch=={USEARCH}"));
    environment(folder, "python-search", &[&hnswlib, &usearch, NUMPY])
}

const PILLOW: &str = "pillow==13.0.0";

/// The environment of `bench encode`, made once; its interpreter.
pub(super) fn with_onnxruntime(folder: &Path) -> Result<PathBuf> {
    let packages = [
        NUMPY,
        "onnx==1.23.2",
        "onnxruntime==1.32.0",
        "safetensors==0.8.0",
        PILLOW,
    ];
    environment(folder, "python-encode", &packages)
}

fn environment(folder: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let place = folder.join(name);
    let python = place.join("bin/python");
    let done = folder.join(name).with_extension("stamp");
    stamp::unless_done(&done, &packages.join(" "), || {
        step("Python packages of the peers", || {
            exec(Command::new("python3").args(["-m", "venv"]).arg(&place)).context(
                "the peers need Python 3.11 or newer with venv (Debian: apt-get install python3-venv)",
            )?;
            exec(
                Command::new(&python)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(packages),
            )
        })
    })?;
    Ok(python)
}
