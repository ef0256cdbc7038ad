//! The rankings that are compared.

use super::samples::CandidateSet;
use crate::bundle::Bundle;
use crate::replay::{Catalogue, Moment, Shown, candidates};
use anyhow::Result;
use recsys_core::catalogue::ItemFacts;
use recsys_core::policy::{Policy, by_score};
use recsys_core::rerank::{Page, rerank};
use recsys_core::rng::SplitMix64;
use recsys_core::session::WINDOW;
use recsys_core::shard::Scratch;
use recsys_core::vector::dot;

/// A way to rank, from the plainest to the full path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) enum RankingPath {
    /// Any order.
    Random,
    /// Decayed clicks of all viewers.
    Popularity,
    /// Cosine to the mean of the viewer's recent clicks: retrieval alone.
    Similarity,
    /// Retrieval, features and trees.
    Trees,
    /// Retrieval, features, trees and policy: what a viewer gets.
    Full,
}

impl RankingPath {
    pub(in crate::commands) const ALL: [Self; 5] = [
        Self::Random,
        Self::Popularity,
        Self::Similarity,
        Self::Trees,
        Self::Full,
    ];

    pub(in crate::commands) const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Popularity => "popularity",
            Self::Similarity => "similarity",
            Self::Trees => "trees",
            Self::Full => "full",
        }
    }
}

/// One slate to rank for.
pub(in crate::commands) struct Task<'a> {
    pub(in crate::commands) moment: &'a Moment<'a>,
    pub(in crate::commands) set: CandidateSet,
    /// The slate's items that the viewer has not had.
    pub(in crate::commands) shown: &'a [Shown],
    /// Longest ranking wanted.
    pub(in crate::commands) k: usize,
}

/// Rows of the catalogue, best first, by path. A path may give several rankings, which then count as their mean.
pub(in crate::commands) struct Rankings {
    pub(in crate::commands) of: [Vec<Vec<usize>>; RankingPath::ALL.len()],
    /// What retrieval found, for the catalogue.
    pub(in crate::commands) retrieved: Option<Vec<usize>>,
}

impl Rankings {
    /// The rankings of one path.
    pub(in crate::commands) fn of(&self, path: RankingPath) -> &[Vec<usize>] {
        &self.of[path as usize]
    }
}

/// Orders drawn for [`RankingPath::Random`]; their mean stands in for its expected value.
const RANDOM_ORDERS: usize = 20;

/// The paths over one bundle.
pub(in crate::commands) struct Paths<'a> {
    bundle: &'a Bundle,
    catalogue: &'a Catalogue,
    policy: Policy,
    candidates: usize,
    rng: SplitMix64,
    scratch: Scratch,
}

impl<'a> Paths<'a> {
    pub(in crate::commands) fn new(
        bundle: &'a Bundle,
        catalogue: &'a Catalogue,
        policy: Policy,
        candidates: usize,
        seed: u64,
    ) -> Self {
        let rng = SplitMix64::new(seed);
        Self {
            bundle,
            catalogue,
            policy,
            candidates,
            rng,
            scratch: Scratch::default(),
        }
    }

    /// Ranks for one slate by every path.
    ///
    /// What is ranked comes in random order, so that no path inherits the logged positions, or the catalogue's order,
    /// where its scores are equal.
    pub(in crate::commands) fn rankings(&mut self, task: &Task<'_>) -> Result<Rankings> {
        let mut pool = self.pool(task);
        let mut random = Vec::with_capacity(RANDOM_ORDERS);
        for _ in 0..RANDOM_ORDERS {
            self.rng.shuffle(&mut pool);
            random.push(pool[..pool.len().min(task.k)].to_vec());
        }
        let popularity: Vec<f32> = pool
            .iter()
            .map(|&row| (task.moment.facts)(row).popularity)
            .collect();
        let popular = top(&pool, &popularity, task.k);
        let query = task.moment.session.query(WINDOW);
        let (similar, retrieved) = match (&query, task.set) {
            (None, _) => (popular.clone(), pool.clone()),
            (Some(query), CandidateSet::Slate) => {
                let scores: Vec<f32> = pool
                    .iter()
                    .map(|&row| dot(query, self.catalogue.vector(row)))
                    .collect();
                (top(&pool, &scores, task.k), pool.clone())
            }
            (Some(query), CandidateSet::Catalogue) => {
                let found = self.retrieve(task, query)?;
                (found[..found.len().min(task.k)].to_vec(), found)
            }
        };
        let seed = self.rng.next_u64();
        let trees = self.rank(task, &retrieved, &Policy::relevance(), seed)?;
        let full = self.rank(task, &retrieved, &self.policy, seed)?;
        let of = [random, vec![popular], vec![similar], vec![trees], vec![full]];
        let retrieved = (task.set == CandidateSet::Catalogue).then_some(retrieved);
        Ok(Rankings { of, retrieved })
    }

    fn pool(&self, task: &Task<'_>) -> Vec<usize> {
        match task.set {
            CandidateSet::Slate => task.shown.iter().map(|item| item.row).collect(),
            CandidateSet::Catalogue => {
                let seen = task.moment.session.seen();
                (0..self.catalogue.len())
                    .filter(|&row| !seen.contains(self.catalogue.id(row)))
                    .collect()
            }
        }
    }

    /// The nearest unseen rows, as serving finds them: more are fetched and the seen ones dropped.
    fn retrieve(&mut self, task: &Task<'_>, query: &[f32]) -> Result<Vec<usize>> {
        let seen = task.moment.session.seen();
        let (settings, k) = (&self.bundle.manifest().search, self.candidates + seen.len());
        let (found, _) = self.bundle.search(query, settings, k, &mut self.scratch)?;
        let unseen = found
            .iter()
            .map(|found| found.row)
            .filter(|&row| !seen.contains(self.catalogue.id(row)));
        Ok(unseen.take(self.candidates).collect())
    }

    fn rank(&self, task: &Task<'_>, rows: &[usize], policy: &Policy, seed: u64) -> Result<Vec<usize>> {
        let moment = task.moment;
        let facts: Vec<ItemFacts> = rows.iter().map(|&row| (moment.facts)(row)).collect();
        let list = candidates(self.catalogue, rows, &facts);
        let page = Page {
            policy,
            k: task.k,
            seed,
        };
        let (now_ms, ranker) = (moment.slate.ts_ms, self.bundle.ranker());
        let ranked = rerank(moment.session, &moment.user, now_ms, &list, ranker, &page)?;
        Ok(ranked.into_iter().map(|ranked| rows[ranked.index]).collect())
    }
}

/// The k rows of the highest scores.
fn top(rows: &[usize], scores: &[f32], k: usize) -> Vec<usize> {
    by_score(scores)
        .into_iter()
        .take(k)
        .map(|index| rows[index])
        .collect()
}
