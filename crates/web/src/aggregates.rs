//! What is counted for the site's owner, where the page allows it: see [`recsys_core::aggregates`].

use crate::memory::Memory;
use recsys_core::aggregates::Batch;
use recsys_core::catalogue::ItemId;

impl Memory {
    /// Counts that a video was shown.
    pub fn count_impression(&mut self, item: &ItemId) {
        self.counts.impression(item);
    }

    /// Counts a click that comes now, before the session takes it in.
    pub fn count_click(&mut self, item: &ItemId, ts_ms: i64) {
        let previous = self.session.visit(ts_ms).last().map(|click| &click.item);
        self.counts.click(item, previous);
    }
}

/// A batch in words.
pub fn words(batch: &Batch) -> String {
    let impressions: u64 = batch.items.iter().map(|row| row.impressions).sum();
    let clicks: u64 = batch.items.iter().map(|row| row.clicks).sum();
    let pairs: u64 = batch.pairs.iter().map(|row| row.count).sum();
    let arms = batch.arms.len();
    format!(
        "counts for the site's owner: {impressions} impressions and {clicks} clicks of {} videos, {pairs} pairs of clicks \
         in a row, {arms} experiment arms; no id, no cookie, no time, no order",
        batch.items.len()
    )
}
