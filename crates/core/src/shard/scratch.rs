//! What a search keeps while it runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A node with its score; greater is nearer, and of equal scores the lower node is greater.
///
/// One number, so that a heap compares in one step: the score's bits above, in an order in which greater numbers are
/// greater scores, and the node's complement below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scored(u64);

impl Scored {
    /// Below all others.
    const NOTHING: Self = Self(0);

    pub(super) fn new(score: f32, node: u32) -> Self {
        let bits = score.to_bits();
        // A negative float's bits fall as it rises.
        let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(!node))
    }

    pub(super) const fn score(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered >> 31 == 1 {
            ordered & !(1 << 31)
        } else {
            !ordered
        })
    }

    pub(super) const fn node(self) -> u32 {
        !(self.0 as u32)
    }
}

/// Memory that searches reuse. One for each thread of searches.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) visited: Visited,
    /// Nodes to be scored.
    pub(super) near: Vec<u32>,
    pub(super) open: BinaryHeap<Scored>,
    pub(super) best: Best,
}

impl Scratch {
    /// Makes room for the best `keep`, and for visits to so many nodes.
    pub(super) fn begin(&mut self, keep: usize, nodes: usize) {
        self.open.clear();
        self.visited.0.clear();
        self.visited.0.resize(nodes.div_ceil(64), 0);
        self.best.heap.clear();
        self.best.keep = keep;
    }

    /// The best, best first, at most `k`.
    pub(super) fn take_best(&mut self, k: usize) -> impl Iterator<Item = Scored> {
        let best = std::mem::take(&mut self.best.heap).into_sorted_vec();
        best.into_iter().take(k).map(|Reverse(scored)| scored)
    }
}

/// Which nodes were met: a bit each, so that all of them stay in the first-level cache.
#[derive(Debug, Default)]
pub(super) struct Visited(Vec<u64>);

impl Visited {
    /// Adds a node; true the first time in this search.
    pub(super) fn insert(&mut self, node: u32) -> bool {
        let bit = 1 << (node % 64);
        self.0.get_mut(node as usize / 64).is_some_and(|word| {
            let first = *word & bit == 0;
            *word |= bit;
            first
        })
    }
}

/// The best so far, a limited number.
#[derive(Debug, Default)]
pub(super) struct Best {
    heap: BinaryHeap<Reverse<Scored>>,
    keep: usize,
}

impl Best {
    /// What has to be beaten to be kept: below everything as long as there is room.
    pub(super) fn worst(&self) -> Scored {
        match self.heap.peek() {
            Some(Reverse(worst)) if self.heap.len() >= self.keep => *worst,
            _ => Scored::NOTHING,
        }
    }

    pub(super) fn offer(&mut self, scored: Scored) {
        if self.heap.len() < self.keep {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && worst.0 < scored
        {
            *worst = Reverse(scored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scored;

    #[test]
    fn numbers_keep_the_order_of_scores() {
        let scores = [
            f32::NEG_INFINITY,
            -2.5,
            -1e-40,
            -0.0,
            0.0,
            1e-40,
            0.5,
            1.0,
            f32::MAX,
        ];
        for (a, b) in scores.iter().zip(&scores[1..]) {
            assert!(Scored::new(*a, 3) < Scored::new(*b, 9), "{a} {b}");
        }
        assert!(Scored::new(0.5, 3) > Scored::new(0.5, 4));
        for score in scores {
            let scored = Scored::new(score, 77);
            assert_eq!((scored.score().to_bits(), scored.node()), (score.to_bits(), 77));
            assert!(scored > Scored::NOTHING);
        }
    }
}
