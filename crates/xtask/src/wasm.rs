//! From crates to wasm modules: cargo, wasm-bindgen (as a library, pinned with the crate) and wasm-opt.

use crate::run::{cargo, exec, step};
use crate::{integrity, setup, shim, stamp};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

/// What wasm-opt must know of the features that rustc and wasm-bindgen use.
const FEATURES: [&str; 9] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-exception-handling",
    "--enable-relaxed-simd",
];

/// wasm-opt's passes over the browser's module. A second `-O3` finds 0.15 % more, and the sections that are dropped are for
/// tools. A function with one caller stays one: its code compresses better apart. Nothing lives in the lowest kilobyte of
/// memory, which is the far end of the stack, so that the offsets of loads need no check for wrapping around.
pub(crate) const BROWSER_PASSES: [&str; 7] = [
    "--one-caller-inline-max-function-size=0",
    "--flexible-inline-max-function-size=0",
    "--low-memory-unused",
    "-O3",
    "-O3",
    "--strip-producers",
    "--strip-target-features",
];

/// The crates that become wasm modules, each with its profile.
pub(crate) const MODULES: [(&str, &str); 5] = [
    ("recsys-bench", "wasm-browser"),
    ("recsys-web", "wasm-browser"),
    ("recsys-edge-worker", "wasm"),
    ("recsys-edge-encoder", "wasm"),
    ("recsys-web-encoder", "wasm"),
];

/// Options of the build.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build one module alone
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// recsys.wasm, encoder.wasm and their JavaScript
    Web,
    /// The worker of recommendations
    Worker,
    /// The worker that encodes
    Encoder,
}

/// Compiles what the options say.
pub(crate) fn build(args: &Args) -> Result<()> {
    let Some(part) = args.only else {
        return build_all().map(|_| ());
    };
    setup::wasm_targets()?;
    setup::npm_packages()?;
    part.build()
}

impl Part {
    fn build(self) -> Result<()> {
        match self {
            Self::Web => step("browser modules", || browser(Path::new("dist/pkg"))),
            Self::Encoder => step("edge encoder", || {
                let out = Path::new("dist/edge-encoder");
                worker("recsys-edge-encoder", "wasm", "-O3", &[], out)
            }),
            Self::Worker => step("edge worker", || {
                let out = Path::new("dist/edge-worker");
                worker(
                    "recsys-edge-worker",
                    "wasm",
                    "-O3",
                    &["Aggregates", "History", "Outbox"],
                    out,
                )
            }),
        }
    }
}

/// Compiles the command and every wasm module; returns the command's path.
pub(crate) fn build_all() -> Result<PathBuf> {
    setup::wasm_targets()?;
    setup::npm_packages()?;
    let recsys = step("the recsys command", command)?;
    Part::Web.build()?;
    Part::Worker.build()?;
    Part::Encoder.build()?;
    Ok(recsys)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// The command, as it is while we work on it.
pub(crate) fn command() -> Result<PathBuf> {
    exec(cargo().args(["build", "--quiet", "-p", "recsys-cli"]))?;
    let path = target_dir().join("debug/recsys");
    std::fs::canonicalize(&path).with_context(|| path.display().to_string())
}

/// Compiles one crate; each alone, for cargo unifies features over a workspace.
pub(crate) fn compile(package: &str, profile: &str) -> Result<PathBuf> {
    let target = "wasm32-unknown-unknown";
    let mut build = cargo();
    build.args(["build", "--quiet", "-p", package]);
    build.args(["--target", target, "--profile", profile]);
    exec(build.args(["--config", &without_paths(target)?]))?;
    Ok(target_dir()
        .join(target)
        .join(profile)
        .join(format!("{}.wasm", package.replace('-', "_"))))
}

/// Configuration that keeps this machine's folders out of a module: they tell nobody anything, and cost bytes.
fn without_paths(target: &str) -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut flags = Vec::new();
    for source in std::fs::read_dir(home.unwrap_or_default().join("registry/src"))
        .into_iter()
        .flatten()
    {
        flags.push(format!("--remap-path-prefix={}=", source?.path().display()));
    }
    Ok(format!(
        "target.{target}.rustflags={}",
        serde_json::to_string(&flags)?
    ))
}

/// The browser's modules, which lie beside each other.
fn browser(out: &Path) -> Result<()> {
    let modules = [
        (
            "recsys-web",
            "wasm-browser",
            "recsys",
            "recsys.wasm",
            &BROWSER_PASSES[..],
        ),
        (
            "recsys-web-encoder",
            "wasm",
            "encoder_module",
            "encoder.wasm",
            &["-O3"][..],
        ),
    ];
    fresh(out)?;
    for (package, profile, glue, file, passes) in modules {
        let module = compile(package, profile)?;
        Bindgen::new()
            .input_path(module)
            .out_name(glue)
            .web(true)?
            .omit_default_module_path(false)
            .typescript(true)
            .generate(out)?;
        let generated = format!("{glue}_bg.wasm");
        optimise(&out.join(&generated), passes)?;
        // The names on the wire.
        std::fs::rename(out.join(&generated), out.join(file))?;
        let glue = out.join(format!("{glue}.js"));
        let text = std::fs::read_to_string(&glue)?;
        std::fs::write(&glue, text.replace(&generated, file))?;
    }
    let scripts = [
        "web/js/index.js",
        "web/js/worker.js",
        "web/js/fetched.js",
        "web/js/index.d.ts",
        "web-encoder/js/encoder.js",
    ];
    for script in scripts.map(|script| Path::new("crates").join(script)) {
        let name = script.file_name().unwrap_or_default();
        std::fs::copy(&script, out.join(name)).with_context(|| script.display().to_string())?;
    }
    bundle(&out.join("worker.js"), None)?;
    let loaded = integrity::of(out, &["encoder.wasm", "recsys.wasm", "worker.js"])?;
    bundle(&out.join("index.js"), Some(&loaded))?;
    for part in ["fetched.js", "encoder.js"] {
        std::fs::remove_file(out.join(part))?;
    }
    integrity::list(out, loaded)
}

/// Puts a script and all that it imports into the script's own file. Where there are hashes, they are its `RECSYS_INTEGRITY`.
fn bundle(script: &Path, hashes: Option<&integrity::Hashes>) -> Result<()> {
    let mut command = Command::new("node_modules/.bin/esbuild");
    command.arg(script).arg(format!("--outfile={}", script.display()));
    command.args(["--bundle", "--allow-overwrite", "--format=esm", "--charset=utf8"]);
    command.args(["--minify-whitespace", "--minify-syntax", "--log-level=warning"]);
    if let Some(hashes) = hashes {
        command.arg(format!(
            "--define:RECSYS_INTEGRITY={}",
            serde_json::to_string(hashes)?
        ));
    }
    exec(&mut command)
}

/// Compiles a worker; `objects` are the classes of its Durable Objects.
fn worker(package: &str, profile: &str, level: &str, objects: &[&str], out: &Path) -> Result<()> {
    let module = compile(package, profile)?;
    let sources = [
        module.as_path(),
        Path::new("crates/xtask/src"),
        Path::new("package-lock.json"),
    ];
    let stamp = stamp::of(&sources, level)?;
    stamp::unless_done(&out.with_extension("stamp"), &stamp, || {
        fresh(out)?;
        Bindgen::new()
            .input_path(&module)
            .out_name("index")
            .module(true)?
            .reset_state_function(true)
            .force_enable_abort_handler(true)
            .generate(out)?;
        optimise(&out.join("index_bg.wasm"), &[level])?;
        shim::write(out, objects)
    })
}

/// `passes` as wasm-opt writes them.
pub(crate) fn optimise(wasm: &Path, passes: &[&str]) -> Result<()> {
    let optimised = wasm.with_extension("opt");
    let mut command = Command::new("node_modules/.bin/wasm-opt");
    exec(
        command
            .args(passes)
            .args(FEATURES)
            .arg(wasm)
            .arg("-o")
            .arg(&optimised),
    )?;
    std::fs::rename(optimised, wasm)?;
    Ok(())
}

/// An empty folder.
pub(crate) fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}
