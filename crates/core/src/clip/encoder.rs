//! Both towers on tract-onnx.

use super::model::{ImageTower, Model, TextTower};
use super::preprocess::{PreprocessError, normalise, resize_centre_crop};
use super::token_table::TokenTable;
use super::tokenizer::ClipTokenizer;
use crate::bytes::FormatError;
use crate::vector::UnitVector;
use std::sync::Arc;
use thiserror::Error;
use tract_onnx::prelude::*;

type Plan = Arc<TypedRunnableModel>;

/// Why the encoder could not be made or could not encode.
#[derive(Debug, Error)]
pub enum ClipError {
    /// The graph could not be read or run.
    #[error("{tower} tower: {message}; expected an ONNX file as models/mini-clip/export.py writes it")]
    Graph {
        /// Which tower.
        tower: &'static str,
        /// What tract said.
        message: String,
    },
    /// The token table was refused.
    #[error(transparent)]
    Tokens(#[from] FormatError),
    /// The picture was refused.
    #[error(transparent)]
    Picture(#[from] PreprocessError),
    /// The output has another number of dimensions, or is no direction.
    #[error("{tower} tower: expected {expected} finite numbers, not all zero; found {found}")]
    Output {
        /// Which tower.
        tower: &'static str,
        /// Dimensions by the manifest.
        expected: usize,
        /// What came out.
        found: String,
    },
    /// The text has no token that the model knows.
    #[error("the model knows no word of {0:?}; use other words")]
    NoKnownWord(String),
}

fn graph_error(tower: &'static str) -> impl Fn(TractError) -> ClipError {
    move |error| ClipError::Graph {
        tower,
        message: format!("{error:#}"),
    }
}

/// `shape` is the input's. Its symbols come from the model's own scope: one of another scope dies with that scope.
fn load<const RANK: usize>(
    tower: &'static str,
    onnx: &[u8],
    shape: impl FnOnce(&SymbolScope) -> [TDim; RANK],
) -> Result<Plan, ClipError> {
    tract_onnx::onnx()
        .model_for_read(&mut &*onnx)
        .and_then(|m| {
            let fact = InferenceFact::dt_shape(f32::datum_type(), shape(&m.symbols));
            m.with_input_fact(0, fact)
        })
        .and_then(|m| m.into_optimized())
        .and_then(|m| m.into_runnable())
        .map_err(graph_error(tower))
}

/// Runs a plan and returns its first output's values as unit vectors of `dim`.
fn run(tower: &'static str, plan: &Plan, input: Tensor, dim: usize) -> Result<Vec<Vec<f32>>, ClipError> {
    let outputs = plan.run(tvec!(input.into())).map_err(graph_error(tower))?;
    let bad = |found: String| ClipError::Output {
        tower,
        expected: dim,
        found,
    };
    let output = outputs.first().ok_or_else(|| bad("no output".to_owned()))?;
    let view = output.to_plain_array_view::<f32>().map_err(graph_error(tower))?;
    if view.shape().last() != Some(&dim) {
        return Err(bad(format!("shape {:?}", view.shape())));
    }
    let values: Vec<f32> = view.iter().copied().collect();
    values
        .chunks_exact(dim)
        .map(|v| {
            UnitVector::new(v.to_vec())
                .map(UnitVector::into_vec)
                .map_err(|e| bad(e.to_string()))
        })
        .collect()
}

/// Text into vectors.
pub struct TextEncoder {
    tokenizer: ClipTokenizer,
    table: TokenTable,
    plan: Plan,
    context: usize,
    dim: usize,
}

impl TextEncoder {
    /// From the bytes of the tower's ONNX file and of its token table.
    ///
    /// # Errors
    /// tract cannot read the graph, or the table is damaged.
    pub fn new(model: &Model, onnx: &[u8], tokens: &[u8]) -> Result<Self, ClipError> {
        let TextTower { context, .. } = model.text;
        let table = TokenTable::parse(tokens)?;
        let width = table.width();
        let plan = load("text", onnx, |symbols| {
            [1.to_dim(), symbols.sym("L").to_dim(), width.to_dim()]
        })?;
        let (context, dim) = (context as usize, model.dim as usize);
        Ok(Self {
            tokenizer: ClipTokenizer::default(),
            table,
            plan,
            context,
            dim,
        })
    }

    /// A unit vector of the model's `dim`. Only as many tokens are run as the text has.
    ///
    /// # Errors
    /// The model knows no word of the text, or the graph fails.
    pub fn encode(&self, text: &str) -> Result<Vec<f32>, ClipError> {
        let ids = self.tokenizer.encode(text, usize::MAX);
        // Tokens without a row are left out before the cut to the context, so that they cost no room.
        let mut rows = Vec::new();
        let mut known = 0;
        let (body, end) = ids.split_at(ids.len() - 1);
        for id in body {
            if known + 1 < self.context && self.table.append(*id, &mut rows) {
                known += 1;
            }
        }
        if known < 2 {
            return Err(ClipError::NoKnownWord(text.chars().take(80).collect()));
        }
        for id in end {
            known += usize::from(self.table.append(*id, &mut rows));
        }
        let input =
            Tensor::from_shape(&[1, known, self.table.width()], &rows).map_err(graph_error("text"))?;
        let mut vectors = run("text", &self.plan, input, self.dim)?;
        vectors.pop().ok_or(ClipError::Output {
            tower: "text",
            expected: self.dim,
            found: "nothing".to_owned(),
        })
    }
}

/// Pictures into vectors.
pub struct ImageEncoder {
    plan: Plan,
    tower: ImageTower,
    dim: usize,
}

impl ImageEncoder {
    /// From the bytes of the tower's ONNX file.
    ///
    /// # Errors
    /// tract cannot read the graph.
    pub fn new(model: &Model, onnx: &[u8]) -> Result<Self, ClipError> {
        let tower = model.image.clone();
        let size = tower.size as usize;
        let plan = load("image", onnx, |_| {
            [1.to_dim(), 3.to_dim(), size.to_dim(), size.to_dim()]
        })?;
        Ok(Self {
            plan,
            tower,
            dim: model.dim as usize,
        })
    }

    /// A unit vector of the model's `dim` from 8-bit RGB, `height × width × 3`.
    ///
    /// # Errors
    /// The picture is refused, or the graph fails.
    pub fn encode(&self, rgb: &[u8], width: u32, height: u32) -> Result<Vec<f32>, ClipError> {
        let size = self.tower.size;
        let pixels = resize_centre_crop(rgb, width, height, size)?;
        let planes = normalise(&pixels, self.tower.mean, self.tower.std);
        let size = size as usize;
        let input = Tensor::from_shape(&[1, 3, size, size], &planes).map_err(graph_error("image"))?;
        let mut vectors = run("image", &self.plan, input, self.dim)?;
        vectors.pop().ok_or(ClipError::Output {
            tower: "image",
            expected: self.dim,
            found: "nothing".to_owned(),
        })
    }
}
