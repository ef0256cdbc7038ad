//! Reads CLIP models of Hugging Face's form, `config.json`, `preprocessor_config.json` and `model.safetensors`, and, with the
//! feature `onnx`, pairs of ONNX graphs. Native only: edge and browser get the towers that come out.

mod config;
#[cfg(feature = "onnx")]
mod onnx;
mod preprocessor;
mod weights;

#[cfg(feature = "onnx")]
pub use onnx::{OnnxFiles, OnnxPair, onnx_pair};

use super::preprocess::Filter;
use super::tower::Shape;
use crate::bytes::{AlignedBytes, FormatError};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Display;
use thiserror::Error;

/// Why a model was refused.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A field or a tensor that no CLIP model has.
    #[error("{file}: {what}: expected {expected}, found {found}; {remedy}")]
    Refused {
        /// Which file.
        file: &'static str,
        /// The field or the tensor.
        what: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
        /// What the user can do.
        remedy: &'static str,
    },
    /// The numbers fit each other but no tower.
    #[error(transparent)]
    Tower(#[from] FormatError),
    /// A graph is of another kind, or does not run.
    #[cfg(feature = "onnx")]
    #[error("{0}; export the towers again, or take a model of Hugging Face's form")]
    Graph(#[from] super::ClipError),
}

/// The names of the files, as errors have them.
const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const WEIGHTS: &str = "model.safetensors";
/// For files that are not what they say.
const FETCH_AGAIN: &str = "the file is damaged or not of a CLIP model: fetch it again";
/// For CLIP models that this importer does not know.
const EXPORT: &str = "models of this kind run from a pair of ONNX files";

fn refused(
    file: &'static str,
    what: impl Into<String>,
    expected: impl Display,
    found: impl Display,
    remedy: &'static str,
) -> ImportError {
    ImportError::Refused {
        file,
        what: what.into(),
        expected: expected.to_string(),
        found: found.to_string().chars().take(200).collect(),
        remedy,
    }
}

/// Rows of the token table that CLIP's tokenizer needs.
const VOCABULARY: usize = 49_408;

/// Refuses a model of another tokenizer.
fn check_vocabulary(found: usize, remedy: &'static str) -> Result<(), ImportError> {
    if found == VOCABULARY {
        return Ok(());
    }
    let expected = "49408, the vocabulary of CLIP's tokenizer";
    Err(refused(CONFIG, "text_config.vocab_size", expected, found, remedy))
}

/// A part of a JSON file as a type.
fn part<T: for<'de> Deserialize<'de>>(
    file: &'static str,
    what: &str,
    value: &Value,
) -> Result<T, ImportError> {
    T::deserialize(value)
        .map_err(|error| refused(file, what, "fields as CLIP's have them", error, FETCH_AGAIN))
}

/// A JSON file.
fn object(file: &'static str, bytes: &[u8]) -> Result<Value, ImportError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| refused(file, "the file", "a JSON object", error, FETCH_AGAIN))?;
    match value.is_object() {
        true => Ok(value),
        false => Err(refused(file, "the file", "a JSON object", value, FETCH_AGAIN)),
    }
}

/// The files of a model.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// `config.json`.
    pub config: &'a [u8],
    /// `preprocessor_config.json`; where there is none, OpenAI's preprocessing.
    pub preprocessor: Option<&'a [u8]>,
    /// `model.safetensors`.
    pub weights: &'a [u8],
}

/// A model, ready to be written.
pub struct Imported {
    /// Dimensions of its vectors.
    pub dim: usize,
    /// The most tokens of a text, start and end included.
    pub context: usize,
    /// Side of a picture in pixels.
    pub size: usize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Deviation of each channel.
    pub std: [f32; 3],
    /// How a picture is resized.
    pub filter: Filter,
    /// Of the image tower.
    pub image_shape: Shape,
    /// Of the text tower.
    pub text_shape: Shape,
    /// The file of the image tower.
    pub image: AlignedBytes,
    /// The file of the text tower.
    pub text: AlignedBytes,
    /// The token table.
    pub tokens: Vec<u8>,
}

/// Quantises a model.
///
/// # Errors
/// A file is damaged, says something else than another, or is of a model with other parts than CLIP's two transformers.
pub fn hugging_face(files: &Files<'_>) -> Result<Imported, ImportError> {
    let config = config::Config::parse(files.config)?;
    let (text, image) = (config.text_shape()?, config.image_shape()?);
    let size = config.image_size();
    let preprocessing = preprocessor::Preprocessing::parse(files.preprocessor, Some(size))?;
    let weights = weights::Weights::open(files.weights)?;
    Ok(Imported {
        dim: text.dim,
        context: text.positions,
        size,
        mean: preprocessing.mean,
        std: preprocessing.std,
        filter: preprocessing.filter,
        image_shape: image,
        text_shape: text,
        tokens: weights.token_table(config.vocabulary(), text.width)?,
        image: weights.image_tower(&image)?,
        text: weights.text_tower(&text)?,
    })
}
