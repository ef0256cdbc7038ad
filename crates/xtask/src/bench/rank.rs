//! `bench rank`: 200 trees of 31 leaves over 40 features, 1,000 and 200 candidates.

use super::peer::{Peer, median};
use super::report::Row;
use super::{python, workspace};
use crate::run::{cargo, exec, step};
use crate::{stamp, wasm};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const FEATURES: &str = "40";
/// Candidates, and passes over them before the next peer's turn.
const COUNTS: [(usize, usize); 2] = [(1000, 5), (200, 15)];
const ROUNDS: usize = 21;
/// Turns before the clock counts: engines compile what is hot.
const WARM_UP: usize = 5;

/// The programs and files of the bench.
struct Bench {
    folder: PathBuf,
    python: PathBuf,
    native: PathBuf,
    wasm: PathBuf,
    onnxruntime: String,
}

/// Runs every case.
pub(super) fn run() -> Result<Vec<Row>> {
    let bench = prepare()?;
    let mut rows = Vec::new();
    for model in ["numerical", "categorical"] {
        let mut peers = bench.peers(model)?;
        compare(model, &mut peers)?;
        for (n, passes) in COUNTS {
            let what = format!("{n} candidates, {model} splits");
            let times = step(&what, || interleave(&mut peers, n, passes))?;
            let Some(&ours) = times.first() else {
                bail!("no peers");
            };
            rows.extend(peers.iter().zip(times).skip(1).map(|(peer, peers)| Row {
                bench: "rank",
                case: format!("{what}, 200 trees of 31 leaves, 40 features"),
                peer: peer.name.clone(),
                ours,
                peers,
                unit: "ms",
            }));
        }
    }
    Ok(rows)
}

fn prepare() -> Result<Bench> {
    let folder = workspace()?;
    let python = python::with_lightgbm(&folder)?;
    let maker = "bench/rank/make.py";
    let made = stamp::of(&[maker, "bench/rank/onnx_model.py"], python::LIGHTGBM)?;
    stamp::unless_done(&folder.join("rank.stamp"), &made, || {
        step("models of the bench", || {
            exec(Command::new(&python).arg(maker).arg(&folder))
        })
    })?;
    let native = step("the kernel, natively", || build(None, "release"))?;
    let wasm = step("the kernel as wasm", || {
        let module = build(Some("wasm32-wasip1"), "wasm-browser")?;
        let copy = folder.join("score.wasm");
        std::fs::copy(&module, &copy).with_context(|| module.display().to_string())?;
        wasm::optimise(&copy, &wasm::BROWSER_PASSES)?;
        Ok(copy)
    })?;
    let onnxruntime = onnxruntime_version()?;
    Ok(Bench {
        folder,
        python,
        native,
        wasm,
        onnxruntime,
    })
}

/// Of the npm package that is installed.
pub(super) fn onnxruntime_version() -> Result<String> {
    let package = std::fs::read("node_modules/onnxruntime-web/package.json")?;
    let package: serde_json::Value = serde_json::from_slice(&package)?;
    let version = package.get("version").and_then(|version| version.as_str());
    version
        .map(str::to_owned)
        .context("onnxruntime-web's package.json names no version")
}

/// Compiles the example that scores rows, as `recsys.wasm` and `recsys` are compiled.
fn build(target: Option<&str>, profile: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--quiet", "-p", "recsys-core", "--features", "import"]);
    command.args(["--example", "score", "--profile", profile]);
    let mut path = std::path::absolute(wasm::target_dir())?;
    let mut file = "score".to_owned();
    if let Some(target) = target {
        command.args(["--target", target]);
        path.push(target);
        file += ".wasm";
    }
    exec(&mut command)?;
    Ok(path.join(profile).join("examples").join(file))
}

impl Bench {
    /// Ours first.
    fn peers(&self, model: &str) -> Result<Vec<Peer>> {
        let file = |extension: &str| self.folder.join(model).with_extension(extension);
        let (text, rows) = (file("txt"), file("rows"));
        let node = |script: &str| {
            let mut command = Command::new("node");
            command.arg(script);
            command
        };
        let mut peers = vec![
            Peer::start(
                "recsys, wasm",
                node("e2e/wasi-runner.mjs").args([&self.wasm, &text, &rows]),
            )?,
            Peer::start(
                "recsys, native, 1 thread",
                Command::new(&self.native).args([&text, &rows]),
            )?,
            Peer::start(
                format!("LightGBM {}, native, 1 thread", python::LIGHTGBM),
                Command::new(&self.python).args([Path::new("bench/rank/lightgbm_peer.py"), &text, &rows]),
            )?,
            Peer::start(
                "plain JavaScript as m2cgen writes it",
                node("bench/rank/javascript_peer.mjs")
                    .args([&file("json"), &rows])
                    .arg(FEATURES),
            )?,
        ];
        // ONNX's TreeEnsemble has no sets: a categorical split would become a chain of equalities, another model.
        let onnx = file("onnx");
        if onnx.exists() {
            peers.push(Peer::start(
                format!("onnxruntime-web {}, wasm, 1 thread", self.onnxruntime),
                node("bench/rank/onnxruntime_peer.mjs")
                    .args([&onnx, &rows])
                    .arg(FEATURES),
            )?);
        } else {
            eprintln!(
                "onnxruntime-web is left out of the {model} case: ONNX has no splits on sets of categories"
            );
        }
        Ok(peers)
    }
}

/// Refuses a peer that computes something else. f32 sums of 200 leaves may differ by this much.
fn compare(model: &str, peers: &mut [Peer]) -> Result<()> {
    let n = COUNTS.iter().map(|(n, _)| *n).max().unwrap_or_default();
    let mut all = Vec::new();
    for peer in &mut *peers {
        all.push(peer.scores(n)?);
    }
    let Some((ours, others)) = all.split_first() else {
        bail!("no peers");
    };
    for (peer, scores) in peers.iter().skip(1).zip(others) {
        let apart = || ours.iter().zip(scores).map(|(a, b)| (a - b).abs());
        let most = apart().fold(0.0, f64::max);
        eprintln!("{model}: {} is at most {most:.1e} from us", peer.name);
        if !apart().all(|apart| apart <= 1e-4) {
            bail!("{model}: {} scores otherwise, by up to {most}", peer.name);
        }
    }
    Ok(())
}

/// Each peer's median, from turns one after the other, so that all see the machine's moods.
fn interleave(peers: &mut [Peer], n: usize, passes: usize) -> Result<Vec<f64>> {
    let mut times = vec![Vec::new(); peers.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            let time = peer.time(n, passes)?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    Ok(times.iter_mut().map(|times| median(times)).collect())
}
