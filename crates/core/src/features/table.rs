//! The table of features.

use super::candidate::{Pair, log_count};
use super::viewer::{Viewer, log_duration};
use crate::session::{MAX_CLICKS, WINDOW};
use std::fmt::Write;

/// What a feature depends on, and so how early it can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On the item alone: known when the bundle is built.
    Item,
    /// On the viewer and the moment: one value for all candidates of a request.
    Request,
    /// On both: one value a candidate and request.
    Cross,
}

impl Stage {
    /// The name in documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Request => "request",
            Self::Cross => "cross",
        }
    }
}

/// One column of the features matrix.
pub struct Feature {
    /// Name in the model file: unique, snake case.
    pub name: &'static str,
    /// What it measures.
    pub meaning: &'static str,
    /// Unit, or "share" for 0 to 1, "yes/no" for 0 or 1.
    pub unit: &'static str,
    /// Lowest and highest possible value; infinite where there is no bound.
    pub range: (f32, f32),
    /// When it is missing (NaN); empty if never.
    pub missing: &'static str,
    /// What it depends on.
    pub stage: Stage,
    /// In words for a viewer, where the value lifts a candidate by being high.
    pub high: &'static str,
    /// In words for a viewer, where the value lifts a candidate by being low.
    pub low: &'static str,
    compute: fn(&Viewer<'_>, &Pair<'_>) -> f32,
}

impl Feature {
    pub(super) fn value(&self, viewer: &Viewer<'_>, pair: &Pair<'_>) -> f32 {
        (self.compute)(viewer, pair)
    }
}

impl std::fmt::Debug for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feature")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Columns of the features matrix.
pub const FEATURE_COUNT: usize = FEATURES.len();

/// Slightly beyond ±1: a shard's vectors are unit length but for rounding.
const SIMILARITY: (f32, f32) = (-1.1, 1.1);
const SHARE: (f32, f32) = (0.0, 1.0);
const UNBOUNDED: f32 = f32::INFINITY;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// Every feature, in the order of the matrix's columns.
pub static FEATURES: [Feature; 25] = [
    Feature {
        name: "age_years",
        meaning: "youngest age of the viewer's age band",
        unit: "years",
        range: (0.0, 120.0),
        missing: "not declared",
        stage: Stage::Request,
        high: "suits your age group",
        low: "suits your age group",
        compute: |viewer, _| viewer.age_years,
    },
    Feature {
        name: "engagement",
        meaning: "mean share of the clicked videos that was watched",
        unit: "share",
        range: SHARE,
        missing: "no click with a known watch time and duration",
        stage: Stage::Request,
        high: "suits how long you watch",
        low: "suits how long you watch",
        compute: |viewer, _| viewer.engagement,
    },
    Feature {
        name: "history_clicks",
        meaning: "clicks kept",
        unit: "clicks",
        range: (0.0, MAX_CLICKS as f32),
        missing: "",
        stage: Stage::Request,
        high: "suits your history",
        low: "suits your history",
        compute: |viewer, _| viewer.clicks.len() as f32,
    },
    Feature {
        name: "visit_clicks",
        meaning: "clicks of this visit",
        unit: "clicks",
        range: (0.0, MAX_CLICKS as f32),
        missing: "",
        stage: Stage::Request,
        high: "suits this visit",
        low: "suits this visit",
        compute: |viewer, _| viewer.visit_clicks,
    },
    Feature {
        name: "visit_searches",
        meaning: "searches of this visit",
        unit: "searches",
        range: (0.0, UNBOUNDED),
        missing: "",
        stage: Stage::Request,
        high: "suits this visit",
        low: "suits this visit",
        compute: |viewer, _| viewer.searches,
    },
    Feature {
        name: "since_click_s",
        meaning: "time since the last click",
        unit: "seconds",
        range: (0.0, UNBOUNDED),
        missing: "no click yet",
        stage: Stage::Request,
        high: "suits this visit",
        low: "suits this visit",
        compute: |viewer, _| {
            let since = |ms: i64| (viewer.now_ms.saturating_sub(ms).max(0) as f64 / 1000.0) as f32;
            viewer.clicks.last().map_or(f32::NAN, |last| since(last.ts_ms))
        },
    },
    Feature {
        name: "hour_utc",
        meaning: "time of day in UTC",
        unit: "hours",
        range: (0.0, 24.0),
        missing: "",
        stage: Stage::Request,
        high: "suits this time of day",
        low: "suits this time of day",
        compute: |viewer, _| (viewer.now_ms.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64) as f32,
    },
    Feature {
        name: "weekday",
        meaning: "day of the week in UTC, Monday is 0",
        unit: "days",
        range: (0.0, 6.0),
        missing: "",
        stage: Stage::Request,
        high: "suits this day of the week",
        low: "suits this day of the week",
        // 1970-01-01 was a Thursday.
        compute: |viewer, _| (viewer.now_ms.div_euclid(DAY_MS) + 3).rem_euclid(7) as f32,
    },
    Feature {
        name: "duration_log2_s",
        meaning: "base-2 logarithm of the video's seconds",
        unit: "log2 seconds",
        range: (-UNBOUNDED, UNBOUNDED),
        missing: "duration unknown or 0",
        stage: Stage::Item,
        high: "a longer video",
        low: "a shorter video",
        compute: |_, pair| log_duration(pair.facts).unwrap_or(f32::NAN),
    },
    Feature {
        name: "age_days",
        meaning: "time since the upload, 0 if in the future",
        unit: "days",
        range: (0.0, UNBOUNDED),
        missing: "upload date unknown",
        stage: Stage::Cross,
        high: "from the archive",
        low: "new",
        compute: |viewer, pair| match pair.facts.uploaded_day {
            day if day.is_finite() => (viewer.now_ms as f64 / DAY_MS as f64 - f64::from(day)).max(0.0) as f32,
            _ => f32::NAN,
        },
    },
    Feature {
        name: "impressions_log",
        meaning: "natural logarithm of 1 + times shown",
        unit: "ln impressions",
        range: (0.0, UNBOUNDED),
        missing: "no statistics",
        stage: Stage::Item,
        high: "well known here",
        low: "seldom shown so far",
        compute: |_, pair| log_count(pair.facts.impressions),
    },
    Feature {
        name: "click_rate",
        meaning: "clicks an impression, smoothed by 20 impressions at 5 %",
        unit: "share",
        range: SHARE,
        missing: "no statistics",
        stage: Stage::Item,
        high: "often clicked when shown",
        low: "a niche pick",
        compute: |_, pair| pair.click_rate(),
    },
    Feature {
        name: "popularity_log",
        meaning: "natural logarithm of 1 + clicks with a half-life of 7 days",
        unit: "ln clicks",
        range: (0.0, UNBOUNDED),
        missing: "no statistics",
        stage: Stage::Item,
        high: "popular now",
        low: "a niche pick",
        compute: |_, pair| log_count(pair.facts.popularity),
    },
    Feature {
        name: "language_match",
        meaning: "whether the video is in the declared language, else in that of most clicks",
        unit: "yes/no",
        range: SHARE,
        missing: "language of the video or of the viewer unknown",
        stage: Stage::Cross,
        high: "in your language",
        low: "in another language",
        compute: |viewer, pair| pair.language_match(viewer),
    },
    Feature {
        name: "duration_ratio_log2",
        meaning: "base-2 logarithm of the duration over the geometric mean of the clicked ones",
        unit: "doublings",
        range: (-UNBOUNDED, UNBOUNDED),
        missing: "a duration is unknown, or no click yet",
        stage: Stage::Cross,
        high: "longer than your usual",
        low: "shorter than your usual",
        compute: |viewer, pair| pair.duration_ratio(viewer),
    },
    Feature {
        name: "category_affinity",
        meaning: "share of the clicks in the video's category, each newer click weighing 1/0.87 of the one before",
        unit: "share",
        range: SHARE,
        missing: "no category, or no click yet",
        stage: Stage::Cross,
        high: "a category that you like",
        low: "another category than usual",
        compute: |viewer, pair| pair.category_affinity(viewer),
    },
    Feature {
        name: "category_in_visit",
        meaning: "share of this visit's clicks among the last 10 that are in the video's category",
        unit: "share",
        range: SHARE,
        missing: "no category, or no click in this visit",
        stage: Stage::Cross,
        high: "the category of this visit",
        low: "a change from this visit",
        compute: |viewer, pair| pair.category_in_visit(viewer),
    },
    Feature {
        name: "creator_affinity",
        meaning: "share of the clicks on the video's creator, weighted as category_affinity",
        unit: "share",
        range: SHARE,
        missing: "no creator, or no click yet",
        stage: Stage::Cross,
        high: "a creator that you like",
        low: "a creator that is new to you",
        compute: |viewer, pair| pair.creator_affinity(viewer),
    },
    Feature {
        name: "same_category_as_last",
        meaning: "whether the category is that of the last click",
        unit: "yes/no",
        range: SHARE,
        missing: "a category is unknown, or no click yet",
        stage: Stage::Cross,
        high: "the category of your last click",
        low: "another category than your last click",
        compute: |viewer, pair| pair.same_category_as_last(viewer),
    },
    Feature {
        name: "same_creator_as_last",
        meaning: "whether the creator is that of the last click",
        unit: "yes/no",
        range: SHARE,
        missing: "a creator is unknown, or no click yet",
        stage: Stage::Cross,
        high: "by the creator of your last click",
        low: "by another creator than your last click",
        compute: |viewer, pair| pair.same_creator_as_last(viewer),
    },
    Feature {
        name: "sim_recent",
        meaning: "cosine to the normalised mean of the last 10 clicks (the retrieval score)",
        unit: "cosine",
        range: SIMILARITY,
        missing: "no click yet, or the clicks cancel out",
        stage: Stage::Cross,
        high: "like your recent clicks",
        low: "a change from your recent clicks",
        compute: |_, pair| pair.sim_recent,
    },
    Feature {
        name: "sim_visit",
        meaning: "cosine to the normalised mean of this visit's last 10 clicks",
        unit: "cosine",
        range: SIMILARITY,
        missing: "no click in this visit, or they cancel out",
        stage: Stage::Cross,
        high: "like what you are watching now",
        low: "a change from this visit",
        compute: |_, pair| pair.sim_visit,
    },
    Feature {
        name: "sim_all",
        meaning: "cosine to the normalised mean of all clicks kept",
        unit: "cosine",
        range: SIMILARITY,
        missing: "no click yet, or the clicks cancel out",
        stage: Stage::Cross,
        high: "your long-standing taste",
        low: "a change from your usual taste",
        compute: |_, pair| pair.sim_all,
    },
    Feature {
        name: "sim_last",
        meaning: "cosine to the last click",
        unit: "cosine",
        range: SIMILARITY,
        missing: "no click yet",
        stage: Stage::Cross,
        high: "like your last click",
        low: "a change from your last click",
        compute: |_, pair| pair.sim_last,
    },
    Feature {
        name: "sim_nearest",
        meaning: "cosine to the nearest of the last 10 clicks",
        unit: "cosine",
        range: SIMILARITY,
        missing: "no click yet",
        stage: Stage::Cross,
        high: "close to something you watched",
        low: "unlike anything you watched",
        compute: |_, pair| pair.sim_nearest,
    },
];

const _: () = assert!(WINDOW == 10, "the meanings above and in docs/ranking.md say 10");

/// The table in Markdown, for docs/ranking.md.
#[must_use]
pub fn markdown() -> String {
    let bound = |x: f32| match x {
        f32::INFINITY => "∞".to_owned(),
        f32::NEG_INFINITY => "−∞".to_owned(),
        x => x.to_string().replace('-', "−"),
    };
    let mut text = String::from(
        "| feature | meaning | unit | range | missing when | stage |\n|---|---|---|---|---|---|\n",
    );
    for f in &FEATURES {
        let missing = if f.missing.is_empty() { "never" } else { f.missing };
        let (low, high) = (bound(f.range.0), bound(f.range.1));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {low} … {high} | {missing} | {} |",
            f.name,
            f.meaning,
            f.unit,
            f.stage.name()
        );
    }
    text
}
