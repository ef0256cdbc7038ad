//! The forest in memory, and the builder that is the only way to make one.
//!
//! A tree is given to the [`Builder`] as a preorder stream of splits and leaves: a split, then everything
//! on its left, then everything on its right. There are no child indices in such a stream, so cycles,
//! shared nodes and dangling children cannot be expressed.

use super::bitsliced::BitSliced;
use super::output::{Activation, Output};
use crate::json::Shown;
use std::fmt::Display;
use thiserror::Error;

/// Largest accepted counts. They bound memory and keep every index within 32 bits.
pub mod limits {
    /// Features of a model.
    pub const FEATURES: usize = 1 << 16;
    /// Trees of a model, all classes together.
    pub const TREES: usize = 1 << 16;
    /// Splits and leaves of a model.
    pub const NODES: usize = 1 << 24;
    /// Scores that a model gives for one row.
    pub const CLASSES: usize = 1 << 10;
    /// Category sets of a model.
    pub const SETS: usize = 1 << 20;
    /// 32-bit words of one category set: categories from 0 to 2,097,119.
    pub const SET_WORDS: usize = u16::MAX as usize;
    /// 32-bit words of all category sets together.
    pub const WORDS: usize = 1 << 22;
    /// Bytes of one feature's name.
    pub const NAME_BYTES: usize = 1 << 10;
}

/// What a split asks of its feature's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// `x <= threshold`, compared in f32, goes left.
    AtMost {
        /// Any f32 but NaN.
        threshold: f32,
        /// Values with `|x| <= 1e-35` count as missing (LightGBM's `zero_as_missing`).
        zero_is_missing: bool,
    },
    /// A value whose category is in the set goes left. The category is the value without its fraction.
    In {
        /// From [`Builder::add_set`].
        set: u32,
        /// Values between -1 and 0 belong to category 0 (LightGBM) or to none (XGBoost).
        truncates_negative: bool,
    },
}

/// A split: a test on one feature, and where a missing value goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Column of the feature, from 0.
    pub feature: usize,
    /// What decides between left and right.
    pub test: Test,
    /// A missing value (NaN) goes left.
    pub missing_left: bool,
}

/// A child: an index into the splits, or with [`Link::LEAF`] set an index into the leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link(u32);

impl Link {
    const LEAF: u32 = 1 << 31;

    pub(super) fn split(index: usize) -> Self {
        Self(index as u32)
    }

    fn leaf(index: usize) -> Self {
        Self(index as u32 | Self::LEAF)
    }

    /// `Ok`: a leaf's index. `Err`: a split's index.
    pub(super) fn resolve(self) -> Result<usize, usize> {
        let index = (self.0 & !Self::LEAF) as usize;
        if self.0 & Self::LEAF == 0 {
            Err(index)
        } else {
            Ok(index)
        }
    }
}

/// A split as the kernel walks it: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// The bits of the threshold, or the number of the category set.
    pub(super) operand: u32,
    pub(super) feature: u16,
    /// The `flags` below.
    pub(super) flags: u8,
    pub(super) children: [Link; 2],
}

/// Bits of [`Node::flags`], also those of the file's tags.
pub(super) mod flags {
    pub(in super::super) const MISSING_LEFT: u8 = 1 << 1;
    pub(in super::super) const ZERO_IS_MISSING: u8 = 1 << 2;
    pub(in super::super) const CATEGORICAL: u8 = 1 << 3;
    pub(in super::super) const TRUNCATES_NEGATIVE: u8 = 1 << 4;
}

/// A validated forest: the raw score of a row and class is `base[class]` plus one leaf of each tree of the class.
///
/// Trees of one class stand together. Splits and leaves of a tree stand in preorder.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) features: usize,
    /// One a feature, or none at all.
    pub(super) names: Vec<String>,
    pub(super) output: Output,
    /// One a class.
    pub(super) base: Vec<f32>,
    /// For each class, the index behind its last tree.
    pub(super) class_ends: Vec<usize>,
    pub(super) roots: Vec<Link>,
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Vec<f32>,
    /// One a leaf, or none at all: how much of the training data fell into it.
    pub(super) covers: Vec<f32>,
    /// For each category set, the index behind its last word.
    pub(super) set_ends: Vec<usize>,
    pub(super) words: Vec<u32>,
    /// Made from the rest once that is complete.
    pub(super) scorer: BitSliced,
}

impl Model {
    /// Number of features: the width of a row.
    pub fn feature_count(&self) -> usize {
        self.features
    }

    /// Names of the features in the order of a row's columns; empty when the model has no names.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// Number of scores a row gets: 1, or the number of classes of a multiclass model.
    pub fn class_count(&self) -> usize {
        self.base.len()
    }

    /// Number of trees, all classes together.
    pub fn tree_count(&self) -> usize {
        self.roots.len()
    }

    /// How raw scores become predictions.
    pub fn output(&self) -> Output {
        self.output
    }

    /// What each class's score starts from.
    pub fn base(&self) -> &[f32] {
        &self.base
    }

    /// Whether the model knows how much training data fell into each leaf, which [`Explainer`](super::Explainer) needs.
    pub fn has_covers(&self) -> bool {
        !self.covers.is_empty()
    }

    /// Sum over all trees of the largest absolute leaf: how far any score can be from its base.
    /// Tolerances between implementations scale with it.
    pub fn leaf_reach(&self) -> f64 {
        let starts = self.roots.iter().map(|root| self.first_leaf(*root));
        let ends = starts.clone().skip(1).chain([self.leaves.len()]);
        starts
            .zip(ends)
            .map(|(start, end)| {
                self.leaves[start..end]
                    .iter()
                    .fold(0.0, |top: f32, leaf| top.max(leaf.abs()))
            })
            .map(f64::from)
            .sum()
    }

    pub(super) fn first_leaf(&self, mut link: Link) -> usize {
        loop {
            match link.resolve() {
                Ok(leaf) => return leaf,
                Err(split) => link = self.nodes[split].children[0],
            }
        }
    }

    /// Words of a category set: category `c` is in it when bit `c % 32` of word `c / 32` is set.
    pub(super) fn set(&self, set: usize) -> &[u32] {
        let start = if set == 0 { 0 } else { self.set_ends[set - 1] };
        &self.words[start..self.set_ends[set]]
    }
}

/// Why a forest was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}: expected {expected}, found {found}")]
pub struct BuildError {
    /// The part.
    pub what: &'static str,
    /// What it may be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl BuildError {
    fn new(what: &'static str, expected: impl Into<String>, found: &dyn Display) -> Self {
        Self {
            what,
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

/// Makes a [`Model`] from a preorder stream, and refuses what would not be valid.
///
/// A tree starts by itself when the one before is complete. Trees of class 0 come first;
/// [`Builder::end_class`] closes a class.
#[derive(Debug)]
pub struct Builder {
    model: Model,
    /// Where the next nodes go: split and side, the next on top. Empty between trees.
    open: Vec<(usize, usize)>,
}

impl Builder {
    /// Starts a model with `features` columns, named by `names` (one each, or none), with one score for
    /// each of `base`.
    ///
    /// # Errors
    /// Counts outside [`limits`], a base or scale that is not finite, names that are too long.
    pub fn new(
        features: usize,
        names: Vec<String>,
        output: Output,
        base: Vec<f32>,
    ) -> Result<Self, BuildError> {
        count("number of features", 1, limits::FEATURES, features)?;
        count("number of classes", 1, limits::CLASSES, base.len())?;
        if !names.is_empty() {
            count("number of feature names", features, features, names.len())?;
        }
        for name in &names {
            count(
                "length of a feature's name in bytes",
                1,
                limits::NAME_BYTES,
                name.len(),
            )?;
        }
        base.iter().try_for_each(|&base| finite("base score", base))?;
        let scale = output.scale;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(BuildError::new(
                "scale of the output",
                "a finite number above zero",
                &Shown::from(scale),
            ));
        }
        if output.activation == Activation::Softmax {
            count("number of classes of a softmax", 2, limits::CLASSES, base.len())?;
        }
        let model = Model {
            features,
            names,
            output,
            base,
            class_ends: Vec::new(),
            roots: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
            covers: Vec::new(),
            set_ends: Vec::new(),
            words: Vec::new(),
            scorer: BitSliced::default(),
        };
        Ok(Self {
            model,
            open: Vec::new(),
        })
    }

    /// Adds a category set and returns its number. Bit `c % 32` of `words[c / 32]` stands for category `c`.
    ///
    /// # Errors
    /// Too many words or sets.
    pub fn add_set(&mut self, words: &[u32]) -> Result<u32, BuildError> {
        let set = self.model.set_ends.len();
        count("words of a category set", 0, limits::SET_WORDS, words.len())?;
        count(
            "words of all category sets",
            0,
            limits::WORDS,
            self.model.words.len() + words.len(),
        )?;
        count("number of category sets", 0, limits::SETS, set + 1)?;
        self.model.words.extend_from_slice(words);
        self.model.set_ends.push(self.model.words.len());
        Ok(set as u32)
    }

    /// Adds a split; its left side follows, then its right side.
    ///
    /// # Errors
    /// A feature or set that does not exist, a threshold of NaN, too many trees or nodes.
    pub fn split(&mut self, split: Split) -> Result<(), BuildError> {
        let Split {
            feature,
            test,
            missing_left,
        } = split;
        index("feature of a split", self.model.features, feature)?;
        let (operand, kind) = match test {
            Test::AtMost { threshold, .. } if threshold.is_nan() => {
                return Err(BuildError::new("threshold", "a number", &Shown::from(threshold)));
            }
            // Adding zero turns -0.0 into 0.0: they compare alike, and one threshold has one spelling.
            Test::AtMost {
                threshold,
                zero_is_missing,
            } => (
                (threshold + 0.0).to_bits(),
                if zero_is_missing {
                    flags::ZERO_IS_MISSING
                } else {
                    0
                },
            ),
            Test::In {
                set,
                truncates_negative,
            } => {
                index("category set of a split", self.model.set_ends.len(), set as usize)?;
                let truncates = if truncates_negative {
                    flags::TRUNCATES_NEGATIVE
                } else {
                    0
                };
                (set, flags::CATEGORICAL | truncates)
            }
        };
        let missing = if missing_left { flags::MISSING_LEFT } else { 0 };
        let here = self.model.nodes.len();
        self.place(Link::split(here))?;
        self.open.extend([(here, 1), (here, 0)]);
        // Both links are set before the model can be finished: the tree is open until then.
        let children = [Link::leaf(0); 2];
        self.model.nodes.push(Node {
            operand,
            feature: feature as u16,
            flags: kind | missing,
            children,
        });
        Ok(())
    }

    /// Adds a leaf.
    ///
    /// # Errors
    /// A value that is not finite, too many trees or nodes.
    pub fn leaf(&mut self, value: f32) -> Result<(), BuildError> {
        finite("leaf value", value)?;
        self.place(Link::leaf(self.model.leaves.len()))?;
        self.model.leaves.push(value);
        Ok(())
    }

    /// Adds a leaf into which `cover` of the training data fell: rows, or their hessians. A model keeps its covers
    /// only if every leaf has one.
    ///
    /// # Errors
    /// As [`Builder::leaf`]; a cover below zero or not finite.
    pub fn covered_leaf(&mut self, value: f32, cover: f32) -> Result<(), BuildError> {
        if !(cover.is_finite() && cover >= 0.0) {
            return Err(BuildError::new(
                "cover of a leaf",
                "a finite number of at least 0",
                &Shown::from(cover),
            ));
        }
        self.leaf(value)?;
        // As with thresholds: one zero.
        self.model.covers.push(cover + 0.0);
        Ok(())
    }

    /// Whether every tree begun so far is complete.
    pub fn between_trees(&self) -> bool {
        self.open.is_empty()
    }

    /// Closes a class: the trees that follow belong to the next one.
    ///
    /// # Errors
    /// An unfinished tree, more classes than base scores.
    pub fn end_class(&mut self) -> Result<(), BuildError> {
        if !self.open.is_empty() {
            return Err(BuildError::new(
                "children that the last tree lacks",
                "none",
                &self.open.len(),
            ));
        }
        index(
            "class of a tree",
            self.model.base.len(),
            self.model.class_ends.len(),
        )?;
        self.model.class_ends.push(self.model.roots.len());
        Ok(())
    }

    /// The finished model.
    ///
    /// # Errors
    /// A class that was not closed, no tree at all.
    pub fn finish(mut self) -> Result<Model, BuildError> {
        let classes = self.model.base.len();
        count(
            "number of closed classes",
            classes,
            classes,
            self.model.class_ends.len(),
        )?;
        count("number of trees", 1, limits::TREES, self.model.roots.len())?;
        if self.model.covers.len() != self.model.leaves.len() {
            self.model.covers = Vec::new();
        }
        self.model.scorer = BitSliced::new(&self.model);
        Ok(self.model)
    }

    fn place(&mut self, link: Link) -> Result<(), BuildError> {
        let nodes = self.model.nodes.len() + self.model.leaves.len();
        count("number of splits and leaves", 1, limits::NODES, nodes + 1)?;
        match self.open.pop() {
            Some((parent, side)) => self.model.nodes[parent].children[side] = link,
            None => {
                index(
                    "class of a tree",
                    self.model.base.len(),
                    self.model.class_ends.len(),
                )?;
                count("number of trees", 1, limits::TREES, self.model.roots.len() + 1)?;
                self.model.roots.push(link);
            }
        }
        Ok(())
    }
}

fn count(what: &'static str, min: usize, max: usize, found: usize) -> Result<(), BuildError> {
    let valid = (min..=max).contains(&found);
    if valid {
        Ok(())
    } else {
        Err(BuildError::new(what, format!("{min} to {max}"), &found))
    }
}

fn index(what: &'static str, len: usize, found: usize) -> Result<(), BuildError> {
    if found < len {
        Ok(())
    } else {
        Err(BuildError::new(what, format!("below {len}"), &found))
    }
}

fn finite(what: &'static str, found: f32) -> Result<(), BuildError> {
    if found.is_finite() {
        Ok(())
    } else {
        Err(BuildError::new(what, "a finite number", &Shown::from(found)))
    }
}
