//! A model directory's manifest, `model.json`: the files of both towers and how their input is made.

pub use crate::manifest::FileEntry as ModelFile;
use crate::manifest::ManifestError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The manifest's file name inside a model directory.
pub const FILE_NAME: &str = "model.json";

/// The image tower: a file of [`super::tower`], or ONNX with input `[n, 3, size, size]` f32 and output `[n, dim]` f32, not
/// normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageTower {
    /// The tower's file.
    #[serde(flatten)]
    pub tower: ModelFile,
    /// Width and height of the input in pixels.
    pub size: u32,
    /// Mean to subtract from each channel (red, green, blue; values 0..1).
    pub mean: [f32; 3],
    /// Deviation to divide each channel by.
    pub std: [f32; 3],
}

/// What becomes of tokens that the table has no row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTokens {
    /// They are left out.
    Drop,
}

/// The text tower: a file of [`super::tower`], or ONNX with input `[1, tokens, width]` f32 (rows of the token table) and output
/// `[1, dim]` f32 taken at the last token, which is the end token; no padding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextTower {
    /// The tower's file.
    #[serde(flatten)]
    pub tower: ModelFile,
    /// The token table.
    pub tokens: ModelFile,
    /// The most tokens of a text, start and end included.
    pub context: u32,
    /// What becomes of tokens without a row.
    pub unknown_tokens: UnknownTokens,
}

/// A model directory's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The model's name.
    pub name: String,
    /// Dimensions of the vectors, 8 to 2,048.
    pub dim: u32,
    /// The image tower.
    pub image: ImageTower,
    /// The text tower.
    pub text: TextTower,
}

/// Why a model's manifest was refused.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Not JSON of the right form.
    #[error("model.json: {0}; expected the manifest of a model directory, see docs/models.md")]
    Json(#[from] serde_json::Error),
    /// The entry of a file.
    #[error("model.json: {0}")]
    File(#[from] ManifestError),
    /// A field outside its limits.
    #[error("model.json: {field}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

impl Model {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Not JSON of the right form, or a field outside its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let model: Self = serde_json::from_slice(bytes)?;
        let check = |ok: bool, field: &'static str, expected: &'static str, found: &dyn ToString| match ok {
            true => Ok(()),
            false => Err(ModelError::Field {
                field,
                expected,
                found: found.to_string(),
            }),
        };
        check(
            (8..=crate::shard::MAX_DIM).contains(&model.dim),
            "dim",
            "8 to 2048",
            &model.dim,
        )?;
        check(
            (1..=1024).contains(&model.image.size),
            "image.size",
            "1 to 1024",
            &model.image.size,
        )?;
        check(
            (3..=77).contains(&model.text.context),
            "text.context",
            "3 to 77",
            &model.text.context,
        )?;
        let deviations = model.image.std.iter().all(|s| s.is_finite() && *s > 0.0);
        check(
            deviations,
            "image.std",
            "numbers above 0",
            &format!("{:?}", model.image.std),
        )?;
        for file in [&model.image.tower, &model.text.tower, &model.text.tokens] {
            file.validate()?;
        }
        Ok(model)
    }
}
