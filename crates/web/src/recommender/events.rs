//! Events in: what changes the memory, together with the store.

use super::Recommender;
use crate::failure::Failure;
use crate::host::random_name;
use crate::options::Event;
use crate::store::{Change, Lines, Log};
use crate::types::Item;
use recsys_core::candidates::Candidate;
use recsys_core::catalogue::ItemId;
use recsys_core::events::{Entry, LONG_WATCH_SECONDS};
use recsys_core::privacy::Mode;
use recsys_core::segment::Conditions;
use recsys_core::session::Click;
use recsys_core::vector::UnitVector;

impl Recommender {
    /// Takes in an event and stores it.
    ///
    /// # Errors
    /// `UnknownItem`. `Storage`: the event counts all the same, until the page is closed.
    pub async fn record(&mut self, event: Event) -> Result<(), Failure> {
        let begun = self.begin().await;
        let ts = self.tick();
        let lines = match &event {
            Event::Click(id, request) => self.click(ts, id, request.as_deref()),
            Event::Watch(id, seconds, request) => self.watch(ts, id, *seconds, request.as_deref()),
            Event::Search(query) => Ok(self.search_for(ts, query)),
            Event::Impression(items, request) => self.impressions(items, request.as_deref()),
        };
        let saved = self.save(begun, &lines?).await;
        if self.mode == Mode::History {
            self.send_event(ts, &event).await;
        }
        saved
    }

    fn click(&mut self, ts: i64, id: &ItemId, request: Option<&str>) -> Result<Lines, Failure> {
        let (click, item) = self.clicked(id, ts)?;
        if self.counting() {
            self.memory.count_click(id, ts);
            if let Some(origin) = self.shown.origin(request, id) {
                self.memory.count_outcomes(origin.arms());
            }
        }
        self.take_in(id, click, item)?;
        let entry = Entry {
            item: Some(id.as_str()),
            ..entry(ts, "click")
        };
        Ok(self.action(entry, request))
    }

    fn take_in(&mut self, id: &ItemId, click: Option<Click>, item: Item) -> Result<(), Failure> {
        match click {
            Some(click) => self.memory.click(click, item).map_err(Failure::bad_reply),
            None => {
                self.memory.click_without_vector(id.clone(), item);
                Ok(())
            }
        }
    }

    fn watch(&mut self, ts: i64, id: &ItemId, seconds: f32, request: Option<&str>) -> Result<Lines, Failure> {
        let (click, item) = self.clicked(id, ts)?;
        // Whoever watches long without a click here came from elsewhere: it counts as one, as it does in training.
        if seconds >= LONG_WATCH_SECONDS && !self.memory.session.seen().contains(id) {
            self.take_in(id, click, item)?;
        }
        let session = &mut self.memory.session;
        session.watch(id, seconds, ts).map_err(Failure::bad_reply)?;
        let entry = Entry {
            item: Some(id.as_str()),
            watch_seconds: Some(seconds),
            ..entry(ts, "watch")
        };
        Ok(self.action(entry, request))
    }

    fn search_for(&mut self, ts: i64, query: &str) -> Lines {
        self.memory.session.search(query, ts);
        let entry = Entry {
            query: Some(query),
            ..entry(ts, "search")
        };
        self.action(entry, None)
    }

    /// Reported once for each place of a slate; later reports change nothing.
    fn impressions(&mut self, items: &[ItemId], request: Option<&str>) -> Result<Lines, Failure> {
        let counting = self.counting();
        let mut lines = Vec::new();
        for impression in self.shown.report(request, items)? {
            if counting {
                self.memory.count_impression(impression.item(), impression.arms());
            }
            let arms = impression.arms_text();
            let entry = Entry {
                arm: arms.as_deref(),
                ..impression.entry()
            };
            let identity = self.memory.identity.at(entry.ts, random_name);
            lines.push(identity.line(entry, self.declared.user()));
        }
        let log = Log::Impressions;
        Ok(Lines { log, lines })
    }

    /// The line of a click, a watch or a search, with the slate that it came from.
    fn action(&mut self, entry: Entry<'_>, request: Option<&str>) -> Lines {
        let item = entry.item.and_then(|id| ItemId::new(id).ok());
        let origin = item.and_then(|id| self.shown.origin(request, &id));
        let entry = Entry {
            request: origin.as_ref().map(|origin| origin.origin().0),
            position: origin.as_ref().map(|origin| origin.origin().1),
            ..entry
        };
        let identity = self.memory.identity.at(entry.ts, random_name);
        Lines {
            log: Log::Actions,
            lines: vec![identity.line(entry, self.declared.user())],
        }
    }

    /// A click on a video that this browser knows; `None` where the server had no vector for it.
    fn clicked(&self, id: &ItemId, ts_ms: i64) -> Result<(Option<Click>, Item), Failure> {
        if let Some(candidate) = self.candidate(id) {
            let mut item = Item::from_card(id.as_str(), &candidate.card);
            // A video of a cluster that is not fetched any more would else have no still.
            item.sprite = self.sprite(id.as_str());
            let click = |vector| Click {
                item: id.clone(),
                ts_ms,
                vector,
                facts: candidate.facts,
                neighbours: candidate.neighbours,
                after_search: false,
                watch_seconds: None,
            };
            return Ok((UnitVector::new(candidate.vector).ok().map(click), item));
        }
        let item = self.memory.watched(id.as_str());
        let item = item.ok_or_else(|| Failure::unknown_item(id.as_str()))?.clone();
        let mut clicks = self.memory.session.clicks().iter();
        let again = clicks.find(|click| click.item == *id).cloned();
        Ok((again.map(|click| Click { ts_ms, ..click }), item))
    }

    fn candidate(&self, id: &ItemId) -> Option<Candidate> {
        let recent = self.recent.candidate(id.as_str()).cloned();
        recent.or_else(|| {
            self.local
                .as_ref()?
                .candidate(id.as_str(), &Conditions::default())
        })
    }

    /// Starts a change of the memory in one transaction with the store, on top of what other tabs have stored.
    pub(super) async fn begin(&mut self) -> Result<Change, Failure> {
        let change = self.store.begin().await?;
        if !self.unsaved {
            let stored = self.store.read_in(&change).await?;
            self.adopt(stored);
            self.settle();
        }
        Ok(change)
    }

    /// Ends a change: stores the memory as it is now, and lines of the log.
    pub(super) async fn save(
        &mut self,
        begun: Result<Change, Failure>,
        lines: &Lines,
    ) -> Result<(), Failure> {
        let saved = match begun {
            Ok(change) => self.store.write(change, &self.memory, lines).await,
            Err(failure) => Err(failure),
        };
        self.unsaved = saved.is_err();
        self.stored |= saved.is_ok();
        saved
    }
}

fn entry(ts: i64, event: &str) -> Entry<'_> {
    Entry {
        ts,
        event,
        ..Entry::default()
    }
}
