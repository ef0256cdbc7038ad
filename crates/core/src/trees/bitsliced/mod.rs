//! Scores blocks of rows without walking trees: every split of a tree is asked for all rows of the block at once.
//!
//! Rows are bits: one [`Bits`] holds an answer for each of the [`LANES`] rows of a block. First every question that any
//! split asks is answered ([`columns`], [`ranks`], [`sets`]); trees share the questions, so there are fewer of them than
//! splits. Then a tree takes two operations a split: of the rows that reach it, those with the answer yes go left, the
//! others right. Last, the rows at each leaf become the number of each row's leaf ([`rows`]).
//!
//! As in `QuickScorer` (Lucchese et al., SIGIR 2015), thresholds of all trees are seen together, feature by feature. But
//! bits stand for rows, not for leaves, which takes a quarter less time here (docs/decisions.md). All versions of the
//! steps, and the walk, give the same scores, bit for bit.

mod columns;
mod compile;
mod ranks;
mod rows;
mod sets;
#[cfg(test)]
mod tests;

use super::model::Model;
use columns::Columns;
pub(super) use compile::thresholds;
use rows::Bits;
use sets::{PIECE, Places};

/// Rows of a block.
pub(super) const LANES: usize = 128;

/// Leaves of the largest tree that is scored so; larger ones are walked. A leaf's number is a byte.
const MOST_LEAVES: usize = 256;

/// Trees whose leaves are added at once.
const GROUP: usize = 16;

/// One value a row of the block.
type Lanes<T> = [T; LANES];

/// A split: rows with this answer go left.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    answer: u32,
    /// Places of both sides in [`Block::reached`].
    sides: [u16; 2],
}

/// Whether a category is in a set.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Membership {
    column: u32,
    /// Its set's bit table: indices of the first piece and behind the last.
    pieces: [u32; 2],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Tree {
    first_leaf: u32,
    /// 0 for a tree that is walked.
    leaves: u16,
}

/// A forest ready for scoring.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct BitSliced {
    columns: Columns,
    /// Their answers follow those of the numbers.
    memberships: Vec<Membership>,
    /// The bit tables of all sets.
    pieces: Vec<[u8; PIECE]>,
    /// In the order of the model's roots.
    trees: Vec<Tree>,
    /// Tree by tree, parents before their children.
    splits: Vec<Split>,
    /// The model's, and zeros behind, so that there are [`MOST_LEAVES`] from any tree's first leaf on.
    leaves: Vec<f64>,
}

/// What is worked out for a block.
struct Block {
    /// Of the categories, column by column.
    codes: Vec<Places>,
    /// Those about numbers, then those of [`BitSliced::memberships`].
    answers: Vec<Bits>,
    /// The rows that reach each leaf of a tree, and then those that reach each split.
    reached: [Bits; 2 * MOST_LEAVES],
}

/// Leaves of a group of trees.
struct Group<'a> {
    /// Each tree's leaves, and others behind.
    leaves: Vec<&'a [f64; MOST_LEAVES]>,
    /// The leaf of every row, counted from the tree's first.
    exits: [Lanes<u8>; GROUP],
}

impl BitSliced {
    /// Raw scores; `rows` and `out` fit the model, which is the one that this was made from.
    pub(super) fn score(&self, model: &Model, rows: &[f32], out: &mut [f32]) {
        let (features, classes) = (model.features, model.base.len());
        let mut block = Block {
            codes: self.columns.codes(),
            answers: vec![rows::NONE; self.columns.answers() + self.memberships.len()],
            reached: [rows::NONE; 2 * MOST_LEAVES],
        };
        for (rows, out) in rows.chunks(LANES * features).zip(out.chunks_mut(LANES * classes)) {
            self.answer(rows, features, &mut block);
            self.score_block(model, rows, &mut block, out);
        }
    }

    /// Answers all questions for at most [`LANES`] rows. Lanes without a row keep some answer.
    fn answer(&self, rows: &[f32], features: usize, block: &mut Block) {
        let (numbers, memberships) = block.answers.split_at_mut(self.columns.answers());
        self.columns.fill(rows, features, &mut block.codes, numbers);
        for (answer, membership) in memberships.iter_mut().zip(&self.memberships) {
            let [first, end] = membership.pieces;
            let set = &self.pieces[first as usize..end as usize];
            *answer = sets::inside(&block.codes[membership.column as usize], set);
        }
    }

    /// At most [`LANES`] rows.
    fn score_block(&self, model: &Model, rows: &[f32], block: &mut Block, out: &mut [f32]) {
        let n = rows.len() / model.features;
        let mut splits = self.splits.iter();
        let mut group = Group {
            leaves: Vec::with_capacity(GROUP),
            exits: [[0; LANES]; GROUP],
        };
        let mut start = 0;
        for (class, (&end, &base)) in model.class_ends.iter().zip(&model.base).enumerate() {
            let mut sums = [[f64::from(base); 8]; LANES / 8];
            let sums = &mut sums[..n.div_ceil(8)];
            for (tree, &root) in self.trees[start..end].iter().zip(&model.roots[start..end]) {
                let leaves = self.leaves[tree.first_leaf as usize..].first_chunk();
                if let (Some(leaves), 1..) = (leaves, tree.leaves) {
                    group.exits[group.leaves.len()] = block.exits(tree.leaves.into(), &mut splits);
                    group.leaves.push(leaves);
                    if group.leaves.len() == GROUP {
                        group.add(sums);
                    }
                } else {
                    group.add(sums);
                    for (row, sum) in rows.chunks_exact(model.features).zip(sums.as_flattened_mut()) {
                        *sum += f64::from(model.leaf(root, row));
                    }
                }
            }
            group.add(sums);
            for (out, sum) in out.chunks_exact_mut(model.base.len()).zip(sums.as_flattened()) {
                out[class] = *sum as f32;
            }
            start = end;
        }
    }
}

impl Block {
    /// The leaf of every row, counted from the tree's first.
    fn exits<'a>(&mut self, leaves: usize, splits: &mut impl Iterator<Item = &'a Split>) -> Lanes<u8> {
        let reached = &mut self.reached;
        let root = if leaves > 1 { MOST_LEAVES } else { 0 };
        reached[root] = rows::ALL;
        for (split, here) in splits.take(leaves - 1).zip(MOST_LEAVES..) {
            let here = reached[here % reached.len()];
            let [left, right] = split.sides;
            let to_left = rows::and(here, self.answers[split.answer as usize]);
            reached[usize::from(left) % (2 * MOST_LEAVES)] = to_left;
            reached[usize::from(right) % (2 * MOST_LEAVES)] = rows::xor(here, to_left);
        }
        // Digit by digit, from the lowest: which rows are at a leaf with an odd number. Then pairs of leaves are joined.
        let mut digits = [rows::NONE; 8];
        let mut length = 0;
        let mut count = leaves;
        while count > 1 && length < digits.len() {
            reached[count] = rows::NONE;
            count = count.div_ceil(2);
            let mut odd = rows::NONE;
            for pair in 0..count {
                let [a, b] = [reached[2 * pair], reached[2 * pair + 1]];
                odd = rows::or(odd, b);
                reached[pair] = rows::or(a, b);
            }
            digits[length] = odd;
            length += 1;
        }
        rows::numbers(&digits[..length])
    }
}

impl Group<'_> {
    /// Adds a leaf of each tree to the sum of each row, and forgets the trees.
    fn add(&mut self, sums: &mut [[f64; 8]]) {
        for (eight, sums) in sums.iter_mut().enumerate() {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *sums;
            for (leaves, exits) in self.leaves.iter().zip(&self.exits) {
                let [i, j, k, l, m, n, o, p] = exits.as_chunks::<8>().0[eight];
                a += leaves[usize::from(i)];
                b += leaves[usize::from(j)];
                c += leaves[usize::from(k)];
                d += leaves[usize::from(l)];
                e += leaves[usize::from(m)];
                f += leaves[usize::from(n)];
                g += leaves[usize::from(o)];
                h += leaves[usize::from(p)];
            }
            *sums = [a, b, c, d, e, f, g, h];
        }
        self.leaves.clear();
    }
}
