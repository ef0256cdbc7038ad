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
const MAX_WIDTH: u32 = 2_048;
const MAX_HIDDEN: u32 = 8_192;
const MAX_POSITIONS: u32 = 4_097;

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

impl Shape {
    fn read(c: &mut Cursor<'_>) -> Result<Self, FormatError> {
        let size = c.count("side of a picture", 0..=1024)?;
        let patch = c.count("side of a patch", 0..=64)?;
        let input = match (size, patch) {
            (0, 0) => Input::Text,
            _ if patch > 0 && patch.is_multiple_of(2) && size.is_multiple_of(patch) => {
                Input::Image { size, patch }
            }
            _ => return Err(c.error("patches", "an even divisor of the picture's side", patch)),
        };
        let positions = c.count("positions", 2..=MAX_POSITIONS)?;
        if let Input::Image { size, patch } = input {
            let expected = (size / patch).pow(2) + 1;
            if positions != expected {
                return Err(c.error("positions", expected, positions));
            }
        }
        let eights = |c: &mut Cursor<'_>, what, most| {
            let n = c.count(what, 8..=most)?;
            match n.is_multiple_of(COLUMNS) {
                true => Ok(n),
                false => Err(c.error(what, "a multiple of 8", n)),
            }
        };
        let width = eights(c, "width", MAX_WIDTH)?;
        let heads = c.count("heads", 1..=64)?;
        if !width.is_multiple_of(heads * COLUMNS) {
            return Err(c.error("heads", "a multiple of 8 values for each", width / heads));
        }
        let layers = c.count("layers", 1..=64)?;
        let hidden = eights(c, "feed-forward width", MAX_HIDDEN)?;
        let dim = eights(c, "dimensions", MAX_WIDTH)?;
        let activation = match c.count("activation", 0..=1)? {
            0 => Activation::QuickGelu,
            _ => Activation::Gelu,
        };
        let epsilon = f32::from_bits(c.u32("epsilon")?);
        if !(epsilon > 0.0 && epsilon <= 0.1) {
            return Err(c.error("epsilon", "above 0, at most 0.1", epsilon));
        }
        Ok(Self {
            input,
            positions,
            width,
            heads,
            layers,
            hidden,
            dim,
            activation,
            epsilon,
        })
    }

    /// Values of a patch.
    const fn patch_values(&self) -> usize {
        match self.input {
            Input::Text => 0,
            Input::Image { patch, .. } => 3 * patch * patch,
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
                patches: reader.linear(shape.patch_values(), shape.width, false)?,
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
        let (size, patch) = match shape.input {
            Input::Text => (0, 0),
            Input::Image { size, patch } => (size, patch),
        };
        let numbers = [
            size,
            patch,
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
