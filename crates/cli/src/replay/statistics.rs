//! What events say of items: counts by item, and what is chosen along with what.

use super::Catalogue;
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::{CoWatchCounts, Neighbour, named};
use recsys_core::features::ItemStatistics;

/// Counts of every row up to some moment.
pub struct Statistics {
    items: Vec<ItemStatistics>,
    co_watch: CoWatchCounts,
    clicks: u64,
    /// Impressions are logged; where they are not, how often an item was shown is unknown.
    impressions_known: bool,
}

impl Statistics {
    pub(super) fn new(items: usize, impressions_known: bool) -> Self {
        Self {
            items: vec![ItemStatistics::default(); items],
            co_watch: CoWatchCounts::new(items),
            clicks: 0,
            impressions_known,
        }
    }

    pub(super) fn impression(&mut self, row: usize) {
        self.items[row].impression();
    }

    /// Counts a click; with the viewer's `earlier` clicks on other items where it is the viewer's first on this one.
    pub(super) fn click(&mut self, row: usize, ts_ms: i64, earlier: Option<impl Iterator<Item = usize>>) {
        self.clicks += 1;
        self.items[row].click(ts_ms);
        if let Some(earlier) = earlier {
            self.co_watch.choose(row, earlier);
        }
    }

    /// Adds counts of an unknown time.
    pub(super) fn add(&mut self, row: usize, impressions: u32, clicks: u32) {
        self.impressions_known = true;
        self.clicks += u64::from(clicks);
        self.items[row].add(impressions, clicks);
        self.co_watch.add_chosen(row, clicks);
    }

    /// Adds viewers who chose both rows.
    pub(super) fn add_together(&mut self, a: usize, b: usize, count: u32) {
        self.co_watch.add_together(a, b, count);
    }

    /// Clicks on all items.
    pub fn clicks(&self) -> u64 {
        self.clicks
    }

    /// A row's facts as of `now_ms`.
    pub fn facts(&self, catalogue: &Catalogue, row: usize, now_ms: i64) -> ItemFacts {
        let mut facts = catalogue.facts(row);
        self.apply(&mut facts, row, now_ms);
        facts
    }

    /// Writes a row's counts as of `now_ms` into its facts.
    pub fn apply(&self, facts: &mut ItemFacts, row: usize, now_ms: i64) {
        self.items[row].apply(facts, now_ms);
        if !self.impressions_known {
            facts.impressions = f32::NAN;
        }
    }

    /// What is chosen along with a row.
    pub fn neighbours(&self, catalogue: &Catalogue, row: usize) -> Vec<Neighbour> {
        named(self.co_watch.neighbours(row), |row| catalogue.hash(row))
    }
}
