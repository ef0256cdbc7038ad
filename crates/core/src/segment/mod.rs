//! A segment: one self-contained, immutable piece of the catalogue (the term is that of Lucene and tantivy), and the
//! search over all segments of a bundle.
//!
//! A segment has a shard (vectors and graph), an item table and co-watch lists, and needs no other segment to answer. What
//! was added later stands in a segment of its own, what was removed in the bundle's tombstones ([`crate::removed`]).
//! `set` holds several segments as one, `nearest` searches them, `router` chooses among them, `filter` says which videos may
//! come and `conditions` how that is written, `rows` is a set of rows.

mod conditions;
mod filter;
#[cfg(test)]
pub(crate) mod fixture;
mod nearest;
mod router;
mod rows;
mod set;
#[cfg(test)]
mod tests;

pub use conditions::{Conditions, Range};
pub use filter::Filter;
pub use nearest::Nearest;
pub use router::Router;
pub use rows::RowSet;
pub use set::{Located, Matching, Segments, Slot, Wanted};

use crate::bytes::{AlignedBytes, FormatError};
use crate::cowatch::{CoWatch, Neighbour};
use crate::items::ItemTable;
use crate::items::dictionaries::Counts;
use crate::manifest::SegmentEntry;
use crate::shard::Shard;
use thiserror::Error;

/// Why the files of a segment were refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SegmentError {
    /// One of them is damaged.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// One of them does not belong to the others.
    #[error("{file}: {what}: expected {expected}, as the manifest says, found {found}; rebuild the bundle")]
    Mismatch {
        /// The file.
        file: String,
        /// What differs.
        what: &'static str,
        /// By the manifest.
        expected: usize,
        /// In the file.
        found: usize,
    },
}

impl SegmentError {
    fn check(file: &str, what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        match expected == found {
            true => Ok(()),
            false => Err(Self::Mismatch {
                file: file.to_owned(),
                what,
                expected,
                found,
            }),
        }
    }
}

/// A segment over the bytes of its files, nothing copied.
#[derive(Clone, Debug)]
pub struct Segment {
    items: ItemTable,
    shard: Option<Shard>,
    co_watch: Option<CoWatch>,
    home: usize,
}

impl Segment {
    /// A segment without vectors: the item table alone. The bundle's dictionaries have the lengths of `counts`.
    ///
    /// # Errors
    /// The table is damaged, or has other rows than the manifest says, or codes that the dictionaries lack.
    pub fn open(entry: &SegmentEntry, counts: Counts, items: AlignedBytes) -> Result<Self, SegmentError> {
        let items = ItemTable::open(items)?;
        let file = &entry.items.file;
        SegmentError::check(file, "number of videos", entry.rows as usize, items.len())?;
        SegmentError::check(
            file,
            "codes beyond the dictionaries",
            0,
            usize::from(!items.counts().fit(counts)),
        )?;
        Ok(Self {
            items,
            shard: None,
            co_watch: None,
            home: entry.home as usize,
        })
    }

    /// Adds the vectors, of `dim` dimensions.
    ///
    /// # Errors
    /// The shard is damaged, or has other dimensions or videos than the manifest says.
    pub fn add_shard(
        &mut self,
        entry: &SegmentEntry,
        dim: u32,
        shard: AlignedBytes,
    ) -> Result<(), SegmentError> {
        let shard = Shard::open(shard)?;
        let file = &entry.shard.file;
        SegmentError::check(file, "dimensions", dim as usize, shard.dim())?;
        SegmentError::check(file, "number of videos", entry.rows as usize, shard.len())?;
        // No row is there twice, so all are there where none is too large.
        let largest = shard.rows().iter().max().map_or(0, |row| *row as usize);
        SegmentError::check(file, "largest row", entry.rows as usize - 1, largest)?;
        self.shard = Some(shard);
        Ok(())
    }

    /// Adds what is watched along with its videos.
    ///
    /// # Errors
    /// The file is damaged, or has other videos.
    pub fn add_co_watch(&mut self, co_watch: AlignedBytes) -> Result<(), SegmentError> {
        self.co_watch = Some(CoWatch::open(co_watch, self.items.len())?);
        Ok(())
    }

    /// The item table.
    #[must_use]
    pub const fn items(&self) -> &ItemTable {
        &self.items
    }

    /// The vectors, where they are at hand.
    #[must_use]
    pub const fn shard(&self) -> Option<&Shard> {
        self.shard.as_ref()
    }

    /// The co-watch lists, where they are at hand.
    #[must_use]
    pub const fn co_watch(&self) -> Option<&CoWatch> {
        self.co_watch.as_ref()
    }

    /// What is watched along with the video at a row.
    #[must_use]
    pub fn neighbours(&self, row: usize) -> Vec<Neighbour> {
        self.co_watch
            .as_ref()
            .map_or_else(Vec::new, |lists| lists.neighbours(row))
    }

    /// How many rows, the first ones, are at home here; the others are copies.
    #[must_use]
    pub const fn home(&self) -> usize {
        self.home
    }

    /// Bytes of its files in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let shard = self.shard.as_ref().map_or(0, Shard::bytes);
        let co_watch = self.co_watch.as_ref().map_or(0, CoWatch::bytes);
        self.items.bytes() + shard + co_watch
    }
}
