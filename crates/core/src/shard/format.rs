//! The bytes of a shard, version 1. All numbers are little-endian; each section starts at a multiple of 16 bytes,
//! the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RSHD` |
//! | 4 | u32 | version, 1 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | n, number of nodes (videos), 1 to 2^24 |
//! | 20 | u32 | dim, dimensions of a vector, 8 to 2,048 |
//! | 24 | u32 | m0, links a node at layer 0, 0 (no graph) to 128 |
//! | 28 | u32 | m, links a node at each upper layer, 0 to 128 |
//! | 32 | u32 | levels, number of layers: 0 (no graph) to 16 |
//! | 36 | 12 bytes | zero |
//! | section | u32 × levels | nodes at layer 0, 1, …: never increasing, the first is n |
//! | section | f32 × dim | mean that was subtracted from every vector |
//! | section | f32 × n | scale of each node's codes |
//! | section | u32 × n | the node's row in the item table, no row twice |
//! | section | i8 × n × stride | codes; stride is dim rounded up to 16, the padding zero |
//! | section | u32 × n × m0 | links at layer 0, [`NO_LINK`] behind the last |
//! | section | u32 × count(l) × m, for each l from 1 | links at layer l |
//!
//! Nodes are sorted by level, highest first, so that layer l is the first count(l) nodes and node 0 is the entry.

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink};
use std::ops::Range;

/// The most nodes of one shard.
pub const MAX_NODES: u32 = 1 << 24;
/// The most dimensions of a vector.
pub const MAX_DIM: u32 = 2048;
/// In a list of links: no more links.
pub const NO_LINK: u32 = u32::MAX;

const MAGIC: [u8; 4] = *b"RSHD";
const VERSION: u32 = 1;
const MAX_LINKS: u32 = 128;
const MAX_LEVELS: u32 = 16;

/// What a shard is written from. Nodes are in their final order: highest level first.
#[derive(Clone, Debug, Default)]
pub struct ShardParts {
    /// Dimensions of a vector.
    pub dim: usize,
    /// The catalogue's mean vector, `dim` values.
    pub mean: Vec<f32>,
    /// n × dim, row by row: the vectors, not yet centred.
    pub vectors: Vec<f32>,
    /// Row in the item table of each node.
    pub rows: Vec<u32>,
    /// Links a node at layer 0 and at each upper layer; 0 and 0 for a shard without a graph.
    pub links_per_node: (usize, usize),
    /// For each layer, the links of its nodes in order. The layer's size is the list's length.
    pub layers: Vec<Vec<Vec<u32>>>,
}

impl ShardParts {
    /// The file. Lists longer than `links_per_node` are cut there.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let n = self.rows.len();
        let stride = self.dim.next_multiple_of(16);
        let (m0, m) = self.links_per_node;
        let mut sink = Sink::new(MAGIC, VERSION);
        for value in [n, self.dim, m0, m, self.layers.len()] {
            sink.u32(u32::try_from(value).unwrap_or(u32::MAX));
        }
        sink.raw(&[0; 12]);
        let counts: Vec<u32> = self
            .layers
            .iter()
            .map(|l| u32::try_from(l.len()).unwrap_or(u32::MAX))
            .collect();
        sink.section(&counts);
        sink.section(&self.mean);
        let mut codes = vec![0i8; n * stride];
        let scales: Vec<f32> = self
            .vectors
            .chunks_exact(self.dim.max(1))
            .zip(codes.chunks_exact_mut(stride.max(1)))
            .map(|(vector, codes)| super::quantise(&self.mean, vector, codes))
            .collect();
        sink.section(&scales);
        sink.section(&self.rows);
        sink.section(&codes);
        for (level, layer) in self.layers.iter().enumerate() {
            let width = if level == 0 { m0 } else { m };
            let mut flat = vec![NO_LINK; layer.len() * width];
            for (slots, links) in flat.chunks_exact_mut(width.max(1)).zip(layer) {
                for (slot, &link) in slots.iter_mut().zip(links) {
                    *slot = link;
                }
            }
            sink.section(&flat);
        }
        sink.finish()
    }
}

/// A shard over the bytes of its file, nothing copied. Every count, link and row was checked on opening.
#[derive(Clone, Debug)]
pub struct Shard {
    file: AlignedBytes,
    n: usize,
    dim: usize,
    stride: usize,
    widths: (usize, usize),
    mean: Range<usize>,
    scales: Range<usize>,
    rows: Range<usize>,
    codes: Range<usize>,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    count: usize,
    links: Range<usize>,
}

impl Shard {
    /// Checks the bytes and takes them.
    ///
    /// # Errors
    /// A length, count, number, link or row that the format does not allow; nothing is allocated beyond the file
    /// itself and one bit an item-table row.
    pub fn open(file: AlignedBytes) -> Result<Self, FormatError> {
        let mut c = Cursor::new("shard", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let n = c.count("number of nodes", 1..=MAX_NODES)?;
        let dim = c.count("dimensions", 8..=MAX_DIM)?;
        let m0 = c.count("links at layer 0", 0..=MAX_LINKS)?;
        let m = c.count("links at upper layers", 0..=MAX_LINKS)?;
        let levels = c.count("layers", 0..=MAX_LEVELS)?;
        if (levels == 0) != (m0 == 0) || (levels > 1 && m == 0) {
            return Err(c.error(
                "layers",
                "layers and links together",
                format!("{levels}, {m0} and {m}"),
            ));
        }
        if c.take("reserved", 12)?.iter().any(|&b| b != 0) {
            return Err(c.error("reserved", "zeros", "other bytes"));
        }
        let stride = dim.next_multiple_of(16);
        let counts = c.section::<u32>("nodes a layer", levels)?;
        let counts: Vec<usize> = file.view::<u32>(&counts).iter().map(|&v| v as usize).collect();
        let falling = counts.is_sorted_by(|a, b| a >= b);
        if levels > 0 && (counts.first() != Some(&n) || !falling || counts.last() == Some(&0)) {
            return Err(c.error(
                "nodes a layer",
                format!("from {n} down to at least 1"),
                counts
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            ));
        }
        let mean = c.section::<f32>("mean", dim)?;
        check_mean(&c, file.view(&mean))?;
        let scales = c.section::<f32>("scales", n)?;
        check_scales(&c, file.view(&scales))?;
        let rows = c.section::<u32>("rows", n)?;
        if let Some(row) = first_repeated(file.view(&rows)) {
            return Err(c.error("rows", "each row once, below 2^24", row));
        }
        // 2^24 × 2,048 is beyond 32 bits.
        let codes = c.section::<i8>("codes", n.saturating_mul(stride))?;
        let mut layers = Vec::with_capacity(levels);
        for (level, &count) in counts.iter().enumerate() {
            let width = if level == 0 { m0 } else { m };
            let links = c.section::<u32>("links", count * width)?;
            if let Some(bad) = file
                .view::<u32>(&links)
                .iter()
                .find(|&&l| l != NO_LINK && l as usize >= count)
            {
                return Err(c.error("links", format!("nodes of layer {level}, below {count}"), bad));
            }
            layers.push(Layer { count, links });
        }
        c.end()?;
        Ok(Self {
            n,
            dim,
            stride,
            widths: (m0, m),
            mean,
            scales,
            rows,
            codes,
            layers,
            file,
        })
    }

    /// Number of nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Never true: a shard has at least one node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Dimensions of a vector.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Number of i8 codes of a node: `dim` rounded up to 16.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.file.len()
    }

    /// Number of layers; 0 without a graph.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.layers.len()
    }

    /// The mean vector, `dim` values.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        self.file.view(&self.mean)
    }

    /// The scale of each node.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        self.file.view(&self.scales)
    }

    /// The row in the item table of each node.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        self.file.view(&self.rows)
    }

    /// All codes, n × stride.
    #[must_use]
    pub fn all_codes(&self) -> &[i8] {
        self.file.view(&self.codes)
    }

    /// The codes of one node, `stride` of them; empty where there is no such node.
    #[must_use]
    pub fn codes(&self, node: usize) -> &[i8] {
        self.all_codes()
            .get(node * self.stride..(node + 1) * self.stride)
            .unwrap_or_default()
    }

    /// All links of a layer and how many each node has room for; empty where there is no such layer.
    #[must_use]
    pub fn links(&self, level: usize) -> (&[u32], usize) {
        let width = if level == 0 { self.widths.0 } else { self.widths.1 };
        self.layers
            .get(level)
            .map_or((&[], width), |l| (self.file.view(&l.links), width))
    }

    /// Nodes at a layer; 0 where there is no such layer.
    #[must_use]
    pub fn layer_len(&self, level: usize) -> usize {
        self.layers.get(level).map_or(0, |l| l.count)
    }

    /// Writes a node's vector into `out`, dequantised; at most `dim` values.
    pub fn vector(&self, node: usize, out: &mut [f32]) {
        let scale = self.scales().get(node).copied().unwrap_or(0.0);
        super::dequantise(self.mean(), scale, self.codes(node), out);
    }
}

/// Refuses a mean and, below, scales with which a stored vector would not be finite.
pub(crate) fn check_mean(c: &Cursor<'_>, mean: &[f32]) -> Result<(), FormatError> {
    match mean.iter().all(|v| v.abs() <= 16.0) {
        true => Ok(()),
        false => Err(c.error("mean", "numbers within ±16", "another")),
    }
}

/// As [`check_mean`].
pub(crate) fn check_scales(c: &Cursor<'_>, scales: &[f32]) -> Result<(), FormatError> {
    match scales.iter().all(|v| (0.0..=1.0).contains(v)) {
        true => Ok(()),
        false => Err(c.error("scales", "numbers of 0 to 1", "another")),
    }
}

/// The first row that occurs a second time or is too large.
fn first_repeated(rows: &[u32]) -> Option<u32> {
    let largest = rows.iter().copied().max()?;
    if largest >= MAX_NODES {
        return Some(largest);
    }
    let mut seen = vec![0u64; largest as usize / 64 + 1];
    rows.iter().copied().find(|&row| {
        let bit = 1u64 << (row % 64);
        seen.get_mut(row as usize / 64).is_none_or(|word| {
            let repeated = *word & bit != 0;
            *word |= bit;
            repeated
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn small() -> Vec<u8> {
        let vectors: Vec<f32> = (0..5 * 8).map(|i| ((i * 31 % 17) as f32 - 8.0) / 10.0).collect();
        let layer0 = (0..5u32).map(|i| vec![(i + 1) % 5, (i + 4) % 5]).collect();
        ShardParts {
            dim: 8,
            mean: vec![0.01; 8],
            vectors,
            rows: vec![4, 3, 2, 1, 0],
            links_per_node: (3, 2),
            layers: vec![layer0, vec![vec![1], vec![0]]],
        }
        .to_bytes()
    }

    #[test]
    fn a_vector_comes_back_within_half_a_step() {
        let shard = Shard::open(AlignedBytes::copy_of(&small())).unwrap();
        assert_eq!(
            (shard.len(), shard.dim(), shard.levels(), shard.layer_len(1)),
            (5, 8, 2, 2)
        );
        let mut v = [0f32; 8];
        shard.vector(3, &mut v);
        for (i, v) in v.iter().enumerate() {
            let exact = (((24 + i) * 31 % 17) as f32 - 8.0) / 10.0;
            assert!((v - exact).abs() <= shard.scales()[3] * 0.5 + 1e-6, "{v} {exact}");
        }
    }

    #[test]
    fn every_truncation_is_refused_and_no_flip_panics() {
        let good = small();
        for cut in 0..good.len() {
            assert!(
                Shard::open(AlignedBytes::copy_of(&good[..cut])).is_err(),
                "cut at {cut}"
            );
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(shard) = Shard::open(AlignedBytes::copy_of(&bad)) {
                let query = crate::shard::Query::new(&shard, &[0.3; 8]);
                let options = crate::shard::SearchOptions::new(3);
                if let Ok(query) = query {
                    shard.search(&query, &options, &mut crate::shard::Scratch::default(), |_| true);
                }
            }
        }
    }

    #[test]
    fn refuses_links_and_rows_that_lead_nowhere() {
        let change = |at: usize, value: u32| {
            let mut bad = small();
            bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Shard::open(AlignedBytes::copy_of(&bad)).unwrap_err().what
        };
        // 48: counts, 64: mean, 96: scales, 128: rows, 160: codes (5 × 16), 240: links.
        assert_eq!(change(16, 0), "number of nodes");
        assert_eq!(change(20, 4096), "dimensions");
        assert_eq!(change(48, 6), "nodes a layer");
        assert_eq!(change(64, f32::NAN.to_bits()), "mean");
        assert_eq!(change(96, f32::INFINITY.to_bits()), "scales");
        assert_eq!(change(128, 3), "rows");
        assert_eq!(change(240, 5), "links");
    }
}
