//! From counts to words.

use super::{Args, Data};
use anyhow::{Context, Result, ensure};
use recsys_core::experiments::stats::ratio::ALARM;
use recsys_core::experiments::stats::sequential::{MIN_UNITS, effective_units};
use recsys_core::experiments::stats::{Difference, Sequential, Tally, sample_ratio};
use serde::Serialize;

/// One experiment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    experiment: String,
    arms: Vec<ArmRow>,
    /// Units that saw several arms, and were left out.
    mixed_units: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_ratio: Option<SampleRatio>,
    comparisons: Vec<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interleaving: Option<Comparison>,
}

#[derive(Debug, Serialize)]
struct ArmRow {
    arm: String,
    exposures: u64,
    mean: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SampleRatio {
    p_value: f64,
    mismatch: bool,
}

/// One arm against the control; of interleaved lists, the first arm against the second.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    control: String,
    treatment: String,
    /// Of the means; of interleaved lists, outcomes of the treatment's picks less those of the control's, a unit.
    difference: f64,
    /// Difference over the control's mean.
    relative: Option<f64>,
    /// Always-valid interval.
    low: f64,
    high: f64,
    /// Always-valid p-value.
    p_value: f64,
    /// Interval and p-value of a single look, planned beforehand.
    fixed_low: f64,
    fixed_high: f64,
    fixed_p_value: f64,
    /// Level of the intervals, as 1 − alpha.
    level: f64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// The arms did not get their shares: find out why before anything else.
    Mismatch,
    /// Fewer than 100 units in an arm, or no unit that differs from another.
    TooFew,
    Undecided,
    Better,
    Worse,
}

/// The report of one experiment.
pub(super) fn read(data: &Data, args: &Args) -> Result<Report> {
    let arm = |(arm, exposures, tally): &(String, u64, Tally)| ArmRow {
        arm: arm.clone(),
        exposures: *exposures,
        mean: tally.mean(),
    };
    let interleaving = data
        .duel
        .as_ref()
        .map(|(arms, credits)| duel(arms, credits, args))
        .transpose()?;
    let mut report = Report {
        experiment: data.experiment.clone(),
        arms: data.arms.iter().map(arm).collect(),
        mixed_units: data.mixed,
        sample_ratio: None,
        comparisons: Vec::new(),
        interleaving,
    };
    if data.arms.len() > 1 {
        compare(data, args, &mut report)?;
    }
    ensure!(
        !report.comparisons.is_empty() || report.interleaving.is_some(),
        "experiment {}: expected at least two arms, found {} ({} units saw several; --unit request counts every page for \
         itself)",
        data.experiment,
        data.arms.len(),
        data.mixed
    );
    Ok(report)
}

fn compare(data: &Data, args: &Args, report: &mut Report) -> Result<()> {
    let p_value = sample_ratio(
        &data.arms.iter().map(|arm| arm.1).collect::<Vec<_>>(),
        &weights(data, &args.weights)?,
    )?;
    let mismatch = p_value < ALARM;
    report.sample_ratio = Some(SampleRatio { p_value, mismatch });
    let control = control(data, args)?;
    let comparisons = (data.arms.len() - 1) as f64;
    let alpha = args.alpha / comparisons;
    for treatment in data.arms.iter().filter(|arm| arm.0 != control.0) {
        let (a, b) = (&control.2, &treatment.2);
        let planned = args.planned as f64;
        // The planned sizes stand to each other as the shares should; the test's validity does not depend on it.
        let test = Sequential::tuned(alpha, effective_units(planned, planned));
        let difference = Difference::of(a, b);
        let few = a.units() < MIN_UNITS || b.units() < MIN_UNITS || difference.standard_error == 0.0;
        let verdict = match (mismatch, few) {
            (true, _) => Some(Verdict::Mismatch),
            (false, true) => Some(Verdict::TooFew),
            (false, false) => None,
        };
        let mut row = comparison(
            difference,
            effective_units(a.units(), b.units()),
            &test,
            alpha,
            verdict,
        );
        row.control.clone_from(&control.0);
        row.treatment.clone_from(&treatment.0);
        row.relative = Some(difference.estimate / a.mean()).filter(|relative| relative.is_finite());
        report.comparisons.push(row);
    }
    Ok(())
}

/// Whether the second arm's picks bring more than the first one's.
fn duel(arms: &[String; 2], credits: &[f64], args: &Args) -> Result<Comparison> {
    let n = credits.len() as f64;
    ensure!(n > 0.0, "no interleaved page");
    let mean = -credits.iter().sum::<f64>() / n;
    let variance = credits.iter().map(|c| (-c - mean) * (-c - mean)).sum::<f64>() / n;
    let difference = Difference {
        estimate: mean,
        standard_error: (variance / n).sqrt(),
    };
    let test = Sequential::tuned(args.alpha, args.planned as f64);
    let verdict = (n < MIN_UNITS || variance == 0.0).then_some(Verdict::TooFew);
    let mut row = comparison(difference, n, &test, args.alpha, verdict);
    let [control, treatment] = arms;
    row.control.clone_from(control);
    row.treatment.clone_from(treatment);
    Ok(row)
}

/// Without names. `verdict` is given where there is none to be read off the interval.
fn comparison(
    difference: Difference,
    n: f64,
    test: &Sequential,
    alpha: f64,
    verdict: Option<Verdict>,
) -> Comparison {
    let Difference {
        estimate,
        standard_error,
    } = difference;
    let (low, high) = test.interval(estimate, standard_error, n);
    let (fixed_low, fixed_high) = difference.fixed_interval(alpha);
    let read_off = || match (low > 0.0, high < 0.0) {
        (true, _) => Verdict::Better,
        (_, true) => Verdict::Worse,
        _ => Verdict::Undecided,
    };
    Comparison {
        control: String::new(),
        treatment: String::new(),
        difference: estimate,
        relative: None,
        low,
        high,
        p_value: test.p_value(estimate, standard_error, n),
        fixed_low,
        fixed_high,
        fixed_p_value: difference.fixed_p_value(),
        level: 1.0 - alpha,
        verdict: verdict.unwrap_or_else(read_off),
    }
}

fn control<'a>(data: &'a Data, args: &Args) -> Result<&'a (String, u64, Tally)> {
    let find = |name: &str| data.arms.iter().find(|arm| arm.0 == name);
    match &args.control {
        Some(name) => find(name).with_context(|| {
            let names: Vec<&str> = data.arms.iter().map(|arm| arm.0.as_str()).collect();
            format!(
                "--control {name}: experiment {} has the arms {}",
                data.experiment,
                names.join(", ")
            )
        }),
        None => find("control").or_else(|| data.arms.first()).context("no arm"),
    }
}

/// The share that each arm should have.
fn weights(data: &Data, given: &[(String, f64)]) -> Result<Vec<f64>> {
    let of = |arm: &str| {
        let weight = given
            .iter()
            .find(|(name, _)| name == arm)
            .map(|(_, weight)| *weight);
        if given.is_empty() {
            Ok(1.0)
        } else {
            weight.with_context(|| format!("--weights: arm {arm} has none"))
        }
    };
    data.arms.iter().map(|arm| of(&arm.0)).collect()
}

/// Prints a report for people.
pub(super) fn print(report: &Report) {
    println!("experiment {}", report.experiment);
    for ArmRow { arm, exposures, mean } in &report.arms {
        println!("  {arm:<16} {exposures:>9} units, mean {mean:.5}");
    }
    if report.mixed_units > 0 {
        println!("  {} units saw several arms and are left out", report.mixed_units);
    }
    if let Some(SampleRatio { p_value, mismatch }) = &report.sample_ratio {
        let words = if *mismatch {
            "the arms do not have their shares: something loses units of one arm, so do not compare outcomes"
        } else {
            "the arms have their shares"
        };
        println!("  sample ratio: p {p_value:.4}, {words}");
    }
    report.comparisons.iter().for_each(print_comparison);
    if let Some(duel) = &report.interleaving {
        println!("  interleaved pages, outcomes a unit:");
        print_comparison(duel);
    }
}

fn print_comparison(row: &Comparison) {
    let Comparison {
        control,
        treatment,
        difference,
        low,
        high,
        p_value,
        ..
    } = row;
    let relative = row
        .relative
        .map_or_else(String::new, |r| format!(" ({:+.1} %)", r * 100.0));
    println!("  {treatment} minus {control}: {difference:+.5}{relative}");
    let level = row.level * 100.0;
    println!("    at any look:  [{low:+.5}, {high:+.5}] at {level:.1} %, p {p_value:.4}");
    println!(
        "    single look:  [{:+.5}, {:+.5}], p {:.4}; only if this look was the only one, and planned",
        row.fixed_low, row.fixed_high, row.fixed_p_value
    );
    println!(
        "    {}",
        match row.verdict {
            Verdict::Mismatch => "not to be compared before the mismatch is explained",
            Verdict::TooFew => "too few units to say anything: 100 an arm at least",
            Verdict::Undecided => "undecided: go on, or stop and keep the control",
            Verdict::Better => "better",
            Verdict::Worse => "worse",
        }
    );
}
