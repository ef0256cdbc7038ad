//! The file of a tower, version 1, little-endian. Sections start at multiples of 16 bytes, zeros between them.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RTWR` |
//! | 4 | u32 | version, 1 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | side of a picture in pixels, 1 to 1,024; 0 in a text tower |
//! | 20 | u32 | side of a patch in pixels, even, a divisor of the picture's; 0 in a text tower |
//! | 24 | u32 | positions: (picture / patch)² + 1, or the most tokens of a text; 2 to 4,097 |
//! | 28 | u32 | width, a multiple of 8, 8 to 2,048 |
//! | 32 | u32 | heads, 1 to 64; width / heads is a multiple of 8 |
//! | 36 | u32 | layers, 1 to 64 |
//! | 40 | u32 | width of the feed-forward layers, a multiple of 8, 8 to 8,192 |
//! | 44 | u32 | dimensions of the vectors, a multiple of 8, 8 to 2,048 |
//! | 48 | u32 | activation: 0 quick GELU, 1 GELU |
//! | 52 | f32 | ε of the layer normalisations, above 0, at most 0.1 |
//! | 56 | sections | image: class embedding f32 × width; patches, *linear* without bias from 3 × patch² (channel, row, column); *norm* before the layers |
//! | | section | positions f32 × positions × width |
//! | | sections × layers | *norm*; queries, keys and values, *linear* to 3 × width; attention's output, *linear*; *norm*; *linear* to the feed-forward width; *linear* back |
//! | | sections | *norm*; projection, *linear* without bias to the dimensions |
//!
//! *norm*: gain f32 × width, bias f32 × width. *linear*: scales f32 × outputs, bias f32 × outputs where it has one, codes i8 ×
//! outputs × inputs in panels of eight outputs: for each pair of inputs the two codes of the first output, of the second and so
//! on. A weight is its code times its output's scale.

use super::kernel::COLUMNS;
use super::linear::Linear;
use super::math::Activation;
use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink};
use std::ops::Range;

const MAGIC: [u8; 4] = *b"RTWR";
const VERSION: u32 = 1;
const MAX_SIZE: usize = 1_024;
const MAX_PATCH: usize = 64;
const MAX_POSITIONS: usize = 4_097;
const MAX_WIDTH: usize = 2_048;
const MAX_HEADS: usize = 64;
const MAX_LAYERS: usize = 64;
const MAX_HIDDEN: usize = 8_192;

/// What a tower reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Rows of the token table.
    Text,
    /// A square picture.
    Image {
        /// Its side in pixels.
        size: usize,
        /// The side of a patch in pixels.
        patch: usize,
    },
}

/// The numbers that say how long everything is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// What it reads.
    pub input: Input,
    /// The most tokens, or patches and one.
    pub positions: usize,
    /// Values of a token.
    pub width: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Values between the two feed-forward layers.
    pub hidden: usize,
    /// Dimensions of the vectors.
    pub dim: usize,
    /// Between the feed-forward layers.
    pub activation: Activation,
    /// Added to the variance in a normalisation.
    pub epsilon: f32,
}

/// A number that the format does not allow: its name, what is allowed, and what it is.
pub type Fault = (&'static str, String, String);

impl Shape {
    fn read(c: &mut Cursor<'_>) -> Result<Self, FormatError> {
        let mut number = |what| Ok(c.u32(what)? as usize);
        let (size, patch) = (number("side of a picture")?, number("side of a patch")?);
        let input = match (size, patch) {
            (0, 0) => Input::Text,
            _ => Input::Image { size, patch },
        };
        let shape = Self {
            input,
            positions: number("positions")?,
            width: number("width")?,
            heads: number("heads")?,
            layers: number("layers")?,
            hidden: number("feed-forward width")?,
            dim: number("dimensions")?,
            activation: match c.count("activation", 0..=1)? {
                0 => Activation::QuickGelu,
                _ => Activation::Gelu,
            },
            epsilon: f32::from_bits(c.u32("epsilon")?),
        };
        match shape.check() {
            None => Ok(shape),
            Some((what, expected, found)) => Err(c.error(what, expected, found)),
        }
    }

    /// The first number that the format does not allow.
    #[must_use]
    pub fn check(&self) -> Option<Fault> {
        let within = |what, value: usize, least: usize, most: usize, step: usize| {
            let fits = (least..=most).contains(&value) && value.is_multiple_of(step);
            let steps = if step == 1 {
                String::new()
            } else {
                format!(" in steps of {step}")
            };
            (!fits).then(|| (what, format!("{least} to {most}{steps}"), value.to_string()))
        };
        let picture = || match self.input {
            Input::Text => None,
            Input::Image { size, patch } => within("side of a picture", size, 1, MAX_SIZE, 1)
                .or_else(|| within("side of a patch", patch, 2, MAX_PATCH, 2))
                .or_else(|| {
                    let fault = || {
                        (
                            "side of a patch",
                            format!("a divisor of {size}"),
                            patch.to_string(),
                        )
                    };
                    (!size.is_multiple_of(patch)).then(fault)
                })
                .or_else(|| {
                    let positions = (size / patch).pow(2) + 1;
                    within("positions", self.positions, positions, positions, 1)
                }),
        };
        let epsilon = || {
            let fault = (
                "epsilon",
                "above 0, at most 0.1".to_owned(),
                self.epsilon.to_string(),
            );
            (!(self.epsilon > 0.0 && self.epsilon <= 0.1)).then_some(fault)
        };
        picture()
            .or_else(|| within("positions", self.positions, 2, MAX_POSITIONS, 1))
            .or_else(|| within("width", self.width, 8, MAX_WIDTH, COLUMNS))
            .or_else(|| within("heads", self.heads, 1, MAX_HEADS, 1))
            .or_else(|| {
                let fault = || {
                    (
                        "width",
                        format!("{} heads of a multiple of 8", self.heads),
                        self.width.to_string(),
                    )
                };
                (!self.width.is_multiple_of(self.heads * COLUMNS)).then(fault)
            })
            .or_else(|| within("layers", self.layers, 1, MAX_LAYERS, 1))
            .or_else(|| within("feed-forward width", self.hidden, 8, MAX_HIDDEN, COLUMNS))
            .or_else(|| within("dimensions", self.dim, 8, MAX_WIDTH, COLUMNS))
            .or_else(epsilon)
    }

    /// The side of a picture in pixels; 0 in a text tower.
    #[must_use]
    pub const fn size(&self) -> usize {
        match self.input {
            Input::Text => 0,
            Input::Image { size, .. } => size,
        }
    }

    /// The side of a patch in pixels; 0 in a text tower.
    #[must_use]
    pub const fn patch(&self) -> usize {
        match self.input {
            Input::Text => 0,
            Input::Image { patch, .. } => patch,
        }
    }
}

/// Where a layer normalisation stands.
#[derive(Clone, Debug)]
struct NormAt {
    gain: Range<usize>,
    bias: Range<usize>,
}

/// Where a linear layer stands.
#[derive(Clone, Debug)]
struct LinearAt {
    scales: Range<usize>,
    bias: Range<usize>,
    codes: Range<usize>,
}

#[derive(Clone, Debug)]
struct LayerAt {
    before_attention: NormAt,
    attention: LinearAt,
    joined: LinearAt,
    before_hidden: NormAt,
    hidden: LinearAt,
    out: LinearAt,
}

#[derive(Clone, Debug)]
struct PatchesAt {
    class: Range<usize>,
    patches: LinearAt,
    norm: NormAt,
}

/// A layer normalisation.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// Gain of each value.
    pub gain: &'a [f32],
    /// What is added to each value.
    pub bias: &'a [f32],
}

/// A transformer layer.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    /// Before attention.
    pub before_attention: Norm<'a>,
    /// Queries, keys and values, side by side.
    pub attention: Linear<'a>,
    /// From the heads' answers side by side.
    pub joined: Linear<'a>,
    /// Before the feed-forward layers.
    pub before_hidden: Norm<'a>,
    /// The first of them.
    pub hidden: Linear<'a>,
    /// The second.
    pub out: Linear<'a>,
}

/// How a picture becomes tokens.
#[derive(Clone, Copy)]
pub struct Patches<'a> {
    /// The first token.
    pub class: &'a [f32],
    /// From the values of a patch.
    pub patches: Linear<'a>,
    /// Over the tokens with their positions.
    pub norm: Norm<'a>,
}

/// A tower over the bytes of its file.
#[derive(Clone, Debug)]
pub struct Tower {
    bytes: AlignedBytes,
    shape: Shape,
    patches: Option<PatchesAt>,
    positions: Range<usize>,
    layers: Vec<LayerAt>,
    last: NormAt,
    projection: LinearAt,
}

/// Reads sections and checks their numbers.
struct Reader<'a> {
    cursor: Cursor<'a>,
    bytes: &'a AlignedBytes,
}

impl Reader<'_> {
    fn floats(&mut self, what: &'static str, count: usize) -> Result<Range<usize>, FormatError> {
        let range = self.cursor.section::<f32>(what, count)?;
        let values: &[f32] = self.bytes.view(&range);
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(range),
            Some(value) => Err(self.cursor.error(what, "finite numbers", value)),
        }
    }

    fn norm(&mut self, width: usize) -> Result<NormAt, FormatError> {
        Ok(NormAt {
            gain: self.floats("gain of a normalisation", width)?,
            bias: self.floats("bias of a normalisation", width)?,
        })
    }

    fn linear(&mut self, inputs: usize, outputs: usize, biased: bool) -> Result<LinearAt, FormatError> {
        Ok(LinearAt {
            scales: self.floats("scales of a linear layer", outputs)?,
            bias: self.floats("bias of a linear layer", if biased { outputs } else { 0 })?,
            codes: self
                .cursor
                .section::<i8>("codes of a linear layer", outputs * inputs)?,
        })
    }

    fn layer(&mut self, shape: &Shape) -> Result<LayerAt, FormatError> {
        let Shape { width, hidden, .. } = *shape;
        Ok(LayerAt {
            before_attention: self.norm(width)?,
            attention: self.linear(width, 3 * width, true)?,
            joined: self.linear(width, width, true)?,
            before_hidden: self.norm(width)?,
            hidden: self.linear(width, hidden, true)?,
            out: self.linear(hidden, width, true)?,
        })
    }
}

impl Tower {
    /// Checks the bytes; weights are read where they stand.
    ///
    /// # Errors
    /// A length or a number that the format does not allow.
    pub fn open(bytes: AlignedBytes) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new("tower", bytes.as_slice());
        cursor.magic(MAGIC, VERSION)?;
        cursor.own_length()?;
        let shape = Shape::read(&mut cursor)?;
        let mut reader = Reader {
            cursor,
            bytes: &bytes,
        };
        let patches = match shape.input {
            Input::Text => None,
            Input::Image { .. } => Some(PatchesAt {
                class: reader.floats("class embedding", shape.width)?,
                patches: reader.linear(3 * shape.patch().pow(2), shape.width, false)?,
                norm: reader.norm(shape.width)?,
            }),
        };
        let positions = reader.floats("positions", shape.positions * shape.width)?;
        let layers = (0..shape.layers).map(|_| reader.layer(&shape));
        let layers = layers.collect::<Result<_, _>>()?;
        let last = reader.norm(shape.width)?;
        let projection = reader.linear(shape.width, shape.dim, false)?;
        reader.cursor.end()?;
        Ok(Self {
            shape,
            patches,
            positions,
            layers,
            last,
            projection,
            bytes,
        })
    }

    /// Whether a file begins as a tower's does.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Its numbers.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    fn floats(&self, range: &Range<usize>) -> &[f32] {
        self.bytes.view(range)
    }

    fn norm(&self, at: &NormAt) -> Norm<'_> {
        Norm {
            gain: self.floats(&at.gain),
            bias: self.floats(&at.bias),
        }
    }

    fn linear(&self, at: &LinearAt) -> Linear<'_> {
        let codes: &[i8] = self.bytes.view(&at.codes);
        Linear {
            codes: codes.as_chunks().0,
            scales: self.floats(&at.scales),
            bias: self.floats(&at.bias),
        }
    }

    pub(super) fn layers(&self) -> impl ExactSizeIterator<Item = Layer<'_>> {
        self.layers.iter().map(|at| Layer {
            before_attention: self.norm(&at.before_attention),
            attention: self.linear(&at.attention),
            joined: self.linear(&at.joined),
            before_hidden: self.norm(&at.before_hidden),
            hidden: self.linear(&at.hidden),
            out: self.linear(&at.out),
        })
    }

    pub(super) fn patches(&self) -> Option<Patches<'_>> {
        let at = self.patches.as_ref()?;
        Some(Patches {
            class: self.floats(&at.class),
            patches: self.linear(&at.patches),
            norm: self.norm(&at.norm),
        })
    }

    pub(super) fn positions(&self) -> &[f32] {
        self.floats(&self.positions)
    }

    pub(super) fn last(&self) -> Norm<'_> {
        self.norm(&self.last)
    }

    pub(super) fn projection(&self) -> Linear<'_> {
        self.linear(&self.projection)
    }
}

/// A tower's weights, to be written. They are given in the order of the file's sections.
pub struct Writer {
    sink: Sink,
}

impl Writer {
    /// Starts a file.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let mut sink = Sink::new(MAGIC, VERSION);
        let numbers = [
            shape.size(),
            shape.patch(),
            shape.positions,
            shape.width,
            shape.heads,
            shape.layers,
            shape.hidden,
            shape.dim,
            usize::from(shape.activation == Activation::Gelu),
        ];
        for number in numbers {
            sink.u32(u32::try_from(number).unwrap_or(u32::MAX));
        }
        sink.u32(shape.epsilon.to_bits());
        Self { sink }
    }

    /// A section of numbers: an embedding, a gain, a bias.
    pub fn floats(&mut self, values: &[f32]) {
        self.sink.section(values);
    }

    /// A linear layer's sections.
    pub fn linear(&mut self, linear: Linear<'_>) {
        self.sink.section(linear.scales);
        self.sink.section(linear.bias);
        self.sink.section(linear.codes.as_flattened());
    }

    /// The file, once [`Tower::open`] takes it.
    ///
    /// # Errors
    /// The sections are not those of the shape.
    pub fn finish(self) -> Result<AlignedBytes, FormatError> {
        let bytes = AlignedBytes::copy_of(&self.sink.finish());
        Tower::open(bytes.clone())?;
        Ok(bytes)
    }
}
