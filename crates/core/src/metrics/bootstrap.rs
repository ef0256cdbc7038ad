//! Confidence intervals by resampling viewers (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993).

use crate::rng::SplitMix64;
use std::collections::BTreeMap;

/// A mean with its 95 % percentile interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Mean over all slates.
    pub value: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

impl Interval {
    /// Whether 0 lies outside, so that the sign of the mean can be relied on.
    #[must_use]
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Mean of per-slate values with its 95 % interval over viewers.
///
/// `samples` are (viewer, value). Slates of one viewer depend on each other, so whole viewers are drawn with
/// replacement (a cluster bootstrap); a drawn viewer brings all of its slates. For a paired comparison of two rankings
/// pass their differences, slate by slate. The same seed gives the same interval.
///
/// `None` with no sample or with 0 resamples.
#[must_use]
pub fn bootstrap_mean(samples: &[(usize, f64)], resamples: usize, seed: u64) -> Option<Interval> {
    let ones = samples.iter().map(|&(viewer, value)| (viewer, value, 1.0));
    resampled(ones, resamples, seed)
}

/// Σ numerator over Σ denominator of (viewer, numerator, denominator), with its 95 % interval over viewers as in
/// [`bootstrap_mean`]. Denominators are 0 or more; resamples in which they are all 0 do not count.
///
/// `None` with no sample, with 0 resamples, or where every denominator is 0.
#[must_use]
pub fn bootstrap_ratio(samples: &[(usize, f64, f64)], resamples: usize, seed: u64) -> Option<Interval> {
    resampled(samples.iter().copied(), resamples, seed)
}

fn resampled(
    samples: impl Iterator<Item = (usize, f64, f64)>,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    let mut viewers: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (viewer, numerator, denominator) in samples {
        let (sum, count) = viewers.entry(viewer).or_default();
        *sum += numerator;
        *count += denominator;
    }
    let viewers: Vec<(f64, f64)> = viewers.into_values().collect();
    let value = ratio(viewers.iter().copied())?;
    let mut rng = SplitMix64::new(seed);
    let mut ratios: Vec<f64> = (0..resamples)
        .filter_map(|_| ratio((0..viewers.len()).map(|_| viewers[rng.below(viewers.len())])))
        .collect();
    ratios.sort_by(f64::total_cmp);
    (!ratios.is_empty()).then(|| Interval {
        value,
        low: percentile(&ratios, 0.025),
        high: percentile(&ratios, 0.975),
    })
}

fn ratio(viewers: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, count) = viewers.fold((0.0, 0.0), |(sum, count), (s, c)| (sum + s, count + c));
    (count > 0.0).then(|| sum / count)
}

/// Linear interpolation between the two nearest of the sorted, non-empty values (NumPy's default).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_viewer_has_no_spread() {
        let interval = bootstrap_mean(&[(7, 1.0), (7, 3.0)], 100, 1).unwrap();
        assert_eq!(
            interval,
            Interval {
                value: 2.0,
                low: 2.0,
                high: 2.0
            }
        );
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(bootstrap_mean(&[], 100, 1), None);
        assert_eq!(bootstrap_mean(&[(0, 1.0)], 0, 1), None);
    }

    #[test]
    fn a_ratio_weighs_by_its_denominators() {
        let samples = [(0, 2.0, 1.0), (0, 1.0, 3.0), (1, 0.0, 0.0), (2, 4.0, 4.0)];
        let interval = bootstrap_ratio(&samples, 300, 1).unwrap();
        assert_eq!(interval.value, 7.0 / 8.0);
        // Every resample is a mix of 3/4 and 1.
        assert_eq!((interval.low, interval.high), (0.75, 1.0));
        assert_eq!(bootstrap_ratio(&[(0, 1.0, 0.0)], 300, 1), None);
    }

    #[test]
    fn the_interval_of_many_viewers_is_the_normal_one() {
        // 400 viewers, half of them 0 and half 1: standard error .025.
        let samples: Vec<(usize, f64)> = (0..400).map(|v| (v, (v % 2) as f64)).collect();
        let interval = bootstrap_mean(&samples, 4_000, 3).unwrap();
        assert_eq!(interval.value, 0.5);
        assert!(
            (interval.low - (0.5 - 1.96 * 0.025)).abs() < 0.004,
            "{interval:?}"
        );
        assert!(
            (interval.high - (0.5 + 1.96 * 0.025)).abs() < 0.004,
            "{interval:?}"
        );
        assert_eq!(bootstrap_mean(&samples, 4_000, 3).unwrap(), interval);
        assert_ne!(bootstrap_mean(&samples, 4_000, 4).unwrap(), interval);
    }

    #[test]
    fn repeated_slates_of_a_viewer_add_no_certainty() {
        let once: Vec<(usize, f64)> = (0..50).map(|v| (v, (v % 5) as f64)).collect();
        let often: Vec<(usize, f64)> = once.iter().flat_map(|&sample| [sample; 20]).collect();
        let (a, b) = (
            bootstrap_mean(&once, 500, 9).unwrap(),
            bootstrap_mean(&often, 500, 9).unwrap(),
        );
        assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12);
    }

    #[test]
    fn a_paired_difference_is_surer_than_two_intervals() {
        let spread: Vec<f64> = (0..60).map(|v| f64::from(v % 10)).collect();
        let of = |shift: f64| -> Vec<(usize, f64)> {
            spread.iter().enumerate().map(|(v, x)| (v, x + shift)).collect()
        };
        let (a, b) = (
            bootstrap_mean(&of(0.0), 500, 1).unwrap(),
            bootstrap_mean(&of(0.2), 500, 1).unwrap(),
        );
        assert!(a.high > b.low, "apart, the two overlap");
        let difference: Vec<(usize, f64)> = of(0.2)
            .iter()
            .zip(of(0.0))
            .map(|(b, a)| (b.0, b.1 - a.1))
            .collect();
        let paired = bootstrap_mean(&difference, 500, 1).unwrap();
        assert!(paired.excludes_zero() && (paired.value - 0.2).abs() < 1e-9);
        assert!(
            !Interval {
                value: 0.1,
                low: -0.1,
                high: 0.3
            }
            .excludes_zero()
        );
    }

    #[test]
    fn percentiles_interpolate() {
        // numpy.percentile([1, 2, 4, 8], [0, 25, 50, 90, 100])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((percentile(&sorted, share) - expected).abs() < 1e-12, "{share}");
        }
    }
}
