//! Reads models of LightGBM and XGBoost. Native only: the browser gets the compact file.
//!
//! Both importers end in a [`Model`] that gives the library's raw scores on features rounded to f32.
//! Categorical columns hold the category codes that the library saw in training (those of the data frame,
//! where one was used). Covers are read where the file has them for every leaf.

mod lightgbm;
mod ubjson;
mod xgboost;

use super::format::{self, FormatError};
use super::model::{BuildError, Builder, Model, Split};
use std::fmt::Display;
use thiserror::Error;

/// Why a model was refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A fault in a library's model: where, what was expected and found, and what to do.
    #[error("{at}: {what}: expected {expected}, found {found}; {remedy}")]
    Refused {
        /// Line, byte offset, or tree and node.
        at: String,
        /// The field.
        what: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A fault in a ranker file.
    #[error(transparent)]
    Ranker(#[from] FormatError),
}

/// For files that do not follow their own format.
const SAVE_AGAIN: &str =
    "the file is damaged or was edited: save the model again with the library that trained it";
/// For what makes no valid model.
const REBUILD: &str = "the model is damaged or too large: save it again, or train a smaller one";
/// For what the libraries can do and this importer cannot.
const UNSUPPORTED: &str = "this is not supported: train the model without it";

impl ImportError {
    fn new(
        at: impl Into<String>,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: &dyn Display,
        remedy: &'static str,
    ) -> Self {
        let mut found = found.to_string();
        if let Some((end, _)) = found.char_indices().nth(80) {
            found.replace_range(end.., "…");
        }
        Self::Refused {
            at: at.into(),
            what: what.into(),
            expected: expected.into(),
            found,
            remedy,
        }
    }

    fn build(at: impl Into<String>, error: BuildError) -> Self {
        Self::new(at, error.what, error.expected, &error.found, REBUILD)
    }
}

/// Reads a model in any accepted form, told apart by its first bytes: LightGBM text, XGBoost JSON or UBJSON,
/// or the compact ranker file.
///
/// # Errors
/// Unknown formats, damaged files, and models that are not supported (named in the error).
pub fn from_bytes(bytes: &[u8]) -> Result<Model, ImportError> {
    match bytes {
        _ if bytes.starts_with(&format::MAGIC) => Ok(format::from_bytes(bytes)?),
        _ if bytes.starts_with(b"tree") => lightgbm::read(bytes),
        // Both begin with a brace. In UBJSON the length of the first key follows, behind an ASCII letter.
        [b'{', b'i' | b'U' | b'I' | b'l' | b'L', ..] => xgboost::read_ubjson(bytes),
        _ if bytes.trim_ascii_start().starts_with(b"{") => xgboost::read_json(bytes),
        _ => Err(ImportError::new(
            "byte 0",
            "model",
            "LightGBM text (\"tree\"), XGBoost JSON or UBJSON (\"{\") or a ranker file (\"RTRE\")",
            &format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)])),
            "save the model with save_model() of the library that trained it; pickles and old binary files are not read",
        )),
    }
}

/// A node of a tree that an importer has decoded.
enum Item {
    /// Value, and cover where the file has it.
    Leaf(f32, Option<f32>),
    Split {
        split: Split,
        children: [usize; 2],
    },
}

/// A tree in the arrays of its file. Nodes have ids; what is not an id of a node must be refused by `node`.
trait Tree {
    /// The root's id.
    fn root(&self) -> usize;
    /// All ids are below this.
    fn id_limit(&self) -> usize;
    /// How many nodes the root must lead to.
    fn reachable(&self) -> usize;
    /// Where a node stands, for errors.
    fn place(&self, id: usize) -> String;
    /// Decodes the node with an id below the limit. Category sets go straight into the builder.
    fn node(&self, id: usize, builder: &mut Builder) -> Result<Item, ImportError>;
}

/// Feeds a tree to the builder in preorder. Every node must be reached exactly once.
fn emit(tree: &impl Tree, builder: &mut Builder) -> Result<(), ImportError> {
    let mut seen = vec![false; tree.id_limit()];
    let mut reached = 0;
    let mut ahead = vec![(tree.root(), tree.root())];
    while let Some((id, parent)) = ahead.pop() {
        match seen.get_mut(id) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => {
                let expected = "a node that no other node leads to";
                let found = "a node that was already reached (a cycle or a shared child)";
                return Err(ImportError::new(
                    tree.place(parent),
                    "child",
                    expected,
                    &found,
                    SAVE_AGAIN,
                ));
            }
            None => {
                let expected = format!("the index of one of {} nodes", tree.id_limit());
                return Err(ImportError::new(
                    tree.place(parent),
                    "child",
                    expected,
                    &"an index out of range",
                    SAVE_AGAIN,
                ));
            }
        }
        reached += 1;
        match tree.node(id, builder)? {
            Item::Leaf(value, None) => builder.leaf(value),
            Item::Leaf(value, Some(cover)) => builder.covered_leaf(value, cover),
            Item::Split {
                split,
                children: [left, right],
            } => {
                ahead.extend([(right, id), (left, id)]);
                builder.split(split)
            }
        }
        .map_err(|error| ImportError::build(tree.place(id), error))?;
    }
    if reached == tree.reachable() {
        return Ok(());
    }
    let expected = format!("{} that the root leads to", tree.reachable());
    Err(ImportError::new(
        tree.place(tree.root()),
        "nodes of the tree",
        expected,
        &reached,
        SAVE_AGAIN,
    ))
}
