//! A viewer's taste over tags.

use crate::catalogue::ItemFacts;
use crate::session::Click;

/// How much of the viewer's clicks each tag got: a click weighs less for each newer one, and its tags share its weight
/// as a unit vector would.
#[derive(Clone, Debug)]
pub(super) struct TagProfile {
    weights: [f32; ItemFacts::MAX_TAGS],
    /// Some click has a tag.
    known: bool,
}

impl TagProfile {
    /// `decay` is the weight of a click over that of the next newer one. Clicks are oldest first.
    pub(super) fn of(clicks: &[Click], decay: f32) -> Self {
        let mut weights = [0.0f32; ItemFacts::MAX_TAGS];
        let (mut weight, mut total) = (1.0f32, 0.0f32);
        for click in clicks.iter().rev().filter(|click| click.facts.tags != 0) {
            let share = weight / length(click.facts.tags);
            for tag in bits(click.facts.tags) {
                weights[tag] += share;
            }
            total += weight;
            weight *= decay;
        }
        if total > 0.0 {
            for x in &mut weights {
                *x /= total;
            }
        }
        Self {
            weights,
            known: total > 0.0,
        }
    }

    /// Weighted mean of the cosines between the clicks' tags and these: 0 to 1; NaN where there are none on either side.
    pub(super) fn affinity(&self, tags: u64) -> f32 {
        if !self.known || tags == 0 {
            return f32::NAN;
        }
        let sum: f32 = bits(tags).map(|tag| self.weights[tag]).sum();
        // Rounding may pass 1.
        (sum / length(tags)).min(1.0)
    }
}

/// Cosine of two sets of tags: 0 to 1; NaN where one is empty.
pub(super) fn cosine(a: u64, b: u64) -> f32 {
    if a == 0 || b == 0 {
        return f32::NAN;
    }
    ((a & b).count_ones() as f32 / (length(a) * length(b))).min(1.0)
}

/// Euclidean length of a set of tags as a vector of zeros and ones.
fn length(tags: u64) -> f32 {
    libm::sqrtf(tags.count_ones() as f32)
}

/// The tags of a set, rising, each below [`ItemFacts::MAX_TAGS`].
fn bits(mut tags: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (tags != 0).then(|| {
            let tag = tags.trailing_zeros() as usize;
            tags &= tags - 1;
            tag
        })
    })
}
