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

/// A fuzz target. Its seeds are in `fuzz/seeds`, are made by [`make_seeds`], or are fixtures of the core.
struct Target {
    name: &'static str,
    /// Their folder and extensions.
    fixtures: Option<(&'static str, &'static [&'static str])>,
}

impl Target {
    const fn new(name: &'static str) -> Self {
        Self { name, fixtures: None }
    }

    const fn with_fixtures(
        name: &'static str,
        folder: &'static str,
        extensions: &'static [&'static str],
    ) -> Self {
        let fixtures = Some((folder, extensions));
        Self { name, fixtures }
    }
}

const TARGETS: [Target; 20] = [
    Target::with_fixtures("lightgbm", "trees", &["txt"]),
    Target::with_fixtures("xgboost_json", "trees", &["json"]),
    Target::with_fixtures("xgboost_ubj", "trees", &["ubj"]),
    Target::with_fixtures("ranker", "ranker", &["bin"]),
    Target::new("manifest"),
    Target::new("shard"),
    Target::with_fixtures("items", "items", &["bin"]),
    Target::new("cowatch"),
    Target::new("delta"),
    Target::new("removed"),
    Target::new("dictionaries"),
    Target::new("candidates"),
    Target::new("milvus"),
    Target::new("npy"),
    Target::new("videos"),
    Target::new("safetensors"),
    Target::new("model"),
    Target::new("tower"),
    Target::new("tokens"),
    Target::with_fixtures("picture", "pictures", &["jpg", "png", "gif", "webp"]),
];

/// Where seeds are gathered: a folder for each target.
const SEEDS: &str = "fuzz/target/seeds";

/// Options of fuzzing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One target; all of them where none is named
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

/// Runs the targets one after the other. What a run finds new stays in fuzz/corpus and is tried first next time.
pub(crate) fn run(args: &Args) -> Result<()> {
    set_up()?;
    make_seeds()?;
    let chosen = |target: &&Target| args.target.as_deref().is_none_or(|name| name == target.name);
    for target in TARGETS.iter().filter(chosen) {
        let what = format!("fuzzing {} for {} s", target.name, args.seconds);
        step(&what, || fuzz(target, args.seconds)).with_context(|| {
            format!(
                "the input is in fuzz/artifacts/{}: mend what it found, and keep it as a test beside those of \
                 crates/core/tests/trees_import.rs or damaged_bundle.rs",
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
    let seeds = Path::new(SEEDS).join(name);
    fs::create_dir_all(&seeds)?;
    if let Some((folder, extensions)) = target.fixtures {
        copy_fixtures(folder, extensions, &seeds)?;
    }
    let corpus = Path::new("fuzz/corpus").join(name);
    fs::create_dir_all(&corpus)?;
    let mut command = nightly();
    // No sanitizer: the code has no unsafe part, and panics, overflows and limits are found without.
    command
        .arg(fs::canonicalize(driver())?)
        .args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", name]);
    command.arg(&corpus).arg(seeds);
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

/// Small files of the project's own formats, by their writers.
fn make_seeds() -> Result<()> {
    let mut command = nightly();
    command.args(["cargo", "run", "--quiet", "--manifest-path", "fuzz/Cargo.toml"]);
    exec(command.args(["--example", "seeds", "--", SEEDS]))
}

/// Copies the fixtures of the core that a target starts from.
fn copy_fixtures(folder: &str, extensions: &[&str], to: &Path) -> Result<()> {
    let from = Path::new("crates/core/tests/fixtures").join(folder);
    let mut copied = 0;
    for entry in fs::read_dir(&from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        if extensions
            .iter()
            .any(|extension| path.extension().is_some_and(|e| e == *extension))
            && let Some(name) = path.file_name()
        {
            fs::copy(&path, to.join(name))?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "{}: no file of {extensions:?}", from.display());
    Ok(())
}
