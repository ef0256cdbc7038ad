//! Both encoders: text and pictures to unit vectors.

use super::model::{ImageTower, Model};
#[cfg(feature = "onnx")]
use super::onnx::Graph;
use super::passages;
use super::preprocess::{PreprocessError, normalise, resize_centre_crop};
use super::token_table::TokenTable;
use super::tokenizer::{ClipTokenizer, END, START};
use super::tower::{Scratch, Tower};
use crate::bytes::{AlignedBytes, FormatError};
use crate::vector::UnitVector;
use std::fmt;
use thiserror::Error;

/// Which tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TowerName {
    /// That of texts.
    Text,
    /// That of pictures.
    Image,
}

impl fmt::Display for TowerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Image => "image",
        })
    }
}

/// Why the encoder could not be made or could not encode.
#[derive(Debug, Error)]
pub enum ClipError {
    /// A file was refused.
    #[error(transparent)]
    File(#[from] FormatError),
    /// The graph could not be read or run.
    #[error(
        "{tower} tower: {message}; expected an ONNX file of one input and one output, see docs/models.md"
    )]
    Graph {
        /// Which tower.
        tower: TowerName,
        /// What tract said.
        message: String,
    },
    /// It is a tower, but not the one that the model's manifest describes.
    #[error("{tower} tower: expected {expected}, as in model.json, found {found}; import the model again")]
    Other {
        /// Which tower.
        tower: TowerName,
        /// By the manifest.
        expected: String,
        /// In the file.
        found: String,
    },
    /// The picture was refused.
    #[error(transparent)]
    Picture(#[from] PreprocessError),
    /// The output has another number of dimensions, or is no direction.
    #[error("{tower} tower: expected {expected} finite numbers, not all zero; found {found}")]
    Output {
        /// Which tower.
        tower: TowerName,
        /// Dimensions by the manifest.
        expected: usize,
        /// What came out.
        found: String,
    },
    /// The text has no token that the model knows.
    #[error("the model knows no word of {0:?}; use other words")]
    NoKnownWord(String),
}

/// What runs a tower.
enum Engine {
    Tower(Box<Tower>),
    #[cfg(feature = "onnx")]
    Onnx(Graph),
}

/// Refuses what the manifest has otherwise.
fn same(tower: TowerName, what: &str, expected: &usize, found: &usize) -> Result<(), ClipError> {
    match expected == found {
        true => Ok(()),
        false => Err(ClipError::Other {
            tower,
            expected: format!("{what} {expected}"),
            found: found.to_string(),
        }),
    }
}

/// The output as a direction.
fn unit(tower: TowerName, output: Vec<f32>, dim: usize) -> Result<Vec<f32>, ClipError> {
    let bad = |found: String| ClipError::Output {
        tower,
        expected: dim,
        found,
    };
    if output.len() != dim {
        return Err(bad(format!("{} numbers", output.len())));
    }
    let vector = UnitVector::new(output).map_err(|error| bad(error.to_string()))?;
    Ok(vector.into_vec())
}

/// Text into vectors.
pub struct TextEncoder {
    tokenizer: ClipTokenizer,
    table: TokenTable,
    engine: Engine,
    context: usize,
    dim: usize,
}

impl TextEncoder {
    /// From the bytes of the tower's file and of its token table.
    ///
    /// # Errors
    /// A file is damaged, or not the one that the model describes.
    pub fn new(model: &Model, tower: AlignedBytes, tokens: AlignedBytes) -> Result<Self, ClipError> {
        const TEXT: TowerName = TowerName::Text;
        let table = TokenTable::open(tokens)?;
        let (context, dim) = (model.text.context as usize, model.dim as usize);
        let width = table.width();
        let with = |engine| Self {
            tokenizer: ClipTokenizer::default(),
            table,
            engine,
            context,
            dim,
        };
        #[cfg(feature = "onnx")]
        if !Tower::is_one(tower.as_slice()) {
            return Ok(with(Engine::Onnx(Graph::text(tower.as_slice(), width)?)));
        }
        let tower = Tower::open(tower)?;
        let shape = tower.shape();
        same(TEXT, "side of a picture", &0, &shape.size())?;
        same(TEXT, "context", &context, &shape.positions)?;
        same(TEXT, "dimensions", &dim, &shape.dim)?;
        same(TEXT, "width of the token table", &width, &shape.width)?;
        Ok(with(Engine::Tower(Box::new(tower))))
    }

    /// A unit vector of the model's `dim`. Only as many tokens are run as the text has; what is behind the context is cut.
    ///
    /// # Errors
    /// The model knows no word of the text, or the graph fails.
    pub fn encode(&self, text: &str, scratch: &mut Scratch) -> Result<Vec<f32>, ClipError> {
        // Tokens without a row are left out before the cut to the context, so that they cost no room.
        let mut ids = self.known(text);
        ids.truncate(self.room());
        if ids.is_empty() {
            return Err(no_known_word(text));
        }
        self.run(&ids, scratch)
    }

    /// A unit vector of a text of any length: the mean direction of at most `most` passages of whole sentences, each as long as
    /// the context allows, weighed by their tokens. What comes behind them is left out.
    ///
    /// # Errors
    /// The model knows no word of the text, its passages cancel each other out, or the graph fails.
    pub fn encode_long(&self, text: &str, most: usize, scratch: &mut Scratch) -> Result<Vec<f32>, ClipError> {
        let sentences = passages::sentences(text).map(|sentence| self.known(sentence));
        let mut sum = vec![0f32; self.dim];
        let passages = passages::pack(sentences.filter(|ids| !ids.is_empty()), self.room(), most);
        for ids in &passages {
            let vector = self.run(ids, scratch)?;
            sum.iter_mut()
                .zip(vector)
                .for_each(|(s, v)| *s += v * ids.len() as f32);
        }
        if passages.is_empty() {
            return Err(no_known_word(text));
        }
        unit(TowerName::Text, sum, self.dim)
    }

    /// Tokens that fit between the first and the last.
    fn room(&self) -> usize {
        self.context.saturating_sub(2).max(1)
    }

    /// The text's tokens that have a row, without the first and the last.
    fn known(&self, text: &str) -> Vec<u32> {
        let ids = self.tokenizer.encode(text, usize::MAX);
        let inner = ids.get(1..ids.len() - 1).unwrap_or_default();
        inner
            .iter()
            .copied()
            .filter(|id| self.table.contains(*id))
            .collect()
    }

    fn run(&self, ids: &[u32], scratch: &mut Scratch) -> Result<Vec<f32>, ClipError> {
        let mut rows = Vec::new();
        for id in std::iter::once(START).chain(ids.iter().copied()).chain([END]) {
            self.table.append(id, &mut rows);
        }
        let output = match &self.engine {
            Engine::Tower(tower) => tower.encode_tokens(&rows, scratch).unwrap_or_default(),
            #[cfg(feature = "onnx")]
            Engine::Onnx(graph) => {
                let width = self.table.width();
                graph.run(&[1, rows.len() / width.max(1), width], &rows)?
            }
        };
        unit(TowerName::Text, output, self.dim)
    }
}

fn no_known_word(text: &str) -> ClipError {
    ClipError::NoKnownWord(text.chars().take(80).collect())
}

/// Pictures into vectors.
pub struct ImageEncoder {
    engine: Engine,
    tower: ImageTower,
    dim: usize,
}

impl ImageEncoder {
    /// From the bytes of the tower's file.
    ///
    /// # Errors
    /// The file is damaged, or not the one that the model describes.
    pub fn new(model: &Model, tower: AlignedBytes) -> Result<Self, ClipError> {
        const IMAGE: TowerName = TowerName::Image;
        let (size, dim) = (model.image.size as usize, model.dim as usize);
        let with = |engine| Self {
            engine,
            tower: model.image.clone(),
            dim,
        };
        #[cfg(feature = "onnx")]
        if !Tower::is_one(tower.as_slice()) {
            return Ok(with(Engine::Onnx(Graph::image(tower.as_slice(), size)?)));
        }
        let tower = Tower::open(tower)?;
        same(IMAGE, "side of a picture", &size, &tower.shape().size())?;
        same(IMAGE, "dimensions", &dim, &tower.shape().dim)?;
        Ok(with(Engine::Tower(Box::new(tower))))
    }

    /// A unit vector of the model's `dim` from 8-bit RGB, `height × width × 3`.
    ///
    /// # Errors
    /// The picture is refused, or the graph fails.
    pub fn encode(
        &self,
        rgb: &[u8],
        width: u32,
        height: u32,
        scratch: &mut Scratch,
    ) -> Result<Vec<f32>, ClipError> {
        let pixels = resize_centre_crop(rgb, width, height, self.tower.size)?;
        let planes = normalise(&pixels, self.tower.mean, self.tower.std);
        let output = match &self.engine {
            Engine::Tower(tower) => tower.encode_planes(&planes, scratch).unwrap_or_default(),
            #[cfg(feature = "onnx")]
            Engine::Onnx(graph) => {
                let size = self.tower.size as usize;
                graph.run(&[1, 3, size, size], &planes)?
            }
        };
        unit(TowerName::Image, output, self.dim)
    }
}
