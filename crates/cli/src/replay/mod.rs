//! Events replayed in order of time through core's own session code, for training and for evaluation.
//!
//! Whatever a [`Moment`] holds was known before its slate was shown: the viewer's history and every count come from
//! events with an earlier time.

mod catalogue;
mod read;

pub use catalogue::Catalogue;
pub use read::read_events;

use anyhow::{Context, Result, bail, ensure};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::events::{Event, EventKind, Label, Slate, UNIFORM_ARM, join};
use recsys_core::features::{AgeBand, Candidate, ItemStatistics, UserFeatures};
use recsys_core::session::{Click, Session};
use std::collections::HashMap;

/// Events and their slates over one catalogue.
pub struct Replay<'a> {
    catalogue: &'a Catalogue,
    events: Vec<Event>,
    slates: Vec<Slate>,
    /// Clicked or shown items that the catalogue lacks, counted by event.
    unknown: usize,
}

/// What was known when a slate was shown.
pub struct Moment<'a> {
    /// The slate, with its labels.
    pub slate: &'a Slate,
    /// Number of the viewer, from 0.
    pub viewer: usize,
    /// The viewer's history.
    pub session: &'a Session,
    /// What the viewer declared so far.
    pub user: UserFeatures,
    /// Facts of every row of the catalogue with the counts of this moment.
    pub facts: &'a dyn Fn(usize) -> ItemFacts,
}

/// One item of a slate that the catalogue knows and the viewer has not had.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Row of the catalogue.
    pub row: usize,
    /// Place in the slate, 0 is the first.
    pub position: u32,
    /// Whether it is a positive.
    pub positive: bool,
}

impl Moment<'_> {
    /// Whether the slate was drawn uniformly at random.
    pub fn uniform(&self) -> bool {
        self.slate.arm.as_deref() == Some(UNIFORM_ARM)
    }

    /// The slate's items that the catalogue knows and the viewer has not had, by position. Serving drops seen items
    /// before it ranks, so training and evaluation do too.
    pub fn unseen(&self, catalogue: &Catalogue) -> Vec<Shown> {
        let fresh = self
            .slate
            .shown
            .iter()
            .filter(|shown| !self.session.seen().contains(&shown.item));
        fresh
            .filter_map(|shown| {
                let row = catalogue.row(&shown.item)?;
                Some(Shown {
                    row,
                    position: shown.position,
                    positive: shown.positive,
                })
            })
            .collect()
    }
}

/// Candidates of rows, with the facts that belong to a moment.
pub fn candidates<'a>(
    catalogue: &'a Catalogue,
    rows: &[usize],
    facts: &'a [ItemFacts],
) -> Vec<Candidate<'a>> {
    let one = |(&row, facts): (&usize, &'a ItemFacts)| Candidate {
        item: catalogue.id(row),
        facts,
        vector: catalogue.vector(row),
    };
    rows.iter().zip(facts).map(one).collect()
}

/// The state of one viewer.
#[derive(Default)]
struct Viewer {
    session: Session,
    age_band: Option<AgeBand>,
    language: Option<u16>,
}

impl<'a> Replay<'a> {
    /// Joins events that are in order of time.
    ///
    /// # Errors
    /// Impressions that cannot be joined, no slate at all, or events of which most name items that the catalogue
    /// lacks.
    pub fn new(catalogue: &'a Catalogue, events: Vec<Event>, label: Label) -> Result<Self> {
        let slates = join(&events, label)?;
        ensure!(
            !slates.is_empty(),
            "there are no impressions; log what was shown (docs/events.md) and try again"
        );
        let items: Vec<&ItemId> = events.iter().filter_map(item).collect();
        let unknown = items.iter().filter(|item| catalogue.row(item).is_none()).count();
        if unknown * 2 > items.len() {
            let example = items.iter().find(|item| catalogue.row(item).is_none());
            bail!(
                "{unknown} of {} events name items that the bundle lacks (such as {}); pass the bundle of the same \
                 catalogue",
                items.len(),
                example.map_or("", |item| item.as_str())
            );
        }
        Ok(Self {
            catalogue,
            events,
            slates,
            unknown,
        })
    }

    /// Events that name items which the catalogue lacks; they are left out.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Time of the last event, in milliseconds since 1970-01-01 UTC.
    pub fn end_ms(&self) -> i64 {
        self.events.last().map_or(0, |event| event.ts_ms)
    }

    /// The time that splits the slates: `share` (0 to 1) of them are earlier.
    pub fn split_ms(&self, share: f64) -> i64 {
        let place = (share * self.slates.len() as f64).round() as usize;
        self.slates.get(place).map_or(i64::MAX, |slate| slate.ts_ms)
    }

    /// Replays all events; `each` sees every slate as of the moment before it was shown. `tick` is called with the
    /// number of events done. Returns the counts of every row after the last event.
    ///
    /// # Errors
    /// What `each` returns, or an event that the session refuses.
    pub fn run(
        &self,
        mut each: impl FnMut(Moment<'_>) -> Result<()>,
        mut tick: impl FnMut(u64),
    ) -> Result<Vec<ItemStatistics>> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut viewers: Vec<Viewer> = Vec::new();
        let mut counts = vec![ItemStatistics::default(); self.catalogue.len()];
        let mut slates = self.slates.iter().peekable();
        for simultaneous in self.events.chunk_by(|a, b| a.ts_ms == b.ts_ms) {
            let now_ms = simultaneous.first().map_or(0, |event| event.ts_ms);
            let mut numbered = Vec::with_capacity(simultaneous.len());
            for event in simultaneous {
                let number = *numbers.entry(event.viewer.as_str()).or_insert(viewers.len());
                if number == viewers.len() {
                    viewers.push(Viewer::default());
                }
                viewers[number].declare(event, self.catalogue);
                numbered.push((number, event));
            }
            while let Some(slate) = slates.next_if(|slate| slate.ts_ms == now_ms) {
                let viewer = numbers
                    .get(self.events[slate.first_event].viewer.as_str())
                    .copied()
                    .unwrap_or_default();
                let facts = |row: usize| {
                    let mut facts = self.catalogue.facts(row);
                    counts[row].apply(&mut facts, now_ms);
                    facts
                };
                let Viewer {
                    session,
                    age_band,
                    language,
                } = &viewers[viewer];
                let user = UserFeatures {
                    age_band: *age_band,
                    language: *language,
                };
                each(Moment {
                    slate,
                    viewer,
                    session,
                    user,
                    facts: &facts,
                })?;
            }
            for (number, event) in numbered {
                take_in(event, self.catalogue, &mut viewers[number].session, &mut counts).with_context(
                    || {
                        format!(
                            "{} event of {} at {}",
                            event.kind.name(),
                            event.viewer,
                            event.ts_ms
                        )
                    },
                )?;
            }
            tick(simultaneous.len() as u64);
        }
        Ok(counts)
    }
}

impl Viewer {
    fn declare(&mut self, event: &Event, catalogue: &Catalogue) {
        self.age_band = event.age_band.or(self.age_band);
        self.language = event
            .language
            .as_deref()
            .and_then(|name| catalogue.language(name))
            .or(self.language);
    }
}

/// The item of an event.
fn item(event: &Event) -> Option<&ItemId> {
    match &event.kind {
        EventKind::Impression { item, .. }
        | EventKind::Click { item, .. }
        | EventKind::Watch { item, .. } => Some(item),
        EventKind::Search { .. } => None,
    }
}

/// Adds an event to its viewer's session and to the counts.
fn take_in(
    event: &Event,
    catalogue: &Catalogue,
    session: &mut Session,
    counts: &mut [ItemStatistics],
) -> Result<()> {
    let row = item(event).and_then(|item| catalogue.row(item));
    match (&event.kind, row) {
        (EventKind::Search { .. }, _) => session.search(event.ts_ms),
        (EventKind::Impression { .. }, Some(row)) => counts[row].impression(),
        (EventKind::Click { item, .. }, Some(row)) => {
            counts[row].click(event.ts_ms);
            let (vector, facts) = (catalogue.unit_vector(row)?, catalogue.facts(row));
            session.click(Click {
                item: item.clone(),
                ts_ms: event.ts_ms,
                vector,
                facts,
                watch_seconds: None,
            })?;
        }
        (EventKind::Watch { item, seconds, .. }, Some(_)) => session.watch(item, *seconds, event.ts_ms)?,
        (_, None) => {}
    }
    Ok(())
}

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
mod tests;
