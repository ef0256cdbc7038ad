//! Both encoders: text and pictures to unit vectors.

use super::model::{ImageTower, Model, TextInput};
#[cfg(feature = "onnx")]
use super::onnx::Graph;
use super::passages;
use super::preprocess::{PreprocessError, normalise, resize_centre_crop};
use super::token_table::TokenTable;
use super::tokenizer::{END, START, tokenize};
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
    #[error("{tower} tower, as ONNX: {message}; see docs/models.md for the graphs that run")]
    Graph {
        /// Which tower.
        tower: TowerName,
        /// What does not fit, or what tract said.
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
    /// An ONNX graph, where none runs.
    #[error(
        "{0} tower: it is an ONNX graph, and those run natively alone; import a model that has towers of its own, see docs/models.md"
    )]
    NativeOnly(TowerName),
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
    /// The text, of so many bytes, has no token that the model knows.
    #[error("the model knows no word of the text of {0} bytes; use other words")]
    NoKnownWord(usize),
}

/// Refuses what the manifest has otherwise.
pub(super) fn same(tower: TowerName, what: &str, expected: usize, found: usize) -> Result<(), ClipError> {
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
pub(super) fn unit(tower: TowerName, output: Vec<f32>, dim: usize) -> Result<Vec<f32>, ClipError> {
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

/// What runs a text tower.
enum TextEngine {
    Tower(TokenTable, Box<Tower>),
    #[cfg(feature = "onnx")]
    Rows(TokenTable, Graph),
    #[cfg(feature = "onnx")]
    Ids(Graph),
}

/// Text into vectors.
pub struct TextEncoder {
    engine: TextEngine,
    context: usize,
    dim: usize,
}

impl TextEncoder {
    /// From the bytes of the tower's file and of its token table, where the model has one.
    ///
    /// # Errors
    /// A file is damaged, or not the one that the model describes.
    pub fn new(model: &Model, tower: AlignedBytes, tokens: Option<AlignedBytes>) -> Result<Self, ClipError> {
        let engine = match (&model.text.input, Tower::is_one(tower.as_slice())) {
            (TextInput::Rows { .. }, true) => {
                let table = TokenTable::open(tokens.unwrap_or_default())?;
                let tower = Tower::open(tower)?;
                fits(model, &table, &tower)?;
                TextEngine::Tower(table, Box::new(tower))
            }
            #[cfg(feature = "onnx")]
            (TextInput::Rows { .. }, false) => {
                let table = TokenTable::open(tokens.unwrap_or_default())?;
                let graph = Graph::rows(tower.as_slice(), table.width())?;
                TextEngine::Rows(table, graph)
            }
            #[cfg(feature = "onnx")]
            (TextInput::Ids { padded }, _) => {
                let context = padded.then_some(model.text.context as usize);
                TextEngine::Ids(Graph::ids(tower.as_slice(), context)?)
            }
            #[cfg(not(feature = "onnx"))]
            _ => return Err(ClipError::NativeOnly(TowerName::Text)),
        };
        Ok(Self {
            engine,
            context: model.text.context as usize,
            dim: model.dim as usize,
        })
    }

    /// A unit vector of the model's `dim`. Only as many tokens are run as the text has, unless the model wants padding; what is
    /// behind the context is cut.
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

    /// The token table, where the tower reads one's rows.
    const fn table(&self) -> Option<&TokenTable> {
        match &self.engine {
            TextEngine::Tower(table, _) => Some(table),
            #[cfg(feature = "onnx")]
            TextEngine::Rows(table, _) => Some(table),
            #[cfg(feature = "onnx")]
            TextEngine::Ids(_) => None,
        }
    }

    /// The text's tokens that the model knows, without the first and the last.
    fn known(&self, text: &str) -> Vec<u32> {
        let ids = tokenize(text, usize::MAX);
        // The vector is that of the first end token, which a text may have written out.
        let body = ids.split(|id| *id == END).next().unwrap_or_default();
        let known = |id: &u32| self.table().is_none_or(|table| table.contains(*id));
        body.iter().skip(1).copied().filter(known).collect()
    }

    /// The vector of tokens between the first and the last.
    fn run(&self, ids: &[u32], scratch: &mut Scratch) -> Result<Vec<f32>, ClipError> {
        let ids = std::iter::once(START).chain(ids.iter().copied()).chain([END]);
        let rows = |table: &TokenTable| {
            let mut rows = Vec::new();
            for id in ids.clone() {
                table.append(id, &mut rows);
            }
            rows
        };
        let output = match &self.engine {
            TextEngine::Tower(table, tower) => tower.encode_tokens(&rows(table), scratch).unwrap_or_default(),
            #[cfg(feature = "onnx")]
            TextEngine::Rows(table, graph) => graph.run(&rows(table))?,
            #[cfg(feature = "onnx")]
            TextEngine::Ids(graph) => graph.run_ids(&ids.collect::<Vec<_>>())?,
        };
        unit(TowerName::Text, output, self.dim)
    }
}

fn no_known_word(text: &str) -> ClipError {
    ClipError::NoKnownWord(text.len())
}

/// Refuses a text tower that is another than the manifest's.
fn fits(model: &Model, table: &TokenTable, tower: &Tower) -> Result<(), ClipError> {
    let shape = tower.shape();
    let same = |what, expected: usize, found| same(TowerName::Text, what, expected, found);
    same("side of a picture", 0, shape.size())?;
    same("context", model.text.context as usize, shape.positions)?;
    same("dimensions", model.dim as usize, shape.dim)?;
    same("width of the token table", table.width(), shape.width)
}

/// What runs an image tower.
enum ImageEngine {
    Tower(Box<Tower>),
    #[cfg(feature = "onnx")]
    Onnx(Graph),
}

/// Pictures into vectors.
pub struct ImageEncoder {
    engine: ImageEngine,
    tower: ImageTower,
    dim: usize,
}

impl ImageEncoder {
    /// From the bytes of the tower's file.
    ///
    /// # Errors
    /// The file is damaged, or not the one that the model describes.
    pub fn new(model: &Model, file: AlignedBytes) -> Result<Self, ClipError> {
        const IMAGE: TowerName = TowerName::Image;
        let (size, dim) = (model.image.size as usize, model.dim as usize);
        let engine = match Tower::is_one(file.as_slice()) {
            true => {
                let tower = Tower::open(file)?;
                same(IMAGE, "side of a picture", size, tower.shape().size())?;
                same(IMAGE, "dimensions", dim, tower.shape().dim)?;
                ImageEngine::Tower(Box::new(tower))
            }
            #[cfg(feature = "onnx")]
            false => ImageEngine::Onnx(Graph::image(file.as_slice(), size)?),
            #[cfg(not(feature = "onnx"))]
            false => return Err(ClipError::NativeOnly(IMAGE)),
        };
        Ok(Self {
            engine,
            tower: model.image.clone(),
            dim,
        })
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
        let pixels = resize_centre_crop(rgb, width, height, self.tower.size, self.tower.filter)?;
        let planes = normalise(&pixels, self.tower.mean, self.tower.std);
        let output = match &self.engine {
            ImageEngine::Tower(tower) => tower.encode_planes(&planes, scratch).unwrap_or_default(),
            #[cfg(feature = "onnx")]
            ImageEngine::Onnx(graph) => graph.run(&planes)?,
        };
        unit(TowerName::Image, output, self.dim)
    }
}
