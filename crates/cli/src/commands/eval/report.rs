//! Intervals over the measurements, as JSON and as a table.

use super::paths::RankingPath;
use super::samples::{CandidateSet, Metric, Samples, Series};
use anyhow::Result;
use recsys_core::metrics::{Interval, bootstrap_mean};
use serde::Serialize;
use std::collections::BTreeSet;

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// A path, or "A minus B" for the paired difference of two.
    path: String,
    metric: &'static str,
    k: usize,
    value: f64,
    /// Lower end of the 95 % interval over viewers; null for coverage.
    low: Option<f64>,
    /// Upper end.
    high: Option<f64>,
    slates: usize,
    viewers: usize,
    /// What was ranked: "slate" or "catalogue".
    candidates: &'static str,
    /// Which logged slates counted: "uniform" or "all".
    arm: &'static str,
    /// Which of these: "all", "new viewers" (at most 3 earlier clicks), "new videos" (a positive with at most 5 earlier
    /// clicks), or "category …" (of a positive).
    segment: String,
}

/// Differences shown: each path against the one below it, and what variety costs.
const PAIRS: [(RankingPath, RankingPath); 4] = [
    (RankingPath::Popularity, RankingPath::Random),
    (RankingPath::Similarity, RankingPath::Popularity),
    (RankingPath::Full, RankingPath::Similarity),
    (RankingPath::Full, RankingPath::Trees),
];

/// The segment of every slate.
const ALL: &str = "all";
/// Slates below which a segment is left out.
const MIN_SEGMENT: usize = 20;

struct Reporter<'a> {
    samples: &'a Samples,
    arm: &'static str,
    resamples: usize,
    seed: u64,
    rows: Vec<Row>,
}

/// Every figure: slates before catalogue, paths before differences.
pub(super) fn rows(samples: &Samples, arm: &'static str, resamples: usize, seed: u64) -> Vec<Row> {
    let mut reporter = Reporter {
        samples,
        arm,
        resamples,
        seed,
        rows: Vec::new(),
    };
    for set in CandidateSet::ALL {
        for &k in &samples.ks {
            reporter.paths(set, k);
            reporter.differences(set, k);
            reporter.segments(set, k);
        }
    }
    reporter.interval(
        "retrieval",
        "recall",
        samples.depth,
        CandidateSet::Catalogue,
        &samples.retrieval,
    );
    reporter.rows
}

impl Reporter<'_> {
    fn paths(&mut self, set: CandidateSet, k: usize) {
        let samples = self.samples;
        for path in RankingPath::ALL {
            for metric in [
                Metric::Ndcg,
                Metric::Recall,
                Metric::Precision,
                Metric::Mrr,
                Metric::Diversity,
                Metric::Novelty,
            ] {
                let values = samples.values(Series { set, k, path, metric });
                self.interval(path.name(), metric.name(), k, set, values);
            }
            if set == CandidateSet::Catalogue {
                let values = samples.values(Series {
                    set,
                    k,
                    path,
                    metric: Metric::Ndcg,
                });
                let mut row = self.row(path.name(), "coverage", k, set, values);
                row.value = samples.coverage(path, k);
                self.rows.push(row);
            }
        }
    }

    fn differences(&mut self, set: CandidateSet, k: usize) {
        for (better, worse) in PAIRS {
            let of = |path| {
                self.samples.values(Series {
                    set,
                    k,
                    path,
                    metric: Metric::Ndcg,
                })
            };
            let pairs = of(better).iter().zip(of(worse));
            let values: Vec<(usize, f64)> = pairs.map(|(a, b)| (a.0, a.1 - b.1)).collect();
            let name = format!("{} minus {}", better.name(), worse.name());
            self.interval(&name, Metric::Ndcg.name(), k, set, &values);
        }
    }

    /// NDCG of every path, and the gain of the full one over similarity, in each segment.
    fn segments(&mut self, set: CandidateSet, k: usize) {
        let metric = Metric::Ndcg;
        for segment in self.samples.segment_names() {
            let of = |path| self.samples.values_in(Series { set, k, path, metric }, segment);
            let full = of(RankingPath::Full);
            if full.len() < MIN_SEGMENT {
                continue;
            }
            let start = self.rows.len();
            let all: Vec<(&str, Vec<(usize, f64)>)> =
                RankingPath::ALL.map(|path| (path.name(), of(path))).into();
            let pairs = full.iter().zip(of(RankingPath::Similarity));
            let gain: Vec<(usize, f64)> = pairs.map(|(a, b)| (a.0, a.1 - b.1)).collect();
            for (path, values) in all.iter().chain([&("full minus similarity", gain)]) {
                self.interval(path, metric.name(), k, set, values);
            }
            for row in &mut self.rows[start..] {
                segment.clone_into(&mut row.segment);
            }
        }
    }

    fn interval(
        &mut self,
        path: &str,
        metric: &'static str,
        k: usize,
        set: CandidateSet,
        values: &[(usize, f64)],
    ) {
        if let Some(Interval { value, low, high }) = bootstrap_mean(values, self.resamples, self.seed) {
            let row = self.row(path, metric, k, set, values);
            self.rows.push(Row {
                value,
                low: Some(low),
                high: Some(high),
                ..row
            });
        }
    }

    fn row(
        &self,
        path: &str,
        metric: &'static str,
        k: usize,
        set: CandidateSet,
        values: &[(usize, f64)],
    ) -> Row {
        let viewers: BTreeSet<usize> = values.iter().map(|value| value.0).collect();
        Row {
            path: path.to_owned(),
            metric,
            k,
            value: f64::NAN,
            low: None,
            high: None,
            slates: values.len(),
            viewers: viewers.len(),
            candidates: set.name(),
            arm: self.arm,
            segment: ALL.to_owned(),
        }
    }
}

/// Prints the figures as one JSON array or as a table.
pub(super) fn print(rows: &[Row], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(rows)?);
        return Ok(());
    }
    let mut heading = "";
    for row in rows {
        if row.segment != ALL {
            continue;
        }
        if row.candidates != heading {
            heading = row.candidates;
            let of = if heading == "slate" {
                "items of the logged slate"
            } else {
                "whole catalogue"
            };
            println!(
                "\nRanking the {of}: {} slates of {} viewers, arm {}",
                row.slates, row.viewers, row.arm
            );
        }
        let metric = format!("{}@{}", row.metric, row.k);
        match (row.low, row.high) {
            (Some(low), Some(high)) => {
                println!(
                    "  {:<30} {metric:<14} {:>8.4}  [{low:.4}, {high:.4}]",
                    row.path, row.value
                );
            }
            _ => println!("  {:<30} {metric:<14} {:>8.4}", row.path, row.value),
        }
    }
    print_segments(rows);
    println!(
        "\n95 % intervals over viewers; \"minus\" is a paired difference. See docs/ranking.md for what is compared."
    );
    Ok(())
}

/// The gain of the full path in each segment.
fn print_segments(rows: &[Row]) {
    let gains = rows
        .iter()
        .filter(|row| row.segment != ALL && row.path == "full minus similarity");
    for (i, row) in gains.enumerate() {
        if i == 0 {
            println!("\nFull minus similarity by segment (--json has every path):");
        }
        if let (Some(low), Some(high)) = (row.low, row.high) {
            println!(
                "  {:<30} {:<10} ndcg@{:<4} {:>8.4}  [{low:.4}, {high:.4}]  {} slates",
                row.segment, row.candidates, row.k, row.value, row.slates
            );
        }
    }
}
