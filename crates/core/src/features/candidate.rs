//! What features say of one candidate next to one viewer.

use super::Candidate;
use super::cowatch::CoWatched;
use super::tags::cosine;
use super::viewer::{Viewer, log_duration};
use crate::catalogue::ItemFacts;
use crate::json::{self, FromJson, Json, JsonError};
use crate::session::{Click, words};
use crate::vector::{UnitVector, dot};

/// Click rate of an item that was never shown, as a share of its impressions.
const PRIOR_RATE: f32 = 0.05;
/// Impressions that the prior rate counts for.
const PRIOR_IMPRESSIONS: f32 = 20.0;

/// A candidate with its similarities to the viewer's clicks.
pub(super) struct Pair<'a> {
    pub(super) facts: &'a ItemFacts,
    pub(super) co_watched: CoWatched,
    pub(super) search_match: f32,
    pub(super) sim_searched: f32,
    pub(super) sim_recent: f32,
    pub(super) sim_visit: f32,
    pub(super) sim_all: f32,
    pub(super) sim_last: f32,
    pub(super) sim_nearest: f32,
}

impl<'a> Pair<'a> {
    /// The vectors have one dimension.
    pub(super) fn new(viewer: &Viewer<'_>, candidate: &Candidate<'a>) -> Self {
        let to = |mean: &Option<UnitVector>| {
            mean.as_ref()
                .map_or(f32::NAN, |m| dot(m.as_slice(), candidate.vector))
        };
        let (mut last, mut nearest) = (f32::NAN, f32::NAN);
        for click in viewer.recent {
            last = dot(click.vector.as_slice(), candidate.vector);
            nearest = nearest.max(last);
        }
        Self {
            facts: candidate.facts,
            co_watched: viewer.watched.with(candidate.item.hash32()),
            search_match: search_match(viewer.search_words, candidate.card),
            sim_searched: viewer
                .searched
                .map_or(f32::NAN, |click| dot(click.as_slice(), candidate.vector)),
            sim_recent: to(&viewer.recent_mean),
            sim_visit: to(&viewer.visit_mean),
            sim_all: to(&viewer.all_mean),
            sim_last: last,
            sim_nearest: nearest,
        }
    }

    pub(super) fn category_affinity(&self, viewer: &Viewer<'_>) -> f32 {
        known(self.facts.category, ItemFacts::NO_CODE).map_or(f32::NAN, |code| {
            viewer.affinity(|clicked| clicked.category == code)
        })
    }

    pub(super) fn creator_affinity(&self, viewer: &Viewer<'_>) -> f32 {
        known(self.facts.creator, ItemFacts::NO_CREATOR).map_or(f32::NAN, |code| {
            viewer.affinity(|clicked| clicked.creator == code)
        })
    }

    /// Smoothed clicks an impression.
    pub(super) fn click_rate(&self) -> f32 {
        let (clicks, impressions) = (count(self.facts.clicks), count(self.facts.impressions));
        let rate = (clicks + PRIOR_RATE * PRIOR_IMPRESSIONS) / (impressions + PRIOR_IMPRESSIONS);
        if rate.is_nan() { rate } else { rate.min(1.0) }
    }

    /// 1 where the candidate speaks the viewer's language, 0 where not.
    pub(super) fn language_match(&self, viewer: &Viewer<'_>) -> f32 {
        let (theirs, ours) = (
            known(self.facts.language, ItemFacts::NO_CODE),
            known(viewer.language, ItemFacts::NO_CODE),
        );
        theirs.zip(ours).map_or(f32::NAN, |(a, b)| flag(a == b))
    }

    /// log2 of the candidate's duration over the viewer's usual one.
    pub(super) fn duration_ratio(&self, viewer: &Viewer<'_>) -> f32 {
        log_duration(self.facts).map_or(f32::NAN, |log| log - viewer.usual_log_duration)
    }

    pub(super) fn same_category_as_last(&self, viewer: &Viewer<'_>) -> f32 {
        same_as_last(
            viewer,
            |facts| known(facts.category, ItemFacts::NO_CODE),
            self.facts,
        )
    }

    pub(super) fn same_creator_as_last(&self, viewer: &Viewer<'_>) -> f32 {
        same_as_last(
            viewer,
            |facts| known(facts.creator, ItemFacts::NO_CREATOR),
            self.facts,
        )
    }

    /// Cosine of the candidate's tags to the last click's.
    pub(super) fn tags_of_last(&self, viewer: &Viewer<'_>) -> f32 {
        viewer
            .clicks
            .last()
            .map_or(f32::NAN, |last| cosine(last.facts.tags, self.facts.tags))
    }

    /// Share of this visit's recent clicks in the candidate's category.
    pub(super) fn category_in_visit(&self, viewer: &Viewer<'_>) -> f32 {
        let visit: &[Click] = &viewer.recent[viewer.recent.len() - viewer.recent_in_visit..];
        known(self.facts.category, ItemFacts::NO_CODE).map_or(f32::NAN, |code| {
            let hits = visit.iter().filter(|click| click.facts.category == code).count();
            hits as f32 / visit.len() as f32
        })
    }
}

/// What of a card is searched for words.
struct Texts {
    name: String,
    creator: String,
    category: String,
}

impl<'a> FromJson<'a> for Texts {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                name: fields.get_or("name", String::new())?,
                creator: fields.get_or("creator", String::new())?,
                category: fields.get_or("category", String::new())?,
            })
        })
    }
}

/// Share of a search's words that a card's title, creator or category has; NaN where nothing was searched for or the card
/// cannot be read. Cards are read only after a search.
fn search_match(wanted: &[String], card: &str) -> f32 {
    if wanted.is_empty() {
        return f32::NAN;
    }
    let Ok(texts) = json::read::<Texts>(card) else {
        return f32::NAN;
    };
    let found: Vec<String> = [&texts.name, &texts.creator, &texts.category]
        .into_iter()
        .flat_map(|text| words(text))
        .collect();
    let hits = wanted.iter().filter(|word| found.contains(word)).count();
    hits as f32 / wanted.len() as f32
}

/// A code as a category's number; NaN where it is missing.
pub(super) fn category_number(code: u16) -> f32 {
    known(code, ItemFacts::NO_CODE).map_or(f32::NAN, f32::from)
}

/// A count, or NaN where it is none: negative or not finite.
fn count(x: f32) -> f32 {
    if x.is_finite() && x >= 0.0 { x } else { f32::NAN }
}

/// Natural logarithm of 1 + a count; NaN where it is no count.
pub(super) fn log_count(x: f32) -> f32 {
    libm::log1pf(count(x))
}

fn known<T: PartialEq + Copy>(code: T, none: T) -> Option<T> {
    Some(code).filter(|code| *code != none)
}

fn flag(yes: bool) -> f32 {
    f32::from(u8::from(yes))
}

/// 1 where both codes are known and equal, 0 where both are known and differ, else NaN.
fn same_as_last<T: PartialEq>(
    viewer: &Viewer<'_>,
    code: impl Fn(&ItemFacts) -> Option<T>,
    facts: &ItemFacts,
) -> f32 {
    let last = viewer.clicks.last().and_then(|click| code(&click.facts));
    last.zip(code(facts))
        .map_or(f32::NAN, |(last, this)| flag(last == this))
}
