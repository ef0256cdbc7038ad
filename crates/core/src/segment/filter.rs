//! What a viewer or a page wants to see at all.

use crate::items::ItemTable;
use std::ops::RangeInclusive;

/// Conditions on a video; all that are given must hold. Each has its meaning for a video of which the field is not known:
/// it is left out, because nothing says that it fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Codes of categories, one of which it has.
    pub categories: Option<Vec<u16>>,
    /// Codes of languages, one of which it is in.
    pub languages: Option<Vec<u16>>,
    /// The viewer's age in years: the video is rated fit from that age or below.
    pub age: Option<u8>,
    /// Its duration, in seconds.
    pub duration_s: Option<RangeInclusive<f32>>,
    /// Its upload, in days since 1970-01-01 UTC.
    pub uploaded_day: Option<RangeInclusive<f32>>,
}

impl Filter {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the video at a row fits.
    #[must_use]
    pub fn accepts(&self, items: &ItemTable, row: usize) -> bool {
        let facts = items.facts(row);
        let code =
            |wanted: &Option<Vec<u16>>, code| wanted.as_ref().is_none_or(|codes| codes.contains(&code));
        let within = |range: &Option<RangeInclusive<f32>>, value| {
            range.as_ref().is_none_or(|range| range.contains(&value))
        };
        // `NO_CODE` is no code of a list, and NaN lies in no range.
        code(&self.categories, facts.category)
            && code(&self.languages, facts.language)
            && within(&self.duration_s, facts.duration_s)
            && within(&self.uploaded_day, facts.uploaded_day)
            && self
                .age
                .is_none_or(|age| items.min_age(row).is_some_and(|from| from <= age))
    }
}
