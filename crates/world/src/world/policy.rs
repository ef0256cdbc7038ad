//! What the simulated site showed: a mixture of three policies, with exact propensities.
//!
//! A request's arm is drawn first. Each arm then draws a slate without replacement by systematic sampling
//! (Madow 1949), whose inclusion probabilities are exactly min(1, c·weight). An item's propensity is its
//! probability of being in the slate under the whole mixture, whichever arm was drawn.

use super::catalogue::Item;
use crate::rng::Rng;
use crate::scene::Scene;

/// Items of a slate.
pub(super) const SLATE: usize = 12;

/// A policy of the mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    Uniform,
    Popular,
    Similar,
}

/// Shares of the arms. Before a viewer's first click there is nothing to be similar to: its share is uniform then.
const SHARES: [(Arm, f64); 3] = [(Arm::Uniform, 0.5), (Arm::Popular, 0.25), (Arm::Similar, 0.25)];

impl Arm {
    /// The name in the log. `uniform` is the one that evaluation knows.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uniform => recsys_core::events::UNIFORM_ARM,
            Self::Popular => "popular",
            Self::Similar => "similar",
        }
    }
}

/// One slate, in the order shown.
pub(super) struct Slate {
    pub(super) arm: Arm,
    /// Index of the item, and its propensity.
    pub(super) shown: Vec<(usize, f64)>,
}

/// Draws a slate from `items`; `last` is what the viewer clicked last.
pub(super) fn slate(items: &[Item], last: Option<&Scene>, rng: &mut Rng) -> Slate {
    let arm = match SHARES[rng.weighted(&SHARES.map(|(_, share)| share))].0 {
        Arm::Similar if last.is_none() => Arm::Uniform,
        arm => arm,
    };
    let uniform = vec![1.0; items.len()];
    let popular: Vec<f64> = items
        .iter()
        .map(|item| libm::sqrt(item.watches as f64 + 1.0))
        .collect();
    let similar = last.map(|last| {
        items
            .iter()
            .map(|item| similarity_weight(&item.scene, last))
            .collect::<Vec<_>>()
    });
    let uniform = inclusion(&uniform);
    let popular = inclusion(&popular);
    let similar = similar.map_or_else(|| uniform.clone(), |weights| inclusion(&weights));
    let drawn_by = match arm {
        Arm::Uniform => &uniform,
        Arm::Popular => &popular,
        Arm::Similar => &similar,
    };
    let mut drawn = systematic(drawn_by, rng);
    if arm != Arm::Uniform {
        let by_probability = |a: &usize, b: &usize| drawn_by[*b].total_cmp(&drawn_by[*a]);
        drawn.sort_by(by_probability);
    }
    let propensity = |index: usize| {
        SHARES[0].1 * uniform[index] + SHARES[1].1 * popular[index] + SHARES[2].1 * similar[index]
    };
    let shown = drawn
        .into_iter()
        .map(|index| (index, propensity(index).min(1.0)))
        .collect();
    Slate { arm, shown }
}

/// exp(4 × the weighted share of equal attributes).
fn similarity_weight(a: &Scene, b: &Scene) -> f64 {
    let hit = |same: bool, weight: f64| if same { weight } else { 0.0 };
    let same = hit(a.thing == b.thing, 0.4)
        + hit(a.place == b.place, 0.25)
        + hit(a.colour == b.colour, 0.175)
        + hit(a.time == b.time, 0.175);
    libm::exp(4.0 * same)
}

/// Probabilities of being among [`SLATE`] items: proportional to `weights`, none above 1.
fn inclusion(weights: &[f64]) -> Vec<f64> {
    let mut certain = vec![false; weights.len()];
    loop {
        let places = SLATE.min(weights.len()) - certain.iter().filter(|c| **c).count();
        let free = || {
            weights
                .iter()
                .zip(&certain)
                .filter(|(_, certain)| !**certain)
                .map(|(weight, _)| weight)
        };
        let scale = places as f64 / free().sum::<f64>();
        let over: Vec<usize> = (0..weights.len())
            .filter(|index| !certain[*index] && weights[*index] * scale >= 1.0)
            .collect();
        if over.is_empty() {
            let share = |(weight, certain): (&f64, &bool)| if *certain { 1.0 } else { weight * scale };
            return weights.iter().zip(&certain).map(share).collect();
        }
        for index in over {
            certain[index] = true;
        }
        if certain.iter().all(|certain| *certain) {
            return vec![1.0; weights.len()];
        }
    }
}

/// A sample without replacement in which every item has exactly its probability, in random order.
fn systematic(probabilities: &[f64], rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    rng.shuffle(&mut order);
    let size = SLATE.min(order.len());
    let mut next = rng.unit();
    let mut sum = 0.0;
    let mut drawn = Vec::with_capacity(size);
    for index in order {
        sum += probabilities[index];
        if sum > next && drawn.len() < size {
            drawn.push(index);
            next += 1.0;
        }
    }
    rng.shuffle(&mut drawn);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systematic_sampling_keeps_its_probabilities() {
        let weights: Vec<f64> = (1..=30).map(|w| f64::from(w * w)).collect();
        let expected = inclusion(&weights);
        assert!((expected.iter().sum::<f64>() - SLATE as f64).abs() < 1e-9);
        assert!(expected.iter().all(|p| *p <= 1.0));
        let mut rng = Rng::new(5);
        let mut counts = vec![0.0; weights.len()];
        let rounds = 20_000;
        for _ in 0..rounds {
            for index in systematic(&expected, &mut rng) {
                counts[index] += 1.0 / f64::from(rounds);
            }
        }
        for (count, p) in counts.iter().zip(&expected) {
            assert!((count - p).abs() < 0.02, "{count} {p}");
        }
    }

    #[test]
    fn a_tiny_catalogue_is_shown_whole() {
        assert_eq!(inclusion(&[1.0, 5.0, 2.0]), vec![1.0; 3]);
        assert_eq!(systematic(&[1.0; 3], &mut Rng::new(1)).len(), 3);
    }
}
