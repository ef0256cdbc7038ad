//! `cargo xtask bench`: our speed beside others', measured in one interleaved run.

mod peer;
mod python;
mod rank;
mod report;

use crate::setup;
use anyhow::Result;
use clap::ValueEnum;
use report::Row;
use std::path::PathBuf;

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
    /// Everything there is
    All,
}

/// Measures and reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::wasm_targets()?;
    setup::npm_packages()?;
    let rows: Vec<Row> = match args.bench {
        Bench::Rank | Bench::All => rank::run()?,
    };
    report::print(&rows);
    args.json
        .as_deref()
        .map_or(Ok(()), |file| report::write(&rows, file))
}
