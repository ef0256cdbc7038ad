//! Pairs of ONNX graphs, as exporters write them. Each tower encodes once here, so that what tract cannot run is refused before
//! anything relies on it.

use super::preprocessor::Preprocessing;
use super::{CONFIG, ImportError, VOCABULARY, check_vocabulary, object, refused};
use crate::bytes::AlignedBytes;
use crate::clip::encoder::unit;
use crate::clip::onnx::{Graph, Reads, read};
use crate::clip::preprocess::Filter;
use crate::clip::tokenizer::{CONTEXT, END, START};
use crate::clip::{TokenTable, TowerName};
use serde_json::Value;
use std::iter::once;
use std::ops::RangeInclusive;

const CONTEXTS: RangeInclusive<usize> = 3..=CONTEXT;
const SIZES: RangeInclusive<usize> = 1..=1024;
/// `cat`, which texts are made of here.
const WORD: u32 = 2368;
/// From there on two vectors of the same text are the same.
const SAME: f32 = 0.9999;

const BESIDE: &str = "put the model's config.json or preprocessor_config.json beside the graphs";
const CONTRADICTS: &str = "take all files from one export";

/// The files of a pair.
#[derive(Clone, Copy)]
pub struct OnnxFiles<'a> {
    /// The image tower: pixels F32 `[n, 3, side, side]` in.
    pub image: &'a [u8],
    /// The text tower: token ids `[n, tokens]` in, or rows of a token table.
    pub text: &'a [u8],
    /// The token table of a text tower that reads rows.
    pub tokens: Option<&'a [u8]>,
    /// `config.json`, which is checked against the graphs and says what they leave open.
    pub config: Option<&'a [u8]>,
    /// `preprocessor_config.json`; where there is none, OpenAI's preprocessing.
    pub preprocessor: Option<&'a [u8]>,
}

/// What a pair's manifest says.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxPair {
    /// Dimensions of its vectors.
    pub dim: usize,
    /// The most tokens of a text, start and end included.
    pub context: usize,
    /// Whether texts are filled up to the context; none for a tower that reads rows of a token table.
    pub padded: Option<bool>,
    /// Side of a picture in pixels.
    pub size: usize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Deviation of each channel.
    pub std: [f32; 3],
    /// How a picture is resized.
    pub filter: Filter,
}

/// What `config.json` says in so many words.
#[derive(Default)]
struct Config {
    dim: Option<usize>,
    context: Option<usize>,
    size: Option<usize>,
}

impl Config {
    fn parse(bytes: Option<&[u8]>) -> Result<Self, ImportError> {
        let Some(bytes) = bytes else {
            return Ok(Self::default());
        };
        let all = object(CONFIG, bytes)?;
        let number = |path: &str| all.pointer(path).and_then(Value::as_u64).map(|n| n as usize);
        let vocabulary = number("/text_config/vocab_size").unwrap_or(VOCABULARY);
        check_vocabulary(vocabulary, "take a model of CLIP's tokenizer")?;
        Ok(Self {
            dim: number("/projection_dim"),
            context: number("/text_config/max_position_embeddings"),
            size: number("/vision_config/image_size"),
        })
    }
}

/// The number that the graph has, or else a file beside it; they may not differ, and it lies in the range.
fn settle(
    what: &str,
    graph: Option<usize>,
    file: Option<usize>,
    range: &RangeInclusive<usize>,
) -> Result<Option<usize>, ImportError> {
    match (graph, file) {
        (Some(graph), Some(file)) if graph != file => Err(refused(
            CONFIG,
            what,
            format!("{graph}, as in the graph"),
            file,
            CONTRADICTS,
        )),
        (graph, file) => match graph.or(file) {
            Some(n) if !range.contains(&n) => {
                let expected = format!("{} to {}", range.start(), range.end());
                let remedy = "models of other sizes do not run; take another";
                Err(refused("ONNX graph", what, expected, n, remedy))
            }
            settled => Ok(settled),
        },
    }
}

/// Checks a pair, and runs it.
///
/// # Errors
/// A graph is of another kind, does not run, or contradicts the other or the files beside it.
pub fn onnx_pair(files: &OnnxFiles<'_>) -> Result<OnnxPair, ImportError> {
    let config = Config::parse(files.config)?;
    let (size, preprocessing, image_dim) = image(files, &config)?;
    let text = text(files, &config)?;
    if text.dim != image_dim {
        let found = format!("{image_dim} (image) and {} (text)", text.dim);
        let what = "dimensions of the vectors";
        return Err(refused(
            "ONNX graphs",
            what,
            "the same of both towers",
            found,
            CONTRADICTS,
        ));
    }
    let dims = 8..=crate::shard::MAX_DIM as usize;
    settle("projection_dim", Some(text.dim), config.dim, &dims)?;
    Ok(OnnxPair {
        dim: text.dim,
        context: text.context,
        padded: text.padded,
        size,
        mean: preprocessing.mean,
        std: preprocessing.std,
        filter: preprocessing.filter,
    })
}

/// The side of a picture, what is done to it, and the dimensions of its vector.
fn image(files: &OnnxFiles<'_>, config: &Config) -> Result<(usize, Preprocessing, usize), ImportError> {
    let declared = match read(TowerName::Image, files.image)?.1.reads {
        Reads::Planes { size } => size,
        _ => None,
    };
    let known = settle("vision_config.image_size", declared, config.size, &SIZES)?;
    let preprocessing = Preprocessing::parse(files.preprocessor, known)?;
    let Some(size) = settle("side of a picture", preprocessing.size, None, &SIZES)? else {
        let found = "none: the graph leaves it open";
        return Err(refused(
            "image graph",
            "side of a picture",
            "a number of pixels",
            found,
            BESIDE,
        ));
    };
    let graph = Graph::image(files.image, size)?;
    let planes: Vec<f32> = (0..3 * size * size)
        .map(|i| (i * 37 % 256) as f32 / 255.0)
        .collect();
    unit(TowerName::Image, graph.run(&planes)?, graph.dim())?;
    Ok((size, preprocessing, graph.dim()))
}

/// What was found out of a text tower.
struct Text {
    dim: usize,
    context: usize,
    padded: Option<bool>,
}

/// START, words, END.
fn words(n: usize) -> Vec<u32> {
    let words = std::iter::repeat_n(WORD, n);
    once(START).chain(words).chain(once(END)).collect()
}

fn text(files: &OnnxFiles<'_>, config: &Config) -> Result<Text, ImportError> {
    let what = "text_config.max_position_embeddings";
    match read(TowerName::Text, files.text)?.1.reads {
        Reads::Ids { length, .. } => {
            let context = settle(what, length, config.context, &CONTEXTS)?.unwrap_or(CONTEXT);
            ids(files.text, length.is_some(), context)
        }
        _ => {
            let context = settle(what, None, config.context, &CONTEXTS)?.unwrap_or(CONTEXT);
            rows(files, context)
        }
    }
}

/// Vectors of a text of a few words and of one that fills the context.
fn encode(graph: &Graph, context: usize) -> Result<[Vec<f32>; 2], ImportError> {
    let vector = |n| Ok::<_, ImportError>(unit(TowerName::Text, graph.run_ids(&words(n))?, graph.dim())?);
    Ok([vector(1)?, vector(context - 2)?])
}

/// A tower that reads token ids. Where each token sees only those before it, padding changes nothing and is left out.
fn ids(onnx: &[u8], fixed: bool, context: usize) -> Result<Text, ImportError> {
    let graph = Graph::ids(onnx, Some(context))?;
    let padded = encode(&graph, context)?;
    let as_long_as_the_text = || {
        let open = Graph::ids(onnx, None).ok()?;
        encode(&open, context).ok()
    };
    let same = |open: [Vec<f32>; 2]| {
        let dot = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        open.iter().zip(&padded).all(|pair| dot(pair) >= SAME)
    };
    let needless = !fixed && as_long_as_the_text().is_some_and(same);
    Ok(Text {
        dim: graph.dim(),
        context,
        padded: Some(!needless),
    })
}

/// A tower that reads rows of a token table.
fn rows(files: &OnnxFiles<'_>, context: usize) -> Result<Text, ImportError> {
    let Some(tokens) = files.tokens else {
        return Err(refused(
            "text graph",
            "input",
            "token ids, or tokens.bin beside a graph that reads rows of it",
            "rows, and no tokens.bin",
            "put it beside the graph, or export the tower with its token embedding",
        ));
    };
    let table = TokenTable::open(AlignedBytes::copy_of(tokens))?;
    let graph = Graph::rows(files.text, table.width())?;
    for n in [1, context - 2] {
        let mut rows = Vec::new();
        for id in words(n) {
            if !table.append(if id == WORD { START } else { id }, &mut rows) {
                let what = format!("token {id}");
                return Err(refused("tokens.bin", what, "a row", "none", CONTRADICTS));
            }
        }
        unit(TowerName::Text, graph.run(&rows)?, graph.dim())?;
    }
    Ok(Text {
        dim: graph.dim(),
        context,
        padded: None,
    })
}
