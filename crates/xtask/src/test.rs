//! `cargo xtask test`: every test there is.

use crate::run::{cargo, exec, step};
use crate::{demo, servers, setup, wasm};
use anyhow::Result;
use std::process::Command;

/// Options of the tests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the Rust tests, native and as wasm
    #[arg(long)]
    rust: bool,
}

/// Crates that run natively and share their dependencies. xtask is built alone: cargo unifies features, and its own would
/// have tract compiled once more.
const NATIVE: [&str; 3] = ["recsys-core", "recsys-world", "recsys-cli"];
/// Features of the core that only some crates turn on.
const CORE_FEATURES: &str = "recsys-core/onnx,recsys-core/import,recsys-core/pictures,recsys-core/statistics";

/// Runs the tests.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::wasm_targets()?;
    setup::npm_packages()?;
    step("formatting", || self::run_cargo(&["fmt", "--all", "--check"]))?;
    step("lints", lints)?;
    step("Rust tests", native_tests)?;
    step("Rust tests as wasm", || wasm_tests("+simd128", &WASM_TESTS))?;
    step("Rust tests as wasm without SIMD", || {
        wasm_tests("-simd128", &PLAIN_WASM_TESTS)
    })?;
    if args.rust {
        return Ok(());
    }
    step("lints of the wasm crates", wasm_lints)?;
    let demo = demo::prepare()?;
    let chromium = setup::chromium()?;
    step("workerd and browser tests", || {
        exec(
            Command::new("npm")
                .args(["test", "--silent"])
                .env("RECSYS_SITE", std::fs::canonicalize(&demo.site)?)
                .env("RECSYS_WORLD", std::fs::canonicalize(&demo.world)?)
                .env("RECSYS_BUNDLE", std::fs::canonicalize(&demo.bundle)?)
                .env("RECSYS_BIN", &demo.recsys)
                .env("RECSYS_CHROMIUM", &chromium)
                .env("RECSYS_SERVERS", servers::folder()?),
        )
    })?;
    for line in servers::skipped() {
        println!("{line}");
    }
    Ok(())
}

fn run_cargo(args: &[&str]) -> Result<()> {
    exec(cargo().args(args))
}

fn lints() -> Result<()> {
    let mut native = cargo();
    native.args(["clippy", "--quiet", "--all-targets", "--features", CORE_FEATURES]);
    exec(
        native
            .args(NATIVE.iter().flat_map(|p| ["-p", p]))
            .args(["--", "-D", "warnings"]),
    )?;
    run_cargo(&[
        "clippy",
        "--quiet",
        "--all-targets",
        "-p",
        "xtask",
        "--",
        "-D",
        "warnings",
    ])
}

fn native_tests() -> Result<()> {
    // With ffmpeg the tests of video decoding run; without it they say that they were skipped.
    setup::ffmpeg();
    let mut command = cargo();
    command.args(["test", "--quiet", "--features", CORE_FEATURES]);
    exec(command.args(NATIVE.iter().flat_map(|p| ["-p", p])))?;
    run_cargo(&["test", "--quiet", "-p", "xtask"])?;
    for shell in ["recsys-web", "recsys-edge-worker"] {
        run_cargo(&["test", "--quiet", "-p", shell])?;
    }
    Ok(())
}

fn wasm_lints() -> Result<()> {
    for (package, profile) in wasm::MODULES {
        let target = ["--target", "wasm32-unknown-unknown", "--profile", profile];
        exec(
            cargo()
                .args(["clippy", "--quiet", "-p", package])
                .args(target)
                .args(["--", "-D", "warnings"]),
        )?;
    }
    Ok(())
}

/// Tests of the core beside its modules' own that run as wasm too: what the browser computes equals the libraries, and
/// what it fetches may be damaged.
const WASM_TESTS: [&str; 8] = [
    "bundle_format",
    "clip_goldens",
    "clip_import",
    "damaged_bundle",
    "trees_format",
    "trees_import",
    "trees_kernel",
    "trees_shap",
];

/// Those of them whose code is another without SIMD.
const PLAIN_WASM_TESTS: [&str; 3] = ["clip_goldens", "trees_import", "trees_kernel"];

/// The core's tests compiled to wasm (WASI, for a test needs a clock, arguments and files) and run by Node.
fn wasm_tests(feature: &str, tests: &[&str]) -> Result<()> {
    let runner = std::fs::canonicalize("e2e/wasi-runner.mjs")?;
    let runner = format!("node {}", runner.display());
    exec(
        cargo()
            .args([
                "test",
                "--quiet",
                "-p",
                "recsys-core",
                "--features",
                "import",
                "--lib",
            ])
            .args(tests.iter().flat_map(|test| ["--test", test]))
            .args(["--target", "wasm32-wasip1"])
            .env("RUSTFLAGS", format!("-Ctarget-feature={feature}"))
            .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner),
    )
}
