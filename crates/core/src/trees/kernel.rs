//! Scores rows: many at once, split by split, a few by walking the trees.
//!
//! Leaves are f32 and sums are f64, in the order of the trees, so a score is the same bit for bit natively
//! and in WebAssembly, whatever the number of rows.

use super::bitsliced::LANES;
use super::model::{Link, Model, Node, flags};
use thiserror::Error;

/// Below this many rows, walking is quicker than a block that is mostly empty.
const FEW: usize = 5;

/// LightGBM's `kZeroThreshold`: values at most this far from zero count as zero.
pub(super) const ZERO: f32 = 1e-35;

/// Slices whose lengths do not fit the model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "expected rows of {features} features and {classes} scores for each, found {rows} values and room for {out} scores"
)]
pub struct ShapeError {
    pub(super) features: usize,
    pub(super) classes: usize,
    pub(super) rows: usize,
    pub(super) out: usize,
}

impl Model {
    /// Raw scores (margins) of `n` rows.
    ///
    /// `rows` is row-major, n × [`Model::feature_count`]; NaN is a missing value. `out` is row-major,
    /// n × [`Model::class_count`], and is overwritten.
    ///
    /// # Errors
    /// Lengths that are no such matrices.
    pub fn score(&self, rows: &[f32], out: &mut [f32]) -> Result<(), ShapeError> {
        let (features, classes) = (self.features, self.base.len());
        let n = rows.len() / features;
        if rows.len() != n * features || Some(out.len()) != n.checked_mul(classes) {
            return Err(ShapeError {
                features,
                classes,
                rows: rows.len(),
                out: out.len(),
            });
        }
        // A last block of few rows is walked.
        let in_blocks = if n % LANES < FEW { n - n % LANES } else { n };
        let (block_rows, rows) = rows.split_at(in_blocks * features);
        let (block_out, out) = out.split_at_mut(in_blocks * classes);
        if in_blocks > 0 {
            self.scorer.score(self, block_rows, block_out);
        }
        for (row, out) in rows.chunks_exact(features).zip(out.chunks_exact_mut(classes)) {
            self.walk(row, out);
        }
        Ok(())
    }

    /// Raw scores of one row.
    fn walk(&self, row: &[f32], out: &mut [f32]) {
        let mut start = 0;
        for ((out, &end), &base) in out.iter_mut().zip(&self.class_ends).zip(&self.base) {
            let leaves = self.roots[start..end]
                .iter()
                .map(|root| f64::from(self.leaf(*root, row)));
            *out = leaves.fold(f64::from(base), |sum, leaf| sum + leaf) as f32;
            start = end;
        }
    }

    /// The leaf that a row falls into. Ends because a child's index is above its parent's.
    #[inline]
    pub(super) fn leaf(&self, root: Link, row: &[f32]) -> f32 {
        let mut link = root;
        loop {
            match link.resolve() {
                Ok(leaf) => return self.leaves[leaf],
                Err(split) => {
                    let node = &self.nodes[split];
                    let left = self.goes_left(node, row[usize::from(node.feature)]);
                    link = node.children[usize::from(!left)];
                }
            }
        }
    }

    #[inline]
    pub(super) fn goes_left(&self, node: &Node, x: f32) -> bool {
        if x.is_nan() || (node.flags & flags::ZERO_IS_MISSING != 0 && x.abs() <= ZERO) {
            node.flags & flags::MISSING_LEFT != 0
        } else if node.flags & flags::CATEGORICAL == 0 {
            x <= f32::from_bits(node.operand)
        } else {
            let lowest_is_in = if node.flags & flags::TRUNCATES_NEGATIVE != 0 {
                x > -1.0
            } else {
                x >= 0.0
            };
            lowest_is_in && contains(self.set(node.operand as usize), x as u32)
        }
    }
}

/// Whether a category is in a set; what lies behind the set's last word is not.
pub(super) fn contains(words: &[u32], category: u32) -> bool {
    words
        .get(category as usize / 32)
        .is_some_and(|word| word >> (category % 32) & 1 == 1)
}
