//! Inference that stays valid however often, and whenever, one looks.
//!
//! A fixed-horizon test that is looked at again and again until it says yes will say yes of nothing, given time. A normal
//! mixture over the possible effects bounds the error over all looks together. As a test it is the mixture sequential
//! probability ratio test (Robbins 1970; Johari, Koomen, Pekelis & Walsh, *Always valid inference*, Operations Research
//! 70(3), 2022), as an interval the asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas,
//! *Time-uniform central limit theory and asymptotic confidence sequences*, Annals of Statistics 52(6), 2024; also Howard,
//! Ramdas, McAuliffe & Sekhon, Annals of Statistics 49(2), 2021). With n units of estimated variance s², so a standard
//! error of s/√n, the interval at level 1 − α is, for all n at once,
//!
//! estimate ± s/√n · √( (1 + ρ²n)/(ρ²n) · (ln(1 + ρ²n) − 2 ln α) ).
//!
//! ρ decides where it is narrowest, and must be chosen before the data. For two arms n is the number with
//! 1/n = 1/n₁ + 1/n₂.

/// An always-valid test of one comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequential {
    alpha: f64,
    rho_squared: f64,
}

/// Fewer units of an arm say nothing yet: the central limit theorem has not set in.
pub const MIN_UNITS: f64 = 100.0;

impl Sequential {
    /// The test at level `alpha` (above 0 and below 1) that is (nearly) narrowest at `n` units (above 0), by equation 10
    /// of Waudby-Smith et al. `n` and `alpha` out of range give a test that never concludes.
    #[must_use]
    pub fn tuned(alpha: f64, n: f64) -> Self {
        let spread = -2.0 * libm::log(alpha);
        Self {
            alpha,
            rho_squared: (spread + libm::log(spread + 1.0)) / n,
        }
    }

    /// Half the width of the interval, for a standard error at `n` units.
    #[must_use]
    pub fn width(&self, standard_error: f64, n: f64) -> f64 {
        let scaled = self.rho_squared * n;
        let squared = (1.0 + scaled) / scaled * (libm::log1p(scaled) - 2.0 * libm::log(self.alpha));
        standard_error * squared.sqrt()
    }

    /// The interval around an estimate.
    #[must_use]
    pub fn interval(&self, estimate: f64, standard_error: f64, n: f64) -> (f64, f64) {
        let width = self.width(standard_error, n);
        (estimate - width, estimate + width)
    }

    /// The p-value of this look: below `alpha` where the interval excludes 0. The smallest one of all looks is valid too.
    #[must_use]
    pub fn p_value(&self, estimate: f64, standard_error: f64, n: f64) -> f64 {
        if !(standard_error > 0.0 && n > 0.0) {
            return 1.0;
        }
        let (z, scaled) = (estimate / standard_error, self.rho_squared * n);
        let log_ratio = z * z / 2.0 * scaled / (1.0 + scaled) - libm::log1p(scaled) / 2.0;
        libm::exp(-log_ratio).min(1.0)
    }
}

/// The n with 1/n = 1/a + 1/b.
#[must_use]
pub fn effective_units(a: f64, b: f64) -> f64 {
    a * b / (a + b)
}

#[cfg(test)]
mod tests {
    use super::super::{Difference, Tally};
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn agrees_with_gbstats() {
        for ([alpha, tuned, units, a, b], [low, high, p]) in GOLDEN {
            let arm = |outcomes| Tally::binary(units as u64, outcomes).unwrap();
            let d = Difference::of(&arm(a), &arm(b));
            // There n is the number of all units, of two arms of one size: four times ours.
            let (test, n) = (
                Sequential::tuned(alpha, tuned / 4.0),
                effective_units(units, units),
            );
            let (found_low, found_high) = test.interval(d.estimate, d.standard_error, n);
            let found_p = test.p_value(d.estimate, d.standard_error, n);
            for (found, expected) in [(found_low, low), (found_high, high), (found_p, p)] {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    /// gbstats 0.8.0, SequentialTwoSidedTTest: level, tuning parameter, units an arm, outcomes; interval and p-value.
    const GOLDEN: [([f64; 5], [f64; 3]); 3] = [
        (
            [0.05, 5_000.0, 2_000.0, 200.0, 240.0],
            [
                -0.010_067_436_073_896_888,
                0.050_067_436_073_896_87,
                0.463_271_412_744_755_86,
            ],
        ),
        (
            [0.05, 20_000.0, 500.0, 50.0, 49.0],
            [-0.091_132_999_811_709_4, 0.087_132_999_811_709_4, 1.0],
        ),
        (
            [0.01, 1_000.0, 40_000.0, 2_000.0, 2_200.0],
            [
                -0.001_318_982_273_644_237_3,
                0.011_318_982_273_644_232,
                0.200_537_572_103_789_72,
            ],
        ),
    ];

    #[test]
    fn interval_and_p_value_agree() {
        let test = Sequential::tuned(0.05, 1_000.0);
        for n in [10.0, 300.0, 1_000.0, 50_000.0] {
            let edge = test.width(0.01, n);
            assert!((test.p_value(edge, 0.01, n) - 0.05).abs() < 1e-9, "{n}");
            assert!(test.p_value(edge * 1.01, 0.01, n) < 0.05);
        }
        assert_eq!(test.p_value(1.0, 0.0, 10.0), 1.0);
    }

    #[test]
    fn it_is_narrowest_where_it_was_tuned() {
        // In units of the standard error; Waudby-Smith et al. note that the choice is near the best, not at it.
        let at = |tuned: f64| Sequential::tuned(0.05, tuned).width(1.0, 1_000.0);
        assert!(at(1_000.0) <= at(400.0) && at(1_000.0) <= at(2_500.0));
        assert!(at(1_000.0) < 3.2 && at(1_000.0) > 1.96);
    }

    /// Share of A/A tests that ever seem to show an effect, over looks after every 50 units an arm.
    fn false_alarms(tests: usize, alarm: impl Fn(&Difference, f64) -> bool) -> f64 {
        let mut rng = SplitMix64::new(5);
        let mut outcome = || f64::from(u8::from(rng.below(10) == 0));
        let mut ever = 0;
        for _ in 0..tests {
            let (mut a, mut b, mut alarmed) = (0.0, 0.0, false);
            for units in 1..=5_000u64 {
                a += outcome();
                b += outcome();
                if units >= MIN_UNITS as u64 && units % 50 == 0 {
                    let arm = |outcomes| Tally::binary(units, outcomes).unwrap();
                    let difference = Difference::of(&arm(a), &arm(b));
                    alarmed |= alarm(&difference, effective_units(units as f64, units as f64));
                }
            }
            ever += usize::from(alarmed);
        }
        ever as f64 / tests as f64
    }

    #[test]
    fn peeking_is_safe_here_and_is_not_with_a_fixed_test() {
        let test = Sequential::tuned(0.05, 1_000.0);
        let always = |d: &Difference, n: f64| test.p_value(d.estimate, d.standard_error, n) < 0.05;
        let fixed = |d: &Difference, _: f64| d.fixed_p_value() < 0.05;
        let (valid, peeked) = (false_alarms(1_000, always), false_alarms(1_000, fixed));
        assert!(valid <= 0.05, "{valid}");
        assert!(peeked > 0.25, "{peeked}");
    }

    #[test]
    fn the_interval_covers_at_all_looks_at_once() {
        let test = Sequential::tuned(0.1, 500.0);
        let outside = |d: &Difference, n: f64| {
            let (low, high) = test.interval(d.estimate, d.standard_error, n);
            !(low..=high).contains(&0.0)
        };
        let missed = false_alarms(600, outside);
        assert!(missed <= 0.1, "{missed}");
    }

    #[test]
    fn a_real_effect_is_found() {
        let mut rng = SplitMix64::new(9);
        let test = Sequential::tuned(0.05, 2_000.0);
        let found = (0..100).filter(|_| {
            let count =
                |rng: &mut SplitMix64, per_mille| (0..6_000).filter(|_| rng.below(1_000) < per_mille).count();
            let arm = |rng: &mut SplitMix64, share| Tally::binary(6_000, count(rng, share) as f64).unwrap();
            let d = Difference::of(&arm(&mut rng, 100), &arm(&mut rng, 125));
            test.p_value(d.estimate, d.standard_error, 3_000.0) < 0.05
        });
        assert!(found.count() > 80);
    }
}
