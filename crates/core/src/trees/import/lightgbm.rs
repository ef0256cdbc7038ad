//! LightGBM's model text, versions v3 and v4.
//!
//! Source of the meaning: LightGBM's `Tree::NumericalDecision`, `Tree::CategoricalDecision` and
//! `GBDT::SaveModelToString`. LightGBM compares in f64 and, before it compares, reads every value within
//! 1e-35 of zero as zero; [`threshold`] moves both into the f32 threshold.

use super::{ImportError, Item, SAVE_AGAIN, Tree, UNSUPPORTED, emit};
use crate::trees::kernel::ZERO;
use crate::trees::model::{Builder, Model, Split, Test, limits};
use crate::trees::output::{Activation, Output};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Reads model text.
pub(super) fn read(bytes: &[u8]) -> Result<Model, ImportError> {
    let mut blocks = blocks(body(bytes)?)?;
    let trees = blocks.split_off(1);
    let header = Header::read(&blocks[0], trees.len())?;
    let line = blocks[0].line;
    let mut builder = Builder::new(
        header.features,
        header.names,
        header.output,
        vec![0.0; header.classes],
    )
    .map_err(|error| ImportError::build(at_line(line), error))?;
    for class in 0..header.classes {
        for (number, block) in trees.iter().enumerate().skip(class).step_by(header.classes) {
            emit(&TextTree::read(number, block)?, &mut builder)?;
        }
        builder
            .end_class()
            .map_err(|error| ImportError::build(at_line(line), error))?;
    }
    builder
        .finish()
        .map_err(|error| ImportError::build(at_line(line), error))
}

/// The part before `end of trees`: what follows (parameters, paths) need not be UTF-8.
fn body(bytes: &[u8]) -> Result<&str, ImportError> {
    const END: &[u8] = b"\nend of trees";
    let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
        let at = format!("byte {}", bytes.len());
        return Err(ImportError::new(
            at,
            "last line of the trees",
            "\"end of trees\"",
            &"the end of the file",
            SAVE_AGAIN,
        ));
    };
    std::str::from_utf8(&bytes[..end]).map_err(|error| {
        let at = format!("byte {}", error.valid_up_to());
        ImportError::new(at, "model text", "UTF-8", &"other bytes", SAVE_AGAIN)
    })
}

/// `key=value` lines: the header, or one tree.
struct Block<'a> {
    line: usize,
    fields: BTreeMap<&'a str, (usize, &'a str)>,
}

/// The header, then the trees. Never empty.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, ImportError> {
    let mut blocks = vec![Block {
        line: 1,
        fields: BTreeMap::new(),
    }];
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim_end();
        let (key, value) = content.split_once('=').unwrap_or((content, ""));
        if key == "Tree" {
            if value.parse() != Ok(blocks.len() - 1) {
                let expected = format!("Tree={}", blocks.len() - 1);
                return Err(ImportError::new(
                    at_line(line),
                    "number of the tree",
                    expected,
                    &content,
                    SAVE_AGAIN,
                ));
            }
            blocks.push(Block {
                line,
                fields: BTreeMap::new(),
            });
        } else if !key.is_empty()
            && let Some(block) = blocks.last_mut()
            && block.fields.insert(key, (line, value)).is_some()
        {
            return Err(ImportError::new(
                at_line(line),
                key,
                "the key once",
                &"a second one",
                SAVE_AGAIN,
            ));
        }
    }
    Ok(blocks)
}

impl<'a> Block<'a> {
    fn text(&self, key: &str) -> Result<(usize, &'a str), ImportError> {
        self.fields.get(key).copied().ok_or_else(|| {
            let at = format!("block that begins at line {}", self.line);
            ImportError::new(at, key, format!("a line \"{key}=…\""), &"none", SAVE_AGAIN)
        })
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T, ImportError> {
        let (line, value) = self.text(key)?;
        parse(line, key, value)
    }

    /// The values of a list, separated by blanks.
    fn list<T: FromStr>(&self, key: &str) -> Result<Vec<T>, ImportError> {
        let (line, values) = self.text(key)?;
        values
            .split_ascii_whitespace()
            .map(|value| parse(line, key, value))
            .collect()
    }

    fn list_of<T: FromStr>(&self, key: &str, len: usize) -> Result<Vec<T>, ImportError> {
        let list = self.list(key)?;
        if list.len() == len {
            return Ok(list);
        }
        let (line, _) = self.text(key)?;
        Err(ImportError::new(
            at_line(line),
            key,
            format!("{len} values"),
            &list.len(),
            SAVE_AGAIN,
        ))
    }
}

fn parse<T: FromStr>(line: usize, key: &str, value: &str) -> Result<T, ImportError> {
    value.parse().map_err(|_| {
        ImportError::new(
            at_line(line),
            key,
            "a number in range",
            &format!("{value:?}"),
            SAVE_AGAIN,
        )
    })
}

fn at_line(line: usize) -> String {
    format!("line {line}")
}

struct Header {
    features: usize,
    names: Vec<String>,
    output: Output,
    classes: usize,
}

impl Header {
    fn read(block: &Block<'_>, trees: usize) -> Result<Self, ImportError> {
        let (line, version) = block.text("version")?;
        if !matches!(version, "v3" | "v4") {
            let remedy = "save the model again with LightGBM 3 or 4";
            return Err(ImportError::new(
                at_line(line),
                "version",
                "v3 or v4",
                &version,
                remedy,
            ));
        }
        let features = block.number::<usize>("max_feature_idx")?.saturating_add(1);
        let names = block.list_of("feature_names", features)?;
        let classes: usize = block.number("num_tree_per_iteration")?;
        let (line, _) = block.text("num_class")?;
        if block.number::<usize>("num_class")? != classes || !(1..=limits::CLASSES).contains(&classes) {
            let expected = format!(
                "num_class and num_tree_per_iteration to be the same, 1 to {}",
                limits::CLASSES
            );
            return Err(ImportError::new(
                at_line(line),
                "num_class",
                expected,
                &"others",
                SAVE_AGAIN,
            ));
        }
        if let Ok((line, _)) = block.text("tree_sizes") {
            let sizes = block.list::<u64>("tree_sizes")?.len();
            if sizes != trees {
                return Err(ImportError::new(
                    at_line(line),
                    "number of trees",
                    sizes.to_string(),
                    &trees,
                    SAVE_AGAIN,
                ));
            }
        }
        if !trees.is_multiple_of(classes) {
            let expected = format!("a multiple of {classes}, one tree for each class");
            return Err(ImportError::new(
                at_line(line),
                "number of trees",
                expected,
                &trees,
                SAVE_AGAIN,
            ));
        }
        let mut output = objective(block)?;
        if block.fields.contains_key("average_output") {
            // LightGBM's raw scores are sums here too; only its predictions are means.
            output.scale /= (trees / classes) as f32;
        }
        Ok(Self {
            features,
            names,
            output,
            classes,
        })
    }
}

/// The output of an objective. A custom objective leaves no line: its raw score is its output.
fn objective(block: &Block<'_>) -> Result<Output, ImportError> {
    let Ok((line, objective)) = block.text("objective") else {
        return Ok(Activation::Identity.into());
    };
    let mut words = objective.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let mut scale = 1.0;
    let mut square_root = false;
    for word in words {
        match word.split_once(':') {
            Some(("sigmoid", value)) => scale = parse(line, "sigmoid", value)?,
            _ => square_root |= word == "sqrt",
        }
    }
    let activation = match name {
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" if square_root => {
            Activation::SignedSquare
        }
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" => Activation::Identity,
        "lambdarank" | "rank_xendcg" | "custom" => Activation::Identity,
        "binary" | "multiclassova" => {
            return Ok(Output {
                activation: Activation::Logistic,
                scale,
            });
        }
        "cross_entropy" => Activation::Logistic,
        "cross_entropy_lambda" => Activation::Softplus,
        "poisson" | "gamma" | "tweedie" => Activation::Exponential,
        "multiclass" => Activation::Softmax,
        _ => {
            let expected = "an objective of LightGBM 4";
            return Err(ImportError::new(
                at_line(line),
                "objective",
                expected,
                &name,
                UNSUPPORTED,
            ));
        }
    };
    Ok(activation.into())
}

/// The largest f32 threshold `t` for which `x <= t` in f32 is LightGBM's answer for every f32 `x`.
fn threshold(reference: f64) -> f32 {
    let nearest = reference as f32;
    let down = if f64::from(nearest) > reference {
        nearest.next_down()
    } else {
        nearest
    };
    match down {
        // LightGBM reads |x| <= 1e-35 as 0: such values go left together, or right together.
        t if (-ZERO..0.0).contains(&t) => (-ZERO).next_down(),
        t if (0.0..ZERO).contains(&t) => ZERO,
        t => t,
    }
}

/// One tree's arrays. Ids of nodes: the splits, then the leaves.
struct TextTree {
    number: usize,
    line: usize,
    split_feature: Vec<usize>,
    threshold: Vec<f64>,
    decision_type: Vec<u8>,
    children: [Vec<i64>; 2],
    leaf_value: Vec<f64>,
    /// One a leaf, or none.
    leaf_count: Vec<u64>,
    /// For each category set, its first word; one more at the end.
    cat_boundaries: Vec<usize>,
    cat_threshold: Vec<u32>,
}

impl TextTree {
    fn read(number: usize, block: &Block<'_>) -> Result<Self, ImportError> {
        if let Ok((line, linear)) = block.text("is_linear")
            && linear != "0"
        {
            let found = "linear leaves (linear_tree)";
            return Err(ImportError::new(
                at_line(line),
                "leaves",
                "constant leaves",
                &found,
                UNSUPPORTED,
            ));
        }
        let leaf_value: Vec<f64> = block.list_of("leaf_value", block.number("num_leaves")?)?;
        let Some(splits) = leaf_value.len().checked_sub(1) else {
            let (line, _) = block.text("num_leaves")?;
            return Err(ImportError::new(
                at_line(line),
                "num_leaves",
                "at least 1",
                &0,
                SAVE_AGAIN,
            ));
        };
        let sets: usize = block.number("num_cat")?;
        let mut tree = Self {
            number,
            line: block.line,
            split_feature: Vec::new(),
            threshold: Vec::new(),
            decision_type: Vec::new(),
            children: [Vec::new(), Vec::new()],
            leaf_value,
            leaf_count: Vec::new(),
            cat_boundaries: Vec::new(),
            cat_threshold: Vec::new(),
        };
        if splits > 0 {
            tree.split_feature = block.list_of("split_feature", splits)?;
            tree.threshold = block.list_of("threshold", splits)?;
            tree.decision_type = block.list_of("decision_type", splits)?;
            tree.children = [
                block.list_of("left_child", splits)?,
                block.list_of("right_child", splits)?,
            ];
        }
        if block
            .text("leaf_count")
            .is_ok_and(|(_, counts)| !counts.trim().is_empty())
        {
            tree.leaf_count = block.list_of("leaf_count", tree.leaf_value.len())?;
        }
        if sets > 0 {
            tree.cat_boundaries = block.list_of("cat_boundaries", sets.saturating_add(1))?;
            tree.cat_threshold = block.list("cat_threshold")?;
        }
        Ok(tree)
    }

    /// LightGBM numbers splits from 0 up and leaves from -1 down.
    fn child(&self, split: usize, side: usize) -> usize {
        let child = self.children[side][split];
        let leaf = usize::try_from(!child)
            .ok()
            .and_then(|leaf| leaf.checked_add(self.split_feature.len()));
        // A split beyond the splits must not pass for a leaf.
        let as_split = usize::try_from(child)
            .ok()
            .filter(|child| *child < self.split_feature.len());
        as_split.or(leaf).unwrap_or(usize::MAX)
    }

    fn categorical(&self, split: usize, builder: &mut Builder) -> Result<Test, ImportError> {
        let set = self.threshold[split];
        let words = (set >= 0.0 && set.fract() == 0.0)
            .then_some(set as usize)
            .and_then(|set| {
                Some(*self.cat_boundaries.get(set)?..*self.cat_boundaries.get(set.checked_add(1)?)?)
            })
            .and_then(|range| self.cat_threshold.get(range));
        let Some(words) = words else {
            let expected = "the number of a category set within cat_boundaries and cat_threshold";
            return Err(ImportError::new(
                self.place(split),
                "threshold",
                expected,
                &set,
                SAVE_AGAIN,
            ));
        };
        let set = builder
            .add_set(words)
            .map_err(|error| ImportError::build(self.place(split), error))?;
        Ok(Test::In {
            set,
            truncates_negative: true,
        })
    }
}

impl Tree for TextTree {
    fn root(&self) -> usize {
        0
    }

    fn id_limit(&self) -> usize {
        self.split_feature.len() + self.leaf_value.len()
    }

    fn reachable(&self) -> usize {
        self.id_limit()
    }

    fn place(&self, id: usize) -> String {
        match id.checked_sub(self.split_feature.len()) {
            Some(leaf) => format!("tree {} (line {}), leaf {leaf}", self.number, self.line),
            None => format!("tree {} (line {}), split {id}", self.number, self.line),
        }
    }

    fn node(&self, id: usize, builder: &mut Builder) -> Result<Item, ImportError> {
        const CATEGORICAL: u8 = 1;
        const DEFAULT_LEFT: u8 = 2;
        if let Some(leaf) = id.checked_sub(self.split_feature.len()) {
            let cover = self.leaf_count.get(leaf).map(|count| *count as f32);
            return Ok(Item::Leaf(self.leaf_value[leaf] as f32, cover));
        }
        let decision = self.decision_type[id];
        let default_left = decision & DEFAULT_LEFT != 0;
        let (test, missing_left) = if decision & CATEGORICAL != 0 {
            (self.categorical(id, builder)?, false)
        } else {
            let threshold = threshold(self.threshold[id]);
            // Missing type, bits 2 and 3: none (NaN counts as 0), zero (so does it, and 0 is missing), NaN.
            match decision >> 2 {
                0 => (
                    Test::AtMost {
                        threshold,
                        zero_is_missing: false,
                    },
                    0.0 <= threshold,
                ),
                1 => (
                    Test::AtMost {
                        threshold,
                        zero_is_missing: true,
                    },
                    default_left,
                ),
                2 => (
                    Test::AtMost {
                        threshold,
                        zero_is_missing: false,
                    },
                    default_left,
                ),
                _ => {
                    let expected = "a missing type of 0 to 2 in bits 2 and 3, nothing above";
                    return Err(ImportError::new(
                        self.place(id),
                        "decision_type",
                        expected,
                        &decision,
                        SAVE_AGAIN,
                    ));
                }
            }
        };
        let split = Split {
            feature: self.split_feature[id],
            test,
            missing_left,
        };
        Ok(Item::Split {
            split,
            children: [self.child(id, 0), self.child(id, 1)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ZERO, threshold};

    #[test]
    fn thresholds_round_down_and_keep_zeros_together() {
        for (reference, expected) in [
            (1.5, 1.5),
            (1.500_000_000_000_000_2, 1.5),
            (0.1, 0.1f32.next_down()),
            (1e300, f32::MAX),
            (-1e300, f32::NEG_INFINITY),
            (f64::INFINITY, f32::INFINITY),
            (0.0, ZERO),
            (1.000_000_018_002_509_5e-35, ZERO),
            (-1.000_000_018_002_509_5e-35, (-ZERO).next_down()),
        ] {
            assert_eq!(threshold(reference), expected, "{reference}");
        }
        assert!(threshold(f64::NAN).is_nan());
    }
}
