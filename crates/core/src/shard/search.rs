//! Searching a shard: greedy descent through the upper layers and a best-first walk of layer 0 (Malkov and
//! Yashunin 2016, algorithms 2 and 5), or a scan of every vector where that is quicker or there is no graph.
//!
//! The score is the inner product of the query with the stored vector. Sums over codes are exact integers and the
//! few float steps have one fixed order, so the same shard and query give the same bits in every build.

use super::format::{NO_LINK, Shard};
use super::kernel::{dot, dot_four};
use super::query::Query;
use super::scratch::{Scored, Scratch};

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The graph where there is one and the shard has more than this many nodes, else every vector.
    Auto {
        /// The largest shard that is scanned.
        flat_up_to: usize,
    },
    /// Every vector: exact over the stored codes.
    Flat,
    /// The graph; every vector where the shard has none.
    Graph,
}

/// Options of one search.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions {
    /// Number of results wanted.
    pub k: usize,
    /// Width of the walk: how many of the best so far are kept open. At least `k` is used.
    pub ef: usize,
    /// Graph or scan.
    pub strategy: Strategy,
}

impl SearchOptions {
    /// The `ef` used where none is given.
    pub const DEFAULT_EF: usize = 64;
    /// Shards up to this size are scanned where nothing else is said: a walk with [`Self::DEFAULT_EF`] takes as long as a scan of
    /// so many vectors of 512 dimensions (`cargo xtask bench search`).
    pub const DEFAULT_FLAT_UP_TO: usize = 1_000;

    /// `k` results with the defaults.
    #[must_use]
    pub const fn new(k: usize) -> Self {
        let strategy = Strategy::Auto {
            flat_up_to: Self::DEFAULT_FLAT_UP_TO,
        };
        Self {
            k,
            ef: Self::DEFAULT_EF,
            strategy,
        }
    }
}

/// One result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The node in the shard.
    pub node: u32,
    /// Its row in the item table.
    pub row: u32,
    /// Inner product of the unit query with the stored vector; higher is nearer.
    pub score: f32,
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchStats {
    /// Inner products computed.
    pub distances: usize,
    /// Whether the graph was walked.
    pub graph: bool,
}

/// The shard's arrays, looked up once a search.
struct View<'a> {
    codes: &'a [i8],
    stride: usize,
    scales: &'a [f32],
    rows: &'a [u32],
    query: &'a Query,
}

impl View<'_> {
    /// Scores nodes, four at a time: their codes come from four places of memory at once.
    fn score(&self, nodes: &[u32], mut each: impl FnMut(Scored)) {
        let (fours, rest) = nodes.as_chunks::<4>();
        for nodes in fours {
            let sums = dot_four(nodes.map(|node| self.codes(node)), &self.query.codes);
            for (node, sum) in nodes.iter().zip(sums) {
                each(self.scored(*node, sum));
            }
        }
        for &node in rest {
            each(self.scored(node, dot(self.codes(node), &self.query.codes)));
        }
    }

    fn codes(&self, node: u32) -> &[i8] {
        let start = node as usize * self.stride;
        self.codes.get(start..start + self.stride).unwrap_or_default()
    }

    fn scored(&self, node: u32, sum: i32) -> Scored {
        let scale = self.scales.get(node as usize).copied().unwrap_or(0.0);
        Scored::new(
            self.query.mean_product + sum as f32 * (self.query.scale * scale),
            node,
        )
    }

    fn row(&self, node: u32) -> u32 {
        self.rows.get(node as usize).copied().unwrap_or(u32::MAX)
    }
}

impl Shard {
    /// The `options.k` nearest nodes whose row `accept` allows, nearest first; fewer only where fewer were found.
    ///
    /// Rows that are not accepted are still walked through, so that excluding what was seen does not cut the graph. Of
    /// equal scores the lower node counts as nearer.
    pub fn search(
        &self,
        query: &Query,
        options: &SearchOptions,
        scratch: &mut Scratch,
        accept: impl Fn(u32) -> bool,
    ) -> (Vec<Hit>, SearchStats) {
        let view = View {
            codes: self.all_codes(),
            stride: self.stride(),
            scales: self.scales(),
            rows: self.rows(),
            query,
        };
        let graph = self.levels() > 0
            && match options.strategy {
                Strategy::Auto { flat_up_to } => self.len() > flat_up_to,
                Strategy::Flat => false,
                Strategy::Graph => true,
            };
        let distances = if graph {
            let ef = options.ef.max(options.k).min(self.len());
            scratch.begin(ef, self.len());
            self.walk(&view, scratch, accept)
        } else {
            scratch.begin(options.k, 0);
            Self::scan(&view, scratch, accept)
        };
        let hits = scratch
            .take_best(options.k)
            .map(|scored| Hit {
                node: scored.node(),
                row: view.row(scored.node()),
                score: scored.score(),
            })
            .collect();
        (hits, SearchStats { distances, graph })
    }

    fn scan(view: &View<'_>, scratch: &mut Scratch, accept: impl Fn(u32) -> bool) -> usize {
        let mut distances = 0;
        let mut accepted = (0u32..)
            .zip(view.rows)
            .filter(|(_, row)| accept(**row))
            .map(|(node, _)| node);
        loop {
            scratch.near.clear();
            scratch.near.extend(accepted.by_ref().take(64));
            if scratch.near.is_empty() {
                return distances;
            }
            distances += scratch.near.len();
            let Scratch { near, best, .. } = &mut *scratch;
            view.score(near, |scored| {
                best.offer(scored);
            });
        }
    }

    fn walk(&self, view: &View<'_>, scratch: &mut Scratch, accept: impl Fn(u32) -> bool) -> usize {
        let mut distances = 1;
        let Scratch {
            visited,
            near,
            open,
            best,
        } = scratch;
        let mut entry = view.scored(0, dot(view.codes(0), &view.query.codes));
        for level in (1..self.levels()).rev() {
            let (links, width) = self.links(level);
            loop {
                let here = entry;
                near.clear();
                near.extend(neighbours(links, width, here.node()));
                distances += near.len();
                view.score(near, |scored| entry = entry.max(scored));
                if entry == here {
                    break;
                }
            }
        }
        let (links, width) = self.links(0);
        visited.insert(entry.node());
        open.push(entry);
        if accept(view.row(entry.node())) {
            best.offer(entry);
        }
        while let Some(nearest) = open.pop() {
            if nearest < best.worst() {
                break;
            }
            near.clear();
            near.extend(neighbours(links, width, nearest.node()).filter(|link| visited.insert(*link)));
            distances += near.len();
            view.score(near, |scored| {
                if scored > best.worst() {
                    open.push(scored);
                    if accept(view.row(scored.node())) {
                        best.offer(scored);
                    }
                }
            });
        }
        distances
    }
}

/// The links of one node.
fn neighbours(links: &[u32], width: usize, node: u32) -> impl Iterator<Item = u32> {
    let from = node as usize * width;
    let list = links.get(from..from + width).unwrap_or_default();
    list.iter().copied().take_while(|&l| l != NO_LINK)
}
