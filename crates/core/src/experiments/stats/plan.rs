//! How many viewers a comparison of two shares needs.
//!
//! The two-sided normal test of two independent proportions (Fleiss, Levin & Paik, *Statistical Methods for Rates and
//! Proportions*, 3rd edition, 2003, section 4.2), with the pooled variance under the null hypothesis and each arm's own
//! under the alternative, without continuity correction.

use super::{Sequential, normal_quantile, normal_tail};
use thiserror::Error;

/// A comparison to plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    baseline: f64,
    treatment: f64,
    alpha: f64,
    power: f64,
    ratio: f64,
}

/// A plan that cannot be met.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("{field} is {found}; expected {expected}")]
pub struct PlanError {
    field: &'static str,
    found: f64,
    expected: &'static str,
}

/// Most units of one arm that a plan may come to.
const MAX_UNITS: f64 = 1e12;

impl Plan {
    /// A comparison of the share `baseline` with `treatment` (both above 0 and below 1, and different), at significance
    /// `alpha` (two-sided) and the wanted `power`, with `ratio` units of the treatment for each of the control.
    ///
    /// # Errors
    /// A number out of its range, or a difference so small that an arm would need more than 10^12 units.
    pub fn new(baseline: f64, treatment: f64, alpha: f64, power: f64, ratio: f64) -> Result<Self, PlanError> {
        let check = |ok: bool, field, found, expected| match ok {
            true => Ok(()),
            false => Err(PlanError {
                field,
                found,
                expected,
            }),
        };
        let share = |x: f64| x > 0.0 && x < 1.0;
        let between = "a number above 0 and below 1";
        check(share(baseline), "the baseline's share", baseline, between)?;
        check(share(treatment), "the share after the effect", treatment, between)?;
        check(share(alpha), "alpha", alpha, between)?;
        let beyond = "a number above alpha and below 1";
        check(share(power) && power > alpha, "the power", power, beyond)?;
        let ratios = "a number from 0.001 to 1000";
        check(
            (1e-3..=1e3).contains(&ratio),
            "the ratio of the arms",
            ratio,
            ratios,
        )?;
        let plan = Self {
            baseline,
            treatment,
            alpha,
            power,
            ratio,
        };
        let wanted = "an effect that 10^12 viewers an arm can show";
        check(
            plan.units().is_finite() && plan.units() < MAX_UNITS,
            "the effect",
            treatment - baseline,
            wanted,
        )?;
        Ok(plan)
    }

    /// Units of the control for one look at the end.
    #[must_use]
    pub fn fixed(&self) -> u64 {
        self.units().ceil() as u64
    }

    fn units(&self) -> f64 {
        let critical = normal_quantile(1.0 - self.alpha / 2.0);
        let (null, alternative) = self.deviations();
        let root = (critical * null + normal_quantile(self.power) * alternative) / self.difference();
        root * root
    }

    /// Probability that one look at `control` units of the control, and as many of the treatment as the ratio says,
    /// finds the effect, in its direction.
    #[must_use]
    pub fn power_at(&self, control: u64) -> f64 {
        let critical = normal_quantile(1.0 - self.alpha / 2.0);
        let (null, alternative) = self.deviations();
        let reach = self.difference().abs() * (control as f64).sqrt();
        normal_tail((critical * null - reach) / alternative)
    }

    /// Units of the control after which the always-valid interval, tuned to [`Plan::fixed`], has excluded 0 with the
    /// wanted probability. It looks at the last moment alone, so the true number is somewhat smaller.
    #[must_use]
    pub fn sequential(&self) -> u64 {
        let test = self.tuned();
        let found = |control: f64| {
            let error = self.deviations().1 / control.sqrt();
            let width = test.width(error, self.effective(control));
            width + normal_quantile(self.power) * error <= self.difference().abs()
        };
        let (mut low, mut high) = (self.units(), self.units() * 2.0);
        while !found(high) && high < MAX_UNITS * 1e3 {
            (low, high) = (high, high * 2.0);
        }
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            (low, high) = if found(middle) {
                (low, middle)
            } else {
                (middle, high)
            };
        }
        high.ceil() as u64
    }

    /// The always-valid test that is narrowest at [`Plan::fixed`].
    #[must_use]
    pub fn tuned(&self) -> Sequential {
        Sequential::tuned(self.alpha, self.effective(self.units()))
    }

    /// n with 1/n = 1/control + 1/treatment.
    fn effective(&self, control: f64) -> f64 {
        control * self.ratio / (1.0 + self.ratio)
    }

    fn difference(&self) -> f64 {
        self.treatment - self.baseline
    }

    /// Standard deviations of the difference for one unit of the control, under the null and the alternative.
    fn deviations(&self) -> (f64, f64) {
        let (p, q, ratio) = (self.baseline, self.treatment, self.ratio);
        let pooled = (p + q * ratio) / (1.0 + ratio);
        let null = pooled * (1.0 - pooled) * (1.0 + 1.0 / ratio);
        let alternative = p * (1.0 - p) + q * (1.0 - q) / ratio;
        (null.sqrt(), alternative.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_statsmodels() {
        for (plan, expected) in GOLDEN {
            let [baseline, treatment, alpha, power, ratio] = plan;
            let plan = Plan::new(baseline, treatment, alpha, power, ratio).unwrap();
            assert!(
                (plan.units() / expected - 1.0).abs() < 1e-9,
                "{plan:?}: {} {expected}",
                plan.units()
            );
            let reached = plan.power_at(plan.fixed());
            assert!((power..power + 1e-2).contains(&reached), "{reached}");
        }
    }

    /// statsmodels 0.15.0: samplesize_proportions_2indep_onetail, two-sided.
    const GOLDEN: [([f64; 5], f64); 4] = [
        ([0.05, 0.055, 0.05, 0.8, 1.0], 31_233.437_940_130_05),
        ([0.2, 0.15, 0.01, 0.9, 1.0], 1_716.095_711_638_607_6),
        ([0.02, 0.03, 0.05, 0.8, 0.25], 9_086.489_790_077_494),
        ([0.5, 0.6, 0.1, 0.95, 3.0], 354.873_535_324_523),
    ];

    #[test]
    fn looking_at_any_time_costs_some_viewers() {
        let plan = Plan::new(0.05, 0.055, 0.05, 0.8, 1.0).unwrap();
        let (fixed, sequential) = (plan.fixed() as f64, plan.sequential() as f64);
        assert!((1.2..2.5).contains(&(sequential / fixed)), "{fixed} {sequential}");
    }

    #[test]
    fn what_cannot_be_planned_is_refused() {
        for bad in [
            [0.0, 0.1, 0.05, 0.8, 1.0],
            [0.1, 1.0, 0.05, 0.8, 1.0],
            [0.1, 0.1, 0.05, 0.8, 1.0],
            [0.1, 0.1 + 1e-9, 0.05, 0.8, 1.0],
            [0.1, 0.2, 0.0, 0.8, 1.0],
            [0.1, 0.2, 0.05, 0.04, 1.0],
            [0.1, 0.2, 0.05, 1.0, 1.0],
            [0.1, 0.2, 0.05, 0.8, 0.0],
            [f64::NAN, 0.2, 0.05, 0.8, 1.0],
        ] {
            let [baseline, treatment, alpha, power, ratio] = bad;
            assert!(
                Plan::new(baseline, treatment, alpha, power, ratio).is_err(),
                "{bad:?}"
            );
        }
    }
}
