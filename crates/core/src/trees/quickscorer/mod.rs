//! Scores blocks of rows without walking trees: every split of a tree is asked for all rows of the block at once, and
//! each answer strikes leaves out of a bitmask; the lowest leaf left is the row's.
//!
//! This is `QuickScorer` (Lucchese et al., SIGIR 2015), with the bytes of the masks side by side over the rows as in
//! `RapidScorer` (Ye et al., KDD 2018). Values become one-byte codes first ([`columns`]), so each step over [`LANES`] is a
//! few SIMD instructions ([`lanes`], [`membership`]). All versions of these and the walk give the same scores, bit for bit.

mod columns;
mod compile;
mod lanes;
mod membership;
#[cfg(test)]
mod tests;

use super::model::Model;
use columns::{Codes, Columns};
pub(super) use compile::thresholds;
use lanes::{above, clear, exits};
use membership::PIECE;

/// Rows of a block.
pub(super) const LANES: usize = 64;

/// Bytes of the largest leaf mask: trees of more leaves are walked.
const PLANES: usize = 32;

/// One value a row of the block.
type Lanes<T> = [T; LANES];

/// Leaves that a split strikes out where a row goes right: those of its left side, a range of bits.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Strike {
    /// The range's first and last byte.
    bytes: [u8; 2],
    /// The bits of these two; all bits of the bytes between. The second is 0 where both are the same byte.
    bits: [u8; 2],
}

/// A numerical split: rows with a code above this one go right.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Numerical {
    column: u32,
    code: i8,
    strike: Strike,
}

/// A categorical split: rows with a code outside its set go right.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Categorical {
    column: u32,
    /// Index behind the last piece of its set's bit table.
    pieces_end: u32,
    strike: Strike,
}

/// A split that has no codes, because its feature has too many categories: it is asked row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Plain {
    node: u32,
    strike: Strike,
}

/// Where a tree's splits end, by kind, and how wide its mask is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tree {
    numerical_end: u32,
    categorical_end: u32,
    plain_end: u32,
    first_leaf: u32,
    /// Bytes of the mask; 0 for a tree that is walked.
    planes: u8,
}

/// A forest ready for scoring.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct QuickScorer {
    columns: Columns,
    /// In the order of the model's roots.
    trees: Vec<Tree>,
    numerical: Vec<Numerical>,
    categorical: Vec<Categorical>,
    /// The bit tables of all sets.
    pieces: Vec<[u8; PIECE]>,
    plain: Vec<Plain>,
}

/// Where the next tree's splits begin.
#[derive(Default)]
struct Position {
    numerical: usize,
    categorical: usize,
    pieces: usize,
    plain: usize,
}

/// A block's leaf masks, byte by byte.
type Masks = [Lanes<u8>; PLANES];

impl QuickScorer {
    /// Raw scores; `rows` and `out` fit the model, which is the one that this was made from.
    pub(super) fn score(&self, model: &Model, rows: &[f32], out: &mut [f32]) {
        let (features, classes) = (model.features, model.base.len());
        let mut codes = self.columns.codes();
        let mut masks = [[0; LANES]; PLANES];
        for (rows, out) in rows.chunks(LANES * features).zip(out.chunks_mut(LANES * classes)) {
            self.columns.fill(rows, features, &mut codes);
            let block = Block {
                scorer: self,
                model,
                rows,
                codes: &codes,
            };
            block.score(&mut masks, out);
        }
    }
}

/// At most [`LANES`] rows and their codes.
struct Block<'a> {
    scorer: &'a QuickScorer,
    model: &'a Model,
    rows: &'a [f32],
    codes: &'a Codes,
}

impl Block<'_> {
    fn score(&self, masks: &mut Masks, out: &mut [f32]) {
        let model = self.model;
        let mut at = Position::default();
        let mut start = 0;
        for (class, (&end, &base)) in model.class_ends.iter().zip(&model.base).enumerate() {
            let mut sums = [f64::from(base); LANES];
            for (tree, &root) in self.scorer.trees[start..end].iter().zip(&model.roots[start..end]) {
                if tree.planes == 0 {
                    for (row, sum) in self.rows.chunks_exact(model.features).zip(&mut sums) {
                        *sum += f64::from(model.leaf(root, row));
                    }
                } else {
                    self.strike(tree, &mut at, masks);
                    let exits = exits(&masks[..usize::from(tree.planes)]);
                    let leaves = &model.leaves[tree.first_leaf as usize..];
                    for (sum, exit) in sums.iter_mut().zip(&exits) {
                        *sum += f64::from(leaves[usize::from(*exit)]);
                    }
                }
            }
            for (out, sum) in out.chunks_exact_mut(model.base.len()).zip(&sums) {
                out[class] = *sum as f32;
            }
            start = end;
        }
    }

    /// Asks every split of a tree.
    fn strike(&self, tree: &Tree, at: &mut Position, masks: &mut Masks) {
        let scorer = self.scorer;
        masks[..usize::from(tree.planes)].fill([0xff; LANES]);
        let end = tree.numerical_end as usize;
        for split in &scorer.numerical[at.numerical..end] {
            let codes = &self.codes.numbers[split.column as usize];
            let right = above(codes, split.code);
            split.strike.apply(&right, masks);
        }
        at.numerical = end;
        let end = tree.categorical_end as usize;
        for split in &scorer.categorical[at.categorical..end] {
            let places = &self.codes.categories[split.column as usize];
            let pieces_end = split.pieces_end as usize;
            let right = membership::outside(places, &scorer.pieces[at.pieces..pieces_end]);
            at.pieces = pieces_end;
            split.strike.apply(&right, masks);
        }
        at.categorical = end;
        let end = tree.plain_end as usize;
        for split in &scorer.plain[at.plain..end] {
            let node = &self.model.nodes[split.node as usize];
            let mut right = [0; LANES];
            for (right, row) in right.iter_mut().zip(self.rows.chunks_exact(self.model.features)) {
                let left = self.model.goes_left(node, row[usize::from(node.feature)]);
                *right = if left { 0 } else { 0xff };
            }
            split.strike.apply(&right, masks);
        }
        at.plain = end;
    }
}

impl Strike {
    /// Clears the leaves of the rows whose `right` is 0xff.
    #[inline]
    fn apply(self, right: &Lanes<u8>, masks: &mut Masks) {
        let [first, last] = self.bytes.map(usize::from);
        clear(&mut masks[first % PLANES], right, self.bits[0]);
        if last > first {
            for mask in &mut masks[first + 1..last] {
                clear(mask, right, 0xff);
            }
            clear(&mut masks[last % PLANES], right, self.bits[1]);
        }
    }
}
