//! The shards of a catalogue, searched as one.

use super::format::Shard;
use super::query::{Query, QueryError};
use super::router::Router;
use super::scratch::Scratch;
use super::search::{Hit, SearchOptions, SearchStats};
use crate::order::by_score_and_row;

/// Shards by their number, as many of them as are at hand.
#[derive(Clone, Debug, Default)]
pub struct Shards {
    slots: Vec<Option<Shard>>,
    router: Option<Router>,
}

/// A hit with the shard that it is in; `None` for a video whose shard is not at hand.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The shard.
    pub shard: Option<&'a Shard>,
    /// The hit: its node is one of that shard.
    pub hit: Hit,
}

/// What was found in several shards.
#[derive(Clone, Debug, Default)]
pub struct Nearest<'a> {
    /// Best first, every row once.
    pub found: Vec<Located<'a>>,
    /// What it cost.
    pub stats: SearchStats,
    /// How many of the shards that should have been asked are not at hand.
    pub missing: usize,
}

impl Shards {
    /// `slots` has the shards by their number, `router` tells which of them to ask; without one all are asked.
    #[must_use]
    pub const fn new(slots: Vec<Option<Shard>>, router: Option<Router>) -> Self {
        Self { slots, router }
    }

    /// Those that are at hand.
    pub fn at_hand(&self) -> impl Iterator<Item = &Shard> {
        self.slots.iter().flatten()
    }

    /// One of them, where it is at hand.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Shard> {
        self.slots.get(number)?.as_ref()
    }

    /// Asks other than the router's number of shards.
    pub fn set_probes(&mut self, probes: usize) {
        self.router = self.router.take().map(|router| router.with_probes(probes));
    }

    /// The `options.k` nearest in the shards that are asked whose row `accept` allows.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn nearest(
        &self,
        vector: &[f32],
        options: &SearchOptions,
        scratch: &mut Scratch,
        accept: &dyn Fn(u32) -> bool,
    ) -> Result<Nearest<'_>, QueryError> {
        let asked = match &self.router {
            Some(router) => router.route(vector, scratch)?,
            None => (0..self.slots.len()).collect(),
        };
        let mut all = Nearest::default();
        for slot in asked {
            let Some(Some(shard)) = self.slots.get(slot) else {
                all.missing += 1;
                continue;
            };
            let query = Query::new(shard, vector)?;
            let (hits, stats) = shard.search(&query, options, scratch, accept);
            all.stats.distances += stats.distances;
            all.stats.graph |= stats.graph;
            let located = |hit| Located {
                shard: Some(shard),
                hit,
            };
            all.found.extend(hits.into_iter().map(located));
        }
        all.found = best(&all.found, options.k);
        Ok(all)
    }

    /// Where these rows are, in their order; each gets a score from `score`.
    pub fn locate(&self, rows: &[u32], score: impl Fn(u32) -> f32) -> Vec<Located<'_>> {
        let mut located: Vec<Located<'_>> = rows
            .iter()
            .map(|&row| Located {
                shard: None,
                hit: Hit {
                    node: u32::MAX,
                    row,
                    score: score(row),
                },
            })
            .collect();
        let mut by_row: Vec<(u32, usize)> = rows.iter().copied().zip(0..).collect();
        by_row.sort_unstable();
        for shard in self.at_hand() {
            for (node, row) in (0u32..).zip(shard.rows()) {
                let Ok(at) = by_row.binary_search_by_key(row, |(row, _)| *row) else {
                    continue;
                };
                if let Some(located) = by_row.get(at).and_then(|(_, index)| located.get_mut(*index)) {
                    located.shard = Some(shard);
                    located.hit.node = node;
                }
            }
        }
        located
    }
}

/// The best `k`, best first. A video near a border is in two shards, and is kept once.
fn best<'a>(found: &[Located<'a>], k: usize) -> Vec<Located<'a>> {
    let order = by_score_and_row(found.iter().map(|located| (located.hit.score, located.hit.row)));
    let mut best: Vec<Located<'a>> = Vec::with_capacity(k.min(order.len()));
    for located in order.into_iter().filter_map(|index| found.get(index)) {
        if best.len() == k {
            break;
        }
        // Its codes are the same in both, so its scores are, and the copies stand side by side.
        if best.last().is_none_or(|last| last.hit.row != located.hit.row) {
            best.push(*located);
        }
    }
    best
}
