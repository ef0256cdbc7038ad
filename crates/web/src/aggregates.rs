//! What is counted for the site's owner, where the page allows it: see [`recsys_core::aggregates`].

use crate::memory::Memory;
use recsys_core::aggregates::Batch;
use recsys_core::catalogue::ItemId;

/// Arms that a browser is counted in at most.
const MAX_ENTERED: usize = 64;

impl Memory {
    /// Counts that a video was shown, and at the first time that this browser entered its arms.
    pub fn count_impression(&mut self, item: &ItemId, arms: &[(String, String)]) {
        self.counts.impression(item);
        for (experiment, arm) in arms {
            let known = self.entered.iter().any(|(e, a, _)| e == experiment && a == arm);
            if !known && self.entered.len() < MAX_ENTERED {
                self.entered.push((experiment.clone(), arm.clone(), 0));
                self.counts.exposure(experiment, arm);
            }
        }
    }

    /// Counts a click for the arms that showed its video.
    pub fn count_outcomes(&mut self, arms: &[(String, String)]) {
        for (experiment, arm) in arms {
            let entered = self
                .entered
                .iter_mut()
                .find(|(e, a, _)| e == experiment && a == arm);
            if let Some((_, _, clicks)) = entered {
                self.counts.outcome(experiment, arm, *clicks);
                *clicks = clicks.saturating_add(1);
            }
        }
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
