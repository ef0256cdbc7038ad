//! `cargo xtask bench`: our speed beside others', measured in one interleaved run.

mod encode;
mod faults;
mod page;
mod peer;
mod python;
mod rank;
mod report;
mod search;

use crate::run::exec;
use crate::setup;
use anyhow::Result;
use clap::ValueEnum;
use report::Row;
use std::path::PathBuf;
use std::process::Command;

/// Options of the benchmarks.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure
    #[arg(value_enum, default_value_t = Bench::All)]
    bench: Bench,
    /// Also write the results there, as an array of {bench, case, peer, ours, peers, unit, ratio}
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Bench {
    /// Scoring candidates with trees
    Rank,
    /// The whole re-rank in Chromium
    Page,
    /// The nearest of many vectors
    Search,
    /// Texts and pictures into vectors
    Encode,
    /// Events and recommendations while engines fail, and what the engines cost
    Faults,
    /// The tables of docs/scale.md; not among all
    Scale,
    /// Everything there is
    All,
}

/// Measures and reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::wasm_targets()?;
    setup::npm_packages()?;
    let mut rows: Vec<Row> = Vec::new();
    if matches!(args.bench, Bench::Rank | Bench::All) {
        rows.extend(rank::run()?);
    }
    if matches!(args.bench, Bench::Page | Bench::All) {
        rows.extend(page::run()?);
    }
    if matches!(args.bench, Bench::Search | Bench::All) {
        rows.extend(search::run()?);
    }
    if matches!(args.bench, Bench::Encode | Bench::All) {
        rows.extend(encode::run()?);
    }
    if matches!(args.bench, Bench::Faults | Bench::All) {
        rows.extend(faults::run()?);
    }
    if args.bench == Bench::Scale {
        // Made up by a seed, not measured: no rows of ours and a peer's.
        return exec(Command::new("node").arg("bench/scale/main.mjs"));
    }
    report::print(&rows);
    args.json
        .as_deref()
        .map_or(Ok(()), |file| report::write(&rows, file))
}

/// Where the benches keep what they make.
fn workspace() -> Result<PathBuf> {
    let folder = std::path::absolute("target/bench")?;
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
