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

use super::clusters::epoch;
use super::random::Random;
use crate::json::{FromJson, Json, JsonError, Shown};
use serde::Serialize;
use thiserror::Error;

/// What noised mode promises.
pub const CLAIM: &str = "The server is asked for one group of videos. Chance decides whether it is the one that suits you: \
    local differential privacy with the ε shown here, for each period and in total. It sees your address and when you ask, \
    and no video of your history.";

/// The least and the largest ε of a report: below, a report says nothing; above, it says all.
pub const EPSILON: std::ops::RangeInclusive<f64> = 0.01..=16.0;

/// Reports kept; older epochs are not asked for again.
const MAX_REPORTS: usize = 8;

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

/// What was reported in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    epoch: i64,
    /// The partition whose clusters are meant.
    partition: String,
    cluster: u32,
    /// What it cost.
    epsilon: f64,
}

/// The reports of this browser, and their cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ledger {
    /// ε of all reports so far, also of those that are not kept any more.
    spent: f64,
    /// Newest last.
    reports: Vec<Report>,
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

    /// What was reported in the epoch of `now_ms`, of these clusters.
    #[must_use]
    pub fn reported(&self, partition: &str, clusters: usize, terms: &Terms, now_ms: i64) -> Option<u32> {
        let now = epoch(now_ms, terms.epoch_ms);
        let mut newest = self.reports.iter().rev();
        let report = newest.find(|report| report.epoch == now && report.partition == partition)?;
        Some(report.cluster).filter(|cluster| (*cluster as usize) < clusters)
    }

    /// The newest report of these clusters, of any epoch: what may still be used where the budget is spent.
    #[must_use]
    pub fn last(&self, partition: &str, clusters: usize) -> Option<u32> {
        let mut newest = self.reports.iter().rev();
        let report = newest.find(|report| report.partition == partition)?;
        Some(report.cluster).filter(|cluster| (*cluster as usize) < clusters)
    }

    /// The cluster to ask for: that of this epoch's report, or of a new one about `truth`, which is paid for. `clusters` is how
    /// many the partition has, 2 or more.
    ///
    /// # Errors
    /// The budget does not allow another report; the ledger is as it was. So it is where `terms` are none of a mechanism.
    pub fn report(
        &mut self,
        (partition, clusters): (&str, usize),
        terms: &Terms,
        now_ms: i64,
        truth: u32,
        random: &mut impl Random,
    ) -> Result<u32, Spent> {
        if let Some(cluster) = self.reported(partition, clusters, terms, now_ms) {
            return Ok(cluster);
        }
        let Terms { epsilon, budget, .. } = *terms;
        let spent = Spent {
            spent: self.spent,
            budget,
            epsilon,
        };
        let mechanism = RandomisedResponse::new(clusters, epsilon).ok_or(spent)?;
        let total = self.spent + epsilon;
        // A sum that is no number compares as not within the budget.
        if !(total <= budget) {
            return Err(spent);
        }
        let report = Report {
            epoch: epoch(now_ms, terms.epoch_ms),
            partition: partition.to_owned(),
            cluster: mechanism.report(truth, random),
            epsilon,
        };
        self.spent = total;
        let cluster = report.cluster;
        self.reports.push(report);
        if self.reports.len() > MAX_REPORTS {
            self.reports.remove(0);
        }
        Ok(cluster)
    }
}

impl<'a> FromJson<'a> for Report {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                epoch: fields.get("epoch")?,
                partition: fields.get("partition")?,
                cluster: fields.get("cluster")?,
                epsilon: fields.get("epsilon")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for Ledger {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let ledger = json.object(|fields| {
            Ok(Self {
                spent: fields.get("spent")?,
                reports: fields.get("reports")?,
            })
        })?;
        // What was spent must never seem less than it is.
        let kept: f64 = ledger.reports.iter().map(|report| report.epsilon).sum();
        match ledger.spent.is_finite() && ledger.spent >= kept * (1.0 - 1e-9) {
            true => Ok(ledger),
            false => Err(JsonError::new(
                "expected at least the ε of the reports as `spent`, found less".to_owned(),
            )),
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

    #[test]
    fn one_report_an_epoch_until_the_budget_is_spent() {
        let mut random = SplitMix64::new(3);
        let mut ledger = Ledger::default();
        let first = ledger.report(("p", 16), &TERMS, 10, 4, &mut random).unwrap();
        for (now, truth) in [(11, 4), (50, 9), (99, 0)] {
            assert_eq!(
                ledger.report(("p", 16), &TERMS, now, truth, &mut random),
                Ok(first)
            );
        }
        assert_eq!(ledger.spent(), 1.0);
        ledger.report(("p", 16), &TERMS, 100, 4, &mut random).unwrap();
        assert_eq!(ledger.spent(), 2.0);
        let before = ledger.clone();
        let refused = ledger.report(("p", 16), &TERMS, 200, 4, &mut random).unwrap_err();
        assert_eq!((refused.spent, refused.budget), (2.0, 2.5));
        assert!(refused.to_string().contains("ε 2.0 of 2.5"), "{refused}");
        assert_eq!(ledger, before);
        assert_eq!(ledger.reported("p", 16, &TERMS, 200), None);
        assert!(ledger.last("p", 16).is_some());
    }

    #[test]
    fn another_partition_is_another_report() {
        let mut random = SplitMix64::new(3);
        let mut ledger = Ledger::default();
        ledger.report(("p", 16), &TERMS, 10, 4, &mut random).unwrap();
        assert_eq!(ledger.reported("q", 16, &TERMS, 10), None);
        ledger.report(("q", 16), &TERMS, 10, 4, &mut random).unwrap();
        assert_eq!(ledger.spent(), 2.0);
    }

    #[test]
    fn what_is_spent_survives_the_store_and_the_reports_that_leave() {
        let terms = Terms { budget: 1e3, ..TERMS };
        let mut random = SplitMix64::new(3);
        let mut ledger = Ledger::default();
        for epoch in 0..20 {
            ledger
                .report(("p", 16), &terms, epoch * 100, 4, &mut random)
                .unwrap();
        }
        assert_eq!((ledger.spent(), ledger.reports.len()), (20.0, MAX_REPORTS));
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(json::read::<Ledger>(&text).unwrap(), ledger);
        for bad in [
            text.replace("\"spent\":20.0", "\"spent\":1.0"),
            text.replace("\"spent\":20.0", "\"spent\":null"),
            text.replace("\"spent\":20.0", "\"spent\":-20"),
            text.replace("\"cluster\"", "\"x\""),
        ] {
            assert_ne!(bad, text);
            assert!(json::read::<Ledger>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cluster_that_the_partition_lacks_is_not_used() {
        let text = r#"{"spent":1,"reports":[{"epoch":0,"partition":"p","cluster":99,"epsilon":1}]}"#;
        let mut ledger: Ledger = json::read(text).unwrap();
        assert_eq!(
            (ledger.reported("p", 16, &TERMS, 5), ledger.last("p", 16)),
            (None, None)
        );
        let cluster = ledger
            .report(("p", 16), &TERMS, 5, 2, &mut SplitMix64::new(1))
            .unwrap();
        assert!(cluster < 16);
        assert_eq!(ledger.spent(), 2.0);
    }
}
