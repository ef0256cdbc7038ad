//! Events replayed in order of time through core's own session code, for training and for evaluation.
//!
//! Whatever a [`Moment`] holds was known before its slate was shown: the viewer's history and every count come from
//! events with an earlier time.

mod aggregates;
mod catalogue;
mod read;
mod sampling;
mod statistics;

pub use aggregates::Aggregates;
pub use catalogue::Catalogue;
pub use read::read_events;
pub use sampling::{SAMPLED_ARM, Sampling};
pub use statistics::Statistics;

use crate::bundle::Bundle;
use anyhow::{Context, Result, bail, ensure};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::events::{Event, EventKind, LONG_WATCH_SECONDS, Label, Slate, UNIFORM_ARM, join};
use recsys_core::features::{Candidate, UserFeatures};
use recsys_core::session::{Click, Session};
use sampling::{Sampler, chosen};
use std::borrow::Cow;
use std::collections::HashMap;

/// A click counts as chosen along with this many clicks of its viewer before it. On MovieLens, co-watch alone ranks better
/// with 20 (NDCG@10 .247) than with all of a viewer's likes (.212).
const CO_WATCH_WINDOW: usize = 20;

/// Events and their slates over one catalogue.
pub struct Replay<'a> {
    catalogue: &'a Catalogue,
    events: Vec<Event>,
    slates: Vec<Slate>,
    label: Label,
    /// Slates hold their positive alone until negatives are drawn.
    sampling: Option<Sampling>,
    /// Counts from before the first event.
    aggregates: Aggregates,
    /// Clicks are taken in with what the bundle says of their items, not with the counts of their moment.
    served: Option<Served<'a>>,
    /// Clicked or shown items that the catalogue lacks, counted by event.
    unknown: usize,
}

/// What a bundle says of its items.
#[derive(Clone, Copy)]
struct Served<'a> {
    bundle: &'a Bundle,
}

/// What was known when a slate was shown.
pub struct Moment<'a> {
    /// The slate, with its labels.
    pub slate: &'a Slate,
    /// Number of the viewer, from 0.
    pub viewer: usize,
    /// The viewer's name in the log.
    pub name: &'a str,
    /// The viewer's history.
    pub session: &'a Session,
    /// What the viewer declared so far.
    pub user: UserFeatures,
    /// Clicks of all viewers so far.
    pub clicks: u64,
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
        card: catalogue.card(row),
        vector: catalogue.vector(row),
    };
    rows.iter().zip(facts).map(one).collect()
}

/// The state of one viewer.
#[derive(Default)]
struct Viewer {
    session: Session,
    user: UserFeatures,
}

impl<'a> Replay<'a> {
    /// Joins events that are in order of time; with `sampling.negatives`, what was chosen becomes slates instead.
    ///
    /// # Errors
    /// Impressions that cannot be joined, no slate at all, or events of which most name items that the catalogue
    /// lacks.
    pub fn open(
        catalogue: &'a Catalogue,
        events: Vec<Event>,
        label: Label,
        sampling: Sampling,
        aggregates: Aggregates,
    ) -> Result<Self> {
        let sampling = sampling.negatives.map(|_| sampling);
        let slates = match sampling {
            None => join(&events, label)?,
            Some(sampling) => sampling::slates(&events, catalogue, label, sampling.history),
        };
        ensure!(
            !slates.is_empty() || sampling.is_some(),
            "there are no impressions; log what was shown (docs/events.md), or draw slates with --negatives"
        );
        ensure!(
            !slates.is_empty(),
            "no viewer chose anything after enough earlier choices; log more, or pass a smaller --history"
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
            label,
            sampling,
            aggregates,
            served: None,
            unknown,
        })
    }

    /// Histories as a browser keeps them that has this bundle: counts and co-watch lists as they stand there.
    pub fn served(self, bundle: &'a Bundle) -> Self {
        let served = Some(Served { bundle });
        Self { served, ..self }
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

    #[cfg(test)]
    pub fn new(catalogue: &'a Catalogue, events: Vec<Event>, label: Label) -> Result<Self> {
        Self::open(
            catalogue,
            events,
            label,
            Sampling::default(),
            Aggregates::default(),
        )
    }

    /// Slates earlier than `split_ms`.
    pub fn slates_before(&self, split_ms: i64) -> usize {
        self.slates.partition_point(|slate| slate.ts_ms < split_ms)
    }

    /// Whether slates were drawn rather than logged.
    pub fn sampled(&self) -> bool {
        self.sampling.is_some()
    }

    /// Replays all events; `each` sees every slate as of the moment before it was shown. `tick` is called with the
    /// number of events done. Returns the counts after the last event.
    ///
    /// # Errors
    /// What `each` returns, or an event that the session refuses.
    pub fn run(
        &self,
        mut each: impl FnMut(Moment<'_>) -> Result<()>,
        mut tick: impl FnMut(u64),
    ) -> Result<Statistics> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut viewers: Vec<Viewer> = Vec::new();
        let mut counts = self.statistics();
        let mut sampler = self
            .sampling
            .map(|options| Sampler::new(options, self.catalogue.len()));
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
                let name = self.events[slate.first_event].viewer.as_str();
                let viewer = numbers.get(name).copied().unwrap_or_default();
                let Viewer { session, user } = &viewers[viewer];
                let slate = match &sampler {
                    None => Cow::Borrowed(slate),
                    Some(sampler) => match sampler.fill(slate, self.catalogue, session.seen()) {
                        Some(filled) => Cow::Owned(filled),
                        None => continue,
                    },
                };
                each(Moment {
                    slate: &slate,
                    viewer,
                    name,
                    session,
                    user: *user,
                    clicks: counts.clicks(),
                    facts: &|row| counts.facts(self.catalogue, row, now_ms),
                })?;
            }
            for (number, event) in numbered {
                self.take_in(event, &mut viewers[number].session, &mut counts)
                    .with_context(|| {
                        format!(
                            "{} event of {} at {}",
                            event.kind.name(),
                            event.viewer,
                            event.ts_ms
                        )
                    })?;
                let row = chosen(event, self.label).and_then(|item| self.catalogue.row(item));
                if let (Some(sampler), Some(row)) = (&mut sampler, row) {
                    sampler.choose(row);
                }
            }
            tick(simultaneous.len() as u64);
        }
        Ok(counts)
    }

    /// The counts before the first event. Impressions are known where any are logged or aggregated.
    fn statistics(&self) -> Statistics {
        let shown = |event: &Event| matches!(event.kind, EventKind::Impression { .. });
        let mut counts = Statistics::new(self.catalogue.len(), self.events.iter().any(shown));
        self.aggregates.apply(&mut counts);
        counts
    }

    /// Adds an event to its viewer's session and to the counts. An item that is watched long without a click was chosen
    /// elsewhere: it counts as clicked.
    fn take_in(&self, event: &Event, session: &mut Session, counts: &mut Statistics) -> Result<()> {
        let catalogue = self.catalogue;
        let row = item(event).and_then(|item| catalogue.row(item));
        match (&event.kind, row) {
            (EventKind::Search { query }, _) => session.search(query, event.ts_ms),
            (EventKind::Impression { .. }, Some(row)) => counts.impression(row),
            (EventKind::Click { item, .. }, Some(row)) => {
                self.click(session, counts, item, row, event.ts_ms)?;
            }
            (EventKind::Watch { item, seconds, .. }, Some(row)) => {
                if *seconds >= LONG_WATCH_SECONDS && !session.seen().contains(item) {
                    self.click(session, counts, item, row, event.ts_ms)?;
                }
                session.watch(item, *seconds, event.ts_ms)?;
            }
            // Settled when they were read.
            (EventKind::Forget, _) | (_, None) => {}
        }
        Ok(())
    }

    /// Takes in a click with what the item's facts and neighbours were at that moment, as a browser keeps them.
    fn click(
        &self,
        session: &mut Session,
        counts: &mut Statistics,
        item: &ItemId,
        row: usize,
        ts_ms: i64,
    ) -> Result<()> {
        let catalogue = self.catalogue;
        let (facts, neighbours) = match self.served {
            Some(Served { bundle }) => (catalogue.facts(row), bundle.neighbours(row)),
            None => (
                counts.facts(catalogue, row, ts_ms),
                counts.neighbours(catalogue, row),
            ),
        };
        let known = session.clicks().iter().any(|click| click.item == *item);
        let others = session
            .recent(CO_WATCH_WINDOW)
            .iter()
            .filter_map(|click| catalogue.row(&click.item));
        counts.click(row, ts_ms, (!known).then_some(others));
        session.click(Click {
            item: item.clone(),
            ts_ms,
            vector: catalogue.unit_vector(row)?,
            facts,
            neighbours,
            after_search: false,
            watch_seconds: None,
        })?;
        Ok(())
    }
}

impl Viewer {
    fn declare(&mut self, event: &Event, catalogue: &Catalogue) {
        let user = &mut self.user;
        user.age_band = event.age_band.or(user.age_band);
        user.gender = event.gender.or(user.gender);
        user.segment = event.segment.or(user.segment);
        user.device = event.device.or(user.device);
        let language = event
            .language
            .as_deref()
            .map(|name| catalogue.language(name).unwrap_or(UserFeatures::OTHER_LANGUAGE));
        user.language = language.or(user.language);
    }
}

/// The item of an event.
fn item(event: &Event) -> Option<&ItemId> {
    match &event.kind {
        EventKind::Impression { item, .. }
        | EventKind::Click { item, .. }
        | EventKind::Watch { item, .. } => Some(item),
        EventKind::Search { .. } | EventKind::Forget => None,
    }
}

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
mod tests;
