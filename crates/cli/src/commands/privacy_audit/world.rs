//! What everybody knows, the adversary too: catalogue, clusters, popularity. And the viewers that are attacked.

use crate::bundle::Bundle;
use crate::replay::{Catalogue, read_events};
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use recsys_core::events::EventKind;
use recsys_core::privacy::Clusters;
use recsys_core::session::WINDOW;
use recsys_core::shard::Scratch;
use recsys_core::vector::{UnitVector, mean_direction};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Requests of a session.
pub(super) const REQUESTS: usize = 10;
/// Clicks that a viewer needs: two sessions, and something before each.
const MIN_CLICKS: usize = 2 * (REQUESTS + 2);

/// The public side.
pub(super) struct World<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) catalogue: &'a Catalogue,
    pub(super) clusters: Clusters,
    /// Unit vectors of the rows.
    pub(super) vectors: Vec<UnitVector>,
    /// The cluster of each row; `None` for what was added since.
    pub(super) cluster_of: Vec<Option<u32>>,
    /// Share of each cluster in the public distribution, which dummies are drawn from.
    pub(super) public: Vec<f64>,
    /// Share of each cluster among the viewers' true ones: that much of the population the adversary knows.
    pub(super) prior: Vec<f64>,
    /// Share of each row in all clicks, with one more for every video.
    pub(super) popularity: Vec<f64>,
}

impl<'a> World<'a> {
    /// What a bundle tells.
    ///
    /// # Errors
    /// It has no clusters, or a vector without direction.
    pub(super) fn of(bundle: &'a Bundle, catalogue: &'a Catalogue) -> Result<Self> {
        let clusters = Clusters::of(bundle.manifest()).with_context(|| {
            format!(
                "{}: expected two clusters or more, found a bundle of one segment; make it with `recsys index --shards 16`",
                bundle.dir().display()
            )
        })?;
        let mut cluster_of = vec![None; bundle.len()];
        for (number, slot) in bundle.segments().at_hand() {
            for row in 0..slot.segment().home() {
                if let Some(place) = bundle.row_of(number, row).and_then(|row| cluster_of.get_mut(row)) {
                    *place = clusters.of_segment(number);
                }
            }
        }
        let rows = 0..bundle.len();
        let clicks = |row| 1.0 + f64::from(catalogue.facts(row).clicks).max(0.0);
        let total: f64 = rows.clone().map(clicks).sum();
        let weights: f64 = clusters.weights.iter().map(|weight| *weight as f64).sum();
        Ok(Self {
            bundle,
            catalogue,
            vectors: rows
                .clone()
                .map(|row| catalogue.unit_vector(row))
                .collect::<Result<_>>()?,
            cluster_of,
            public: clusters
                .weights
                .iter()
                .map(|weight| *weight as f64 / weights)
                .collect(),
            prior: Vec::new(),
            popularity: rows.map(|row| clicks(row) / total).collect(),
            clusters,
        })
    }

    /// Tells the adversary how frequent each true cluster is.
    ///
    /// # Errors
    /// A query does not fit the bundle.
    pub(super) fn learn_prior(&mut self, viewers: &[Viewer]) -> Result<()> {
        // One more of each, so that none is ruled out.
        let mut counts = vec![1.0; self.clusters.len()];
        let scratch = &mut Scratch::default();
        for viewer in viewers {
            for session in [Session::First, Session::Second] {
                for window in viewer.windows(session, REQUESTS) {
                    if let Some(query) = self.query(window) {
                        counts[self.truth(&query, scratch)? as usize] += 1.0;
                    }
                }
            }
        }
        self.prior = super::belief::normalised(counts);
        Ok(())
    }

    /// The mean direction of some clicks.
    pub(super) fn query(&self, window: &[usize]) -> Option<UnitVector> {
        mean_direction(window.iter().filter_map(|row| self.vectors.get(*row)))
    }

    /// The cluster that a query is nearest to.
    ///
    /// # Errors
    /// The query does not fit.
    pub(super) fn truth(&self, query: &UnitVector, scratch: &mut Scratch) -> Result<u32> {
        let near = self.bundle.segments().route(query.as_slice(), scratch)?;
        let cluster = near.iter().find_map(|segment| self.clusters.of_segment(*segment));
        cluster.context("no cell leads to a cluster")
    }

    /// The rows with the most of something, as many as are asked for.
    pub(super) fn top(&self, k: usize, score: impl Fn(usize) -> f64) -> Vec<usize> {
        let mut rows: Vec<(f64, usize)> = (0..self.vectors.len()).map(|row| (score(row), row)).collect();
        let k = k.min(rows.len());
        if k < rows.len() {
            rows.select_nth_unstable_by(k, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        }
        rows.truncate(k);
        rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// How likely each row is a click of somebody whose cluster has these probabilities.
    pub(super) fn likely(&self, clusters: &[f64]) -> impl Fn(usize) -> f64 {
        move |row| {
            let cluster = self.cluster_of.get(row).copied().flatten();
            // Of what belongs to no cluster nothing is learnt.
            let factor = cluster.map_or(1.0, |cluster| {
                clusters.get(cluster as usize).copied().unwrap_or_default() / self.prior[cluster as usize]
            });
            self.popularity[row] * factor
        }
    }
}

/// One viewer: rows in the order of their first click.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) clicks: Vec<usize>,
}

/// Which of a viewer's two sessions. They share no click and lie in different epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    First,
    Second,
}

impl Viewer {
    fn half(&self, session: Session) -> &[usize] {
        let (first, second) = self.clicks.split_at(self.clicks.len() / 2);
        match session {
            Session::First => first,
            Session::Second => second,
        }
    }

    /// The clicks behind each of the first `requests` requests of a session: the newest of it, one more each time.
    pub(super) fn windows(&self, session: Session, requests: usize) -> impl Iterator<Item = &[usize]> {
        let half = self.half(session);
        let first = half.len() - REQUESTS + 1;
        (first..)
            .take(requests.min(REQUESTS))
            .map(move |end| &half[end.saturating_sub(WINDOW)..end])
    }

    /// The rows that a session's requests are about.
    pub(super) fn clicked(&self, session: Session, requests: usize) -> Vec<usize> {
        let mut rows: Vec<usize> = self.windows(session, requests).flatten().copied().collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// What is known before the second session, and what is clicked in it: for measuring how good a mode's slates are.
    pub(super) fn past_and_future(&self) -> (&[usize], &[usize]) {
        (self.half(Session::First), self.half(Session::Second))
    }
}

/// Refuses viewers of whom nothing could be learnt.
///
/// # Errors
/// There are fewer than two, or one has too few clicks.
pub(super) fn check(viewers: &[Viewer]) -> Result<()> {
    let fewest = viewers
        .iter()
        .map(|viewer| viewer.clicks.len())
        .min()
        .unwrap_or_default();
    ensure!(
        viewers.len() > 1 && fewest >= MIN_CLICKS,
        "expected two viewers or more with {MIN_CLICKS} clicks each, found {} with {fewest} at least; take a larger catalogue",
        viewers.len()
    );
    Ok(())
}

/// The viewers of a log with clicks enough, at most `most` of them, in the order of their names.
///
/// # Errors
/// The log cannot be read, or fewer than two have clicks enough.
pub(super) fn viewers(events: &Path, catalogue: &Catalogue, most: usize) -> Result<Vec<Viewer>> {
    let mut by_name: BTreeMap<String, (Vec<usize>, HashSet<usize>)> = BTreeMap::new();
    for event in read_events(events, &ProgressBar::hidden())? {
        let EventKind::Click { item, .. } = &event.kind else {
            continue;
        };
        if let Some(row) = catalogue.row(item) {
            let (clicks, had) = by_name.entry(event.viewer).or_default();
            if had.insert(row) {
                clicks.push(row);
            }
        }
    }
    let enough = by_name.into_values().map(|(clicks, _)| Viewer { clicks });
    let viewers: Vec<Viewer> = enough
        .filter(|viewer| viewer.clicks.len() >= MIN_CLICKS)
        .take(most)
        .collect();
    ensure!(
        viewers.len() > 1,
        "{}: expected two viewers or more with {MIN_CLICKS} clicks on videos of the bundle, found {}; give a longer log",
        events.display(),
        viewers.len()
    );
    Ok(viewers)
}
