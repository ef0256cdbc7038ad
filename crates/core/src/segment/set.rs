//! The segments of a bundle, searched as one.

use super::nearest::Nearest;
use super::{Filter, Router, RowSet, Segment, SegmentError};
use crate::manifest::{Manifest, SegmentEntry};
use crate::order::by_score_and_row;
use crate::shard::{Hit, QueryError, Scratch, Shard};
use crate::vector::UnitVector;
use std::sync::Arc;

/// A segment that is at hand, with the rows that were not removed since it was written.
#[derive(Clone, Debug)]
pub struct Slot {
    segment: Arc<Segment>,
    live: RowSet,
}

impl Slot {
    /// `removed` are the tombstones of the segment that `entry` names.
    ///
    /// # Errors
    /// A tombstone for a row that the segment does not have.
    pub fn new(segment: Arc<Segment>, entry: &SegmentEntry, removed: &[u32]) -> Result<Self, SegmentError> {
        let rows = segment.items().len();
        let mut live = RowSet::all(rows);
        for row in removed {
            let row = *row as usize;
            let bad = usize::from(row >= rows);
            SegmentError::check(&entry.items.file, "tombstones of rows that it lacks", 0, bad)?;
            live.remove(row);
        }
        Ok(Self { segment, live })
    }

    /// The segment.
    #[must_use]
    pub const fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// The rows that were not removed.
    #[must_use]
    pub const fn live(&self) -> &RowSet {
        &self.live
    }

    /// The rows that may come.
    pub(super) fn accepted(&self, wanted: &Wanted<'_>) -> RowSet {
        let items = self.segment.items();
        let mut rows = self.live.clone();
        for row in wanted.exclude.iter().filter_map(|id| items.row(id)) {
            rows.remove(row);
        }
        if !wanted.filter.is_empty() {
            rows.retain(&|row| wanted.filter.accepts(items, row));
        }
        rows
    }

    /// How many of these rows are not copies of videos that another segment has.
    pub(super) fn at_home(&self, rows: &RowSet) -> usize {
        rows.count_below(self.segment.home())
    }
}

/// What a caller wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// How many videos.
    pub k: usize,
    /// Which of them may come.
    pub filter: &'a Filter,
    /// Ids of videos that must not come, such as those that were seen.
    pub exclude: &'a [&'a str],
}

/// A video and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// Its segment.
    pub segment: &'a Segment,
    /// Its row in the segment's item table and, where the segment has vectors, its node.
    pub hit: Hit,
    /// Its number among the rows of all segments.
    number: u32,
}

impl<'a> Located<'a> {
    /// A hit in a segment, the first row of which has number `first` among the rows of all.
    pub(super) fn new(slot: &'a Slot, first: u32, hit: Hit) -> Self {
        Self {
            segment: &slot.segment,
            number: first.saturating_add(hit.row),
            hit,
        }
    }

    /// What it is sorted by.
    pub(super) const fn key(&self) -> (f32, u32) {
        (self.hit.score, self.number)
    }

    /// The shard that its node is in.
    #[must_use]
    pub fn shard(&self) -> Option<&'a Shard> {
        let node = self.hit.node as usize;
        self.segment.shard().filter(|shard| node < shard.len())
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.segment.items().id(self.hit.row as usize)
    }

    /// Whether a filter lets it through.
    #[must_use]
    pub fn fits(&self, filter: &Filter) -> bool {
        filter.accepts(self.segment.items(), self.hit.row as usize)
    }

    /// Its still, as [`ItemTable::cell`](crate::items::ItemTable::cell) has it.
    #[must_use]
    pub fn cell(&self) -> u32 {
        self.segment.items().cell(self.hit.row as usize)
    }

    /// Its stored vector, at unit length.
    #[must_use]
    pub fn vector(&self) -> Option<UnitVector> {
        let shard = self.shard()?;
        let mut values = vec![0f32; shard.dim()];
        shard.vector(self.hit.node as usize, &mut values);
        UnitVector::new(values).ok()
    }
}

/// How many videos a filter leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Of those at hand, without those that were excluded.
    pub videos: usize,
    /// Whether every segment is at hand, so that these are all.
    pub complete: bool,
}

/// The segments by their number, as many of them as are at hand.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    slots: Vec<Option<Slot>>,
    router: Option<Router>,
    /// The number of each segment's first row among all rows.
    firsts: Vec<u32>,
}

impl Segments {
    /// `slots` has the segments by their number in the manifest, `router` tells which of them to ask; without one all are
    /// asked.
    #[must_use]
    pub fn new(manifest: &Manifest, slots: Vec<Option<Slot>>, router: Option<Router>) -> Self {
        let mut first = 0u32;
        let firsts = manifest.segments.iter().map(|entry| {
            let own = first;
            first = first.saturating_add(entry.rows);
            own
        });
        Self {
            firsts: firsts.collect(),
            slots,
            router,
        }
    }

    /// Those that are at hand, with their numbers.
    pub fn at_hand(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// One of them, where it is at hand.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Slot> {
        self.slots.get(number)?.as_ref()
    }

    /// Puts a segment in its place, or takes it away.
    pub fn put(&mut self, number: usize, slot: Option<Slot>) {
        if let Some(own) = self.slots.get_mut(number) {
            *own = slot;
        }
    }

    /// Asks other than the manifest's number of segments; without a router all are asked.
    pub fn set_probes(&mut self, probes: usize) {
        if let Some(router) = &mut self.router {
            router.set_probes(probes);
        }
    }

    /// The numbers of the segments that a query is asked of: those of the nearest cells, and those without cells.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn route(&self, vector: &[f32], scratch: &mut Scratch) -> Result<Vec<usize>, QueryError> {
        let Some(router) = &self.router else {
            return Ok((0..self.slots.len()).collect());
        };
        let mut asked = router.route(vector, scratch)?;
        asked.extend((0..self.slots.len()).filter(|number| !router.leads_to(*number)));
        Ok(asked)
    }

    /// The number of a segment's first row among the rows of all.
    pub(super) fn first(&self, number: usize) -> u32 {
        self.firsts.get(number).copied().unwrap_or_default()
    }

    /// How many videos fit: so many of those at hand.
    pub(super) fn matching(&self, wanted: &Wanted<'_>, videos: usize) -> Option<Matching> {
        let complete = self.slots.iter().all(Option::is_some);
        (!wanted.filter.is_empty()).then_some(Matching { videos, complete })
    }

    /// The most popular videos, most popular first, each with its popularity as score.
    #[must_use]
    pub fn popular(&self, wanted: &Wanted<'_>) -> Nearest<'_> {
        let (mut found, mut fitting) = (Vec::new(), 0);
        for (number, slot) in self.at_hand() {
            let (items, rows) = (slot.segment.items(), slot.accepted(wanted));
            fitting += slot.at_home(&rows);
            let accept: &dyn Fn(usize) -> bool = &|row| row < slot.segment.home() && rows.contains(row);
            let popular = items.popular(wanted.k, accept).into_iter();
            found.extend(popular.filter_map(|row| {
                let hit = Hit {
                    node: u32::MAX,
                    row: u32::try_from(row).ok()?,
                    score: items.popularity(row),
                };
                Some((number, Located::new(slot, self.first(number), hit)))
            }));
        }
        let keys = found
            .iter()
            .map(|(_, located): &(usize, Located<'_>)| located.key());
        let order = by_score_and_row(keys).into_iter().take(wanted.k);
        let best: Vec<_> = order.filter_map(|index| found.get(index).copied()).collect();
        Nearest {
            found: self.with_nodes(best),
            matching: self.matching(wanted, fitting),
            ..Nearest::default()
        }
    }

    /// The videos of these ids, as far as they are at hand, in their order; each gets 0 for a score.
    pub fn find<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Vec<Located<'_>> {
        let find = |id: &str| {
            self.at_hand().find_map(|(number, slot)| {
                let row = slot.segment.items().row(id)?;
                let here = row < slot.segment.home() && slot.live.contains(row);
                let hit = Hit {
                    node: u32::MAX,
                    row: u32::try_from(row).ok().filter(|_| here)?,
                    score: 0.0,
                };
                Some((number, Located::new(slot, self.first(number), hit)))
            })
        };
        self.with_nodes(ids.filter_map(find).collect())
    }

    /// Fills in the nodes.
    fn with_nodes<'a>(&'a self, mut list: Vec<(usize, Located<'a>)>) -> Vec<Located<'a>> {
        for (number, slot) in self.at_hand() {
            let own = list.iter().enumerate().filter(|(_, (of, _))| *of == number);
            let mut rows: Vec<(u32, usize)> = own.map(|(at, (_, located))| (located.hit.row, at)).collect();
            let Some(shard) = slot.segment.shard().filter(|_| !rows.is_empty()) else {
                continue;
            };
            rows.sort_unstable();
            for (node, row) in (0u32..).zip(shard.rows()) {
                let from = rows.partition_point(|(other, _)| other < row);
                let same = rows.get(from..).unwrap_or_default().iter();
                for (_, at) in same.take_while(|(other, _)| other == row) {
                    if let Some((_, located)) = list.get_mut(*at) {
                        located.hit.node = node;
                    }
                }
            }
        }
        list.into_iter().map(|(_, located)| located).collect()
    }
}
