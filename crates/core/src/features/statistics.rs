//! Counts of one item over a stream of events, and its popularity with exponential decay.

use crate::catalogue::ItemFacts;

/// Days after which a click counts half in [`ItemFacts::popularity`].
pub const POPULARITY_HALF_LIFE_DAYS: f64 = 7.0;

const DAY_MS: f64 = 86_400_000.0;

/// Impressions and clicks of one item up to some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ItemStatistics {
    impressions: u32,
    clicks: u32,
    /// Decayed clicks as of `at_ms`.
    popularity: f64,
    at_ms: i64,
}

impl ItemStatistics {
    /// Counts one impression.
    pub fn impression(&mut self) {
        self.impressions = self.impressions.saturating_add(1);
    }

    /// Counts one click. Clicks come in the order of their time; an earlier one counts as of the latest.
    pub fn click(&mut self, ts_ms: i64) {
        self.popularity = self.popularity(ts_ms) + 1.0;
        self.at_ms = self.at_ms.max(ts_ms);
        self.clicks = self.clicks.saturating_add(1);
    }

    /// Adds counts of an unknown, earlier time; they do not enter popularity.
    pub fn add(&mut self, impressions: u32, clicks: u32) {
        self.impressions = self.impressions.saturating_add(impressions);
        self.clicks = self.clicks.saturating_add(clicks);
    }

    /// Clicks as of `now_ms`, each halved every [`POPULARITY_HALF_LIFE_DAYS`].
    #[must_use]
    pub fn popularity(&self, now_ms: i64) -> f64 {
        let days = now_ms.saturating_sub(self.at_ms).max(0) as f64 / DAY_MS;
        self.popularity * libm::exp2(-days / POPULARITY_HALF_LIFE_DAYS)
    }

    /// Writes the counts as of `now_ms` into the item's facts.
    pub fn apply(&self, facts: &mut ItemFacts, now_ms: i64) {
        facts.impressions = self.impressions as f32;
        facts.clicks = self.clicks as f32;
        facts.popularity = self.popularity(now_ms) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popularity_halves_in_a_half_life() {
        let half_life = (POPULARITY_HALF_LIFE_DAYS * DAY_MS) as i64;
        let mut item = ItemStatistics::default();
        item.click(0);
        item.click(0);
        assert_eq!(item.popularity(0), 2.0);
        assert_eq!(item.popularity(half_life), 1.0);
        item.click(half_life);
        assert_eq!(item.popularity(half_life), 2.0);
        assert_eq!(item.popularity(3 * half_life), 0.5);
        assert_eq!(item.popularity(0), 2.0, "no growth when asked about the past");
    }

    #[test]
    fn counts_reach_the_facts() {
        let mut item = ItemStatistics::default();
        item.impression();
        item.impression();
        item.click(5);
        let mut facts = ItemFacts {
            category: 3,
            ..ItemFacts::unknown()
        };
        item.apply(&mut facts, 5);
        assert_eq!(
            (facts.impressions, facts.clicks, facts.popularity, facts.category),
            (2.0, 1.0, 1.0, 3)
        );
    }
}
