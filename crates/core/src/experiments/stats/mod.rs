//! What the counts of an experiment's arms say.
//!
//! | module | answers |
//! | --- | --- |
//! | [`plan`] | how many viewers does a test need? |
//! | [`effect`] | how far apart are two arms, if one looks once? |
//! | [`sequential`] | and if one looks as often as one likes? |
//! | [`ratio`] | did the arms get the shares they should have? |
//!
//! All of it rests on viewers (or whatever the unit of assignment is) that are independent of each other, and on the
//! central limit theorem: arms of some hundred units at least.

pub mod effect;
pub mod plan;
pub mod ratio;
pub mod sequential;

pub use effect::{Difference, Tally, TallyError};
pub use plan::{Plan, PlanError};
pub use ratio::{RatioError, sample_ratio};
pub use sequential::Sequential;

use statrs::distribution::{ContinuousCDF, Normal};

/// P(Z > z) of a standard normal Z.
fn normal_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// The z with P(Z ≤ z) = p, for p above 0 and below 1.
fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}
