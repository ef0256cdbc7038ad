//! What happens to a ranking before a viewer sees it: seen items leave, and relevance is traded against variety.

use crate::vector::dot;
use thiserror::Error;

/// Rules for one page of recommendations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Drop items that the viewer has had.
    pub exclude_seen: bool,
    /// Relevance against variety.
    pub lambda: Lambda,
    /// The best this many candidates take part in [`mmr`], or k where that is more; the others cannot be relevant
    /// enough to be worth their variety.
    pub pool: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exclude_seen: true,
            lambda: Lambda::default(),
            pool: 100,
        }
    }
}

/// Weight of relevance in [`mmr`], 0 to 1; the rest is the weight of variety. 1 ranks by relevance alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lambda(f32);

/// A weight outside 0 to 1.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("lambda is {0}; expected a number from 0 (variety alone) to 1 (relevance alone)")]
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
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let key = |index: usize| {
        if scores[index].is_nan() {
            f32::NEG_INFINITY
        } else {
            scores[index]
        }
    };
    order.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
    order
}

/// Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): chooses, one after the other, the item with the
/// highest λ · relevance − (1 − λ) · (cosine to the nearest chosen item).
///
/// `items` are (relevance, unit vector). Relevance is scaled to 0..=1 over the items first, so that λ means the same
/// for a cosine and for a tree model's margin. Returns at most `k` indices into `items`, chosen first; of equals, the
/// earlier item is chosen. Takes O(k · n · d) time for n items of d dimensions.
#[must_use]
pub fn mmr(items: &[(f32, &[f32])], lambda: Lambda, k: usize) -> Vec<usize> {
    let relevance = scale(items.iter().map(|&(relevance, _)| relevance));
    let k = k.min(items.len());
    let mut chosen = Vec::with_capacity(k);
    let mut left: Vec<usize> = (0..items.len()).collect();
    // Cosine to the nearest chosen item; 0 while nothing is chosen.
    let mut nearest = vec![0.0f32; items.len()];
    while chosen.len() < k {
        let value = |index: usize| lambda.0 * relevance[index] - (1.0 - lambda.0) * nearest[index];
        let better = |best: usize, place: usize| {
            if value(left[place]) > value(left[best]) {
                place
            } else {
                best
            }
        };
        let Some(place) = (0..left.len()).reduce(better) else {
            break;
        };
        // `remove` and not `swap_remove`: equal items are chosen in their order.
        let index = left.remove(place);
        for &other in &left {
            let similarity = dot(items[index].1, items[other].1);
            let first = chosen.is_empty();
            nearest[other] = if first {
                similarity
            } else {
                nearest[other].max(similarity)
            };
        }
        chosen.push(index);
    }
    chosen
}

/// Min-max scaling to 0..=1. All-equal values become 0, and so does NaN.
fn scale(values: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    let finite = values.clone().filter(|value| value.is_finite());
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
        let relevance = scale(items.iter().map(|item| item.0));
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
