//! What this browser knows of its viewer, and its form in the store.

use crate::types::Item;
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::session::{Click, MAX_CLICKS, Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

/// Layout of [`State`] that this program reads and writes.
const VERSION: u32 = 1;

/// The viewer's session, and what a page shows of the clicked videos.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Clicks, seen videos, searches.
    pub session: Session,
    /// Clicked videos, newest first, at most [`MAX_CLICKS`].
    watched: Vec<Item>,
    /// The bundle whose codes the clicks' facts are in; empty before the first click.
    bundle: String,
    /// The encoder of the clicks' vectors, where it is known.
    encoder: Option<String>,
}

/// [`Memory`] as plain data.
#[derive(Serialize, Deserialize)]
pub struct State {
    version: u32,
    bundle: String,
    encoder: Option<String>,
    session: SessionData,
    /// Newest first.
    pub watched: Vec<Item>,
}

impl Memory {
    /// Checks stored data as strictly as new clicks.
    ///
    /// # Errors
    /// Another layout or damage, in words for a developer.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let state: State = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if state.version != VERSION {
            return Err(format!("layout {}, expected {VERSION}", state.version));
        }
        let session = Session::try_from(state.session).map_err(|error| error.to_string())?;
        let mut watched = state.watched;
        watched.truncate(MAX_CLICKS);
        Ok(Self {
            session,
            watched,
            bundle: state.bundle,
            encoder: state.encoder,
        })
    }

    /// The memory as plain data.
    pub fn to_state(&self) -> State {
        State {
            version: VERSION,
            bundle: self.bundle.clone(),
            encoder: self.encoder.clone(),
            session: SessionData::from(&self.session),
            watched: self.watched.clone(),
        }
    }

    /// Marks a clicked video as seen, where it has no vector to learn from.
    pub fn click_without_vector(&mut self, id: ItemId, item: Item) {
        self.session.mark_seen(id);
        self.watch_next(item);
    }

    fn watch_next(&mut self, item: Item) {
        self.watched.retain(|old| old.id != item.id);
        self.watched.insert(0, item);
        self.watched.truncate(MAX_CLICKS);
    }

    /// Takes in a click and the card of its video.
    ///
    /// # Errors
    /// The vector does not fit those before it.
    pub fn click(&mut self, click: Click, item: Item) -> Result<(), SessionError> {
        self.session.click(click)?;
        self.watch_next(item);
        Ok(())
    }

    /// A clicked video.
    pub fn watched(&self, id: &str) -> Option<&Item> {
        self.watched.iter().find(|item| item.id == id)
    }

    /// Drops the clicks' vectors where another model made them; what was seen stays seen. Two encoders are compared
    /// only where both are known.
    pub fn keep_compatible(&mut self, dim: usize, encoder: Option<&str>) {
        let other = |ours: &str| encoder.is_some_and(|theirs| theirs != ours);
        let dim = if self.encoder.as_deref().is_some_and(other) {
            0
        } else {
            dim
        };
        self.session.keep_dimension(dim);
        if let Some(encoder) = encoder {
            self.encoder = Some(encoder.to_owned());
        }
    }

    /// Reads the clicks' facts anew where the bundle changed, because its codes did. A video that `facts_of` does not
    /// know keeps its numbers and loses its codes.
    pub fn follow_bundle(&mut self, bundle: &str, facts_of: impl Fn(&ItemId) -> Option<ItemFacts>) {
        if self.bundle == bundle {
            return;
        }
        let old: Vec<(ItemId, ItemFacts)> = self
            .session
            .clicks()
            .iter()
            .map(|click| (click.item.clone(), click.facts))
            .collect();
        let numbers = |id: &ItemId| {
            old.iter()
                .find(|(item, _)| item == id)
                .map(|(_, facts)| ItemFacts {
                    category: ItemFacts::NO_CODE,
                    language: ItemFacts::NO_CODE,
                    creator: ItemFacts::NO_CREATOR,
                    ..*facts
                })
        };
        self.session.refresh(|id| facts_of(id).or_else(|| numbers(id)));
        bundle.clone_into(&mut self.bundle);
    }
}
