//! `bench page`: the whole re-rank of 500 candidates in Chromium.

use super::peer::median;
use super::rank::onnxruntime_version;
use super::report::Row;
use super::{python, workspace};
use crate::run::{exec, output, step};
use crate::{setup, stamp, wasm};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

/// A frame at 60 a second.
const FRAME_MS: f64 = 1000.0 / 60.0;

/// What the ranker depends on.
const TRAINED_FROM: [&str; 5] = [
    "bench/page/make.py",
    "bench/page/plain.mjs",
    "bench/page/rows.mjs",
    "bench/page/world.mjs",
    "bench/rank/onnx_model.py",
];

/// What bench/page/run.mjs prints.
#[derive(Deserialize)]
struct Times {
    browser: String,
    /// Of the best 20, how many both sides chose.
    common: usize,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// Features, trees and policy beside onnxruntime-web and plain JavaScript.
pub(super) fn run() -> Result<Vec<Row>> {
    let folder = workspace()?;
    let python = python::with_lightgbm(&folder)?;
    let made = stamp::of(&TRAINED_FROM, python::LIGHTGBM)?;
    stamp::unless_done(&folder.join("page.stamp"), &made, || {
        step("ranker of the bench", || {
            exec(Command::new("node").arg("bench/page/rows.mjs").arg(&folder))?;
            exec(Command::new(&python).arg("bench/page/make.py").arg(&folder))
        })
    })?;
    step("the re-rank as wasm", || build(&folder.join("page")))?;
    let chromium = setup::chromium()?;
    let mut node = Command::new("node");
    node.arg("bench/page/run.mjs").env("RECSYS_CHROMIUM", chromium);
    let mut times: Times = serde_json::from_str(&step("Chromium", || output(&mut node))?)
        .context("bench/page/run.mjs: not the expected JSON")?;
    let (ours, peers) = (median(&mut times.ours), median(&mut times.theirs));
    eprintln!(
        "page: {} of the best 20 in common; we take {:.1} % of a frame of {FRAME_MS:.1} ms",
        times.common,
        100.0 * ours / FRAME_MS
    );
    Ok(vec![Row {
        bench: "page",
        case: format!(
            "re-rank of 500 candidates to 20 in Chromium {}: features, 200 trees, MMR; 512 dimensions, 50 clicks",
            times.browser
        ),
        peer: format!(
            "onnxruntime-web {}, wasm, 1 thread, and plain JavaScript",
            onnxruntime_version()?
        ),
        ours,
        peers,
        unit: "ms",
    }])
}

/// As `recsys.wasm` is made.
fn build(out: &Path) -> Result<()> {
    let module = wasm::compile("recsys-bench", "wasm-browser")?;
    wasm::fresh(out)?;
    Bindgen::new()
        .input_path(module)
        .out_name("recsys_bench")
        .web(true)?
        .omit_default_module_path(false)
        .generate(out)?;
    wasm::optimise(&out.join("recsys_bench_bg.wasm"), &wasm::BROWSER_PASSES)
}
