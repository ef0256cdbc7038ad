//! Events in: what changes the memory, together with the store.

use super::Recommender;
use crate::failure::Failure;
use crate::host::now_ms;
use crate::memory::Memory;
use crate::options::Event;
use crate::store::Change;
use crate::types::Item;
use recsys_core::candidates::Candidate;
use recsys_core::catalogue::ItemId;
use recsys_core::session::Click;
use recsys_core::vector::UnitVector;

impl Recommender {
    /// Takes in an event and stores it.
    ///
    /// # Errors
    /// `UnknownItem`. `Storage`: the event counts all the same, until the page is closed.
    pub async fn record(&mut self, event: Event) -> Result<(), Failure> {
        let now_ms = now_ms();
        match event {
            Event::Click(id) => {
                let (click, item) = self.clicked(&id, now_ms)?;
                self.change(|memory| match click {
                    Some(click) => memory.click(click, item).map_err(Failure::bad_reply),
                    None => {
                        memory.click_without_vector(id, item);
                        Ok(())
                    }
                })
                .await
            }
            Event::Watch(id, seconds) => {
                if self.candidate(&id).is_none() && self.memory.watched(id.as_str()).is_none() {
                    return Err(Failure::unknown_item(id.as_str()));
                }
                let watch = |memory: &mut Memory| memory.session.watch(&id, seconds, now_ms);
                self.change(|memory| watch(memory).map_err(Failure::bad_reply))
                    .await
            }
            Event::Search(query) => {
                self.change(|memory| {
                    memory.session.search(&query, now_ms);
                    Ok(())
                })
                .await
            }
            Event::Impression => Ok(()),
        }
    }

    /// A click on a video that this browser knows; `None` where the server had no vector for it.
    fn clicked(&self, id: &ItemId, ts_ms: i64) -> Result<(Option<Click>, Item), Failure> {
        if let Some(candidate) = self.candidate(id) {
            let item = Item::from_card(id.as_str(), &candidate.card);
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
        recent.or_else(|| self.local.as_ref()?.candidate(id))
    }

    /// Changes the memory in one transaction with the store, on top of what other tabs have stored.
    async fn change(
        &mut self,
        apply: impl FnOnce(&mut Memory) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let begun = self.store.begin().await;
        let begun = match begun {
            Ok(change) if !self.unsaved => self.catch_up(change).await,
            begun => begun,
        };
        apply(&mut self.memory)?;
        let saved = match begun {
            Ok(change) => self.store.write(change, &self.memory).await,
            Err(failure) => Err(failure),
        };
        self.unsaved = saved.is_err();
        saved
    }

    async fn catch_up(&mut self, change: Change) -> Result<Change, Failure> {
        let stored = self.store.read_in(&change).await?;
        self.adopt(stored);
        self.settle();
        Ok(change)
    }
}
