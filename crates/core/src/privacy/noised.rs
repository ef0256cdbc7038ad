//! Noised mode: the server learns one cluster, which may be the true one or, by chance, any other.
//!
//! The number of the query's cluster goes through k-ary randomised response (Kairouz, Bonawitz and Ramage, ICML 2016): the
//! truth with probability e^ε / (e^ε + k − 1), each other cluster with 1 / (e^ε + k − 1). So whatever is reported, it is at
//! most e^ε times as likely for one viewer as for another: local differential privacy with ε. The report is made once an
//! epoch and kept, whatever is clicked after it, so that asking again reveals nothing more (RAPPOR's memoisation, Erlingsson,
//! Pihur and Korolova, CCS 2014). Reports of several epochs add up: their ε's do too, and the [`Ledger`] refuses one
//! that would pass the budget.
//!
//! The claim is about the number of the cluster. The viewer's address, the time of the request and that the mode is used are
//! outside it.

use super::clusters::Clusters;
use super::memo::Memo;
use super::random::Random;
use crate::json::{FromJson, Json, JsonError, Shown};
use serde::Serialize;
use thiserror::Error;

/// What noised mode promises.
pub const CLAIM: &str = "The server is asked for one group of videos, and chance decides whether it is yours: local \
    differential privacy with the ε shown here. It sees your address and when you ask.";

/// The least and the largest ε of a report: below, a report says nothing; above, it says all.
pub const EPSILON: std::ops::RangeInclusive<f64> = 0.01..=16.0;

/// The mechanism for so many clusters at one ε.
#[derive(Clone, Copy, Debug)]
pub struct RandomisedResponse {
    clusters: u64,
    /// The truth is told where 64 random bits are below this.
    truthful_below: u64,
}

impl RandomisedResponse {
    /// `clusters` is 2 or more, ε in [`EPSILON`]; `None` where either is not.
    #[must_use]
    pub fn new(clusters: usize, epsilon: f64) -> Option<Self> {
        let clusters = u64::try_from(clusters).ok().filter(|clusters| *clusters > 1)?;
        let odds = libm::exp(Some(epsilon).filter(|epsilon| EPSILON.contains(epsilon))?);
        let truthful = odds / (odds + (clusters - 1) as f64);
        // Down by more than the float can be off, so that the true ε is never above the declared one.
        let truthful_below = ((truthful * 2f64.powi(64)) as u64).saturating_sub(1 << 16);
        Some(Self {
            clusters,
            truthful_below,
        })
    }

    /// The number that is reported where `truth`, below the number of clusters, is the true one.
    pub fn report(&self, truth: u32, random: &mut impl Random) -> u32 {
        if random.next_u64() < self.truthful_below {
            return truth;
        }
        let other = random.below(self.clusters - 1) as u32;
        other + u32::from(other >= truth)
    }
}

/// What a site's owner sets for the mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// ε of one report.
    pub epsilon: f64,
    /// ε of all reports together, until the viewer is forgotten.
    pub budget: f64,
    /// Length of an epoch in milliseconds.
    pub epoch_ms: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            epsilon: 4.0,
            budget: 16.0,
            epoch_ms: super::EPOCH_MS,
        }
    }
}

/// The newest report of this browser, and the cost of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ledger {
    /// ε of all reports so far.
    spent: f64,
    report: Memo,
}

/// A report would pass the budget.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error(
    "the privacy budget is spent: ε {} of {}, and another report costs {}; nothing is asked for any more in this mode, so \
    choose another, or raise the budget",
    Shown::from(*spent), Shown::from(*budget), Shown::from(*epsilon)
)]
pub struct Spent {
    /// ε so far.
    pub spent: f64,
    /// ε at most.
    pub budget: f64,
    /// ε of a report.
    pub epsilon: f64,
}

impl Ledger {
    /// ε of all reports so far.
    #[must_use]
    pub const fn spent(&self) -> f64 {
        self.spent
    }

    /// The newest report of these clusters, of any epoch: what may still be used where the budget is spent.
    #[must_use]
    pub fn last(&self, clusters: &Clusters) -> Option<u32> {
        self.report.newest(clusters).first().copied()
    }

    /// The cluster to ask for: that of this epoch's report, or of a new one about `truth`, which is paid for.
    ///
    /// # Errors
    /// The budget does not allow another report; the ledger is as it was. So it is where `terms` are none of a mechanism.
    pub fn report(
        &mut self,
        clusters: &Clusters,
        terms: &Terms,
        now_ms: i64,
        truth: u32,
        random: &mut impl Random,
    ) -> Result<u32, Spent> {
        let time = (terms.epoch_ms, now_ms);
        if let Some(cluster) = self.report.asked(clusters, time).first() {
            return Ok(*cluster);
        }
        let Terms { epsilon, budget, .. } = *terms;
        let spent = Spent {
            spent: self.spent,
            budget,
            epsilon,
        };
        let mechanism = RandomisedResponse::new(clusters.len(), epsilon).ok_or(spent)?;
        let total = self.spent + epsilon;
        // A sum that is no number is not within the budget either.
        if total > budget || total.is_nan() || budget.is_nan() {
            return Err(spent);
        }
        let cluster = mechanism.report(truth, random);
        self.spent = total;
        self.report = Memo::new(clusters, time, vec![cluster]);
        Ok(cluster)
    }
}

impl<'a> FromJson<'a> for Ledger {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let ledger = json.object(|fields| {
            Ok(Self {
                spent: fields.get("spent")?,
                report: fields.get("report")?,
            })
        })?;
        // What was spent must never seem less than it is.
        match ledger.spent >= 0.0 {
            true => Ok(ledger),
            false => Err(JsonError::new("expected `spent` of 0 or more".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::rng::SplitMix64;

    const TERMS: Terms = Terms {
        epsilon: 1.0,
        budget: 2.5,
        epoch_ms: 100,
    };

    #[test]
    fn the_truth_comes_as_often_as_the_mechanism_says() {
        let draws = 200_000;
        for (clusters, epsilon) in [(16, 1.0), (16, 4.0), (2, 0.5)] {
            let mechanism = RandomisedResponse::new(clusters, epsilon).unwrap();
            let mut random = SplitMix64::new(11);
            let mut counts = vec![0f64; clusters];
            for _ in 0..draws {
                counts[mechanism.report(1, &mut random) as usize] += 1.0;
            }
            let odds = epsilon.exp() + clusters as f64 - 1.0;
            for (cluster, count) in counts.iter().enumerate() {
                let p = if cluster == 1 { epsilon.exp() } else { 1.0 } / odds;
                let deviation = (f64::from(draws) * p * (1.0 - p)).sqrt();
                let mean = f64::from(draws) * p;
                assert!(
                    (count - mean).abs() < 4.5 * deviation,
                    "{clusters} {epsilon} {cluster}: {count} {mean}"
                );
            }
        }
    }

    #[test]
    fn the_exact_ratio_is_never_above_the_declared_one() {
        for clusters in [2usize, 3, 16, 4096] {
            for epsilon in [0.01, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
                let mechanism = RandomisedResponse::new(clusters, epsilon).unwrap();
                let truthful = mechanism.truthful_below as f64 / 2f64.powi(64);
                let other = (1.0 - truthful) / (clusters - 1) as f64;
                let true_epsilon = (truthful / other).ln();
                assert!(true_epsilon <= epsilon, "{clusters} {epsilon}: {true_epsilon}");
                assert!(
                    true_epsilon > epsilon - 1e-6,
                    "{clusters} {epsilon}: {true_epsilon}"
                );
            }
        }
    }

    #[test]
    fn no_mechanism_for_one_cluster_or_no_epsilon() {
        for (clusters, epsilon) in [(0, 1.0), (1, 1.0), (9, 0.0), (9, -1.0), (9, f64::NAN), (9, 17.0)] {
            assert!(
                RandomisedResponse::new(clusters, epsilon).is_none(),
                "{clusters} {epsilon}"
            );
        }
    }

    fn clusters(partition: &str) -> Clusters {
        Clusters {
            partition: partition.to_owned(),
            segments: (0..16).collect(),
            weights: vec![1; 16],
        }
    }

    #[test]
    fn one_report_an_epoch_until_the_budget_is_spent() {
        let mut random = SplitMix64::new(3);
        let (mut ledger, p) = (Ledger::default(), clusters("p"));
        let first = ledger.report(&p, &TERMS, 10, 4, &mut random).unwrap();
        for (now, truth) in [(11, 4), (50, 9), (99, 0)] {
            assert_eq!(ledger.report(&p, &TERMS, now, truth, &mut random), Ok(first));
        }
        assert_eq!(ledger.spent(), 1.0);
        let second = ledger.report(&p, &TERMS, 100, 4, &mut random).unwrap();
        assert_eq!(ledger.spent(), 2.0);
        let before = ledger.clone();
        let refused = ledger.report(&p, &TERMS, 200, 4, &mut random).unwrap_err();
        assert_eq!((refused.spent, refused.budget), (2.0, 2.5));
        assert!(refused.to_string().contains("ε 2.0 of 2.5"), "{refused}");
        assert_eq!(ledger, before);
        assert_eq!(ledger.last(&p), Some(second));
        assert_eq!(ledger.last(&clusters("q")), None);
    }

    #[test]
    fn another_partition_is_another_report() {
        let mut random = SplitMix64::new(3);
        let mut ledger = Ledger::default();
        ledger.report(&clusters("p"), &TERMS, 10, 4, &mut random).unwrap();
        ledger.report(&clusters("q"), &TERMS, 10, 4, &mut random).unwrap();
        assert_eq!(ledger.spent(), 2.0);
    }

    #[test]
    fn what_is_spent_survives_the_store() {
        let mut ledger = Ledger::default();
        ledger
            .report(&clusters("p"), &TERMS, 0, 4, &mut SplitMix64::new(3))
            .unwrap();
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(json::read::<Ledger>(&text).unwrap(), ledger);
        for bad in [
            text.replace("\"spent\":1.0", "\"spent\":-1.0"),
            text.replace("\"spent\":1.0", "\"spent\":null"),
            text.replace("\"report\"", "\"x\""),
        ] {
            assert_ne!(bad, text);
            assert!(json::read::<Ledger>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cluster_that_the_partition_lacks_is_not_used() {
        let text = r#"{"spent":1,"report":{"epoch":0,"partition":"p","clusters":[99]}}"#;
        let (mut ledger, p): (Ledger, _) = (json::read(text).unwrap(), clusters("p"));
        assert_eq!(ledger.last(&p), None);
        assert!(ledger.report(&p, &TERMS, 5, 2, &mut SplitMix64::new(1)).unwrap() < 16);
        assert_eq!(ledger.spent(), 2.0);
    }
}
