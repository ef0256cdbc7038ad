//! What a ranking would have earned, estimated from what another one showed.
//!
//! Each logged impression has the probability (propensity) with which it was shown and a reward. Weighing it by the new
//! ranking's probability over the logged one makes the log stand in for the new ranking:
//!
//! | estimator | mean of |
//! | --- | --- |
//! | inverse propensity score (Horvitz & Thompson 1952; Strehl et al., NIPS 2010) | w · r |
//! | self-normalised (Swaminathan & Joachims, NIPS 2015) | w · r over the mean of w |
//! | doubly robust (Dudík, Langford & Li, ICML 2011) | q̂(new) + w · (r − q̂(shown)) |
//!
//! with w = new ÷ logged and q̂ a predicted reward. The first and the last are unbiased where the propensities are right
//! and wherever the new ranking may show something the old one might have; the self-normalised one is biased a little and
//! varies less. Intervals draw whole viewers, as everywhere here.

use crate::metrics::{Interval, bootstrap_ratio};
use thiserror::Error;

/// One logged impression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The viewer's number; one viewer's samples depend on each other.
    pub viewer: usize,
    /// Probability with which the item was shown, as it was logged: above 0 and at most 1.
    pub logged: Option<f64>,
    /// Probability with which the new ranking shows it, 0 to 1.
    pub target: f64,
    /// What it earned, such as 1 for a click; finite.
    pub reward: f64,
    /// Predicted reward of the item shown; finite.
    pub predicted: f64,
    /// Predicted reward of the new ranking's choice in its place: Σ over all items of target × predicted.
    pub predicted_target: f64,
}

/// The three estimates, and how far they can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimates {
    /// Inverse propensity score.
    pub ips: Interval,
    /// Self-normalised; `None` where every weight is 0.
    pub snips: Option<Interval>,
    /// Doubly robust.
    pub dr: Interval,
    /// Impressions.
    pub samples: usize,
    /// Impressions that the new ranking might have shown too: those of a weight above 0.
    pub matched: usize,
    /// (Σw)² ÷ Σw²: as many equally weighted impressions say as much (Kish 1965). 0 where every weight is 0.
    pub effective_samples: f64,
    /// The largest weight.
    pub largest_weight: f64,
    /// Mean weight; about 1 where the log covers what the new ranking would show.
    pub mean_weight: f64,
}

/// Why nothing can be estimated.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum OffPolicyError {
    /// No sample.
    #[error("there are no logged impressions")]
    Empty,
    /// Not logged.
    #[error(
        "impression {0} has no propensity; log the probability with which each item was shown (docs/experiments.md)"
    )]
    Missing(usize),
    /// No probability above 0.
    #[error("impression {index} has the propensity {found}; expected a probability above 0 and at most 1")]
    Propensity {
        /// Which, from 0.
        index: usize,
        /// What was found.
        found: f64,
    },
    /// Another field out of its range.
    #[error("impression {index}: `{field}` is {found}; expected {expected}")]
    Field {
        /// Which, from 0.
        index: usize,
        /// Field of [`Sample`].
        field: &'static str,
        /// What was found.
        found: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// No resample.
    #[error("expected at least 1 bootstrap resample")]
    Resamples,
}

/// Estimates a new ranking's mean reward an impression, with 95 % intervals from `resamples` (at least 1) draws of whole
/// viewers. Weights above `cap` are cut to it, which trades bias for variance (Ionides 2008); infinity cuts none. The same
/// seed gives the same intervals.
///
/// # Errors
/// No sample, a propensity that is missing, 0 or no probability, or another number out of its range.
pub fn estimate(
    samples: &[Sample],
    cap: f64,
    resamples: usize,
    seed: u64,
) -> Result<Estimates, OffPolicyError> {
    if samples.is_empty() {
        return Err(OffPolicyError::Empty);
    }
    let weights = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| weight(index, sample, cap));
    let weights: Vec<f64> = weights.collect::<Result<_, _>>()?;
    let each = || samples.iter().zip(&weights);
    let interval = |parts: Vec<(usize, f64, f64)>| bootstrap_ratio(&parts, resamples, seed);
    let ips = each().map(|(s, w)| (s.viewer, w * s.reward, 1.0)).collect();
    let snips = each().map(|(s, w)| (s.viewer, w * s.reward, *w)).collect();
    let dr = each().map(|(s, w)| {
        let value = s.predicted_target + w * (s.reward - s.predicted);
        (s.viewer, value, 1.0)
    });
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    Ok(Estimates {
        ips: interval(ips).ok_or(OffPolicyError::Resamples)?,
        snips: interval(snips),
        dr: interval(dr.collect()).ok_or(OffPolicyError::Resamples)?,
        samples: samples.len(),
        matched: weights.iter().filter(|w| **w > 0.0).count(),
        effective_samples: if squares > 0.0 { sum * sum / squares } else { 0.0 },
        largest_weight: weights.iter().copied().fold(0.0, f64::max),
        mean_weight: sum / samples.len() as f64,
    })
}

/// Target over logged probability, after every field was checked.
fn weight(index: usize, sample: &Sample, cap: f64) -> Result<f64, OffPolicyError> {
    let logged = sample.logged.ok_or(OffPolicyError::Missing(index))?;
    if !(logged > 0.0 && logged <= 1.0) {
        return Err(OffPolicyError::Propensity { index, found: logged });
    }
    let field = |ok: bool, field, found, expected| match ok {
        true => Ok(()),
        false => Err(OffPolicyError::Field {
            index,
            field,
            found,
            expected,
        }),
    };
    let probability = (0.0..=1.0).contains(&sample.target);
    field(probability, "target", sample.target, "a probability")?;
    for (name, value) in [
        ("reward", sample.reward),
        ("predicted", sample.predicted),
        ("predicted_target", sample.predicted_target),
    ] {
        field(value.is_finite(), name, value, "a finite number")?;
    }
    Ok((sample.target / logged).min(cap))
}

#[cfg(test)]
mod tests;
