//! A viewer's recent clicks: the query for retrieval, the history that features read, and the set of seen items.
//!
//! A [`Session`] is kept for as long as the viewer's store is. A *visit* is a run of clicks with no gap above
//! [`VISIT_GAP_MS`].

mod data;
mod seen;
mod words;

use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::Neighbour;
use crate::json::Shown;
use crate::vector::{UnitVector, mean_direction};
pub use data::{ClickData, FactsData, SESSION_VERSION, SessionData};
pub use seen::SeenSet;
use thiserror::Error;
pub use words::{MAX_WORDS, words};

/// Clicks kept, newest first to stay.
pub const MAX_CLICKS: usize = 50;

/// Clicks that the query and the features' recent similarities are taken over.
pub const WINDOW: usize = 10;

/// A longer pause, in milliseconds, starts a new visit (30 minutes, the usual convention of web analytics).
pub const VISIT_GAP_MS: i64 = 30 * 60 * 1000;

/// One clicked item, with what ranking needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Click {
    /// The item.
    pub item: ItemId,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// The item's embedding.
    pub vector: UnitVector,
    /// The item's facts, in the codes of the bundle that it came from.
    pub facts: ItemFacts,
    /// What is watched along with it, in the bundle that it came from.
    pub neighbours: Vec<Neighbour>,
    /// Whether it was the first click after a search of its visit; [`Session::click`] sets it.
    pub after_search: bool,
    /// Seconds watched so far: finite and 0 or more; `None` while unknown.
    pub watch_seconds: Option<f32>,
}

/// What a session refuses.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SessionError {
    /// A click's vector has another number of dimensions than those before it.
    #[error(
        "item {item} has a vector of {found} dimensions, but this session's have {expected}; after a change of model, \
         call `Session::keep_dimension` first"
    )]
    Dimension {
        /// The clicked item.
        item: ItemId,
        /// Dimensions of the clicks before.
        expected: usize,
        /// Dimensions of this one.
        found: usize,
    },
    /// Watch time that is negative, NaN or infinite.
    #[error("item {item} was watched for {} s; expected a finite number, 0 or more", Shown::from(*.seconds))]
    WatchTime {
        /// The watched item.
        item: ItemId,
        /// What was passed.
        seconds: f32,
    },
    /// Stored data of another layout.
    #[error("stored session has version {0}, this program reads {SESSION_VERSION}; forget it and start anew")]
    Version(u32),
    /// Stored data with a broken item or vector.
    #[error("stored session, click {index}: {reason}; forget it and start anew")]
    Stored {
        /// Place in the stored list.
        index: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// Recent clicks of one viewer, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    clicks: Vec<Click>,
    seen: SeenSet,
    searches: u32,
    /// Words of the newest search, of the visit of `last_active_ms`; none after it.
    search_words: Vec<String>,
    /// No click came after the newest search of the visit.
    searching: bool,
    last_active_ms: Option<i64>,
}

impl Session {
    /// A viewer of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a click and marks its item as seen. A repeated item moves to the newest place.
    ///
    /// # Errors
    /// The vector has another dimension than those before it, or the watch time is no time.
    pub fn click(&mut self, mut click: Click) -> Result<(), SessionError> {
        if let Some(expected) = self.dim().filter(|&dim| dim != click.vector.dim()) {
            let found = click.vector.dim();
            return Err(SessionError::Dimension {
                item: click.item,
                expected,
                found,
            });
        }
        if let Some(seconds) = click.watch_seconds {
            check_watch(&click.item, seconds)?;
        }
        self.touch(click.ts_ms);
        click.after_search = std::mem::take(&mut self.searching);
        self.seen.insert(click.item.clone());
        self.clicks.retain(|old| old.item != click.item);
        if self.clicks.len() == MAX_CLICKS {
            self.clicks.remove(0);
        }
        self.clicks.push(click);
        Ok(())
    }

    /// Sets how long a clicked item was watched; of two reports the longer counts. An item that was not clicked is
    /// marked as seen only.
    ///
    /// # Errors
    /// The watch time is negative or not finite.
    pub fn watch(&mut self, item: &ItemId, watch_seconds: f32, ts_ms: i64) -> Result<(), SessionError> {
        check_watch(item, watch_seconds)?;
        self.touch(ts_ms);
        if !self.seen.contains(item) {
            self.seen.insert(item.clone());
        }
        if let Some(click) = self.clicks.iter_mut().rev().find(|click| click.item == *item) {
            click.watch_seconds = Some(
                click
                    .watch_seconds
                    .map_or(watch_seconds, |old| old.max(watch_seconds)),
            );
        }
        Ok(())
    }

    /// Takes in a search of this visit. Of what was typed the first [`MAX_WORDS`] [`words`] are kept until the next
    /// search or visit.
    pub fn search(&mut self, query: &str, ts_ms: i64) {
        self.touch(ts_ms);
        self.searches = self.searches.saturating_add(1);
        self.search_words = words(query).take(MAX_WORDS).collect();
        self.searching = true;
    }

    /// Marks an item as seen with no click, so that it is not recommended.
    pub fn mark_seen(&mut self, item: ItemId) {
        self.seen.insert(item);
    }

    /// The query for retrieval: the normalised mean of the newest `window` clicks.
    ///
    /// `None` with no click, with `window` 0, or where the vectors cancel each other out.
    #[must_use]
    pub fn query(&self, window: usize) -> Option<Vec<f32>> {
        mean_direction(self.recent(window).iter().map(|click| &click.vector)).map(UnitVector::into_vec)
    }

    /// Clicks kept, oldest first, at most [`MAX_CLICKS`].
    #[must_use]
    pub fn clicks(&self) -> &[Click] {
        &self.clicks
    }

    /// The newest `window` clicks, oldest first.
    #[must_use]
    pub fn recent(&self, window: usize) -> &[Click] {
        &self.clicks[self.clicks.len().saturating_sub(window)..]
    }

    /// Items not to recommend again.
    #[must_use]
    pub fn seen(&self) -> &SeenSet {
        &self.seen
    }

    /// Clicks of the visit that `now_ms` belongs to, oldest first; none where the last activity is too long ago.
    #[must_use]
    pub fn visit(&self, now_ms: i64) -> &[Click] {
        let breaks = |pair: &[Click]| pair[1].ts_ms.saturating_sub(pair[0].ts_ms) > VISIT_GAP_MS;
        let gap = self.clicks.windows(2).rposition(breaks);
        let start = gap.map_or(0, |gap| gap + 1);
        match self.clicks.last() {
            Some(last) if now_ms.saturating_sub(last.ts_ms) <= VISIT_GAP_MS => &self.clicks[start..],
            _ => &[],
        }
    }

    /// Searches of the visit that `now_ms` belongs to.
    #[must_use]
    pub fn searches(&self, now_ms: i64) -> u32 {
        if self.in_visit(now_ms) { self.searches } else { 0 }
    }

    /// Words of the newest search of the visit that `now_ms` belongs to.
    #[must_use]
    pub fn search_words(&self, now_ms: i64) -> &[String] {
        if self.in_visit(now_ms) {
            &self.search_words
        } else {
            &[]
        }
    }

    /// Dimensions of the clicks' vectors; `None` with no click.
    #[must_use]
    pub fn dim(&self) -> Option<usize> {
        self.clicks.first().map(|click| click.vector.dim())
    }

    /// Drops clicks whose vectors have other than `dim` dimensions: another model made them. Their items stay seen.
    pub fn keep_dimension(&mut self, dim: usize) {
        self.clicks.retain(|click| click.vector.dim() == dim);
    }

    /// Reads anew what a click took from its bundle, after the bundle changed. `renew` sees each clicked item with its
    /// facts and neighbours; codes of the old bundle mean nothing in the new one, the hashes of neighbours do.
    pub fn refresh(&mut self, mut renew: impl FnMut(&ItemId, &mut ItemFacts, &mut Vec<Neighbour>)) {
        for click in &mut self.clicks {
            renew(&click.item, &mut click.facts, &mut click.neighbours);
        }
    }

    fn in_visit(&self, now_ms: i64) -> bool {
        self.last_active_ms
            .is_some_and(|last| now_ms.saturating_sub(last) <= VISIT_GAP_MS)
    }

    fn touch(&mut self, ts_ms: i64) {
        if !self.in_visit(ts_ms) {
            self.searches = 0;
            self.search_words.clear();
            self.searching = false;
        }
        self.last_active_ms = Some(self.last_active_ms.map_or(ts_ms, |last| last.max(ts_ms)));
    }
}

fn check_watch(item: &ItemId, seconds: f32) -> Result<(), SessionError> {
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(())
    } else {
        Err(SessionError::WatchTime {
            item: item.clone(),
            seconds,
        })
    }
}

#[cfg(test)]
mod tests;
