//! The difference of two means, for one look planned beforehand.

use super::{normal_quantile, normal_tail};
use thiserror::Error;

/// What one arm's units gave: their number, and the sum and the sum of squares of their outcomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    units: f64,
    sum: f64,
    sum_squares: f64,
}

/// Counts that no units can have given.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum TallyError {
    /// No unit.
    #[error("there is no exposure; expected at least 1")]
    Empty,
    /// Not a number, negative, or too large for exact sums.
    #[error("`{field}` is {value}; expected a finite number, 0 or more")]
    Number {
        /// Which.
        field: &'static str,
        /// What was found.
        value: f64,
    },
    /// More successes than units.
    #[error(
        "{outcomes} outcomes of {exposures} exposures; outcomes that can be more than one an exposure need `sumSquares`"
    )]
    TooMany {
        /// Outcomes.
        outcomes: f64,
        /// Exposures.
        exposures: u64,
    },
    /// Squares that do not go with the sum.
    #[error("`sumSquares` is {found}; {outcomes} outcomes of {exposures} exposures have at least {least}")]
    Squares {
        /// What was found.
        found: f64,
        /// The smallest possible.
        least: f64,
        /// Outcomes.
        outcomes: f64,
        /// Exposures.
        exposures: u64,
    },
}

impl Tally {
    /// Units of which each had an outcome or not.
    ///
    /// # Errors
    /// No unit, or outcomes that are no number from 0 to their count.
    pub fn binary(exposures: u64, outcomes: f64) -> Result<Self, TallyError> {
        if outcomes > exposures as f64 {
            return Err(TallyError::TooMany { outcomes, exposures });
        }
        Self::new(exposures, outcomes, outcomes)
    }

    /// Units with any outcomes of 0 or more, such as clicks or seconds.
    ///
    /// # Errors
    /// No unit, a sum that is negative or not finite, or squares that no such outcomes have.
    pub fn new(exposures: u64, outcomes: f64, sum_squares: f64) -> Result<Self, TallyError> {
        if exposures == 0 {
            return Err(TallyError::Empty);
        }
        for (field, value) in [("outcomes", outcomes), ("sumSquares", sum_squares)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(TallyError::Number { field, value });
            }
        }
        // Cauchy–Schwarz, with room for rounding.
        let least = outcomes * outcomes / exposures as f64;
        if sum_squares < least * (1.0 - 1e-9) {
            return Err(TallyError::Squares {
                found: sum_squares,
                least,
                outcomes,
                exposures,
            });
        }
        Ok(Self {
            units: exposures as f64,
            sum: outcomes,
            sum_squares,
        })
    }

    /// Units, at least 1.
    #[must_use]
    pub const fn units(&self) -> f64 {
        self.units
    }

    /// Mean outcome of a unit.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.units
    }

    /// Variance of a unit's outcome (over n), 0 or more.
    #[must_use]
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        (self.sum_squares / self.units - mean * mean).max(0.0)
    }
}

/// Treatment less control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Difference of the means.
    pub estimate: f64,
    /// Its standard error, arms with variances of their own.
    pub standard_error: f64,
}

impl Difference {
    /// Of two arms.
    #[must_use]
    pub fn of(control: &Tally, treatment: &Tally) -> Self {
        let part = |arm: &Tally| arm.variance() / arm.units();
        Self {
            estimate: treatment.mean() - control.mean(),
            standard_error: (part(control) + part(treatment)).sqrt(),
        }
    }

    /// Wald's interval at level 1 − `alpha`: it holds for one look at a number of units fixed beforehand, and for no
    /// other. (Agresti, *Categorical Data Analysis*, 2013, section 3.1.)
    #[must_use]
    pub fn fixed_interval(&self, alpha: f64) -> (f64, f64) {
        let width = normal_quantile(1.0 - alpha / 2.0) * self.standard_error;
        (self.estimate - width, self.estimate + width)
    }

    /// Two-sided p-value of one look; 1 where the standard error is 0.
    #[must_use]
    pub fn fixed_p_value(&self) -> f64 {
        if self.standard_error > 0.0 {
            2.0 * normal_tail((self.estimate / self.standard_error).abs())
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_statsmodels() {
        let control = Tally::binary(4_000, 200.0).unwrap();
        let treatment = Tally::binary(4_100, 260.0).unwrap();
        let difference = Difference::of(&control, &treatment);
        let (low, high) = difference.fixed_interval(0.05);
        // statsmodels 0.15.0: confint_proportions_2indep and test_proportions_2indep, method "wald".
        let golden = [
            0.003_351_569_240_257_443,
            0.023_477_699_052_425_48,
            0.008_981_888_317_246_218,
        ];
        golden
            .iter()
            .zip([low, high, difference.fixed_p_value()])
            .for_each(|(expected, found)| {
                assert!((expected - found).abs() < 1e-10, "{expected} {found}");
            });
    }

    #[test]
    fn counts_have_their_own_variance() {
        // Outcomes 0, 1, 2, 5: mean 2, variance 3.5.
        let tally = Tally::new(4, 8.0, 30.0).unwrap();
        assert_eq!((tally.mean(), tally.variance()), (2.0, 3.5));
        assert_eq!(Tally::binary(10, 3.0).unwrap().variance(), 0.3 - 0.3 * 0.3);
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert_eq!(Tally::binary(0, 0.0), Err(TallyError::Empty));
        assert!(matches!(Tally::binary(3, 4.0), Err(TallyError::TooMany { .. })));
        assert!(matches!(Tally::binary(3, -1.0), Err(TallyError::Number { .. })));
        assert!(matches!(
            Tally::binary(3, f64::NAN),
            Err(TallyError::Number { .. })
        ));
        assert!(matches!(
            Tally::new(4, 8.0, f64::INFINITY),
            Err(TallyError::Number { .. })
        ));
        assert!(matches!(
            Tally::new(4, 8.0, 15.0),
            Err(TallyError::Squares { .. })
        ));
    }

    #[test]
    fn arms_without_spread_say_nothing() {
        let none = Tally::binary(50, 0.0).unwrap();
        let difference = Difference::of(&none, &none);
        assert_eq!(difference.fixed_p_value(), 1.0);
        assert_eq!(difference.fixed_interval(0.05), (0.0, 0.0));
    }
}
