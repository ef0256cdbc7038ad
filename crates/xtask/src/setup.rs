//! What a fresh machine with Rust and Node lacks.

use crate::run::{exec, output, step};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rust's wasm targets: the workers' and the browser's, and the one that tests run on.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip1"];

/// Adds the wasm targets where they are missing.
pub(crate) fn wasm_targets() -> Result<()> {
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))
        .context("rustup is needed; see https://rustup.rs")?;
    let missing = TARGETS
        .iter()
        .filter(|target| !installed.lines().any(|line| line == **target));
    for target in missing {
        exec(Command::new("rustup").args(["target", "add", target]))?;
    }
    Ok(())
}

/// Installs the npm packages where they are missing or other than the lock file says.
pub(crate) fn npm_packages() -> Result<()> {
    let version = output(Command::new("node").arg("--version")).context("Node 20 or newer is needed")?;
    let major: u32 = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or("0")
        .parse()
        .unwrap_or(0);
    if major < 20 {
        bail!("Node 20 or newer is needed, found {}", version.trim());
    }
    let installed = Path::new("node_modules/.recsys-lock");
    let lock = std::fs::read("package-lock.json")?;
    if std::fs::read(installed).is_ok_and(|done| done == lock) {
        return Ok(());
    }
    step("npm packages", || {
        exec(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]))
    })?;
    std::fs::write(installed, lock)?;
    Ok(())
}

/// A Chromium for the tests: `RECSYS_CHROMIUM`, one on the path, or one that is installed now where we may.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("RECSYS_CHROMIUM") {
        return Ok(path.into());
    }
    if let Some(path) = on_path(&["chromium", "chromium-browser", "google-chrome"]) {
        return Ok(path);
    }
    install(&["chromium"])?;
    on_path(&["chromium"])
        .context("no Chromium: install it (Debian: apt-get install chromium) or name one in RECSYS_CHROMIUM")
}

/// ffmpeg, where it can be had; the demo world falls back to pictures without it.
pub(crate) fn ffmpeg() {
    if on_path(&["ffmpeg"]).is_none() && install(&["ffmpeg"]).is_err() {
        eprintln!("no ffmpeg: the demo's videos are kept as pictures");
    }
}

/// Installs Debian packages where we are root on a machine that has them.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if on_path(&["apt-get"]).is_none() || output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!(
            "{} missing, and only root on Debian can install it from here",
            packages.join(", ")
        );
    }
    step(&format!("installing {}", packages.join(", ")), || {
        exec(Command::new("apt-get").args(["-qq", "update"]))?;
        let mut apt = Command::new("apt-get");
        exec(
            apt.args(["-qq", "install", "-y", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    })
}

/// The first of these programs that is on the path.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)))
        .find(|p| p.is_file())
}
