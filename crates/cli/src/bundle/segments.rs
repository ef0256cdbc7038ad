//! Writing one segment of a bundle.

use super::BundleWriter;
use crate::graph;
use anyhow::Result;
use indicatif::ProgressBar;
use recsys_core::items::dictionaries::Counts;
use recsys_core::items::{self, ItemRecord};
use recsys_core::manifest::SegmentEntry;

/// What segments are written from.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The videos; their codes index dictionaries of these lengths.
    pub records: &'a [ItemRecord],
    /// The lengths of the dictionaries.
    pub counts: Counts,
    /// records × dim, unit length.
    pub vectors: &'a [f32],
    /// The mean that is subtracted before vectors are quantised: one for all segments of a bundle.
    pub mean: &'a [f32],
}

/// Writes the segment of the videos at the rows of `home`, with copies of those at `copies`.
///
/// # Errors
/// A file cannot be written.
pub fn write_segment(
    writer: &BundleWriter,
    contents: &Contents<'_>,
    home: &[u32],
    copies: &[u32],
    bar: &ProgressBar,
) -> Result<SegmentEntry> {
    let rows = [home, copies].concat();
    let parts = graph::build(contents.vectors, contents.mean, &rows, bar)?;
    let of = |row: &u32| contents.records.get(*row as usize).cloned();
    let records: Vec<ItemRecord> = rows.iter().filter_map(of).collect();
    Ok(SegmentEntry {
        rows: u32::try_from(rows.len())?,
        home: u32::try_from(home.len())?,
        shard: writer.add("shard", "bin", &parts.to_bytes())?,
        items: writer.add("items", "bin", &items::to_bytes(&records, contents.counts))?,
        co_watch: None,
        delta: false,
    })
}
