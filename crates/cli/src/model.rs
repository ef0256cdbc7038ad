//! A CLIP model directory.

use anyhow::{Context, Result, ensure};
use recsys_core::clip::model::{FILE_NAME, Model, ModelFile};
use recsys_core::clip::{ImageEncoder, TextEncoder};
use recsys_core::manifest::{EncoderRef, sha256_hex};
use std::path::{Path, PathBuf};

/// An open model directory. Towers are loaded on demand.
pub struct ModelDir {
    dir: PathBuf,
    model: Model,
    sha256: String,
}

impl ModelDir {
    /// Opens a directory with a `model.json`.
    ///
    /// # Errors
    /// The manifest is missing or refused.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let bytes = std::fs::read(&path).with_context(|| {
            format!(
                "{}: cannot read it; expected a model directory, choose one with --model DIR",
                path.display()
            )
        })?;
        let model = Model::parse(&bytes).with_context(|| path.display().to_string())?;
        Ok(Self {
            dir: dir.to_owned(),
            model,
            sha256: sha256_hex(&bytes),
        })
    }

    /// The manifest.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How a bundle refers to this model.
    pub fn reference(&self) -> EncoderRef {
        EncoderRef {
            name: self.model.name.clone(),
            sha256: self.sha256.clone(),
        }
    }

    fn read(&self, file: &ModelFile) -> Result<Vec<u8>> {
        let path = self.dir.join(&file.file);
        let bytes = std::fs::read(&path).with_context(|| format!("{}: cannot read it", path.display()))?;
        let found = sha256_hex(&bytes);
        ensure!(
            found == file.sha256,
            "{}: expected SHA-256 {}, found {found}; fetch the model again",
            path.display(),
            file.sha256
        );
        Ok(bytes)
    }

    /// The text tower.
    ///
    /// # Errors
    /// A file is missing, differs from its hash, or is refused.
    pub fn text(&self) -> Result<TextEncoder> {
        let (onnx, tokens) = (
            self.read(&self.model.text.onnx)?,
            self.read(&self.model.text.tokens)?,
        );
        TextEncoder::new(&self.model, &onnx, &tokens).with_context(|| self.dir.display().to_string())
    }

    /// The image tower.
    ///
    /// # Errors
    /// The file is missing, differs from its hash, or is refused.
    pub fn image(&self) -> Result<ImageEncoder> {
        let onnx = self.read(&self.model.image.onnx)?;
        ImageEncoder::new(&self.model, &onnx).with_context(|| self.dir.display().to_string())
    }
}
