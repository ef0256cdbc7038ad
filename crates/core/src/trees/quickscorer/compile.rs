//! A forest to what [`QuickScorer`] scores with.

use super::super::kernel::{ZERO, contains};
use super::super::model::{Link, Model, Node, flags};
use super::columns::{self, CATEGORIES, NumericalColumn, RUN};
use super::membership::{self, PIECE, PIECE_CODES};
use super::{Categorical, MOST_LEAVES, Numerical, Plane, QuickScorer, Tree};
use crate::order::ascend;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Most pieces of all bit tables, 4 MiB: trees that would need more are walked.
const ALL_PIECES: usize = 1 << 18;

impl QuickScorer {
    /// For a model whose trees are complete.
    pub(in super::super) fn new(model: &Model) -> Self {
        let coding = Coding::of(model);
        let mut scorer = Self {
            columns: coding.columns(),
            leaves: model.leaves.iter().map(|leaf| f64::from(*leaf)).collect(),
            ..Self::default()
        };
        scorer.leaves.resize(model.leaves.len() + MOST_LEAVES, 0.0);
        let first_leaves = first_leaves(model);
        let first_leaf = |link: Link| first_leaf(link, &first_leaves);
        let leaf_ends = model
            .roots
            .iter()
            .skip(1)
            .map(|root| first_leaf(*root))
            .chain([model.leaves.len()]);
        let mut nodes = 0;
        for (&root, leaf_end) in model.roots.iter().zip(leaf_ends) {
            let first = first_leaf(root);
            let leaves = leaf_end - first;
            let end = nodes + leaves - 1;
            let splits = nodes..end;
            let mut planes = 0;
            if leaves <= MOST_LEAVES
                && let Some(coded) = scorer.code(model, &coding, splits.clone())
            {
                let left_sides = model.nodes[splits].iter().map(|node| {
                    let [left, right] = node.children.map(first_leaf);
                    left - first..right - first
                });
                let coded: Vec<(Coded, Range<usize>)> = coded.into_iter().zip(left_sides).collect();
                planes = leaves.div_ceil(8);
                for byte in (0..planes).rev() {
                    scorer.add_plane(&coded, byte);
                }
            }
            scorer.trees.push(Tree {
                first_leaf: first as u32,
                planes: planes as u8,
            });
            nodes = end;
        }
        scorer
    }

    /// A tree's splits in codes; `None` if one has none, because its feature has too many categories.
    fn code(&mut self, model: &Model, coding: &Coding, splits: Range<usize>) -> Option<Vec<Coded>> {
        let before = self.pieces.len();
        let mut coded = Vec::with_capacity(splits.len());
        for node in &model.nodes[splits] {
            let code = if node.flags & flags::CATEGORICAL == 0 {
                coding.numerical(node)
            } else {
                self.categorical(model, coding, node)
            };
            let Some(code) = code else {
                self.pieces.truncate(before);
                return None;
            };
            coded.push(code);
        }
        Some(coded)
    }

    fn categorical(&mut self, model: &Model, coding: &Coding, node: &Node) -> Option<Coded> {
        let first = self.pieces.len() as u32;
        let (column, pieces) = coding.categorical(model, node, ALL_PIECES - self.pieces.len())?;
        self.pieces.extend(pieces);
        let pieces = [first, self.pieces.len() as u32];
        Some(Coded::Categorical { column, pieces })
    }

    /// Adds a byte of a tree's masks, with the splits whose left side has any of its eight leaves.
    fn add_plane(&mut self, splits: &[(Coded, Range<usize>)], byte: usize) {
        for (split, left_side) in splits {
            let kept = !eight_of(left_side, 8 * byte);
            match *split {
                _ if kept == 0xff => {}
                Coded::Numerical { column, code } => {
                    self.numerical.push(Numerical { column, code, kept });
                }
                Coded::Categorical { column, pieces } => {
                    self.categorical.push(Categorical { column, pieces, kept });
                }
            }
        }
        self.planes.push(Plane {
            numerical_end: self.numerical.len() as u32,
            categorical_end: self.categorical.len() as u32,
        });
    }
}

/// What a split asks of codes.
#[derive(Clone, Copy)]
enum Coded {
    Numerical { column: u16, code: i8 },
    Categorical { column: u32, pieces: [u32; 2] },
}

/// A bit for each leaf of the range among the eight from `start`.
fn eight_of(leaves: &Range<usize>, start: usize) -> u8 {
    (0..8).fold(0, |bits, bit| {
        bits | u8::from(leaves.contains(&(start + bit))) << bit
    })
}

/// The first leaf below each split. A child's index is above its parent's.
fn first_leaves(model: &Model) -> Vec<u32> {
    let mut first = vec![0; model.nodes.len()];
    for (index, node) in model.nodes.iter().enumerate().rev() {
        first[index] = first_leaf(node.children[0], &first) as u32;
    }
    first
}

fn first_leaf(link: Link, first_leaves: &[u32]) -> usize {
    match link.resolve() {
        Ok(leaf) => leaf,
        Err(split) => first_leaves[split] as usize,
    }
}

/// Which column a split reads, and what code its operand has there. Columns are numbers in sorted lists, because
/// maps of several types would cost the browser's module kilobytes each.
struct Coding {
    /// The thresholds of each feature, ascending and distinct.
    thresholds: Vec<Vec<f32>>,
    /// The categories of each feature, ascending; more than [`CATEGORIES`] have no codes.
    known: Vec<Vec<u32>>,
    /// A column at its place: [`number_key`].
    numbers: Vec<u64>,
    /// A column at its place: [`category_key`].
    categories: Vec<u64>,
}

impl Coding {
    fn of(model: &Model) -> Self {
        let mut coding = Self {
            thresholds: thresholds(model),
            known: categories(model),
            numbers: Vec::new(),
            categories: Vec::new(),
        };
        let is_number = |node: &&Node| node.flags & flags::CATEGORICAL == 0;
        let numbers = model.nodes.iter().filter(is_number);
        coding.numbers = distinct(numbers.map(|node| coding.number(node).0));
        let categories = model.nodes.iter().filter(|node| !is_number(node));
        coding.categories = distinct(categories.filter(|node| coding.is_coded(node)).map(category_key));
        coding
    }

    fn columns(&self) -> columns::Columns {
        let mut all = columns::Columns::default();
        for of_feature in self.numbers.chunk_by(|a, b| a >> NUMBER_BITS == b >> NUMBER_BITS) {
            let feature = (of_feature[0] >> NUMBER_BITS) as usize;
            let columns = of_feature.iter().map(|key| column(*key)).collect();
            all.add_numbers(feature, self.thresholds[feature].clone(), columns);
        }
        for of_feature in self.categories.chunk_by(|a, b| a >> 1 == b >> 1) {
            let feature = (of_feature[0] >> 1) as usize;
            let columns = of_feature.iter().map(|key| key & 1 == 1).collect();
            all.add_categories(feature, self.known[feature].clone(), columns);
        }
        all
    }

    /// The key of a numerical split's column, and its threshold's index within the column's run.
    fn number(&self, node: &Node) -> (u64, usize) {
        let threshold = f32::from_bits(node.operand);
        let index = self.thresholds[usize::from(node.feature)].partition_point(|t| *t < threshold);
        (number_key(node, index / RUN), index % RUN)
    }

    /// A numerical split; `None` if its column's number is too large.
    fn numerical(&self, node: &Node) -> Option<Coded> {
        let (key, index) = self.number(node);
        let column = self.numbers.partition_point(|column| *column < key);
        Some(Coded::Numerical {
            column: u16::try_from(column).ok()?,
            code: columns::code_above(index),
        })
    }

    fn is_coded(&self, node: &Node) -> bool {
        self.known[usize::from(node.feature)].len() <= CATEGORIES
    }

    /// The column of a categorical split, and the bit table of its codes: 0 for those that it sends left.
    /// `None`: the feature has no codes, or the table more pieces than are free.
    fn categorical(&self, model: &Model, node: &Node, free: usize) -> Option<(u32, Vec<[u8; PIECE]>)> {
        let known = &self.known[usize::from(node.feature)];
        if !self.is_coded(node) {
            return None;
        }
        let key = category_key(node);
        let column = self.categories.partition_point(|column| *column < key) as u32;
        let mut pieces = vec![[0xff; PIECE]; (columns::KNOWN + known.len()).div_ceil(PIECE_CODES)];
        if pieces.len() > free {
            return None;
        }
        let table = pieces.as_flattened_mut();
        let set = model.set(node.operand as usize);
        let missing = (node.flags & flags::MISSING_LEFT != 0).then_some(columns::MISSING);
        let members = known
            .iter()
            .zip(columns::KNOWN..)
            .filter_map(|(category, code)| contains(set, *category).then_some(code));
        for code in members.chain(missing) {
            let (byte, bit) = membership::place(code);
            table[usize::from(byte)] &= !bit;
        }
        Some((column, pieces))
    }
}

/// Bits of a [`number_key`] below the feature.
const NUMBER_BITS: u32 = 32;

/// A column of numbers: feature, run, and what missing means.
fn number_key(node: &Node, run: usize) -> u64 {
    let missing_left = node.flags & flags::MISSING_LEFT != 0;
    let zero_is_missing = node.flags & flags::ZERO_IS_MISSING != 0;
    let feature = u64::from(node.feature) << NUMBER_BITS;
    feature | (run as u64) << 2 | u64::from(missing_left) << 1 | u64::from(zero_is_missing)
}

/// The column of a [`number_key`].
fn column(key: u64) -> NumericalColumn {
    let run = key as u32 >> 2;
    NumericalColumn {
        start: run * RUN as u32,
        missing: if key & 2 == 0 {
            columns::MISSING_RIGHT
        } else {
            columns::MISSING_LEFT
        },
        missing_up_to: if key & 1 == 1 { ZERO } else { -1.0 },
    }
}

/// A column of categories: feature, and whether values between -1 and 0 belong to category 0.
fn category_key(node: &Node) -> u64 {
    u64::from(node.feature) << 1 | u64::from(node.flags & flags::TRUNCATES_NEGATIVE != 0)
}

fn distinct(keys: impl Iterator<Item = u64>) -> Vec<u64> {
    // A heap, as in `order`: the standard library's sorts cost the module some 10 KB a type.
    let mut keys = keys.collect::<BinaryHeap<u64>>().into_sorted_vec();
    keys.dedup();
    keys
}

/// Distinct thresholds of each feature's numerical splits, ascending.
pub(in super::super) fn thresholds(model: &Model) -> Vec<Vec<f32>> {
    let mut thresholds = vec![Vec::new(); model.features];
    let numerical = model
        .nodes
        .iter()
        .filter(|node| node.flags & flags::CATEGORICAL == 0);
    for node in numerical {
        thresholds[usize::from(node.feature)].push(f32::from_bits(node.operand));
    }
    for of_feature in &mut thresholds {
        ascend(of_feature);
        of_feature.dedup();
    }
    thresholds
}

/// Categories that the sets of each feature's splits name, ascending; of too many, one more than can have codes.
fn categories(model: &Model) -> Vec<Vec<u32>> {
    let categorical = model
        .nodes
        .iter()
        .filter(|node| node.flags & flags::CATEGORICAL != 0);
    let uses = distinct(categorical.map(|node| u64::from(node.operand) << 16 | u64::from(node.feature)));
    let mut known = vec![Vec::new(); model.features];
    for of_set in uses.chunk_by(|a, b| a >> 16 == b >> 16) {
        let members = members(model.set((of_set[0] >> 16) as usize));
        for feature in of_set {
            add(&mut known[usize::from(*feature as u16)], &members);
        }
    }
    known
}

/// Adds ascending categories until there are more than can have codes.
fn add(known: &mut Vec<u32>, members: &[u32]) {
    for member in members {
        if known.len() > CATEGORIES {
            return;
        }
        if let Err(place) = known.binary_search(member) {
            known.insert(place, *member);
        }
    }
}

/// The categories of a set, at most one more than can have codes.
fn members(words: &[u32]) -> Vec<u32> {
    let bits = words.iter().zip(0..).flat_map(|(word, index)| {
        (0..32)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| 32 * index + bit)
    });
    bits.take(CATEGORIES + 1).collect()
}
