//! A CLIP model directory.

pub mod fetch;
mod import;
mod write;

pub use import::{Source, import};
pub use write::About;

use anyhow::{Context, Result, ensure};
use recsys_core::bytes::AlignedBytes;
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

    fn read(&self, file: &ModelFile) -> Result<AlignedBytes> {
        let path = self.dir.join(&file.file);
        let bytes = std::fs::read(&path).with_context(|| format!("{}: cannot read it", path.display()))?;
        let found = sha256_hex(&bytes);
        ensure!(
            found == file.sha256,
            "{}: expected SHA-256 {}, found {found}; fetch or import the model again",
            path.display(),
            file.sha256
        );
        Ok(AlignedBytes::copy_of(&bytes))
    }

    /// The text tower.
    ///
    /// # Errors
    /// A file is missing, differs from its hash, or is refused.
    pub fn text(&self) -> Result<TextEncoder> {
        let tower = self.read(&self.model.text.tower)?;
        let tokens = self.model.text.tokens().map(|file| self.read(file)).transpose()?;
        TextEncoder::new(&self.model, tower, tokens).with_context(|| self.dir.display().to_string())
    }

    /// The image tower.
    ///
    /// # Errors
    /// The file is missing, differs from its hash, or is refused.
    pub fn image(&self) -> Result<ImageEncoder> {
        let tower = self.read(&self.model.image.tower)?;
        ImageEncoder::new(&self.model, tower).with_context(|| self.dir.display().to_string())
    }
}
