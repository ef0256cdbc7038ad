//! Relevance against variety.

use super::caps::Room;
use crate::catalogue::ItemFacts;
use crate::json::Shown;
use crate::order::descending;
use crate::vector::dot;
use thiserror::Error;

/// Weight of relevance in [`mmr`], 0 to 1; the rest is the weight of variety. 1 ranks by relevance alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lambda(f32);

/// A weight outside 0 to 1.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("lambda is {}; expected a number from 0 (variety alone) to 1 (relevance alone)", Shown::from(*.0))]
pub struct LambdaError(f32);

impl Lambda {
    /// Relevance alone.
    pub const RELEVANCE: Self = Self(1.0);

    /// Checks a weight.
    ///
    /// # Errors
    /// It is not in 0..=1.
    pub fn new(lambda: f32) -> Result<Self, LambdaError> {
        if (0.0..=1.0).contains(&lambda) {
            Ok(Self(lambda))
        } else {
            Err(LambdaError(lambda))
        }
    }

    /// The weight.
    #[must_use]
    pub fn get(self) -> f32 {
        self.0
    }
}

impl Default for Lambda {
    fn default() -> Self {
        Self(0.9)
    }
}

/// Indices by falling score; equal scores keep their order, NaN comes last.
#[must_use]
pub fn by_score(scores: &[f32]) -> Vec<usize> {
    descending(scores)
}

/// An item that may be chosen.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) relevance: f32,
    pub(super) vector: &'a [f32],
    pub(super) facts: &'a ItemFacts,
}

/// Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): chooses, one after the other, the item with the
/// highest λ · relevance − (1 − λ) · (cosine to the nearest chosen item).
///
/// `items` are (relevance, unit vector). Relevance is scaled to 0..=1 over the items first, so that λ means the same
/// for a cosine and for a tree model's margin. Returns at most `k` indices into `items`, chosen first; of equals, the
/// earlier item is chosen. Takes O(k · n · d) time for n items of d dimensions.
#[must_use]
pub fn mmr(items: &[(f32, &[f32])], lambda: Lambda, k: usize) -> Vec<usize> {
    const FACTS: ItemFacts = ItemFacts::unknown();
    let item = |&(relevance, vector): &(f32, _)| Item {
        relevance,
        vector,
        facts: &FACTS,
    };
    let items: Vec<Item<'_>> = items.iter().map(item).collect();
    choose(&items, items.len(), &[], lambda, k, &mut Room::default())
}

/// [`mmr`] over the first `pool` of `items`, within the room of the caps, and away from the vectors in `beside` too.
/// While none of the pool fits, the next `pool` items join it. Relevance is scaled over the first pool.
pub(super) fn choose(
    items: &[Item<'_>],
    pool: usize,
    beside: &[&[f32]],
    lambda: Lambda,
    k: usize,
    room: &mut Room,
) -> Vec<usize> {
    let pool = pool.max(1);
    let relevance = scale(items.iter().map(|item| item.relevance), pool);
    let variety = 1.0 - lambda.get();
    let k = k.min(items.len());
    let mut chosen: Vec<usize> = Vec::with_capacity(k);
    // Cosine to the nearest chosen item, for as long as there is one.
    let mut nearest = vec![f32::NEG_INFINITY; items.len()];
    let mut left: Vec<usize> = Vec::with_capacity(pool.min(items.len()));
    let mut joined = 0;
    let see = |nearest: &mut [f32], left: &[usize], vector: &[f32]| {
        // Without a weight on variety nobody asks.
        if variety > 0.0 {
            for &other in left {
                nearest[other] = nearest[other].max(dot(vector, items[other].vector));
            }
        }
    };
    while chosen.len() < k {
        let apart = variety > 0.0 && !(chosen.is_empty() && beside.is_empty());
        let value = |index: usize, nearest: &[f32]| {
            lambda.get() * relevance[index] - if apart { variety * nearest[index] } else { 0.0 }
        };
        let better = |best: usize, place: usize| {
            if value(left[place], &nearest) > value(left[best], &nearest) {
                place
            } else {
                best
            }
        };
        let Some(place) = (0..left.len()).reduce(better) else {
            if joined == items.len() {
                break;
            }
            let next = joined..items.len().min(joined + pool);
            joined = next.end;
            left.extend(next.filter(|&index| room.fits(items[index].facts)));
            let vectors = chosen.iter().map(|&index| items[index].vector);
            for vector in beside.iter().copied().chain(vectors) {
                see(&mut nearest, &left, vector);
            }
            continue;
        };
        // `remove` and not `swap_remove`: equal items are chosen in their order.
        let index = left.remove(place);
        chosen.push(index);
        if room.take(items[index].facts) {
            left.retain(|&other| room.fits(items[other].facts));
        }
        if chosen.len() < k {
            see(&mut nearest, &left, items[index].vector);
        }
    }
    chosen
}

/// Min-max scaling to 0..=1 over the first `pool` values. All-equal values become 0, and so does NaN.
fn scale(values: impl Iterator<Item = f32> + Clone, pool: usize) -> Vec<f32> {
    let finite = values.clone().take(pool).filter(|value| value.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    let span = high - low;
    let one = |x: f32| {
        if span > 0.0 {
            ((x - low) / span).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    values
        .map(one)
        .map(|x| if x.is_nan() { 0.0 } else { x })
        .collect()
}
#[cfg(test)]
mod tests {
    use super::*;

    fn lambda(x: f32) -> Lambda {
        Lambda::new(x).unwrap()
    }

    /// The definition, with nothing remembered between steps.
    fn plain_mmr(items: &[(f32, &[f32])], lambda: f32, k: usize) -> Vec<usize> {
        let relevance = scale(items.iter().map(|item| item.0), items.len());
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < k.min(items.len()) {
            let value = |i: usize| {
                let similar = chosen
                    .iter()
                    .map(|&j| dot(items[i].1, items[j].1))
                    .reduce(f32::max)
                    .unwrap_or(0.0);
                lambda * relevance[i] - (1.0 - lambda) * similar
            };
            let left = (0..items.len()).filter(|i| !chosen.contains(i));
            let best = left
                .reduce(|best, i| if value(i) > value(best) { i } else { best })
                .unwrap();
            chosen.push(best);
        }
        chosen
    }

    #[test]
    fn a_worked_example() {
        let items: [(f32, &[f32]); 4] = [
            (1.0, &[1.0, 0.0]),
            (0.9, &[1.0, 0.0]),
            (0.5, &[0.0, 1.0]),
            (0.0, &[-1.0, 0.0]),
        ];
        assert_eq!(mmr(&items, Lambda::RELEVANCE, 4), [0, 1, 2, 3]);
        // At ½: after 0, item 1 is worth .45 − .5, item 2 .25 − 0, item 3 0 + .5; then item 2 is worth .25.
        assert_eq!(mmr(&items, lambda(0.5), 4), [0, 3, 2, 1]);
        assert_eq!(mmr(&items, lambda(0.5), 2), [0, 3]);
    }

    #[test]
    fn agrees_with_the_definition_on_made_items() {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        for round in 0..20 {
            let vectors: Vec<Vec<f32>> = (0..40).map(|_| (0..6).map(|_| next()).collect()).collect();
            let items: Vec<(f32, &[f32])> = vectors
                .iter()
                .map(|v| ((next() * 8.0).round(), v.as_slice()))
                .collect();
            for weight in [0.0, 0.3, 0.8, 1.0] {
                assert_eq!(
                    mmr(&items, lambda(weight), 12),
                    plain_mmr(&items, weight, 12),
                    "round {round}, λ {weight}"
                );
            }
        }
    }

    #[test]
    fn relevance_alone_is_a_stable_sort() {
        let scores = [0.5, f32::NAN, 2.0, 0.5, -1.0, 2.0];
        let order = by_score(&scores);
        assert_eq!(order, [2, 5, 0, 3, 4, 1]);
        let items: Vec<(f32, &[f32])> = order.iter().map(|&i| (scores[i], [1.0f32].as_slice())).collect();
        assert_eq!(mmr(&items, Lambda::RELEVANCE, 9), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn nothing_in_gives_nothing_out() {
        assert!(mmr(&[], Lambda::default(), usize::MAX).is_empty());
        assert!(mmr(&[(1.0, &[1.0])], Lambda::default(), 0).is_empty());
    }

    #[test]
    fn a_lambda_outside_its_range_is_refused() {
        for bad in [-0.1, 1.1, f32::NAN] {
            assert!(Lambda::new(bad).is_err(), "{bad}");
        }
    }
}
