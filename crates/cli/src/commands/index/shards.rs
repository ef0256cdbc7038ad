//! Vectors to shards, and to the cells that tell which of them to ask.

use super::progress;
use crate::bundle::BundleWriter;
use crate::graph;
use crate::partition::Partition;
use anyhow::Result;
use recsys_core::manifest::{Cells, FileEntry};
use recsys_core::shard::ShardParts;

/// Videos of a shard where the number of shards is not given: 65 MB at 512 dimensions.
const VIDEOS: usize = 100_000;

/// Writes so many shards of `vectors` (n × dim, unit length); with more than one also the cells' centroids.
pub fn write(
    writer: &BundleWriter,
    vectors: &[f32],
    dim: usize,
    shards: Option<usize>,
    probes: u32,
) -> Result<(Vec<FileEntry>, Option<Cells>)> {
    let n = vectors.len() / dim.max(1);
    let mean = graph::mean(vectors, dim);
    let shards = shards.unwrap_or_else(|| n.div_ceil(VIDEOS));
    if shards < 2 {
        let rows: Vec<u32> = (0..u32::try_from(n)?).collect();
        return Ok((vec![one(writer, vectors, &mean, &rows)?], None));
    }
    let partition = Partition::make(vectors, dim, shards)?;
    let files = partition
        .rows
        .iter()
        .map(|rows| one(writer, vectors, &mean, rows))
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
        shards: partition.shards,
        probes,
    };
    Ok((files, Some(cells)))
}

fn one(writer: &BundleWriter, vectors: &[f32], mean: &[f32], rows: &[u32]) -> Result<FileEntry> {
    let bar = progress("graph", rows.len());
    let parts = graph::build(vectors, mean, rows, &bar)?;
    bar.finish_and_clear();
    writer.add("shard", "bin", &parts.to_bytes())
}
