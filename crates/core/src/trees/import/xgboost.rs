//! XGBoost's JSON and UBJSON models, versions 1 to 3: gbtree and dart.
//!
//! Source of the meaning: XGBoost's `predict_fn.h`, `categorical.h` and the model schema in its
//! documentation. XGBoost compares `x < t` in f32, which is `x <= next_down(t)`. A category in the set goes
//! right, so categorical splits change sides here. All trees are used, as `Booster.predict` does.

mod schema;

use super::{ImportError, Item, REBUILD, SAVE_AGAIN, Tree, UNSUPPORTED, emit, ubjson};
use crate::trees::model::{Builder, Model, Split, Test, limits};
use crate::trees::output::Activation;
use schema::{Booster, Document, Forest, JsonTree};
use std::collections::BTreeMap;

/// Reads a JSON model.
pub(super) fn read_json(bytes: &[u8]) -> Result<Model, ImportError> {
    let document = serde_json::from_slice(&quote_specials(bytes)).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        ImportError::new(at, "JSON", "an XGBoost model", &error, SAVE_AGAIN)
    })?;
    model(document)
}

/// XGBoost writes `NaN` (up to 2.1 as the threshold of categorical splits) and infinities bare, which JSON does
/// not know. Puts quotes over their ends, so that columns in errors stay true; [`schema::Number`] reads them.
fn quote_specials(bytes: &[u8]) -> Vec<u8> {
    const SPECIALS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let mut out = bytes.to_vec();
    let mut in_string = false;
    let mut at = 0;
    while at < out.len() {
        match out[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'N' | b'I' | b'-' if !in_string => {
                if let Some(word) = SPECIALS.into_iter().find(|word| out[at..].starts_with(word)) {
                    out[at] = b'"';
                    at += word.len() - 1;
                    out[at] = b'"';
                }
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// Reads a UBJSON model.
pub(super) fn read_ubjson(bytes: &[u8]) -> Result<Model, ImportError> {
    let document = ubjson::from_bytes(bytes).map_err(|error| {
        ImportError::new(
            format!("byte {}", error.at),
            "UBJSON",
            "an XGBoost model",
            &error.message,
            SAVE_AGAIN,
        )
    })?;
    model(document)
}

fn model(document: Document) -> Result<Model, ImportError> {
    let Document { learner, version } = document;
    if !matches!(version.first(), Some(1..=3)) {
        let remedy = "save the model again with XGBoost 1 to 3";
        return Err(ImportError::new(
            "version",
            "version",
            "1 to 3",
            &format!("{version:?}"),
            remedy,
        ));
    }
    let param = &learner.learner_model_param;
    let features = number("num_feature", &param.num_feature)?;
    let classes = number("num_class", &param.num_class)?.max(1);
    if let Some(targets) = &param.num_target
        && number("num_target", targets)? > 1
    {
        return Err(ImportError::new(
            "learner_model_param",
            "num_target",
            "1",
            &targets,
            UNSUPPORTED,
        ));
    }
    if classes > limits::CLASSES {
        let expected = format!("at most {}", limits::CLASSES);
        return Err(ImportError::new(
            "learner_model_param",
            "num_class",
            expected,
            &classes,
            REBUILD,
        ));
    }
    let (activation, to_margin) = objective(&learner.objective.name)?;
    let base = base_scores(&param.base_score, classes, to_margin)?;
    let (forest, weights) = forest(learner.gradient_booster)?;
    check_counts(&forest, &weights, classes)?;

    let at = "learner";
    let mut builder = Builder::new(features, learner.feature_names, activation.into(), base)
        .map_err(|error| ImportError::build(at, error))?;
    for class in 0..classes {
        for (number, tree) in forest
            .trees
            .iter()
            .enumerate()
            .filter(|(i, _)| forest.tree_info[*i] == class)
        {
            let weight = weights.as_ref().map_or(1.0, |weights| weights[number]);
            emit(&Decoded::new(number, tree, weight)?, &mut builder)?;
        }
        builder
            .end_class()
            .map_err(|error| ImportError::build(at, error))?;
    }
    builder.finish().map_err(|error| ImportError::build(at, error))
}

/// From `base_score` to the margin that scores start from.
type ToMargin = fn(f32) -> f32;

/// The activation, and how `base_score` becomes a margin.
fn objective(name: &str) -> Result<(Activation, ToMargin), ImportError> {
    fn logit(p: f32) -> f32 {
        -(1.0 / p - 1.0).ln()
    }
    fn same(margin: f32) -> f32 {
        margin
    }
    Ok(match name {
        "binary:logistic" | "reg:logistic" => (Activation::Logistic, logit),
        // Its base score is a margin: measured with XGBoost 1.7, 2.1, 3.0 and 3.2.
        "binary:logitraw" => (Activation::Identity, same),
        "count:poisson" | "reg:gamma" | "reg:tweedie" => (Activation::Exponential, f32::ln),
        "multi:softmax" | "multi:softprob" => (Activation::Softmax, same),
        "rank:ndcg" | "rank:pairwise" | "rank:map" => (Activation::Identity, same),
        "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:pseudohubererror"
        | "reg:absoluteerror"
        | "reg:quantileerror" => (Activation::Identity, same),
        _ => {
            let expected = "binary:logistic, binary:logitraw, reg:*, count:poisson, multi:* or rank:*";
            return Err(ImportError::new(
                "learner.objective",
                "objective",
                expected,
                &name,
                UNSUPPORTED,
            ));
        }
    })
}

/// `base_score` is one number, or since XGBoost 3.1 a list in brackets, with one for all classes or one each.
fn base_scores(text: &str, classes: usize, to_margin: ToMargin) -> Result<Vec<f32>, ImportError> {
    let fault = || {
        let expected = format!("1 or {classes} numbers that the objective can start from");
        ImportError::new("learner_model_param", "base_score", expected, &text, SAVE_AGAIN)
    };
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let margins: Vec<f32> = list
        .split(',')
        .map(|number| {
            number
                .trim()
                .parse()
                .map(to_margin)
                .ok()
                .filter(|margin| margin.is_finite())
        })
        .collect::<Option<_>>()
        .ok_or_else(fault)?;
    match margins.len() {
        1 => Ok(vec![margins[0]; classes]),
        len if len == classes => Ok(margins),
        _ => Err(fault()),
    }
}

/// The trees, and for dart their weights.
fn forest(booster: Booster) -> Result<(Forest, Option<Vec<f32>>), ImportError> {
    let at = "learner.gradient_booster";
    let missing = |what| ImportError::new(at, what, "the field", &"none", SAVE_AGAIN);
    match booster.name.as_str() {
        "gbtree" => Ok((booster.model.ok_or_else(|| missing("model"))?, None)),
        "dart" => {
            let forest = booster.gbtree.ok_or_else(|| missing("gbtree"))?.model;
            Ok((
                forest,
                Some(booster.weight_drop.ok_or_else(|| missing("weight_drop"))?),
            ))
        }
        other => Err(ImportError::new(
            at,
            "booster",
            "gbtree or dart",
            &other,
            UNSUPPORTED,
        )),
    }
}

fn check_counts(forest: &Forest, weights: &Option<Vec<f32>>, classes: usize) -> Result<(), ImportError> {
    let trees = forest.trees.len();
    let at = "learner.gradient_booster.model";
    let fault =
        |what: &str, found: String| Err(ImportError::new(at, what, format!("{trees}"), &found, SAVE_AGAIN));
    let claimed = forest
        .gbtree_model_param
        .as_ref()
        .map(|param| number("num_trees", &param.num_trees))
        .transpose()?;
    match claimed {
        Some(claimed) if claimed != trees => return fault("num_trees", claimed.to_string()),
        _ if forest.tree_info.len() != trees => {
            return fault("length of tree_info", forest.tree_info.len().to_string());
        }
        _ => {}
    }
    match weights {
        Some(weights) if weights.len() != trees => {
            return fault("length of weight_drop", weights.len().to_string());
        }
        _ => {}
    }
    match forest.tree_info.iter().find(|class| **class >= classes) {
        Some(class) => Err(ImportError::new(
            at,
            "tree_info",
            format!("below {classes}"),
            &class,
            SAVE_AGAIN,
        )),
        None => Ok(()),
    }
}

fn number(what: &str, text: &str) -> Result<usize, ImportError> {
    text.parse()
        .map_err(|_| ImportError::new("model parameters", what, "a whole number", &text, SAVE_AGAIN))
}

/// A tree whose arrays have the lengths that they should have. Ids of nodes are their indices.
struct Decoded<'a> {
    number: usize,
    tree: &'a JsonTree,
    weight: f32,
    nodes: usize,
    deleted: usize,
    /// For each categorical node, where its categories are.
    segments: BTreeMap<usize, &'a [u64]>,
}

impl<'a> Decoded<'a> {
    fn new(number: usize, tree: &'a JsonTree, weight: f32) -> Result<Self, ImportError> {
        let at = || format!("tree {number}");
        let param = &tree.tree_param;
        let nodes = self::number("num_nodes", &param.num_nodes)?;
        let deleted = param
            .num_deleted
            .as_ref()
            .map_or(Ok(0), |text| self::number("num_deleted", text))?;
        let vector = param
            .size_leaf_vector
            .as_ref()
            .map_or(Ok(0), |text| self::number("size_leaf_vector", text))?;
        if vector > 1 {
            let found = format!("{vector} (multi_strategy=multi_output_tree)");
            return Err(ImportError::new(
                at(),
                "values of a leaf",
                "1",
                &found,
                UNSUPPORTED,
            ));
        }
        let lengths = [
            ("left_children", tree.left_children.len()),
            ("right_children", tree.right_children.len()),
            ("split_conditions", tree.split_conditions.len()),
            ("split_indices", tree.split_indices.len()),
            ("default_left", tree.default_left.len()),
        ];
        let optional = [
            ("split_type", tree.split_type.len()),
            ("sum_hessian", tree.sum_hessian.len()),
        ];
        if let Some((what, len)) = lengths
            .into_iter()
            .chain(optional.into_iter().filter(|(_, len)| *len > 0))
            .find(|(_, len)| *len != nodes)
        {
            return Err(ImportError::new(
                at(),
                what,
                format!("{nodes} values"),
                &len,
                SAVE_AGAIN,
            ));
        }
        if deleted > nodes {
            return Err(ImportError::new(
                at(),
                "num_deleted",
                format!("at most {nodes}"),
                &deleted,
                SAVE_AGAIN,
            ));
        }
        Ok(Self {
            number,
            tree,
            weight,
            nodes,
            deleted,
            segments: segments(number, tree)?,
        })
    }

    fn categorical(&self, id: usize, builder: &mut Builder) -> Result<u32, ImportError> {
        let Some(categories) = self.segments.get(&id) else {
            let found = "none for this node";
            return Err(ImportError::new(
                self.place(id),
                "categories_nodes",
                "its categories",
                &found,
                SAVE_AGAIN,
            ));
        };
        let limit = 32 * limits::SET_WORDS as u64;
        let largest = categories.iter().copied().max().unwrap_or(0);
        if largest >= limit {
            let expected = format!("a category below {limit}");
            return Err(ImportError::new(
                self.place(id),
                "categories",
                expected,
                &largest,
                REBUILD,
            ));
        }
        let mut words = vec![0; largest as usize / 32 + 1];
        for category in *categories {
            words[*category as usize / 32] |= 1u32 << (category % 32);
        }
        builder
            .add_set(&words)
            .map_err(|error| ImportError::build(self.place(id), error))
    }
}

fn segments(number: usize, tree: &JsonTree) -> Result<BTreeMap<usize, &[u64]>, ImportError> {
    let fault = |what: &str, expected: &str, found: usize| {
        ImportError::new(format!("tree {number}"), what, expected, &found, SAVE_AGAIN)
    };
    let nodes = tree.categories_nodes.len();
    if tree.categories_segments.len() != nodes || tree.categories_sizes.len() != nodes {
        let expected = "as many segments and sizes";
        return Err(fault("categories_nodes", expected, nodes));
    }
    let places = tree.categories_segments.iter().zip(&tree.categories_sizes);
    tree.categories_nodes
        .iter()
        .zip(places)
        .map(|(node, (start, size))| {
            let segment = start
                .checked_add(*size)
                .and_then(|end| tree.categories.get(*start..end));
            let segment =
                segment.ok_or_else(|| fault("categories_segments", "a part of categories", *start))?;
            Ok((*node, segment))
        })
        .collect()
}

impl Tree for Decoded<'_> {
    fn root(&self) -> usize {
        0
    }

    fn id_limit(&self) -> usize {
        self.nodes
    }

    /// Pruning leaves deleted nodes in the arrays.
    fn reachable(&self) -> usize {
        self.nodes - self.deleted
    }

    fn place(&self, id: usize) -> String {
        format!("tree {}, node {id}", self.number)
    }

    fn node(&self, id: usize, builder: &mut Builder) -> Result<Item, ImportError> {
        const NONE: i64 = -1;
        let tree = self.tree;
        let condition = tree.split_conditions[id].0;
        if tree.left_children[id] == NONE && tree.right_children[id] == NONE {
            // A custom objective may have hessians below zero, and then no covers.
            let hessian = tree.sum_hessian.get(id).map(|hessian| hessian.0);
            let cover = hessian.filter(|hessian| hessian.is_finite() && *hessian >= 0.0);
            return Ok(Item::Leaf(condition * self.weight, cover));
        }
        let child = |of: &[i64]| usize::try_from(of[id]).unwrap_or(usize::MAX);
        let (left, right) = (child(&tree.left_children), child(&tree.right_children));
        let default_left = tree.default_left[id].0;
        let feature = usize::try_from(tree.split_indices[id]).unwrap_or(usize::MAX);
        Ok(match tree.split_type.get(id) {
            None | Some(0) => {
                let test = Test::AtMost {
                    threshold: condition.next_down(),
                    zero_is_missing: false,
                };
                Item::Split {
                    split: Split {
                        feature,
                        test,
                        missing_left: default_left,
                    },
                    children: [left, right],
                }
            }
            Some(1) => {
                let test = Test::In {
                    set: self.categorical(id, builder)?,
                    truncates_negative: false,
                };
                Item::Split {
                    split: Split {
                        feature,
                        test,
                        missing_left: !default_left,
                    },
                    children: [right, left],
                }
            }
            Some(other) => {
                let expected = "0 (numerical) or 1 (categorical)";
                return Err(ImportError::new(
                    self.place(id),
                    "split_type",
                    expected,
                    &other,
                    SAVE_AGAIN,
                ));
            }
        })
    }
}
