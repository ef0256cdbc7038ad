//! Sample-ratio mismatch: arms that did not get their shares.
//!
//! Pearson's chi-square test of the arms' sizes against their weights. Where it fails, something loses viewers of one arm
//! (an error, a redirect, a filter), and the outcomes cannot be compared: Fabijan et al., *Diagnosing sample ratio
//! mismatch in online controlled experiments*, KDD 2019, who take p below .0005 to .001 as the alarm.

use statrs::distribution::{ChiSquared, ContinuousCDF};
use thiserror::Error;

/// A smaller p-value is a mismatch.
pub const ALARM: f64 = 0.001;

/// Arms that cannot be tested.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RatioError {
    /// Not two arms, or not a weight for each.
    #[error("expected at least 2 arms and a weight for each, found {arms} arms and {weights} weights")]
    Arms {
        /// Arms.
        arms: usize,
        /// Weights.
        weights: usize,
    },
    /// A weight that gives no expected count.
    #[error("expected weights that are finite and above 0")]
    Weight,
    /// No unit in any arm.
    #[error("no arm has a unit")]
    Empty,
}

/// p-value of arms of these sizes, if viewers were dealt by these weights (above 0, any scale).
///
/// # Errors
/// Fewer than two arms, weights that do not fit, or no unit at all.
pub fn sample_ratio(sizes: &[u64], weights: &[f64]) -> Result<f64, RatioError> {
    if sizes.len() < 2 || sizes.len() != weights.len() {
        return Err(RatioError::Arms {
            arms: sizes.len(),
            weights: weights.len(),
        });
    }
    if weights
        .iter()
        .any(|weight| !(weight.is_finite() && *weight > 0.0))
    {
        return Err(RatioError::Weight);
    }
    let n = sizes.iter().map(|&size| size as f64).sum::<f64>();
    if n == 0.0 {
        return Err(RatioError::Empty);
    }
    let total: f64 = weights.iter().sum();
    let cell = |(&size, weight): (&u64, &f64)| {
        let expected = n * weight / total;
        (size as f64 - expected) * (size as f64 - expected) / expected
    };
    let statistic: f64 = sizes.iter().zip(weights).map(cell).sum();
    let distribution = ChiSquared::new((sizes.len() - 1) as f64).map_err(|_| RatioError::Weight)?;
    Ok(distribution.sf(statistic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        for (sizes, weights, expected) in GOLDEN {
            let found = sample_ratio(sizes, weights).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-7, "{found} {expected}");
        }
    }

    /// SciPy 1.17.1: stats.chisquare.
    const GOLDEN: [(&[u64], &[f64], f64); 4] = [
        (&[10_210, 9_790], &[1.0, 1.0], 0.002_979_466_656_332_983),
        (&[5_000, 4_800, 5_100], &[1.0, 1.0, 1.0], 0.009_113_608_188_075_67),
        (&[900, 120], &[9.0, 1.0], 0.060_289_173_990_602_21),
        (&[10_000, 9_500], &[1.0, 1.0], 0.000_342_839_741_611_147_9),
    ];

    #[test]
    fn a_lossy_arm_is_found_and_a_fair_deal_is_not() {
        assert!(sample_ratio(&[10_000, 9_500], &[1.0, 1.0]).unwrap() < ALARM);
        assert!(sample_ratio(&[10_000, 9_900], &[1.0, 1.0]).unwrap() > 0.1);
        assert_eq!(sample_ratio(&[50, 50], &[2.0, 2.0]).unwrap(), 1.0);
    }

    #[test]
    fn what_cannot_be_tested_is_refused() {
        assert!(matches!(sample_ratio(&[3], &[1.0]), Err(RatioError::Arms { .. })));
        assert!(matches!(
            sample_ratio(&[3, 4], &[1.0]),
            Err(RatioError::Arms { .. })
        ));
        assert_eq!(sample_ratio(&[3, 4], &[1.0, 0.0]), Err(RatioError::Weight));
        assert_eq!(sample_ratio(&[3, 4], &[1.0, f64::NAN]), Err(RatioError::Weight));
        assert_eq!(sample_ratio(&[0, 0], &[1.0, 1.0]), Err(RatioError::Empty));
    }
}
