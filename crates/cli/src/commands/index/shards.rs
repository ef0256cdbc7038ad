//! Videos to segments, and to the cells that tell which of them to ask.

use super::progress;
use crate::bundle::{BundleWriter, Contents, write_segment};
use crate::partition::Partition;
use anyhow::Result;
use recsys_core::manifest::{Cells, SegmentEntry};
use recsys_core::shard::ShardParts;

/// Videos of a shard where the number of shards is not given: 65 MB at 512 dimensions.
const VIDEOS: usize = 100_000;

/// Writes so many segments; with more than one also the cells' centroids.
pub fn write(
    writer: &BundleWriter,
    contents: &Contents<'_>,
    shards: Option<usize>,
    probes: u32,
) -> Result<(Vec<SegmentEntry>, Option<Cells>)> {
    let n = contents.records.len();
    let shards = shards.unwrap_or_else(|| n.div_ceil(VIDEOS));
    let one = |home: &[u32], copies: &[u32]| {
        let bar = progress("graph", home.len() + copies.len());
        let entry = write_segment(writer, contents, home, copies, &bar);
        bar.finish_and_clear();
        entry
    };
    if shards < 2 {
        let rows: Vec<u32> = (0..u32::try_from(n)?).collect();
        return Ok((vec![one(&rows, &[])?], None));
    }
    let dim = contents.mean.len();
    let partition = Partition::make(contents.vectors, dim, shards)?;
    let rows = partition.rows.iter();
    let segments = rows
        .map(|(home, copies)| one(home, copies))
        .collect::<Result<_>>()?;
    let centroids = ShardParts {
        dim,
        mean: vec![0.0; dim],
        vectors: partition.centroids,
        rows: (0..u32::try_from(partition.shards.len())?).collect(),
        ..ShardParts::default()
    };
    let cells = Cells {
        centroids: writer.add("cells", "bin", &centroids.to_bytes())?,
        segments: partition.shards,
        probes,
    };
    Ok((segments, Some(cells)))
}
