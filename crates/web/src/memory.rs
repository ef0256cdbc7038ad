//! What this browser knows of its viewer, and its form in the store.

use crate::log::Identity;
use crate::types::Item;
use recsys_core::aggregates::{Batch, StoredBatch};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::cowatch::Neighbour;
use recsys_core::experiments::LocalKey;
use recsys_core::json::{self, FromJson, Json, JsonError};
use recsys_core::privacy::Memo;
use recsys_core::privacy::noised::Ledger;
use recsys_core::session::{Click, MAX_CLICKS, Session, SessionData, SessionError};
use serde::Serialize;

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
    /// Who the log is of.
    pub identity: Identity,
    /// Counts that wait to be sent.
    pub counts: Batch,
    /// What deals this browser its arms, 32 hexadecimal digits; never sent.
    key: String,
    /// Arms that were counted as entered, and the outcomes counted in each: experiment, arm, clicks.
    pub entered: Vec<(String, String, u64)>,
    /// The name of history mode at the server, once it was picked; 32 hexadecimal digits.
    pub viewer: String,
    /// What noised mode reported, and its cost.
    pub ledger: Ledger,
    /// What bucket mode asked for in this epoch.
    pub bucket: Memo,
}

/// [`Memory`] as plain data.
#[derive(Serialize)]
pub struct State {
    version: u32,
    bundle: String,
    encoder: Option<String>,
    session: SessionData,
    /// Newest first.
    pub watched: Vec<Item>,
    identity: Identity,
    counts: StoredBatch,
    key: String,
    entered: Vec<(String, String, u64)>,
    viewer: String,
    noised: Ledger,
    bucket: Memo,
}

impl<'a> FromJson<'a> for State {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                version: fields.get("version")?,
                bundle: fields.get("bundle")?,
                encoder: fields.get("encoder")?,
                session: fields.get("session")?,
                watched: fields.get("watched")?,
                identity: fields.get_or("identity", Identity::default())?,
                counts: fields.get_or("counts", StoredBatch::default())?,
                key: fields.get_or("key", String::new())?,
                entered: fields.get_or("entered", Vec::new())?,
                viewer: fields.get_or("viewer", String::new())?,
                noised: fields.get_or("noised", Ledger::default())?,
                bucket: fields.get_or("bucket", Memo::default())?,
            })
        })
    }
}

impl Memory {
    /// Checks stored data as strictly as new clicks.
    ///
    /// # Errors
    /// Another layout or damage, in words for a developer.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let state: State = json::read(text).map_err(|error| error.to_string())?;
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
            identity: state.identity,
            counts: state.counts.into(),
            key: state.key,
            entered: state.entered,
            viewer: state.viewer,
            ledger: state.noised,
            bucket: state.bucket,
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
            identity: self.identity.clone(),
            counts: StoredBatch::from(&self.counts),
            key: self.key.clone(),
            entered: self.entered.clone(),
            viewer: self.viewer.clone(),
            noised: self.ledger.clone(),
            bucket: self.bucket.clone(),
        }
    }

    /// The key of this browser's arms; `random` draws the digits of one where there is none.
    pub fn local_key(&mut self, random: impl FnOnce() -> String) -> Option<LocalKey> {
        if LocalKey::from_hex(&self.key).is_none() {
            self.key = random();
        }
        LocalKey::from_hex(&self.key)
    }

    /// A viewer of whom nothing is known, in this one's arms.
    pub fn anew(&self) -> Self {
        Self {
            key: self.key.clone(),
            ..Self::default()
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

    /// Reads the clicks' facts and neighbours anew where the bundle changed, because its codes did. A video that `known`
    /// does not have keeps its numbers and neighbours and loses its codes.
    pub fn follow_bundle(
        &mut self,
        bundle: &str,
        known: impl Fn(&ItemId) -> Option<(ItemFacts, Vec<Neighbour>)>,
    ) {
        if self.bundle == bundle {
            return;
        }
        for item in &mut self.watched {
            item.sprite = None;
        }
        self.session.refresh(|id, facts, neighbours| match known(id) {
            Some(new) => (*facts, *neighbours) = new,
            None => {
                facts.category = ItemFacts::NO_CODE;
                facts.language = ItemFacts::NO_CODE;
                facts.creator = ItemFacts::NO_CREATOR;
                facts.tags = 0;
            }
        });
        bundle.clone_into(&mut self.bundle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::to_json;
    use recsys_core::vector::UnitVector;

    fn id(id: &str) -> ItemId {
        ItemId::new(id).unwrap()
    }

    fn memory(bundle: &str) -> Memory {
        let mut memory = Memory::default();
        memory.follow_bundle(bundle, |_| None);
        for (ts_ms, name) in (1..).zip(["a", "b"]) {
            let click = Click {
                item: id(name),
                ts_ms,
                vector: UnitVector::new(vec![0.6, 0.1, ts_ms as f32]).unwrap(),
                facts: ItemFacts {
                    category: 3,
                    duration_s: 9.5,
                    ..ItemFacts::unknown()
                },
                neighbours: vec![Neighbour { item: 5, weight: 6 }],
                after_search: false,
                watch_seconds: None,
            };
            memory.click(click, Item::from_card(name, "{}")).unwrap();
        }
        memory
    }

    #[test]
    fn the_stored_text_reads_back_the_same() {
        let memory = memory("one");
        let text = to_json(&memory.to_state()).unwrap();
        let read = Memory::from_json(&text).unwrap();
        let clicks = |memory: &Memory| {
            let click = |c: &Click| {
                (
                    c.item.clone(),
                    c.ts_ms,
                    c.facts.category,
                    c.facts.duration_s.to_bits(),
                )
            };
            memory.session.clicks().iter().map(click).collect::<Vec<_>>()
        };
        assert_eq!(clicks(&read), clicks(&memory));
        assert_eq!(read.to_state().watched, memory.to_state().watched);
        let ids: Vec<_> = read.watched.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["b", "a"], "newest first");
    }

    #[test]
    fn damaged_or_foreign_data_is_refused() {
        let good = to_json(&memory("one").to_state()).unwrap();
        assert!(Memory::from_json(&good).is_ok());
        for (from, to) in [
            ("\"version\":1,\"bundle\"", "\"version\":2,\"bundle\""),
            ("\"item\":\"a\"", "\"item\":\"\""),
            ("\"ts_ms\":1", "\"ts_ms\":\"x\""),
            ("\"vector\":[", "\"vector\":[1e99,"),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(Memory::from_json(&good.replacen(from, to, 1)).is_err(), "{to}");
        }
        assert!(Memory::from_json(good.get(..good.len() / 2).unwrap()).is_err());
    }

    #[test]
    fn a_new_bundle_gives_new_codes_and_an_unknown_video_keeps_its_numbers() {
        let mut memory = memory("one");
        let new = ItemFacts {
            category: 8,
            ..ItemFacts::unknown()
        };
        memory.follow_bundle("two", |item| (*item == id("b")).then(|| (new, Vec::new())));
        let facts: Vec<_> = memory.session.clicks().iter().map(|click| click.facts).collect();
        assert_eq!(
            (facts[0].category, facts[0].duration_s),
            (ItemFacts::NO_CODE, 9.5)
        );
        assert_eq!(facts[1].category, 8);
        let neighbours = |at: usize| memory.session.clicks()[at].neighbours.len();
        assert_eq!((neighbours(0), neighbours(1)), (1, 0));
        memory.follow_bundle("two", |_| None);
        assert_eq!(
            memory.session.clicks()[1].facts.category,
            8,
            "the same bundle changes nothing"
        );
    }

    #[test]
    fn vectors_of_another_model_go_and_what_was_seen_stays() {
        let mut kept = memory("one");
        kept.keep_compatible(3, None);
        kept.keep_compatible(3, Some("model"));
        kept.keep_compatible(3, None);
        assert_eq!(kept.session.clicks().len(), 2);
        for (dim, encoder) in [(3, "other"), (4, "model")] {
            let mut changed = kept.clone();
            changed.keep_compatible(dim, Some(encoder));
            assert!(changed.session.clicks().is_empty(), "{dim} {encoder}");
            assert_eq!(changed.session.seen().len(), 2);
        }
    }
}
