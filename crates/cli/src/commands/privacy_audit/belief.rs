//! What an adversary believes of a viewer's cluster after what it saw (Bayes).

use super::wire::{Asked, View};
use super::world::World;

/// The probability of each cluster; `None` where a view shows vectors, not clusters.
pub(super) fn clusters(world: &World<'_>, view: &View) -> Option<Vec<f64>> {
    match view {
        View::Vectors(_) => None,
        View::Nothing => Some(world.prior.clone()),
        View::Report(reported, epsilon) => {
            let odds = |cluster: usize| {
                if cluster == *reported as usize {
                    epsilon.exp()
                } else {
                    1.0
                }
            };
            let weights = world.prior.iter().enumerate();
            Some(normalised(
                weights.map(|(cluster, prior)| prior * odds(cluster)).collect(),
            ))
        }
        View::Sets(sets) if sets.is_empty() => Some(world.prior.clone()),
        View::Sets(sets) => {
            let mut sum = vec![0.0; world.prior.len()];
            for set in sets {
                for (sum, belief) in sum.iter_mut().zip(of_set(world, set)) {
                    *sum += belief;
                }
            }
            Some(normalised(sum))
        }
    }
}

/// Which cluster of a set is the true one.
pub(super) fn of_set(world: &World<'_>, asked: &Asked) -> Vec<f64> {
    let mut belief = vec![0.0; world.prior.len()];
    for truth in &asked.set {
        let dummies: Vec<u32> = asked.set.iter().copied().filter(|other| other != truth).collect();
        let taken: f64 = asked
            .before
            .iter()
            .map(|cluster| world.prior[*cluster as usize])
            .sum();
        let truth = *truth as usize;
        let left = 1.0 - taken - world.prior[truth];
        belief[truth] = world.prior[truth] * drawn(world, &dummies, left);
    }
    normalised(belief)
}

/// The probability that these are drawn without replacement in any order, where so much of the distribution is left.
fn drawn(world: &World<'_>, dummies: &[u32], left: f64) -> f64 {
    if dummies.is_empty() {
        return 1.0;
    }
    let first = |(at, dummy): (usize, &u32)| {
        let share = world.public[*dummy as usize];
        let mut others = dummies.to_vec();
        others.swap_remove(at);
        share / left.max(1e-12) * drawn(world, &others, left - share)
    };
    dummies.iter().enumerate().map(first).sum()
}

pub(super) fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}
