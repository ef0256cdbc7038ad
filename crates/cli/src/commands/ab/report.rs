//! `recsys ab report`: what an experiment's counts say.

mod counts;
mod events;
mod reading;

use crate::commands::log::LabelArg;
use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use reading::{Report, read};
use recsys_core::experiments::stats::Tally;
use std::path::PathBuf;

/// Compares the arms of experiments with their control. Intervals and p-values hold however often you look.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events with an arm on each impression, JSON Lines (docs/events.md).
    #[arg(long, value_name = "FILE", conflicts_with = "aggregates")]
    events: Option<PathBuf>,
    /// Counts by arm, as `GET /v1/aggregates` gives them; other lines are left out.
    #[arg(long, value_name = "FILE")]
    aggregates: Option<PathBuf>,
    /// Which experiment; all of them if absent.
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// The arm to compare with; `control`, or else the first by name.
    #[arg(long, value_name = "ARM")]
    control: Option<String>,
    /// The shares that the arms should have, such as old=9,new=1; equal ones if absent.
    #[arg(long, value_name = "ARM=WEIGHT,…", value_delimiter = ',', value_parser = weight)]
    weights: Vec<(String, f64)>,
    /// With --events: what was dealt to the arms. Everything of one unit counts as one.
    #[arg(long, value_enum, default_value_t = Unit::Viewer)]
    unit: Unit,
    /// With --events: what counts as an outcome: a click, or a watch of at least 30 seconds.
    #[arg(long, value_enum, default_value_t = LabelArg::Click)]
    outcome: LabelArg,
    /// With --events: whether a unit had an outcome, or how many.
    #[arg(long, value_enum, default_value_t = Measure::Any)]
    measure: Measure,
    /// Units of the control that were planned (`recsys ab plan`): where the intervals are narrowest. Choose it before the
    /// data.
    #[arg(long, value_name = "UNITS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    planned: u64,
    /// Probability of seeing an effect where there is none, over all looks and arms together.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// Print one JSON array, an object an experiment.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// The viewer's id, else the visit's.
    Viewer,
    /// The visit.
    Session,
    /// One page.
    Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// 1 for a unit with at least one outcome.
    Any,
    /// Their number.
    Count,
}

/// What one experiment gave.
#[derive(Debug, Default)]
struct Data {
    experiment: String,
    /// Name, units, outcomes; by name.
    arms: Vec<(String, u64, Tally)>,
    /// The two arms' names, and each unit's outcomes of the first one's picks less those of the second's, where lists
    /// were interleaved.
    duel: Option<([String; 2], Vec<f64>)>,
    /// Units that saw several arms, and were left out.
    mixed: usize,
}

/// Runs the command.
///
/// # Errors
/// No data, unreadable data, or options that do not fit it.
pub fn run(args: &Args) -> Result<()> {
    ensure!(
        args.alpha > 0.0 && args.alpha < 1.0,
        "--alpha {}: expected a number above 0 and below 1",
        args.alpha
    );
    let mut data = match (&args.events, &args.aggregates) {
        (Some(path), _) => events::read(path, args)?,
        (None, Some(path)) => counts::read(path)?,
        (None, None) => bail!(
            "there is no data: outcomes stay in the viewers' browsers unless you collect them. Pass --aggregates FILE with \
             the counts by arm of `GET /v1/aggregates` (turn that on first), or --events FILE from history mode or from \
             viewers who handed in their log; docs/experiments.md says how"
        ),
    };
    if let Some(wanted) = &args.experiment {
        let names: Vec<String> = data.iter().map(|data| data.experiment.clone()).collect();
        data.retain(|data| data.experiment == *wanted);
        ensure!(
            !data.is_empty(),
            "there is no data of experiment {wanted}; there is of: {}",
            names.join(", ")
        );
    }
    let reports: Vec<Report> = data.iter().map(|data| read(data, args)).collect::<Result<_>>()?;
    if args.json {
        println!("{}", serde_json::to_string(&reports)?);
    } else {
        reports.iter().for_each(reading::print);
    }
    Ok(())
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let (arm, weight) = text.split_once('=').ok_or("expected ARM=WEIGHT")?;
    let weight: f64 = weight.parse().map_err(|_| "expected a number behind the =")?;
    if weight > 0.0 && weight.is_finite() {
        Ok((arm.to_owned(), weight))
    } else {
        Err("expected a weight above 0".to_owned())
    }
}
