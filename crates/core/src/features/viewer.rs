//! What features say of the viewer alone: computed once for all candidates.

use super::candidate::log_count;
use super::cowatch::Watched;
use super::declared::UserFeatures;
use super::tags::TagProfile;
use crate::catalogue::ItemFacts;
use crate::session::{Click, Session, WINDOW};
use crate::vector::{UnitVector, mean_direction};

/// The weight of a click among newer ones: this much for each newer click (about half after five).
const AFFINITY_DECAY: f32 = 0.87;

/// The viewer's side of every feature.
pub(super) struct Viewer<'a> {
    pub(super) now_ms: i64,
    pub(super) age_years: f32,
    pub(super) gender: f32,
    pub(super) segment: f32,
    pub(super) device: f32,
    /// Clicks kept, oldest first.
    pub(super) clicks: &'a [Click],
    /// The newest [`WINDOW`] of them.
    pub(super) recent: &'a [Click],
    /// How many of `recent` belong to the visit at `now_ms`.
    pub(super) recent_in_visit: usize,
    pub(super) visit_clicks: f32,
    pub(super) searches: f32,
    /// Words of this visit's newest search.
    pub(super) search_words: &'a [String],
    /// The newest click of this visit that followed a search.
    pub(super) searched: Option<&'a UnitVector>,
    pub(super) engagement: f32,
    pub(super) recent_mean: Option<UnitVector>,
    pub(super) visit_mean: Option<UnitVector>,
    pub(super) all_mean: Option<UnitVector>,
    /// Declared, else that of most clicks.
    pub(super) language: u16,
    /// Mean of log2 of the clicked items' seconds.
    pub(super) usual_log_duration: f32,
    /// Mean upload day of the recent clicks.
    pub(super) usual_day: f32,
    /// Mean of ln(1 + clicks) of the recent clicks' items.
    pub(super) usual_popularity: f32,
    pub(super) tags: TagProfile,
    pub(super) watched: Watched,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(session: &'a Session, user: &UserFeatures, now_ms: i64) -> Self {
        let (clicks, recent, visit) = (session.clicks(), session.recent(WINDOW), session.visit(now_ms));
        let mean = |clicks: &[Click]| mean_direction(clicks.iter().map(|click| &click.vector));
        Self {
            now_ms,
            age_years: user
                .age_band
                .map_or(f32::NAN, |band| f32::from(band.lower_years())),
            gender: user.gender.map_or(f32::NAN, |gender| f32::from(gender.code())),
            segment: user.segment.map_or(f32::NAN, f32::from),
            device: user.device.map_or(f32::NAN, |device| f32::from(device.code())),
            clicks,
            recent,
            recent_in_visit: visit.len().min(recent.len()),
            visit_clicks: visit.len() as f32,
            searches: session.searches(now_ms) as f32,
            search_words: session.search_words(now_ms),
            searched: visit.iter().rev().find(|c| c.after_search).map(|c| &c.vector),
            engagement: average(clicks.iter().filter_map(watch_fraction)),
            recent_mean: mean(recent),
            visit_mean: mean(&visit[visit.len().saturating_sub(WINDOW)..]),
            all_mean: mean(clicks),
            language: user.language.unwrap_or_else(|| majority_language(clicks)),
            usual_log_duration: average(clicks.iter().filter_map(|click| log_duration(&click.facts))),
            usual_day: average(known(recent, |facts| facts.uploaded_day)),
            usual_popularity: average(known(recent, |facts| log_count(facts.clicks))),
            tags: TagProfile::of(clicks, AFFINITY_DECAY),
            watched: Watched::by(clicks),
        }
    }

    /// Share of the viewer's clicks, newer ones weighing more, for which `same` holds; NaN with no click.
    pub(super) fn affinity(&self, same: impl Fn(&ItemFacts) -> bool) -> f32 {
        let (mut weight, mut hits, mut total) = (1.0f32, 0.0f32, 0.0f32);
        for click in self.clicks.iter().rev() {
            if same(&click.facts) {
                hits += weight;
            }
            total += weight;
            weight *= AFFINITY_DECAY;
        }
        hits / total
    }
}

/// A number of the clicks' items, where it is known.
fn known<'a>(clicks: &'a [Click], number: impl Fn(&ItemFacts) -> f32 + 'a) -> impl Iterator<Item = f32> + 'a {
    clicks
        .iter()
        .map(move |click| number(&click.facts))
        .filter(|x| x.is_finite())
}

/// log2 of an item's seconds; `None` where they are unknown or 0.
pub(super) fn log_duration(facts: &ItemFacts) -> Option<f32> {
    let seconds = facts.duration_s;
    (seconds.is_finite() && seconds > 0.0).then(|| libm::log2f(seconds))
}

/// How much of a clicked item was watched, 0 to 1.
fn watch_fraction(click: &Click) -> Option<f32> {
    let seconds = click.facts.duration_s;
    let watched = click.watch_seconds?;
    (seconds.is_finite() && seconds > 0.0).then(|| (watched / seconds).min(1.0))
}

/// Mean in order; NaN of nothing.
fn average(values: impl Iterator<Item = f32>) -> f32 {
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count
}

/// The language of most clicks, the newest of equals; [`ItemFacts::NO_CODE`] where no click has one.
fn majority_language(clicks: &[Click]) -> u16 {
    let of = |click: &Click| click.facts.language;
    let count = |code: u16| clicks.iter().filter(|click| of(click) == code).count();
    let known = clicks.iter().map(of).filter(|&code| code != ItemFacts::NO_CODE);
    known
        .max_by_key(|&code| count(code))
        .unwrap_or(ItemFacts::NO_CODE)
}
