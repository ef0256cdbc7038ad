//! A forest to what [`QuickScorer`] scores with.

use super::super::kernel::contains;
use super::super::model::{Link, Model, Node, flags};
use super::columns::{self, CATEGORIES, NumericalColumn, RUN};
use super::membership::{self, PIECE, PIECE_CODES};
use super::{Categorical, Numerical, PLANES, Plain, QuickScorer, Strike, Tree};
use crate::order::ascend;
use std::collections::{BTreeMap, BTreeSet};

/// Most pieces of all bit tables, 4 MiB: categorical splits behind that are asked row by row.
const ALL_PIECES: usize = 1 << 18;

impl QuickScorer {
    /// For a model whose trees are complete.
    pub(in super::super) fn new(model: &Model) -> Self {
        let coding = Coding::of(model);
        let mut scorer = Self {
            columns: coding.columns(),
            ..Self::default()
        };
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
            let planes = leaves.div_ceil(8);
            if planes <= PLANES {
                for index in nodes..end {
                    let node = &model.nodes[index];
                    let [left, right] = node.children.map(first_leaf);
                    scorer.add(model, &coding, index, strike(left - first, right - first));
                }
            }
            scorer.trees.push(Tree {
                numerical_end: scorer.numerical.len() as u32,
                categorical_end: scorer.categorical.len() as u32,
                plain_end: scorer.plain.len() as u32,
                first_leaf: first as u32,
                planes: if planes <= PLANES { planes as u8 } else { 0 },
            });
            nodes = end;
        }
        scorer
    }

    fn add(&mut self, model: &Model, coding: &Coding, index: usize, strike: Strike) {
        let node = &model.nodes[index];
        if node.flags & flags::CATEGORICAL == 0 {
            let (column, code) = coding.numerical(node);
            return self.numerical.push(Numerical { column, code, strike });
        }
        match coding.categorical(model, node, ALL_PIECES - self.pieces.len()) {
            Some((column, pieces)) => {
                self.pieces.extend(pieces);
                let pieces_end = self.pieces.len() as u32;
                self.categorical.push(Categorical {
                    column,
                    pieces_end,
                    strike,
                });
            }
            None => self.plain.push(Plain {
                node: index as u32,
                strike,
            }),
        }
    }
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

/// Leaves from `start` to before `end` of a tree's mask; there is at least one.
fn strike(start: usize, end: usize) -> Strike {
    let (first, last) = (start / 8, (end - 1) / 8);
    let from_start = 0xff << (start % 8);
    let to_end = 0xff >> (7 - (end - 1) % 8);
    Strike {
        bytes: [first as u8, last as u8],
        bits: if first == last {
            [from_start & to_end, 0]
        } else {
            [from_start, to_end]
        },
    }
}

/// Which column a split reads, and what code its operand has there.
struct Coding {
    /// The thresholds of each feature, ascending and distinct, and the columns that its splits need.
    numbers: BTreeMap<u16, (Vec<f32>, BTreeMap<NumericalColumn, u32>)>,
    /// The categories of each feature; those with too many are left out.
    categories: BTreeMap<u16, (Vec<u32>, BTreeMap<bool, u32>)>,
}

impl Coding {
    fn of(model: &Model) -> Self {
        let mut coding = Self {
            numbers: BTreeMap::new(),
            categories: categories(model),
        };
        for (feature, thresholds) in thresholds(model).into_iter().enumerate() {
            if !thresholds.is_empty() {
                coding
                    .numbers
                    .insert(feature as u16, (thresholds, BTreeMap::new()));
            }
        }
        for node in &model.nodes {
            if node.flags & flags::CATEGORICAL == 0 {
                let (column, _) = coding.number(node);
                if let Some((_, columns)) = coding.numbers.get_mut(&node.feature) {
                    columns.insert(column, 0);
                }
            } else if let Some((_, columns)) = coding.categories.get_mut(&node.feature) {
                columns.insert(node.flags & flags::TRUNCATES_NEGATIVE != 0, 0);
            }
        }
        let numbers = coding
            .numbers
            .values_mut()
            .flat_map(|(_, columns)| columns.values_mut());
        numbers.zip(0..).for_each(|(column, index)| *column = index);
        let categories = coding
            .categories
            .values_mut()
            .flat_map(|(_, columns)| columns.values_mut());
        categories.zip(0..).for_each(|(column, index)| *column = index);
        coding
    }

    fn columns(&self) -> columns::Columns {
        let mut all = columns::Columns::default();
        for (&feature, (thresholds, columns)) in &self.numbers {
            all.add_numbers(
                usize::from(feature),
                thresholds.clone(),
                columns.keys().copied().collect(),
            );
        }
        for (&feature, (known, columns)) in &self.categories {
            all.add_categories(
                usize::from(feature),
                known.clone(),
                columns.keys().copied().collect(),
            );
        }
        all
    }

    /// The column of a numerical split, and its threshold's index within the column's run.
    fn number(&self, node: &Node) -> (NumericalColumn, usize) {
        let threshold = f32::from_bits(node.operand);
        let index = self.numbers.get(&node.feature).map_or(0, |(thresholds, _)| {
            thresholds.partition_point(|t| *t < threshold)
        });
        let column = NumericalColumn {
            start: (index / RUN * RUN) as u32,
            missing: if node.flags & flags::MISSING_LEFT == 0 {
                columns::MISSING_RIGHT
            } else {
                columns::MISSING_LEFT
            },
            zero_is_missing: node.flags & flags::ZERO_IS_MISSING != 0,
        };
        (column, index % RUN)
    }

    fn numerical(&self, node: &Node) -> (u32, i8) {
        let (column, index) = self.number(node);
        let number = self
            .numbers
            .get(&node.feature)
            .and_then(|(_, columns)| columns.get(&column))
            .copied();
        (number.unwrap_or_default(), columns::code(index))
    }

    /// The column of a categorical split, and the bit table of the codes that it sends left.
    /// `None`: the feature has no codes, or the table more pieces than are free.
    fn categorical(&self, model: &Model, node: &Node, free: usize) -> Option<(u32, Vec<[u8; PIECE]>)> {
        let (known, columns) = self.categories.get(&node.feature)?;
        let column = *columns.get(&(node.flags & flags::TRUNCATES_NEGATIVE != 0))?;
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
            let (byte, bit) = membership::place(code);
            table[usize::from(byte)] |= bit;
        }
        Some((column, pieces))
    }
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

/// Categories that the sets of each feature's splits name, ascending; without features that have too many.
fn categories(model: &Model) -> BTreeMap<u16, (Vec<u32>, BTreeMap<bool, u32>)> {
    let mut uses = BTreeSet::new();
    for node in &model.nodes {
        if node.flags & flags::CATEGORICAL != 0 {
            uses.insert((node.operand, node.feature));
        }
    }
    let mut of_features: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
    let mut set = (u32::MAX, Vec::new());
    for (operand, feature) in uses {
        if set.0 != operand {
            set = (operand, members(model.set(operand as usize)));
        }
        let known = of_features.entry(feature).or_default();
        if known.len() <= CATEGORIES {
            known.extend(&set.1);
        }
    }
    of_features
        .into_iter()
        .filter(|(_, known)| known.len() <= CATEGORIES)
        .map(|(feature, known)| (feature, (known.into_iter().collect(), BTreeMap::new())))
        .collect()
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
