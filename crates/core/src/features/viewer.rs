//! What features say of the viewer alone: computed once for all candidates.

use crate::catalogue::ItemFacts;
use crate::session::{Click, Session, WINDOW};
use crate::vector::{UnitVector, mean_direction};
use thiserror::Error;

/// What a viewer, or the site on the viewer's behalf, may declare. All optional.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UserFeatures {
    /// Age band.
    pub age_band: Option<AgeBand>,
    /// Index into the bundle's list of languages.
    pub language: Option<u16>,
}

/// An age band, known by its lower bound in whole years, 0 to 120.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeBand(u8);

/// Text that names no age band.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no age band; write it as \"25-34\", \"65+\" or \"<18\", in years up to 120")]
pub struct AgeBandError(String);

impl AgeBand {
    /// Reads `"25-34"`, `"65+"` or `"<18"`.
    ///
    /// # Errors
    /// Any other text, a band that ends before it starts, or an age above 120.
    pub fn parse(text: &str) -> Result<Self, AgeBandError> {
        let years = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u8>().ok().filter(|&years| plain && years <= 120)
        };
        let lower = if let Some(upper) = text.strip_prefix('<') {
            years(upper).map(|_| 0)
        } else if let Some(lower) = text.strip_suffix('+') {
            years(lower)
        } else {
            let bounds = text
                .split_once('-')
                .and_then(|(low, high)| years(low).zip(years(high)));
            bounds.filter(|(low, high)| low <= high).map(|(low, _)| low)
        };
        lower.map(Self).ok_or_else(|| AgeBandError(text.to_owned()))
    }

    /// The band's youngest age in years.
    #[must_use]
    pub fn lower_years(self) -> u8 {
        self.0
    }
}

/// The weight of a click among newer ones: this much for each newer click (about half after five).
const AFFINITY_DECAY: f32 = 0.87;

/// The viewer's side of every feature.
pub(super) struct Viewer<'a> {
    pub(super) now_ms: i64,
    pub(super) age_years: f32,
    /// Clicks kept, oldest first.
    pub(super) clicks: &'a [Click],
    /// The newest [`WINDOW`] of them.
    pub(super) recent: &'a [Click],
    /// How many of `recent` belong to the visit at `now_ms`.
    pub(super) recent_in_visit: usize,
    pub(super) visit_clicks: f32,
    pub(super) searches: f32,
    pub(super) engagement: f32,
    pub(super) recent_mean: Option<UnitVector>,
    pub(super) visit_mean: Option<UnitVector>,
    pub(super) all_mean: Option<UnitVector>,
    /// Declared, else that of most clicks.
    pub(super) language: u16,
    /// Mean of log2 of the clicked items' seconds.
    pub(super) usual_log_duration: f32,
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
            clicks,
            recent,
            recent_in_visit: visit.len().min(recent.len()),
            visit_clicks: visit.len() as f32,
            searches: session.searches(now_ms) as f32,
            engagement: average(clicks.iter().filter_map(watch_fraction)),
            recent_mean: mean(recent),
            visit_mean: mean(&visit[visit.len().saturating_sub(WINDOW)..]),
            all_mean: mean(clicks),
            language: user.language.unwrap_or_else(|| majority_language(clicks)),
            usual_log_duration: average(clicks.iter().filter_map(|click| log_duration(&click.facts))),
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
