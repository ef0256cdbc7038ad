//! `recsys features`: what the ranker reads of every logged impression.

use super::log::{LabelArg, LogArgs};
use crate::bundle::Bundle;
use crate::replay::{Catalogue, Moment, Sampling, candidates};
use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use recsys_core::catalogue::ItemFacts;
use recsys_core::events::NamedFeatures;
use recsys_core::features::{FEATURES, Matrix};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Replays events and prints the ranker's inputs for every impression.
///
/// Viewers' histories come from the events, an item's counts from the bundle as it stands: what a browser has. So the log
/// of a browser that had this bundle gives the features that are in it, bit for bit.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Events, JSON Lines (docs/events.md), such as the text of a browser's `rec.log()`.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Bundle that the impressions were served from.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Print one JSON object an impression, a line each.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of an impression.
#[derive(Serialize)]
struct Row<'a> {
    ts: i64,
    request: &'a str,
    item: &'a str,
    position: u32,
    features: NamedFeatures<'a>,
}

/// Runs the command.
///
/// # Errors
/// Unreadable events or bundle, or events without impressions.
pub fn run(args: &Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let catalogue = Catalogue::of(&bundle)?;
    let log = LogArgs {
        events: args.events.clone(),
        label: LabelArg::Click,
        aggregates: None,
        sampling: Sampling::default(),
    };
    let replay = log.replay(&catalogue)?.served(&bundle);
    let mut out = BufWriter::new(io::stdout().lock());
    replay.run(|moment| print(&moment, &catalogue, args.json, &mut out), |_| {})?;
    out.flush().context("standard output")
}

/// Prints a slate's impressions of videos that the catalogue knows.
fn print(moment: &Moment<'_>, catalogue: &Catalogue, json: bool, out: &mut impl Write) -> Result<()> {
    let slate = moment.slate;
    let known = slate
        .shown
        .iter()
        .filter_map(|shown| Some((shown, catalogue.row(&shown.item)?)));
    let (shown, rows): (Vec<_>, Vec<usize>) = known.unzip();
    let facts: Vec<ItemFacts> = rows.iter().map(|&row| catalogue.facts(row)).collect();
    let candidates = candidates(catalogue, &rows, &facts);
    let matrix = Matrix::fill(moment.session, &moment.user, slate.ts_ms, &candidates)?;
    for (index, shown) in shown.iter().enumerate() {
        let values = matrix.row(index).unwrap_or_default();
        let row = Row {
            ts: slate.ts_ms,
            request: &slate.request,
            item: shown.item.as_str(),
            position: shown.position,
            features: NamedFeatures(values),
        };
        if json {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        writeln!(
            out,
            "request {}, position {}: {}",
            row.request, row.position, row.item
        )?;
        for (feature, value) in FEATURES.iter().zip(values) {
            match value.is_nan() {
                true => writeln!(out, "  {:24} missing", feature.name)?,
                false => writeln!(out, "  {:24} {value} {}", feature.name, feature.unit)?,
            }
        }
    }
    Ok(())
}
