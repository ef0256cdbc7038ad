//! A forest to what [`BitSliced`] scores with.

use super::super::kernel::{ZERO, contains};
use super::super::model::{Link, Model, Node, flags};
use super::columns::{self, CATEGORIES, NumericalColumn};
use super::sets::{self, PIECE, PIECE_CODES};
use super::{BitSliced, MOST_LEAVES, Membership, Split, Tree};
use crate::order::ascend;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Most pieces of all bit tables, 4 MiB: trees that would need more are walked.
const ALL_PIECES: usize = 1 << 18;

impl BitSliced {
    /// For a model whose trees are complete.
    pub(in super::super) fn new(model: &Model) -> Self {
        let coding = Coding::of(model);
        let mut scorer = Self {
            columns: coding.columns(),
            leaves: model.leaves.iter().map(|leaf| f64::from(*leaf)).collect(),
            ..Self::default()
        };
        scorer.leaves.resize(model.leaves.len() + MOST_LEAVES, 0.0);
        let leaf_ends = model
            .roots
            .iter()
            .skip(1)
            .map(|root| model.first_leaf(*root))
            .chain([model.leaves.len()]);
        let mut first_split = 0;
        for (&root, leaf_end) in model.roots.iter().zip(leaf_ends) {
            let first_leaf = model.first_leaf(root);
            let leaves = leaf_end - first_leaf;
            let end = first_split + leaves - 1;
            let place = |link: Link| match link.resolve() {
                Ok(leaf) => leaf - first_leaf,
                Err(split) => MOST_LEAVES + split - first_split,
            };
            let is_sliced =
                leaves <= MOST_LEAVES && scorer.add(model, &coding, first_split..end, place).is_some();
            scorer.trees.push(Tree {
                first_leaf: first_leaf as u32,
                leaves: if is_sliced { leaves as u16 } else { 0 },
            });
            first_split = end;
        }
        scorer
    }

    /// Adds a tree's splits, all or none: `None` if one has no answer, because its feature has too many categories.
    fn add(
        &mut self,
        model: &Model,
        coding: &Coding,
        splits: Range<usize>,
        place: impl Fn(Link) -> usize,
    ) -> Option<()> {
        let before = (self.splits.len(), self.memberships.len(), self.pieces.len());
        for node in &model.nodes[splits] {
            let answer = if node.flags & flags::CATEGORICAL == 0 {
                Some(coding.numerical(node))
            } else {
                self.categorical(model, coding, node)
            };
            let Some(answer) = answer else {
                self.splits.truncate(before.0);
                self.memberships.truncate(before.1);
                self.pieces.truncate(before.2);
                return None;
            };
            let sides = node.children.map(|child| place(child) as u16);
            self.splits.push(Split { answer, sides });
        }
        Some(())
    }

    fn categorical(&mut self, model: &Model, coding: &Coding, node: &Node) -> Option<u32> {
        let first = self.pieces.len() as u32;
        let (column, pieces) = coding.categorical(model, node, ALL_PIECES - self.pieces.len())?;
        self.pieces.extend(pieces);
        let pieces = [first, self.pieces.len() as u32];
        let answer = self.columns.answers() + self.memberships.len();
        self.memberships.push(Membership { column, pieces });
        Some(answer as u32)
    }
}

/// Which column a split reads, and which answer or code its operand has there. Columns are numbers in sorted lists, because
/// maps of several types would cost the browser's module kilobytes each.
struct Coding {
    /// The thresholds of each feature, ascending and distinct.
    thresholds: Vec<Vec<f32>>,
    /// The categories of each feature, ascending; more than [`CATEGORIES`] have no codes.
    known: Vec<Vec<u32>>,
    /// A column at its place: [`number_key`].
    numbers: Vec<u64>,
    /// The first answer of each column of numbers.
    starts: Vec<u32>,
    /// A column at its place: [`category_key`].
    categories: Vec<u64>,
}

impl Coding {
    fn of(model: &Model) -> Self {
        let mut coding = Self {
            thresholds: thresholds(model),
            known: categories(model),
            numbers: Vec::new(),
            starts: Vec::new(),
            categories: Vec::new(),
        };
        let is_number = |node: &&Node| node.flags & flags::CATEGORICAL == 0;
        let numbers = model.nodes.iter().filter(is_number);
        coding.numbers = distinct(numbers.map(number_key));
        let mut start = 0;
        for key in &coding.numbers {
            coding.starts.push(start as u32);
            start += columns::answers(coding.thresholds[number_feature(*key)].len());
        }
        let categories = model.nodes.iter().filter(|node| !is_number(node));
        coding.categories = distinct(categories.filter(|node| coding.is_coded(node)).map(category_key));
        coding
    }

    fn columns(&self) -> columns::Columns {
        let mut all = columns::Columns::default();
        for of_feature in self
            .numbers
            .chunk_by(|a, b| number_feature(*a) == number_feature(*b))
        {
            let feature = number_feature(of_feature[0]);
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

    /// The answer to a numerical split.
    fn numerical(&self, node: &Node) -> u32 {
        let threshold = f32::from_bits(node.operand);
        let index = self.thresholds[usize::from(node.feature)].partition_point(|t| *t < threshold);
        let key = number_key(node);
        let column = self.numbers.partition_point(|column| *column < key);
        self.starts[column] + index as u32
    }

    fn is_coded(&self, node: &Node) -> bool {
        self.known[usize::from(node.feature)].len() <= CATEGORIES
    }

    /// The column of a categorical split, and the bit table of its codes: 1 for those that it sends left.
    /// `None`: the feature has no codes, or the table more pieces than are free.
    fn categorical(&self, model: &Model, node: &Node, free: usize) -> Option<(u32, Vec<[u8; PIECE]>)> {
        let known = &self.known[usize::from(node.feature)];
        if !self.is_coded(node) {
            return None;
        }
        let key = category_key(node);
        let column = self.categories.partition_point(|column| *column < key) as u32;
        let mut pieces = vec![[0; PIECE]; (columns::KNOWN + known.len()).div_ceil(PIECE_CODES)];
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
            let (byte, bit) = sets::place(code);
            table[usize::from(byte)] |= bit;
        }
        Some((column, pieces))
    }
}

/// A column of numbers: feature, and what missing means.
fn number_key(node: &Node) -> u64 {
    let missing_left = node.flags & flags::MISSING_LEFT != 0;
    let zero_is_missing = node.flags & flags::ZERO_IS_MISSING != 0;
    u64::from(node.feature) << 2 | u64::from(missing_left) << 1 | u64::from(zero_is_missing)
}

/// The feature of a [`number_key`].
fn number_feature(key: u64) -> usize {
    (key >> 2) as usize
}

/// The column of a [`number_key`].
fn column(key: u64) -> NumericalColumn {
    NumericalColumn {
        missing_left: key & 2 != 0,
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
