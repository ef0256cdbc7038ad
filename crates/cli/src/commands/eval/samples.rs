//! Measurements, slate by slate.

use super::paths::{RankingPath, Rankings, Task};
use crate::replay::Catalogue;
use recsys_core::metrics::{Gain, Judged, coverage, intra_list_diversity, novelty};
use std::collections::{BTreeMap, BTreeSet};

/// What is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) enum CandidateSet {
    /// The items of the logged slate.
    Slate,
    /// The whole catalogue, through the shard.
    Catalogue,
}

impl CandidateSet {
    pub(super) const ALL: [Self; 2] = [Self::Slate, Self::Catalogue];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Slate => "slate",
            Self::Catalogue => "catalogue",
        }
    }
}

/// A measure of one ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    Ndcg,
    Recall,
    Precision,
    Mrr,
    /// Intra-list diversity.
    Diversity,
    /// Mean self-information, in bits.
    Novelty,
}

impl Metric {
    const JUDGED: [Self; 4] = [Self::Ndcg, Self::Recall, Self::Precision, Self::Mrr];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ndcg => "ndcg",
            Self::Recall => "recall",
            Self::Precision => "precision",
            Self::Mrr => "mrr",
            Self::Diversity => "diversity",
            Self::Novelty => "novelty",
        }
    }

    fn of(self, judged: &Judged<'_>, k: usize) -> f64 {
        match self {
            Self::Ndcg => judged.ndcg(k, Gain::Linear),
            Self::Recall => judged.recall(k),
            Self::Precision => judged.precision(k),
            Self::Mrr => judged.reciprocal_rank(k),
            // Measured on vectors and counts, not on relevances.
            Self::Diversity | Self::Novelty => f64::NAN,
        }
    }
}

/// Which series of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) set: CandidateSet,
    pub(super) k: usize,
    pub(super) path: RankingPath,
    pub(super) metric: Metric,
}

/// (viewer, value) for every slate, by series. All series of one candidate set hold the slates in the same order.
pub(super) struct Samples {
    pub(super) ks: Vec<usize>,
    /// Rows that retrieval hands over.
    pub(super) depth: usize,
    series: BTreeMap<Series, Vec<(usize, f64)>>,
    /// What each slate belongs to, in the order of the series.
    segments: BTreeMap<CandidateSet, Vec<Vec<String>>>,
    /// Recall of what retrieval handed over.
    pub(super) retrieval: Vec<(usize, f64)>,
    /// Rankings of the catalogue, for coverage.
    lists: BTreeMap<RankingPath, Vec<Vec<usize>>>,
    catalogue_len: usize,
}

impl Samples {
    pub(super) fn new(mut ks: Vec<usize>, depth: usize) -> Self {
        ks.sort_unstable();
        ks.dedup();
        let (series, retrieval, lists) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self {
            ks,
            depth,
            series,
            segments: BTreeMap::new(),
            retrieval,
            lists,
            catalogue_len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Each path's NDCG at the smallest k on the newest slate.
    pub(super) fn newest_ndcg(&self, set: CandidateSet) -> BTreeMap<&'static str, f64> {
        let k = self.ks.first().copied().unwrap_or(1);
        let metric = Metric::Ndcg;
        let newest = |path: RankingPath| {
            let values = self.values(Series { set, k, path, metric });
            Some((path.name(), values.last()?.1))
        };
        RankingPath::ALL.into_iter().filter_map(newest).collect()
    }

    /// Names of the segments that have slates, in a fixed order.
    pub(super) fn segment_names(&self) -> BTreeSet<&str> {
        self.segments
            .values()
            .flatten()
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// Values of a series over the slates of a segment.
    pub(super) fn values_in(&self, series: Series, segment: &str) -> Vec<(usize, f64)> {
        let belongs = self
            .segments
            .get(&series.set)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let values = self.values(series).iter().zip(belongs);
        values
            .filter(|(_, names)| names.iter().any(|name| name == segment))
            .map(|(value, _)| *value)
            .collect()
    }

    /// Values of a series, slate by slate; empty where there is none.
    pub(super) fn values(&self, series: Series) -> &[(usize, f64)] {
        self.series.get(&series).map(Vec::as_slice).unwrap_or_default()
    }

    /// Share of the catalogue that a path's rankings of the catalogue show.
    pub(super) fn coverage(&self, path: RankingPath, k: usize) -> f64 {
        let lists = self.lists.get(&path).map(Vec::as_slice).unwrap_or_default();
        coverage(
            lists.iter().map(|list| &list[..list.len().min(k)]),
            self.catalogue_len,
        )
    }

    /// Measures the rankings of one slate.
    pub(super) fn add(&mut self, task: &Task<'_>, rankings: &Rankings, catalogue: &Catalogue) {
        let positive: Vec<usize> = task
            .shown
            .iter()
            .filter(|item| item.positive)
            .map(|item| item.row)
            .collect();
        let relevant = vec![1.0; positive.len()];
        let viewer = task.moment.viewer;
        let gains = |list: &[usize]| -> Vec<f64> {
            list.iter()
                .map(|row| f64::from(u8::from(positive.contains(row))))
                .collect()
        };
        for (path, lists) in RankingPath::ALL.into_iter().zip(&rankings.of) {
            let judged: Vec<Vec<f64>> = lists.iter().map(|list| gains(list)).collect();
            for k in self.ks.clone() {
                for metric in Metric::JUDGED {
                    let value = |gains: &Vec<f64>| Judged::new(gains, &relevant).map(|j| metric.of(&j, k));
                    let mean = judged.iter().filter_map(value).sum::<f64>() / judged.len() as f64;
                    self.push(
                        Series {
                            set: task.set,
                            k,
                            path,
                            metric,
                        },
                        viewer,
                        mean,
                    );
                }
                if let (CandidateSet::Catalogue, Some(list)) = (task.set, lists.first()) {
                    self.add_beyond_accuracy(task, path, k, &list[..list.len().min(k)], catalogue);
                }
            }
            if let (CandidateSet::Catalogue, Some(list)) = (task.set, lists.first()) {
                self.lists.entry(path).or_default().push(list.clone());
            }
        }
        if let Some(retrieved) = &rankings.retrieved
            && let Some(judged) = Judged::new(&gains(retrieved), &relevant)
        {
            self.retrieval.push((viewer, judged.recall(self.depth)));
        }
        self.segments
            .entry(task.set)
            .or_default()
            .push(segments(task, &positive, catalogue));
        self.catalogue_len = catalogue.len();
    }

    /// Diversity and novelty of a list.
    fn add_beyond_accuracy(
        &mut self,
        task: &Task<'_>,
        path: RankingPath,
        k: usize,
        list: &[usize],
        catalogue: &Catalogue,
    ) {
        let vectors: Vec<&[f32]> = list.iter().map(|&row| catalogue.vector(row)).collect();
        let count = |&row: &usize| f64::from((task.moment.facts)(row).clicks).max(0.0);
        let counts: Vec<f64> = list.iter().map(count).collect();
        for (metric, value) in [
            (Metric::Diversity, intra_list_diversity(&vectors)),
            (
                Metric::Novelty,
                novelty(&counts, task.moment.clicks as f64, catalogue.len()),
            ),
        ] {
            let set = task.set;
            if let Some(value) = value {
                let series = Series { set, k, path, metric };
                self.push(series, task.moment.viewer, value);
            }
        }
    }

    fn push(&mut self, series: Series, viewer: usize, value: f64) {
        self.series.entry(series).or_default().push((viewer, value));
    }
}

/// Clicks up to which a viewer is new.
const NEW_VIEWER_CLICKS: usize = 3;
/// Earlier clicks of all viewers up to which a video is new.
const NEW_VIDEO_CLICKS: f32 = 5.0;

/// What a slate belongs to beside all: its viewer's history, and its positives' history and categories.
fn segments(task: &Task<'_>, positive: &[usize], catalogue: &Catalogue) -> Vec<String> {
    let facts: Vec<_> = positive.iter().map(|&row| (task.moment.facts)(row)).collect();
    let mut names = Vec::new();
    if task.moment.session.clicks().len() <= NEW_VIEWER_CLICKS {
        names.push("new viewers".to_owned());
    }
    if facts.iter().any(|facts| facts.clicks <= NEW_VIDEO_CLICKS) {
        names.push("new videos".to_owned());
    }
    for category in facts
        .iter()
        .filter_map(|facts| catalogue.category(facts.category))
    {
        let name = format!("category {category}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
