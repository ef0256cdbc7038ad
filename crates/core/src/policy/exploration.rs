//! Places for chance, with the probability of what is shown there.

use crate::rng::SplitMix64;

/// Gives places of the list to items drawn uniformly from the best that would not be on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exploration {
    /// The places, from 0. Those beyond the list, and those of pins, do not count.
    pub places: Vec<usize>,
    /// Items to draw from, more than places.
    pub pool: usize,
    /// Share of the pages that explore, above 0 and at most 1. The others are as without exploration.
    pub rate: f64,
}

/// One page's draw: m of the n items of a pool.
pub(super) struct Draw {
    /// The pool.
    pool: Vec<usize>,
    /// Items drawn, where this page explores.
    wanted: usize,
    rate: f64,
    /// The items drawn, in the order of their places; `None` where this page does not explore.
    pub(super) drawn: Option<Vec<usize>>,
}

impl Draw {
    /// Draws `wanted` of `pool` with the probability `rate`. Every item of the pool is as likely as every other, in every
    /// place.
    pub(super) fn new(pool: Vec<usize>, wanted: usize, rate: f64, seed: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        // 53 bits: a uniform number from 0 to below 1.
        let explores = rng.unit() >= 1.0 - rate;
        let drawn = explores.then(|| {
            let mut urn = pool.clone();
            let draw = |_| urn.swap_remove(rng.below(urn.len()));
            (0..wanted.min(pool.len())).map(draw).collect()
        });
        Self {
            pool,
            wanted,
            rate,
            drawn,
        }
    }

    /// Probability that the page shows an item: through the draw, or, where `otherwise`, whenever a page does not explore.
    pub(super) fn propensity(&self, item: usize, otherwise: bool) -> f64 {
        let drawn = if self.pool.contains(&item) {
            self.rate * self.wanted as f64 / self.pool.len() as f64
        } else {
            0.0
        };
        if otherwise {
            drawn + (1.0 - self.rate)
        } else {
            drawn
        }
    }
}
