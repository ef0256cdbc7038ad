//! Counts by arm, from the export of `/v1/aggregates`.

use super::Data;
use anyhow::{Context, Result, ensure};
use recsys_core::aggregates::{Line, parse_line};
use recsys_core::experiments::stats::Tally;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Default)]
struct Sums {
    exposures: u64,
    outcomes: u64,
    squares: u64,
    /// Whether any line told squares; without them an outcome is 0 or 1.
    told: bool,
}

/// Sums the lines of each arm.
pub(super) fn read(path: &Path) -> Result<Vec<Data>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "{}: cannot read it; expected an export of /v1/aggregates",
            path.display()
        )
    })?;
    let mut sums: BTreeMap<String, BTreeMap<String, Sums>> = BTreeMap::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let line = parse_line(line).with_context(|| format!("{}, line {number}", path.display()))?;
        let Line::Arm(counts) = line else { continue };
        let arm = sums
            .entry(counts.experiment)
            .or_default()
            .entry(counts.arm)
            .or_default();
        arm.exposures = arm.exposures.saturating_add(counts.exposures);
        arm.outcomes = arm.outcomes.saturating_add(counts.outcomes);
        arm.squares = arm
            .squares
            .saturating_add(counts.sum_squares.unwrap_or(counts.outcomes));
        arm.told |= counts.sum_squares.is_some();
    }
    ensure!(
        !sums.is_empty(),
        "{}: there is no line of an arm; publish an experiment (`recsys ab publish`) and let pages send counts \
         (docs/experiments.md)",
        path.display()
    );
    sums.into_iter()
        .map(|(experiment, arms)| data(experiment, arms))
        .collect()
}

fn data(experiment: String, arms: BTreeMap<String, Sums>) -> Result<Data> {
    let arm = |(name, sums): (String, Sums)| {
        let outcomes = sums.outcomes as f64;
        let tally = if sums.told {
            Tally::new(sums.exposures, outcomes, sums.squares as f64)
        } else {
            Tally::binary(sums.exposures, outcomes)
        };
        let tally = tally.with_context(|| format!("experiment {experiment}, arm {name}"))?;
        Ok((name, sums.exposures, tally))
    };
    let arms = arms.into_iter().map(arm).collect::<Result<_>>()?;
    Ok(Data {
        experiment,
        arms,
        ..Data::default()
    })
}
