//! Randomness that a caller passes in: the browser's secure one, or a seeded one in a simulation.

use crate::rng::SplitMix64;

/// A source of independent, uniform 64-bit numbers. A claim that rests on chance holds as far as they cannot be foretold.
pub trait Random {
    /// The next 64 bits.
    fn next_u64(&mut self) -> u64;

    /// A number below `n`, each exactly as likely as any other; 0 where `n` is 0 (Lemire, ACM TOMACS 29, 2019).
    fn below(&mut self, n: u64) -> u64 {
        // So many of the 2^64 numbers are left over when they are dealt out evenly.
        let left_over = if n == 0 { 0 } else { n.wrapping_neg() % n };
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= left_over {
                return (product >> 64) as u64;
            }
        }
    }
}

/// An index drawn by weight; the last one where the weights add up to more than 2^64 − 1, 0 where there are none.
pub fn weighted(weights: &[u64], random: &mut impl Random) -> usize {
    let mut at = random.below(weights.iter().copied().fold(0, u64::saturating_add));
    let chosen = weights.iter().position(|weight| {
        let here = at < *weight;
        at = at.saturating_sub(*weight);
        here
    });
    chosen.unwrap_or(weights.len().saturating_sub(1))
}

impl Random for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        Self::next_u64(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives numbers from a list, then zeros.
    struct Listed(Vec<u64>);

    impl Random for Listed {
        fn next_u64(&mut self) -> u64 {
            self.0.pop().unwrap_or_default()
        }
    }

    #[test]
    fn what_is_left_over_is_drawn_again() {
        // 2^64 = 3 × 6148914691236517205 + 1: one number is left over, and it is 0.
        assert_eq!(Listed(vec![u64::MAX, 0]).below(3), 2);
        assert_eq!(Listed(vec![1]).below(3), 0);
        // A power of two leaves nothing over.
        assert_eq!(Listed(vec![0]).below(4), 0);
        assert_eq!(Listed(Vec::new()).below(0), 0);
    }

    #[test]
    fn every_number_is_about_as_frequent() {
        let mut random = SplitMix64::new(5);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[Random::below(&mut random, 7) as usize] += 1;
        }
        // Four standard deviations of a count of mean 10,000.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 400),
            "{counts:?}"
        );
    }
}
