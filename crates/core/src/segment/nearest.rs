//! The nearest videos of several segments.

use super::set::{Located, Matching, Segments, Slot, Wanted};
use crate::manifest::SearchSettings;
use crate::order::best_once;
use crate::segment::RowSet;
use crate::shard::{Query, QueryError, Scratch, SearchStats, Strategy};

/// Where fewer than one in so many rows may come, they are compared one by one: a walk would pass over too many others.
const SELECTIVE: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Nearest<'a> {
    /// Best first, every video once.
    pub found: Vec<Located<'a>>,
    /// What it cost.
    pub stats: SearchStats,
    /// How many of the segments that should have been asked have no vectors at hand.
    pub missing: usize,
    /// How many videos fit, where there is a filter.
    pub matching: Option<Matching>,
}

impl Segments {
    /// The nearest of the segments that are asked, and, where they have too few that fit, of the others.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn nearest(
        &self,
        vector: &[f32],
        settings: &SearchSettings,
        wanted: &Wanted<'_>,
        scratch: &mut Scratch,
    ) -> Result<Nearest<'_>, QueryError> {
        let asked = self.route(vector, scratch)?;
        self.nearest_in(&asked, vector, settings, wanted, scratch)
    }

    /// [`Segments::nearest`] of these segments instead of those that the cells lead to.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn nearest_in(
        &self,
        asked: &[usize],
        vector: &[f32],
        settings: &SearchSettings,
        wanted: &Wanted<'_>,
        scratch: &mut Scratch,
    ) -> Result<Nearest<'_>, QueryError> {
        let mut search = Search {
            vector,
            settings,
            wanted,
            scratch,
            all: Nearest::default(),
        };
        let mut fitting = 0;
        for number in asked {
            let Some(slot) = self.get(*number) else {
                search.all.missing += 1;
                continue;
            };
            let rows = slot.accepted(wanted);
            fitting += slot.at_home(&rows);
            if slot.segment().shard().is_none() {
                search.all.missing += 1;
            }
            search.ask(slot, self.first(*number), &rows)?;
        }
        search.keep_best();
        for (number, slot) in self.at_hand().filter(|(number, _)| !asked.contains(number)) {
            let few = search.all.found.len() < wanted.k;
            if !few && wanted.filter.is_empty() {
                break;
            }
            let rows = slot.accepted(wanted);
            fitting += slot.at_home(&rows);
            if few {
                search.ask(slot, self.first(number), &rows)?;
                search.keep_best();
            }
        }
        let mut nearest = search.all;
        nearest.matching = self.matching(wanted, fitting);
        Ok(nearest)
    }
}

/// A search under way.
struct Search<'a, 'w> {
    vector: &'w [f32],
    settings: &'w SearchSettings,
    wanted: &'w Wanted<'w>,
    scratch: &'w mut Scratch,
    all: Nearest<'a>,
}

impl<'a> Search<'a, '_> {
    /// Adds the nearest among some rows of a segment, the first of which is number `first` among the rows of all segments.
    fn ask(&mut self, slot: &'a Slot, first: u32, rows: &RowSet) -> Result<(), QueryError> {
        let Some(shard) = slot.segment().shard() else {
            return Ok(());
        };
        let query = Query::new(shard, self.vector)?;
        let count = rows.count();
        let accept: &dyn Fn(u32) -> bool = &|row| rows.contains(row as usize);
        let mut options = self.settings.options(self.wanted.k);
        if count * SELECTIVE < shard.len() {
            options.strategy = Strategy::Flat;
        }
        let (mut hits, mut stats) = shard.search(&query, &options, self.scratch, accept);
        if hits.len() < self.wanted.k.min(count) {
            // A graph need not lead everywhere.
            options.strategy = Strategy::Flat;
            let more;
            (hits, more) = shard.search(&query, &options, self.scratch, accept);
            stats.distances += more.distances;
        }
        self.all.stats.distances += stats.distances;
        self.all.stats.graph |= stats.graph;
        let located = hits.into_iter().map(|hit| Located::new(slot, first, hit));
        self.all.found.extend(located);
        Ok(())
    }

    /// Keeps the best `k`, best first. A video near a border is in two segments; its codes are the same in both, so its
    /// scores are.
    fn keep_best(&mut self) {
        let found = &self.all.found;
        self.all.found = best_once(found, self.wanted.k, Located::key, |located| located.id());
    }
}
