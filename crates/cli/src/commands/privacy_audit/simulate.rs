//! Simulated viewers: each likes the surroundings of a few videos, and now and then what everybody likes.

use super::world::{Viewer, World};
use recsys_core::rng::SplitMix64;
use recsys_core::vector::dot;

/// Clicks of a viewer, fewer where the catalogue is small.
const CLICKS: usize = 40;
/// How often a click is about the first, second and third interest; the rest is popular videos.
const INTERESTS: [f64; 3] = [0.55, 0.25, 0.1];
/// How fast a video's share falls with its angle to an interest: e-fold for each 1/SHARPNESS of cosine, seen from the mean.
const SHARPNESS: f64 = 12.0;

/// So many viewers, the same for the same seed.
pub(super) fn viewers(world: &World<'_>, count: usize, seed: u64) -> Vec<Viewer> {
    let centred = centred(world);
    let popular = Sampler::new(world.popularity.iter().copied());
    let mut random = SplitMix64::new(seed);
    let clicks = CLICKS.min(world.vectors.len() / 2);
    (0..count)
        .map(|_| Viewer {
            clicks: one(world, (&popular, &centred), clicks, &mut random),
        })
        .collect()
}

/// The vectors seen from their mean, at unit length.
fn centred(world: &World<'_>) -> Vec<Vec<f32>> {
    let mean = world.bundle.mean();
    let one = |vector: &recsys_core::vector::UnitVector| {
        let mut seen: Vec<f32> = vector.as_slice().iter().zip(mean).map(|(v, m)| v - m).collect();
        let norm = dot(&seen, &seen).sqrt().max(1e-6);
        seen.iter_mut().for_each(|v| *v /= norm);
        seen
    };
    world.vectors.iter().map(one).collect()
}

fn one(
    world: &World<'_>,
    (popular, centred): (&Sampler, &[Vec<f32>]),
    clicks: usize,
    random: &mut SplitMix64,
) -> Vec<usize> {
    let interests: Vec<Sampler> = INTERESTS
        .iter()
        .map(|_| {
            let anchor = &centred[popular.draw(random)];
            let weight = |(row, vector): (usize, &Vec<f32>)| {
                world.popularity[row] * (SHARPNESS * f64::from(dot(anchor, vector))).exp()
            };
            Sampler::new(centred.iter().enumerate().map(weight))
        })
        .collect();
    let mut clicked = Vec::with_capacity(clicks);
    while clicked.len() < clicks {
        let mut at = random.unit();
        let interest = INTERESTS.iter().position(|share| {
            at -= share;
            at < 0.0
        });
        let from = interest.map_or(popular, |number| &interests[number]);
        // A narrow interest may be used up.
        let fresh = (0..50)
            .map(|_| from.draw(random))
            .find(|row| !clicked.contains(row));
        clicked.extend(fresh);
        if fresh.is_none() && interest.is_none() {
            break;
        }
    }
    clicked
}

/// Draws by weight.
struct Sampler(Vec<f64>);

impl Sampler {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let running = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self(running.collect())
    }

    fn draw(&self, random: &mut SplitMix64) -> usize {
        let at = random.unit() * self.0.last().copied().unwrap_or_default();
        self.0
            .partition_point(|sum| *sum <= at)
            .min(self.0.len().saturating_sub(1))
    }
}
