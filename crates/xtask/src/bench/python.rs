//! A Python with the peers that are Python packages.

use crate::python;
use crate::run::step;
use anyhow::Result;
use std::path::{Path, PathBuf};

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
    step("Python packages of the peers", || {
        python::environment(folder, name, packages)
    })
}
