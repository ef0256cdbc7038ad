//! `cargo xtask fuzz`: what reads files from elsewhere, against made-up ones.

use crate::run::{exec, output, step};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// libFuzzer's coverage needs a nightly compiler; pinned, so that runs compare.
const NIGHTLY: &str = "nightly-2026-05-20";
/// Its driver.
const CARGO_FUZZ: &str = "0.13.2";

/// Longer inputs than this are not tried: the models of the fixtures fit.
const MAX_INPUT_BYTES: usize = 16 << 10;
/// Memory above this is a finding: a count was believed.
const MAX_MEMORY_MB: usize = 1024;
/// One input that takes longer is a finding.
const MAX_INPUT_SECONDS: usize = 20;

/// A fuzz target, and where its seeds are beside `fuzz/seeds`.
struct Target {
    name: &'static str,
    folder: &'static str,
    extension: &'static str,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "lightgbm",
        folder: "trees",
        extension: "txt",
    },
    Target {
        name: "xgboost_json",
        folder: "trees",
        extension: "json",
    },
    Target {
        name: "xgboost_ubj",
        folder: "trees",
        extension: "ubj",
    },
    Target {
        name: "ranker",
        folder: "ranker",
        extension: "bin",
    },
];

/// Options of fuzzing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One target: lightgbm, xgboost_json, xgboost_ubj or ranker; all of them where none is named
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

/// Runs the targets one after the other. What a run finds new stays in fuzz/corpus and is tried first next time.
pub(crate) fn run(args: &Args) -> Result<()> {
    set_up()?;
    let chosen = |target: &&Target| args.target.as_deref().is_none_or(|name| name == target.name);
    for target in TARGETS.iter().filter(chosen) {
        let what = format!("fuzzing {} for {} s", target.name, args.seconds);
        step(&what, || fuzz(target, args.seconds)).with_context(|| {
            format!(
                "the input is in fuzz/artifacts/{}: mend what it found, and keep it as a test beside those of \
                 crates/core/tests/trees_import.rs",
                target.name
            )
        })?;
    }
    Ok(())
}

/// Installs the compiler and the driver where they are missing.
fn set_up() -> Result<()> {
    let installed = output(Command::new("rustup").args(["toolchain", "list"]))
        .context("fuzzing needs a nightly Rust, and rustup to fetch it; see https://rustup.rs")?;
    if !installed.lines().any(|line| line.starts_with(NIGHTLY)) {
        step(
            &format!("fetching {NIGHTLY}: fuzzing needs a nightly Rust"),
            || exec(Command::new("rustup").args(["toolchain", "install", NIGHTLY, "--profile", "minimal"])),
        )?;
    }
    if !driver().is_file() {
        step("installing cargo-fuzz", || {
            let mut cargo = nightly();
            cargo.args([
                "cargo",
                "install",
                "cargo-fuzz",
                "--locked",
                "--version",
                CARGO_FUZZ,
            ]);
            exec(cargo.args(["--root", "target/tools"]))
        })?;
    }
    Ok(())
}

fn driver() -> PathBuf {
    Path::new("target/tools/bin/cargo-fuzz").to_owned()
}

/// A command that runs with the nightly's tools on its path.
fn nightly() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", NIGHTLY]);
    command
}

fn fuzz(target: &Target, seconds: u32) -> Result<()> {
    let name = target.name;
    let fixtures = seeds_of_fixtures(target)?;
    let corpus = Path::new("fuzz/corpus").join(name);
    fs::create_dir_all(&corpus)?;
    let mut command = nightly();
    // No sanitizer: the code has no unsafe part, and panics, overflows and limits are found without.
    command
        .arg(fs::canonicalize(driver())?)
        .args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", name]);
    command.arg(&corpus).arg(fixtures);
    command.args(Some(Path::new("fuzz/seeds").join(name)).filter(|folder| folder.is_dir()));
    command.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={MAX_INPUT_BYTES}"),
        format!("-rss_limit_mb={MAX_MEMORY_MB}"),
        format!("-timeout={MAX_INPUT_SECONDS}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let dictionary = format!("fuzz/dictionaries/{name}.dict");
    if Path::new(&dictionary).is_file() {
        command.arg(format!("-dict={}", fs::canonicalize(dictionary)?.display()));
    }
    exec(&mut command)
}

/// A folder with the fixtures of the target's kind.
fn seeds_of_fixtures(target: &Target) -> Result<PathBuf> {
    let from = Path::new("crates/core/tests/fixtures").join(target.folder);
    let to = Path::new("fuzz/target/seeds").join(target.name);
    fs::create_dir_all(&to)?;
    let mut copied = 0;
    for entry in fs::read_dir(&from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == target.extension)
            && let Some(name) = path.file_name()
        {
            fs::copy(&path, to.join(name))?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "{}: no file *.{}", from.display(), target.extension);
    Ok(to)
}
