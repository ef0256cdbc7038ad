//! What ε noised mode really has, from what it reports: a lower bound that holds with 95 % confidence.
//!
//! Two viewers whose true clusters differ are watched many times. An event that is p times as likely for one as for the other
//! shows ε ≥ ln p (as in Jagielski, Ullman and Oprea, NeurIPS 2020). The event is that every report names the first one's
//! cluster. It goes through the ledger, as in the browser, so that a mistake there would show as well.

use super::report::Estimate;
use recsys_core::privacy::Clusters;
use recsys_core::privacy::noised::{Ledger, Terms};
use recsys_core::rng::SplitMix64;

/// Sessions that are watched of each viewer.
const SESSIONS: u64 = 400_000;
/// Requests of a session in each epoch: memoised, so that they tell no more than one.
const REQUESTS: i64 = 3;
/// Half-width of the two intervals in standard deviations: 97.5 % each, so 95 % for both.
const DEVIATIONS: f64 = 1.959_963_984_540_054;
const EPOCH_MS: i64 = 1_000;

/// Empirical ε where so much is declared a report, over so many epochs: the estimate, its lower bound and, as the upper one, no
/// bound at all: a test can show that a mechanism leaks, never that it does not.
pub(super) fn empirical(clusters: usize, epsilon: f64, epochs: i64, seed: u64) -> Estimate {
    let mut random = SplitMix64::new(seed);
    let clusters = &Clusters {
        partition: String::new(),
        segments: (0..clusters).collect(),
        weights: vec![1; clusters],
    };
    let mut count = |truth: u32| -> u64 {
        let all_name_the_first = |_: &u64| session(clusters, epsilon, epochs, truth, &mut random);
        (0..SESSIONS).filter(all_name_the_first).count() as u64
    };
    let (first, second) = (count(0), count(1));
    let log_ratio = |a: f64, b: f64| (a / b).ln();
    Estimate {
        value: log_ratio(first as f64, second.max(1) as f64),
        low: log_ratio(wilson(first, SESSIONS).0, wilson(second, SESSIONS).1),
        high: f64::INFINITY,
    }
}

fn session(clusters: &Clusters, epsilon: f64, epochs: i64, truth: u32, random: &mut SplitMix64) -> bool {
    let terms = Terms {
        epsilon,
        budget: f64::INFINITY,
        epoch_ms: EPOCH_MS,
    };
    let mut ledger = Ledger::default();
    let mut requests =
        (0..epochs).flat_map(|epoch| (0..REQUESTS).map(move |request| epoch * EPOCH_MS + request));
    requests.all(|now_ms| ledger.report(clusters, &terms, now_ms, truth, random) == Ok(0))
}

/// Score interval of a share (Wilson, JASA 1927).
fn wilson(hits: u64, of: u64) -> (f64, f64) {
    let (n, z) = (of as f64, DEVIATIONS);
    let p = hits as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_published_interval() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 15 of 148.
        let (low, high) = wilson(15, 148);
        assert!(
            (low - 0.0624).abs() < 5e-5 && (high - 0.1605).abs() < 5e-5,
            "{low} {high}"
        );
    }

    #[test]
    fn a_mechanism_that_always_tells_the_truth_has_no_small_epsilon() {
        assert!(empirical(2, 16.0, 1, 1).low > 8.0);
    }
}
