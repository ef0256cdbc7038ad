//! Scores blocks of rows without walking trees: every split of a tree is asked for all rows of the block at once, and
//! each answer strikes leaves out of a bitmask; the lowest leaf left is the row's.
//!
//! This is `QuickScorer` (Lucchese et al., SIGIR 2015), with the bytes of the masks side by side over the rows as in
//! `RapidScorer` (Ye et al., KDD 2018). Values become one-byte codes first ([`columns`], [`ranks`]), so each step over
//! [`LANES`] is a few SIMD instructions ([`lanes`], [`membership`]). All versions of these and the walk give the same
//! scores, bit for bit.

mod columns;
mod compile;
mod lanes;
mod membership;
mod ranks;
#[cfg(test)]
mod tests;

use super::model::Model;
use columns::{Codes, Columns};
pub(super) use compile::thresholds;
use lanes::{Bytes, below, lowest, strike};
use membership::PIECE;

/// Rows of a block.
pub(super) const LANES: usize = 64;

/// Bytes of the largest leaf mask.
const PLANES: usize = 32;

/// Leaves of the largest tree that has masks; larger ones are walked.
const MOST_LEAVES: usize = 8 * PLANES;

/// One value a row of the block.
type Lanes<T> = [T; LANES];

/// A numerical split and a byte of the masks: rows with a code below this one go left.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Numerical {
    column: u16,
    code: i8,
    /// The bits left to rows that go right.
    kept: u8,
}

/// A categorical split and a byte of the masks: rows with a code in its set go left.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Categorical {
    column: u32,
    /// Its set's bit table: indices of the first piece and behind the last.
    pieces: [u32; 2],
    /// The bits left to rows that go right.
    kept: u8,
}

/// One byte of a tree's masks, which is eight of its leaves: where the splits end that strike any of them, by kind.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Plane {
    numerical_end: u32,
    categorical_end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Tree {
    first_leaf: u32,
    /// Bytes of a mask; 0 for a tree that is walked.
    planes: u8,
}

/// A forest ready for scoring.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct QuickScorer {
    columns: Columns,
    /// In the order of the model's roots.
    trees: Vec<Tree>,
    /// Of each tree, the byte of the last leaves first.
    planes: Vec<Plane>,
    numerical: Vec<Numerical>,
    categorical: Vec<Categorical>,
    /// The bit tables of all sets.
    pieces: Vec<[u8; PIECE]>,
    /// The model's, and zeros behind, so that there are [`MOST_LEAVES`] from any tree's first leaf on.
    leaves: Vec<f64>,
}

/// Where the next tree's planes and splits begin.
#[derive(Default)]
struct Position {
    plane: usize,
    numerical: usize,
    categorical: usize,
}

impl QuickScorer {
    /// Raw scores; `rows` and `out` fit the model, which is the one that this was made from.
    pub(super) fn score(&self, model: &Model, rows: &[f32], out: &mut [f32]) {
        let (features, classes) = (model.features, model.base.len());
        let mut codes = self.columns.codes();
        for (rows, out) in rows.chunks(LANES * features).zip(out.chunks_mut(LANES * classes)) {
            self.columns.fill(rows, features, &mut codes);
            self.score_block(model, rows, &codes, out);
        }
    }

    /// At most [`LANES`] rows.
    fn score_block(&self, model: &Model, rows: &[f32], codes: &Codes, out: &mut [f32]) {
        let n = rows.len() / model.features;
        let mut at = Position::default();
        let mut start = 0;
        for (class, (&end, &base)) in model.class_ends.iter().zip(&model.base).enumerate() {
            let mut sums = [[f64::from(base); 4]; LANES / 4];
            let sums = &mut sums[..n.div_ceil(4)];
            for (tree, &root) in self.trees[start..end].iter().zip(&model.roots[start..end]) {
                let leaves = self.leaves[tree.first_leaf as usize..].first_chunk::<MOST_LEAVES>();
                if let (Some(leaves), 1..) = (leaves, tree.planes) {
                    let exits = lanes::each(self.exits(tree, codes, &mut at));
                    let (exits, _) = exits.as_chunks();
                    for (sums, [e, f, g, h]) in sums.iter_mut().zip(exits) {
                        let [a, b, c, d] = sums;
                        *a += leaves[usize::from(*e)];
                        *b += leaves[usize::from(*f)];
                        *c += leaves[usize::from(*g)];
                        *d += leaves[usize::from(*h)];
                    }
                } else {
                    for (row, sum) in rows.chunks_exact(model.features).zip(sums.as_flattened_mut()) {
                        *sum += f64::from(model.leaf(root, row));
                    }
                }
            }
            for (out, sum) in out.chunks_exact_mut(model.base.len()).zip(sums.as_flattened()) {
                out[class] = *sum as f32;
            }
            start = end;
        }
    }

    /// The leaf of every row, counted from the tree's first.
    #[inline(always)]
    fn exits(&self, tree: &Tree, codes: &Codes, at: &mut Position) -> Bytes {
        let mut exits = lanes::all(0);
        let mut byte = tree.planes;
        while byte > 0 {
            byte -= 1;
            let plane = &self.planes[at.plane];
            let mut mask = lanes::all(0xff);
            for split in &self.numerical[at.numerical..plane.numerical_end as usize] {
                let left = below(&codes.numbers[usize::from(split.column)], split.code);
                mask = strike(mask, left, split.kept);
            }
            for split in &self.categorical[at.categorical..plane.categorical_end as usize] {
                let [first, end] = split.pieces;
                let set = &self.pieces[first as usize..end as usize];
                let left = membership::inside(&codes.categories[split.column as usize], set);
                mask = strike(mask, left, split.kept);
            }
            exits = lowest(mask, 8 * byte, exits);
            *at = Position {
                plane: at.plane + 1,
                numerical: plane.numerical_end as usize,
                categorical: plane.categorical_end as usize,
            };
        }
        exits
    }
}
