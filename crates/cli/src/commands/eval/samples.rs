//! Measurements, slate by slate.

use super::paths::{RankingPath, Rankings, Task};
use crate::replay::Catalogue;
use recsys_core::metrics::{Gain, Judged, coverage, intra_list_diversity};
use std::collections::BTreeMap;

/// What is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CandidateSet {
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
        }
    }

    fn of(self, judged: &Judged<'_>, k: usize) -> f64 {
        match self {
            Self::Ndcg => judged.ndcg(k, Gain::Linear),
            Self::Recall => judged.recall(k),
            Self::Precision => judged.precision(k),
            Self::Mrr => judged.reciprocal_rank(k),
            // Measured on vectors, not on relevances.
            Self::Diversity => f64::NAN,
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
            retrieval,
            lists,
            catalogue_len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
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
                    let vectors: Vec<&[f32]> =
                        list.iter().take(k).map(|&row| catalogue.vector(row)).collect();
                    if let Some(value) = intra_list_diversity(&vectors) {
                        self.push(
                            Series {
                                set: task.set,
                                k,
                                path,
                                metric: Metric::Diversity,
                            },
                            viewer,
                            value,
                        );
                    }
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
        self.catalogue_len = catalogue.len();
    }

    fn push(&mut self, series: Series, viewer: usize, value: f64) {
        self.series.entry(series).or_default().push((viewer, value));
    }
}
