//! Writing the segments of a bundle.

use super::BundleWriter;
use crate::partition::Partition;
use crate::{graph, progress};
use anyhow::Result;
use indicatif::ProgressBar;
use recsys_core::cowatch::{self, Neighbour};
use recsys_core::items::dictionaries::Counts;
use recsys_core::items::{self, ItemRecord};
use recsys_core::manifest::{Cells, SegmentEntry};
use recsys_core::shard::ShardParts;

/// Videos of a shard where the number of shards is not given: 65 MB at 512 dimensions.
const VIDEOS: usize = 100_000;

/// Into how many shards a catalogue is split, and how many of them are asked.
#[derive(Clone, Copy, clap::Args)]
pub struct Partitioning {
    /// Shards, each with a part of the item table; one for each 100,000 videos where not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    shards: Option<u16>,
    /// Shards that a query is asked of, those of the nearest cells; written into the manifest
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    probes: u32,
    /// Share of the videos, those nearest to a border, that stand in a second shard, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    copies: f64,
}

/// What is watched along with the video at a row.
pub type Neighbours<'a> = &'a dyn Fn(u32) -> Vec<Neighbour>;

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
    /// Shards of more videos than this get a graph; none does where it is `None`.
    pub graph_above: Option<u32>,
    /// Co-watch lists, where events were at hand.
    pub neighbours: Option<Neighbours<'a>>,
}

/// Writes all segments; where there are several, also the cells that tell which of them to ask.
///
/// # Errors
/// A file cannot be written, or there are too few videos for so many shards.
pub fn write_segments(
    writer: &BundleWriter,
    contents: &Contents<'_>,
    Partitioning {
        shards,
        probes,
        copies,
    }: Partitioning,
) -> Result<(Vec<SegmentEntry>, Option<Cells>)> {
    let n = contents.records.len();
    let shards = shards.map_or_else(|| n.div_ceil(VIDEOS), usize::from);
    let one = |home: &[u32], copies: &[u32]| {
        let bar = progress::bar("graph", home.len() + copies.len());
        let entry = write_segment(writer, contents, home, copies, &bar);
        bar.finish_and_clear();
        entry
    };
    if shards < 2 {
        let rows: Vec<u32> = (0..u32::try_from(n)?).collect();
        return Ok((vec![one(&rows, &[])?], None));
    }
    let dim = contents.mean.len();
    let partition = Partition::make(contents.vectors, contents.mean, shards, copies)?;
    let rows = partition.rows.iter();
    let segments = rows
        .map(|rows| one(&rows.home, &rows.copies))
        .collect::<Result<_>>()?;
    let centroids = ShardParts {
        dim,
        mean: contents.mean.to_vec(),
        vectors: seen_from(contents.mean, &partition.centroids),
        rows: (0..u32::try_from(partition.shards.len())?).collect(),
        ..ShardParts::default()
    };
    let cells = Cells {
        centroids: writer.add("cells", "bin", &centroids.to_bytes())?,
        segments: partition.shards,
        probes,
        public: partition
            .rows
            .iter()
            .map(|rows| {
                public_weight(
                    rows.home
                        .iter()
                        .filter_map(|row| contents.records.get(*row as usize)),
                )
            })
            .collect(),
    };
    Ok((segments, Some(cells)))
}

/// How often the videos at home in a segment are wanted: each counts one, and one more for each click.
pub fn public_weight<'a>(home: impl Iterator<Item = &'a ItemRecord>) -> u32 {
    let clicks = home.map(|record| 1.0 + f64::from(record.facts.clicks).max(0.0));
    // A conversion to whole numbers stops at the largest.
    clicks.sum::<f64>() as u32
}

/// Directions from the mean as places.
fn seen_from(mean: &[f32], directions: &[f32]) -> Vec<f32> {
    let place = |direction: &[f32]| -> Vec<f32> { direction.iter().zip(mean).map(|(d, m)| d + m).collect() };
    directions.chunks_exact(mean.len()).flat_map(place).collect()
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
    let many = |most| rows.len() > most as usize;
    let parts = match contents.graph_above.is_some_and(many) {
        true => graph::build(contents.vectors, contents.mean, &rows, bar)?,
        false => graph::flat(contents.vectors, contents.mean, &rows),
    };
    let of = |row: &u32| contents.records.get(*row as usize).cloned();
    let records: Vec<ItemRecord> = rows.iter().filter_map(of).collect();
    Ok(SegmentEntry {
        rows: u32::try_from(rows.len())?,
        home: u32::try_from(home.len())?,
        shard: writer.add("shard", "bin", &parts.to_bytes())?,
        items: writer.add("items", "bin", &items::to_bytes(&records, contents.counts))?,
        co_watch: match contents.neighbours {
            Some(neighbours) => {
                let lists = cowatch::to_bytes(rows.iter().map(|row| neighbours(*row)));
                Some(writer.add("cowatch", "bin", &lists)?)
            }
            None => None,
        },
        delta: false,
    })
}
