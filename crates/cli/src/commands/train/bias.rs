//! Position bias: how often each position of a slate is looked at.
//!
//! In slates drawn and ordered at random, items are equally good at every position, so differences between the
//! positions' click rates are differences in examination (the position-based model: P(click) = P(examined | position) ·
//! P(relevant | item); Wang et al., WSDM 2018).

/// A positive's weight is at most this, so that one lucky click far down does not decide (Joachims, Swaminathan &
/// Schnabel, WSDM 2017, clip the same way).
const MAX_WEIGHT: f64 = 10.0;
/// Positives that the estimate needs.
const MIN_POSITIVES: u64 = 200;
/// Impressions at the mean rate that each position is smoothed by.
const SMOOTHING: f64 = 50.0;

/// Impressions and positives by position, of slates in random order.
#[derive(Clone, Debug, Default)]
pub struct PositionCounts(Vec<(u64, u64)>);

impl PositionCounts {
    /// Positions further down are all counted together.
    const POSITIONS: usize = 100;

    pub fn add(&mut self, position: u32, positive: bool) {
        let place = usize::try_from(position).map_or(Self::POSITIONS, |place| place.min(Self::POSITIONS));
        if self.0.len() <= place {
            self.0.resize(place + 1, (0, 0));
        }
        self.0[place].0 += 1;
        self.0[place].1 += u64::from(positive);
    }
}

/// Probability that a position is looked at, relative to the most looked-at one.
#[derive(Clone, Debug)]
pub struct Examination(Vec<f64>);

impl Examination {
    /// `None` where there are too few positives to tell.
    pub fn estimate(counts: &PositionCounts) -> Option<Self> {
        let total = counts
            .0
            .iter()
            .fold((0, 0), |(shown, positive), n| (shown + n.0, positive + n.1));
        if total.1 < MIN_POSITIVES {
            return None;
        }
        let mean = total.1 as f64 / total.0 as f64;
        let rate = |&(shown, positive): &(u64, u64)| {
            (positive as f64 + mean * SMOOTHING) / (shown as f64 + SMOOTHING)
        };
        let rates: Vec<f64> = counts.0.iter().map(rate).collect();
        let highest = rates.iter().copied().fold(0.0, f64::max);
        Some(Self(rates.iter().map(|rate| rate / highest).collect()))
    }

    /// How much a positive at a position counts: at least 1.
    pub fn weight(&self, position: u32) -> f64 {
        let place = usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(self.0.len().saturating_sub(1));
        self.0
            .get(place)
            .map_or(1.0, |share| (1.0 / share).min(MAX_WEIGHT))
    }

    pub fn into_shares(self) -> Vec<f64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(u64, u64)]) -> PositionCounts {
        PositionCounts(of.to_vec())
    }

    #[test]
    fn weights_are_inverse_click_rates() {
        let examination =
            Examination::estimate(&counts(&[(100_000, 20_000), (100_000, 10_000), (100_000, 100)])).unwrap();
        assert_eq!(examination.weight(0), 1.0);
        assert!((examination.weight(1) - 2.0).abs() < 0.01);
        assert_eq!(examination.weight(2), MAX_WEIGHT, "clipped");
        assert_eq!(examination.weight(u32::MAX), MAX_WEIGHT, "as the last position");
    }

    #[test]
    fn few_clicks_tell_nothing() {
        assert!(Examination::estimate(&PositionCounts::default()).is_none());
        assert!(Examination::estimate(&counts(&[(1_000, 199)])).is_none());
    }

    #[test]
    fn far_positions_share_a_place() {
        let mut counts = PositionCounts::default();
        counts.add(u32::MAX, true);
        counts.add(1_000, false);
        assert_eq!(counts.0.last(), Some(&(2, 1)));
        assert_eq!(counts.0.len(), PositionCounts::POSITIONS + 1);
    }
}
