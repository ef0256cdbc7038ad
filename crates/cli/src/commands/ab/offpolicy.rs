//! `recsys ab offpolicy`: what the bundle's rankings would have earned.
//!
//! A click is taken to depend on the item and the viewer, not on the place or on the other items (the document-based click
//! model of Li et al., *Offline evaluation of ranking policies with click models*, KDD 2018). Then each logged item
//! stands for itself: an impression whose item is on the new ranking's page counts by the inverse of the probability with
//! which it was shown.

use crate::bundle::Bundle;
use crate::commands::eval::paths::{Paths, RankingPath, Task};
use crate::commands::eval::samples::CandidateSet;
use crate::commands::log::{LogArgs, bar, share};
use crate::replay::{Catalogue, Moment};
use anyhow::{Context, Result, ensure};
use recsys_core::experiments::offpolicy::{Estimates, Sample, estimate};
use recsys_core::metrics::{Interval, bootstrap_mean};
use serde::Serialize;
use std::path::PathBuf;

/// Estimates clicks an impression for the bundle's rankings of the whole catalogue, from the newest logged slates, whose
/// impressions have propensities.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// Bundle, as `recsys train` left it.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Share of the slates, the earliest ones, that `recsys train` used; the rest is evaluated.
    #[arg(long, default_value_t = 0.8, value_parser = share)]
    train_share: f64,
    /// Length of the page to evaluate.
    #[arg(short, default_value_t = 12)]
    k: usize,
    /// Candidates that retrieval hands to the ranker.
    #[arg(long, default_value_t = 200)]
    candidates: usize,
    /// Largest weight of an impression; a lower one means less variance and more bias. No limit if absent.
    #[arg(long, value_name = "WEIGHT")]
    cap: Option<f64>,
    /// Bootstrap resamples of viewers.
    #[arg(long, default_value_t = 1_000)]
    resamples: usize,
    /// Seed of the bootstrap, and of what the policy explores.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Rankings evaluated.
const PATHS: [RankingPath; 3] = [
    RankingPath::Popularity,
    RankingPath::Similarity,
    RankingPath::Full,
];
/// Impressions that the mean rate counts for in an item's predicted reward.
const SMOOTHING: f64 = 20.0;

/// One figure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// A ranking, or "logged" for what was shown.
    path: &'static str,
    /// "mean", "ips", "snips" or "dr".
    estimator: &'static str,
    k: usize,
    /// Reward an impression.
    value: f64,
    low: f64,
    high: f64,
    slates: usize,
    #[serde(flatten)]
    trust: Option<Trust>,
}

/// How far an estimate can be trusted.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Trust {
    impressions: usize,
    matched: usize,
    effective_samples: f64,
    largest_weight: f64,
    mean_weight: f64,
}

/// Runs the command.
///
/// # Errors
/// Unreadable events or bundle, bad options, no slate to evaluate, or impressions without a propensity.
pub fn run(args: &Args) -> Result<()> {
    ensure!((1..=1_000).contains(&args.k), "-k {}: expected 1 to 1000", args.k);
    ensure!(
        (1..=100_000).contains(&args.candidates),
        "--candidates {}: expected 1 to 100000",
        args.candidates
    );
    ensure!(
        (1..=1_000_000).contains(&args.resamples),
        "--resamples {}: expected 1 to 1000000",
        args.resamples
    );
    let cap = args.cap.unwrap_or(f64::INFINITY);
    ensure!(cap > 0.0, "--cap {cap}: expected a number above 0");
    let bundle = Bundle::open(&args.bundle)?;
    let catalogue = Catalogue::of(&bundle)?;
    let replay = args.log.replay(&catalogue)?;
    let policy = crate::commands::eval::policy_of(&bundle);
    let mut paths = Paths::new(&bundle, &catalogue, policy, args.candidates, args.seed);
    let mut log = Log::new(replay.split_ms(args.train_share), args.k);
    let progress = bar("evaluating", false);
    progress.set_length(replay.len() as u64);
    replay
        .run(
            |moment| log.add(&moment, &catalogue, &mut paths),
            |done| progress.inc(done),
        )
        .with_context(|| args.log.events.display().to_string())?;
    progress.finish_and_clear();
    ensure!(
        log.slates > 0,
        "{}: there is no slate to evaluate; log more, or pass a smaller --train-share",
        args.log.events.display()
    );
    print(&rows(&log, args, cap)?, args.json)
}

/// Samples of the newest slates, by path.
struct Log {
    split_ms: i64,
    k: usize,
    slates: usize,
    samples: [Vec<Sample>; PATHS.len()],
    rewards: Vec<(usize, f64)>,
    /// Impressions and positives before the split.
    earlier: (f64, f64),
}

impl Log {
    fn new(split_ms: i64, k: usize) -> Self {
        Self {
            split_ms,
            k,
            slates: 0,
            samples: Default::default(),
            rewards: Vec::new(),
            earlier: (0.0, 0.0),
        }
    }

    fn add(&mut self, moment: &Moment<'_>, catalogue: &Catalogue, paths: &mut Paths<'_>) -> Result<()> {
        let slate = moment.slate;
        if slate.ts_ms < self.split_ms {
            self.earlier.0 += slate.shown.len() as f64;
            self.earlier.1 += slate.shown.iter().filter(|shown| shown.positive).count() as f64;
            return Ok(());
        }
        self.slates += 1;
        // With nothing before the split, the prediction is 0 for an item without clicks.
        let mean = self.earlier.1 / self.earlier.0.max(1.0);
        let predicted = |row: usize| {
            let facts = (moment.facts)(row);
            let count = |x: f32| if x.is_nan() { 0.0 } else { f64::from(x) };
            (count(facts.clicks) + mean * SMOOTHING) / (count(facts.impressions) + SMOOTHING)
        };
        let task = Task {
            moment,
            set: CandidateSet::Catalogue,
            shown: &[],
            k: self.k,
        };
        let rankings = paths.rankings(&task)?;
        let places = slate.shown.len() as f64;
        for (path, samples) in PATHS.iter().zip(&mut self.samples) {
            let list = rankings.of(*path).first().map(Vec::as_slice).unwrap_or_default();
            let length = list.len().max(1) as f64;
            let predicted_target = list.iter().map(|&row| predicted(row)).sum::<f64>() / length;
            for shown in &slate.shown {
                let propensity = shown.propensity.with_context(|| {
                    format!(
                        "request {}, item {}: no `propensity`; log the probability with which each item was shown \
                         (docs/experiments.md)",
                        slate.request, shown.item
                    )
                })?;
                let row = catalogue.row(&shown.item);
                let on_page = row.is_some_and(|row| list.contains(&row));
                // Of one of the places, drawn at random, on either page.
                samples.push(Sample {
                    viewer: moment.viewer,
                    logged: Some(propensity / places),
                    target: if on_page { 1.0 / length } else { 0.0 },
                    reward: f64::from(u8::from(shown.positive)),
                    predicted: row.map_or(mean, predicted),
                    predicted_target,
                });
            }
        }
        let rewards = slate
            .shown
            .iter()
            .map(|shown| f64::from(u8::from(shown.positive)));
        self.rewards.extend(rewards.map(|reward| (moment.viewer, reward)));
        Ok(())
    }
}

fn rows(log: &Log, args: &Args, cap: f64) -> Result<Vec<Row>> {
    let row = |path, estimator, interval: Interval, trust| Row {
        path,
        estimator,
        k: log.k,
        value: interval.value,
        low: interval.low,
        high: interval.high,
        slates: log.slates,
        trust,
    };
    let logged = bootstrap_mean(&log.rewards, args.resamples, args.seed);
    let mut rows: Vec<Row> = logged
        .map(|logged| row("logged", "mean", logged, None))
        .into_iter()
        .collect();
    for (path, samples) in PATHS.iter().zip(&log.samples) {
        let found: Estimates = estimate(samples, cap, args.resamples, args.seed)
            .with_context(|| format!("{}: path {}", args.log.events.display(), path.name()))?;
        let trust = Some(Trust {
            impressions: found.samples,
            matched: found.matched,
            effective_samples: found.effective_samples,
            largest_weight: found.largest_weight,
            mean_weight: found.mean_weight,
        });
        rows.push(row(path.name(), "ips", found.ips, trust));
        rows.extend(found.snips.map(|snips| row(path.name(), "snips", snips, trust)));
        rows.push(row(path.name(), "dr", found.dr, trust));
    }
    Ok(rows)
}

fn print(rows: &[Row], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(rows)?);
        return Ok(());
    }
    let slates = rows.first().map_or(0, |row| row.slates);
    println!("reward an impression, {slates} slates, 95 % intervals over viewers");
    for row in rows {
        let Row {
            path,
            estimator,
            value,
            low,
            high,
            ..
        } = row;
        print!("  {path:<12} {estimator:<6} {value:.4}  [{low:.4}, {high:.4}]");
        match row.trust {
            Some(trust) if *estimator == "ips" => println!(
                "  {} of {} impressions match, as good as {:.0}; largest weight {:.1}, mean {:.2}",
                trust.matched,
                trust.impressions,
                trust.effective_samples,
                trust.largest_weight,
                trust.mean_weight
            ),
            _ => println!(),
        }
    }
    println!(
        "A mean weight far from 1, or few effective samples, means that the log does not cover the ranking."
    );
    Ok(())
}
