//! What the owner adds to scores.

use crate::catalogue::{ItemFacts, ItemId};

const DAY_MS: f64 = 86_400_000.0;

/// Adds to the score of items that meet all conditions; `None` is no condition.
///
/// What is added is a share of the scores' range over the page's pool of candidates, so that it means the same for a
/// model's margin, a cosine and a popularity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Only this category.
    pub category: Option<u16>,
    /// Only this creator.
    pub creator: Option<u32>,
    /// Only this language.
    pub language: Option<u16>,
    /// Only this item.
    pub item: Option<ItemId>,
    /// Only items uploaded at most this many days ago.
    pub newer_than_days: Option<f32>,
    /// What is added, −1 to 1: 1 is the whole range.
    pub add: f32,
}

/// What new uploads gain: `weight` at the upload, half of that after each half-life. Nothing where the date is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Freshness {
    /// Share of the scores' range, above 0 and at most 1.
    pub weight: f32,
    /// Days, above 0.
    pub half_life_days: f32,
}

impl Rule {
    fn applies(&self, item: &ItemId, facts: &ItemFacts, age_days: f32) -> bool {
        self.category.is_none_or(|code| code == facts.category)
            && self.creator.is_none_or(|code| code == facts.creator)
            && self.language.is_none_or(|code| code == facts.language)
            && self.item.as_ref().is_none_or(|wanted| wanted == item)
            // An unknown age is NaN, and so no young one.
            && self.newer_than_days.is_none_or(|days| age_days <= days)
    }
}

/// What all rules together add to an item at `now_ms` (milliseconds since 1970-01-01 UTC), as a share of the range.
pub(super) fn added(
    rules: &[Rule],
    freshness: Option<Freshness>,
    (item, facts): (&ItemId, &ItemFacts),
    now_ms: i64,
) -> f32 {
    let age_days = ((now_ms as f64 / DAY_MS - f64::from(facts.uploaded_day)) as f32).max(0.0);
    let age_days = if facts.uploaded_day.is_nan() {
        f32::NAN
    } else {
        age_days
    };
    let rules: f32 = rules
        .iter()
        .filter(|rule| rule.applies(item, facts, age_days))
        .map(|rule| rule.add)
        .sum();
    let fresh = freshness.filter(|_| !age_days.is_nan());
    rules + fresh.map_or(0.0, |f| f.weight * libm::exp2f(-age_days / f.half_life_days))
}
