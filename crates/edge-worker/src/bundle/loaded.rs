//! A bundle in memory: which of its segments are at hand, and how much they take.

use crate::clock::now_ms;
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::{Manifest, SegmentEntry};
use recsys_core::milvus::contents;
use recsys_core::removed::Removed;
use recsys_core::segment::{Segment, Segments, Slot};
use recsys_core::shard::Scratch;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of one segment.
#[derive(Clone, Debug)]
pub enum State {
    /// It is not here.
    Absent,
    /// It is on its way since then, in milliseconds.
    Loading(u64),
    /// It is here whole.
    Ready,
    /// A part of it could not be had at that time, in milliseconds, and why.
    Failed(u64, String),
}

/// A bundle. It changes by the segments that come and go.
pub struct Loaded {
    /// Name: the start of the manifest's hash.
    pub id: String,
    /// Name of its videos in engines that hold them.
    pub contents: String,
    /// The manifest as it was read.
    pub manifest_bytes: Vec<u8>,
    /// The manifest.
    pub manifest: Manifest,
    /// What codes name.
    pub dictionaries: DictionaryFile,
    /// The segments at hand, and which of them to ask. Never borrowed across an await.
    pub segments: RefCell<Segments>,
    /// Memory of the search; requests of an isolate run one at a time between awaits.
    pub scratch: RefCell<Scratch>,
    removed: Option<Removed>,
    /// What is wrong beside the segments.
    note: Option<String>,
    states: RefCell<Vec<State>>,
    /// When each segment was last asked, by a count of askings.
    used: RefCell<Vec<u64>>,
    clock: Cell<u64>,
}

impl Loaded {
    /// A bundle of which no segment is here.
    pub fn new(
        id: String,
        manifest_bytes: Vec<u8>,
        manifest: Manifest,
        dictionaries: DictionaryFile,
        removed: Option<Removed>,
        segments: Segments,
        note: Option<String>,
    ) -> Self {
        let count = manifest.segments.len();
        Self {
            id,
            contents: contents(&manifest),
            manifest_bytes,
            manifest,
            dictionaries,
            segments: RefCell::new(segments),
            scratch: RefCell::new(Scratch::default()),
            removed,
            note,
            states: RefCell::new(vec![State::Absent; count]),
            used: RefCell::new(vec![0; count]),
            clock: Cell::new(0),
        }
    }

    /// Whether something beside the segments is missing.
    pub const fn has_note(&self) -> bool {
        self.note.is_some()
    }

    /// The state of a segment.
    pub fn state(&self, number: usize) -> State {
        let states = self.states.borrow();
        states.get(number).cloned().unwrap_or(State::Absent)
    }

    /// Whether a segment is on its way.
    pub fn is_loading(&self) -> bool {
        let loading = |state: &State| matches!(state, State::Loading(_));
        self.states.borrow().iter().any(loading)
    }

    /// Sets the state of a segment.
    pub fn set_state(&self, number: usize, state: State) {
        if let Some(own) = self.states.borrow_mut().get_mut(number) {
            *own = state;
        }
    }

    /// Ends the loading of a segment.
    pub fn settle(&self, number: usize, faults: Vec<String>) {
        let state = match faults.is_empty() {
            true => State::Ready,
            false => State::Failed(now_ms(), faults.join("; ")),
        };
        self.set_state(number, state);
    }

    /// Puts a segment in its place, in whatever state it is.
    ///
    /// # Errors
    /// The tombstones do not fit it.
    pub fn insert(&self, number: usize, segment: Arc<Segment>) -> Result<(), String> {
        let Some(entry) = self.manifest.segments.get(number) else {
            return Err("there is no such segment".to_owned());
        };
        let removed = self.removed.as_ref().map(|removed| removed.rows(number));
        let slot = Slot::new(segment, entry, removed.unwrap_or_default()).map_err(|e| e.to_string())?;
        self.segments.borrow_mut().put(number, Some(slot));
        Ok(())
    }

    /// Takes over the segments that `old` holds whole, of the same files.
    pub fn take_over(&self, old: &Self) {
        for (number, entry) in self.manifest.segments.iter().enumerate() {
            let same = |known: &SegmentEntry| known.home == entry.home && known.files().eq(entry.files());
            let known = old.manifest.segments.iter().position(same);
            let Some(known) = known.filter(|known| matches!(old.state(*known), State::Ready)) else {
                continue;
            };
            let segment = old
                .segments
                .borrow()
                .get(known)
                .map(|slot| Arc::clone(slot.segment()));
            if let Some(segment) = segment
                && self.insert(number, segment).is_ok()
            {
                self.set_state(number, State::Ready);
            }
        }
    }

    /// Notes that these segments are asked.
    pub fn touch(&self, numbers: &[usize]) {
        self.clock.set(self.clock.get() + 1);
        let mut used = self.used.borrow_mut();
        for number in numbers {
            if let Some(used) = used.get_mut(*number) {
                *used = self.clock.get();
            }
        }
    }

    /// Bytes of the segments that are here or on their way, by their shard's file.
    fn holds(&self) -> HashMap<&str, u64> {
        let states = self.states.borrow();
        let entries = self.manifest.segments.iter().zip(states.iter());
        let held = entries.filter(|(_, state)| !matches!(state, State::Absent));
        held.map(|(entry, _)| (entry.shard.file.as_str(), entry.bytes()))
            .collect()
    }

    /// Lets the segment go that was asked longest ago, but none of `keep`. False where there is none.
    pub fn evict(&self, keep: &dyn Fn(usize) -> bool) -> bool {
        let here = |number: &usize| matches!(self.state(*number), State::Ready | State::Failed(..));
        let candidates = (0..self.manifest.segments.len()).filter(|number| here(number) && !keep(*number));
        let used = self.used.borrow();
        let Some(oldest) = candidates.min_by_key(|number| used.get(*number)) else {
            return false;
        };
        self.segments.borrow_mut().put(oldest, None);
        self.set_state(oldest, State::Absent);
        true
    }

    /// Whether a segment of the same files is one of this bundle's.
    pub fn shares(&self, entry: &SegmentEntry) -> bool {
        self.manifest.segments.iter().any(|own| own.shard == entry.shard)
    }

    /// What is missing, in words.
    pub fn fault(&self) -> Option<String> {
        let states = self.states.borrow();
        let failed = states
            .iter()
            .enumerate()
            .filter_map(|(number, state)| match state {
                State::Failed(_, why) => Some(format!("segment {number}: {why}")),
                _ => None,
            });
        let all: Vec<String> = self.note.iter().cloned().chain(failed).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Bytes of the segments that these bundles hold together, or wait for.
pub fn held(bundles: &[&Loaded]) -> u64 {
    let mut all = HashMap::new();
    bundles.iter().for_each(|bundle| all.extend(bundle.holds()));
    all.values().sum()
}
