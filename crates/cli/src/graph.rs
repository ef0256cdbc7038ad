//! Building the HNSW graph with hnsw_rs and exporting it in the shard's order.

use anyhow::{Context, Result, ensure};
use hnsw_rs::prelude::{DistL2, Hnsw};
use indicatif::ProgressBar;
use recsys_core::shard::ShardParts;

/// Links a node at upper layers; twice as many at layer 0.
const M: usize = 16;
/// Candidates kept open while building.
const EF_CONSTRUCTION: usize = 200;
const MAX_LAYERS: usize = 16;

/// The mean of vectors (n × dim).
pub fn mean(vectors: &[f32], dim: usize) -> Vec<f32> {
    let n = vectors.len() / dim.max(1);
    let mut sums = vec![0f64; dim];
    for vector in vectors.chunks_exact(dim) {
        sums.iter_mut()
            .zip(vector)
            .for_each(|(sum, &v)| *sum += f64::from(v));
    }
    sums.iter().map(|sum| (sum / n as f64) as f32).collect()
}

/// A shard's parts as [`build`] gives them, but without a graph: every search compares all vectors.
pub fn flat(vectors: &[f32], mean: &[f32], rows: &[u32]) -> ShardParts {
    let dim = mean.len();
    let vector = |row: &u32| vectors.get(*row as usize * dim..(*row as usize + 1) * dim);
    ShardParts {
        dim,
        mean: mean.to_vec(),
        vectors: rows.iter().filter_map(vector).flatten().copied().collect(),
        rows: (0..).zip(rows).map(|(place, _)| place).collect(),
        ..ShardParts::default()
    }
}

/// A shard's parts for these `rows` of `vectors` (n × dim, unit length), which are the rows of its item table in this order,
/// and the `mean` of the catalogue: one for all its shards, because an answer has one.
///
/// The graph is that of hnsw_rs with vectors inserted one after the other, which makes it repeatable. Links that
/// name a node absent from their layer, as hnsw_rs's upper lists do, are left out.
pub fn build(vectors: &[f32], mean: &[f32], rows: &[u32], progress: &ProgressBar) -> Result<ShardParts> {
    let dim = mean.len();
    let n = rows.len();
    ensure!(n > 0, "there are no vectors to index");
    let vector = |place: usize| {
        let row = rows.get(place).map_or(usize::MAX, |row| *row as usize);
        vectors.get(row.saturating_mul(dim)..row.saturating_add(1).saturating_mul(dim))
    };
    let hnsw = Hnsw::<f32, DistL2>::new(M, n, MAX_LAYERS, EF_CONSTRUCTION, DistL2 {});
    for place in 0..n {
        let vector = vector(place).context("a row without a vector: this is a bug in recsys")?;
        hnsw.insert((vector, place));
        progress.inc(1);
    }

    let mut nodes: Vec<(usize, usize, Vec<Vec<usize>>)> = Vec::with_capacity(n);
    for point in hnsw.get_point_indexation() {
        let links = point.get_neighborhood_id();
        let ids = |layer: &Vec<_>| {
            layer
                .iter()
                .map(hnsw_rs::prelude::Neighbour::get_origin_id)
                .collect()
        };
        nodes.push((
            usize::from(point.get_point_id().0),
            point.get_origin_id(),
            links.iter().map(ids).collect(),
        ));
    }
    ensure!(nodes.len() == n, "hnsw_rs holds {} of {n} vectors", nodes.len());
    nodes.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut node_of = vec![0usize; n];
    for (node, (_, row, _)) in nodes.iter().enumerate() {
        if let Some(slot) = node_of.get_mut(*row) {
            *slot = node;
        }
    }
    let top = nodes.first().map_or(0, |n| n.0);
    let layers = (0..=top)
        .map(|level| {
            let members = nodes.iter().take_while(|(l, _, _)| *l >= level).count();
            nodes
                .iter()
                .take(members)
                .map(|(_, _, links)| {
                    let list = links.get(level).map(Vec::as_slice).unwrap_or_default();
                    let inside = list
                        .iter()
                        .filter_map(|row| node_of.get(*row))
                        .filter(|&&node| node < members);
                    inside.filter_map(|&node| u32::try_from(node).ok()).collect()
                })
                .collect()
        })
        .collect();

    let ordered = nodes.iter().filter_map(|(_, place, _)| vector(*place));
    Ok(ShardParts {
        dim,
        mean: mean.to_vec(),
        vectors: ordered.flatten().copied().collect(),
        rows: nodes
            .iter()
            .filter_map(|(_, place, _)| u32::try_from(*place).ok())
            .collect(),
        links_per_node: (2 * M, M),
        layers,
    })
}
