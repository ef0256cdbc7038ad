//! Bytes to model.

use super::{BYTE_FEATURES, FormatError, HEADER_BYTES, MAGIC, SPLIT, VERSION};
use crate::trees::model::{BuildError, Builder, Model, Output, Split, Test, flags, limits};

/// Reads a ranker file, as the [module](super) lays it out.
///
/// # Errors
/// Anything but a complete, valid file: the error names the byte, what was expected and what was found.
pub fn from_bytes(bytes: &[u8]) -> Result<Model, FormatError> {
    let header = Header::read(bytes)?;
    let mut cursor = Cursor { bytes, at: HEADER_BYTES };
    let base_at = cursor.at;
    let base = cursor.floats(header.classes)?;
    let trees_at = cursor.at;
    let trees = cursor.counts(header.classes)?;
    sums_to("trees of the classes", trees_at, &trees, header.trees)?;
    let names = cursor.names(&header)?;
    let mut builder = Builder::new(header.features, names, header.output, base).map_err(model_error(base_at))?;
    let thresholds = Thresholds::read(&mut cursor, &header)?;
    read_sets(&mut cursor, &header, &mut builder)?;
    read_trees(cursor, &header, &trees, &thresholds, &mut builder)?;
    builder.finish().map_err(model_error(trees_at))
}

/// The fixed part. Its counts are within the limits and amount to the file's length.
struct Header {
    output: Output,
    operand_width: usize,
    classes: usize,
    features: usize,
    trees: usize,
    nodes: usize,
    splits: usize,
    thresholds: usize,
    sets: usize,
    words: usize,
    name_bytes: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() < HEADER_BYTES || bytes[..4] != MAGIC {
            return Err(FormatError::Magic);
        }
        let mut cursor = Cursor { bytes, at: 4 };
        let version = cursor.number(2)? as u16;
        if version != VERSION {
            return Err(FormatError::Version { found: version });
        }
        let kind = cursor.number(1)?;
        let width = cursor.number(1)?;
        if !matches!(width, 1 | 2 | 4) {
            return Err(field(7, "bytes of an operand", "1, 2 or 4", width));
        }
        let output = output(kind, f32::from_bits(cursor.number(4)?))?;
        let mut count = |what, max: usize| {
            let at = cursor.at;
            let found = cursor.number(4)?;
            if found as usize <= max { Ok(found as usize) } else { Err(field(at, what, "at most the limit", found)) }
        };
        let classes = count("number of classes", limits::CLASSES)?;
        let features = count("number of features", limits::FEATURES)?;
        let trees = count("number of trees", limits::TREES)?;
        let nodes = count("number of nodes", limits::NODES)?;
        if nodes < trees || !(nodes - trees).is_multiple_of(2) {
            return Err(field(24, "number of nodes", "the number of trees plus two for each split", nodes as u32));
        }
        let header = Self {
            output,
            operand_width: width as usize,
            classes,
            features,
            trees,
            nodes,
            splits: (nodes - trees) / 2,
            thresholds: count("number of thresholds", limits::NODES)?,
            sets: count("number of category sets", limits::SETS)?,
            words: count("words of category sets", limits::WORDS)?,
            name_bytes: count("bytes of the names", limits::FEATURES * (limits::NAME_BYTES + 2))?,
        };
        let expected = header.file_bytes();
        if expected == bytes.len() as u64 {
            Ok(header)
        } else {
            Err(FormatError::Length { expected, found: bytes.len() })
        }
    }

    fn feature_width(&self) -> usize {
        if self.features <= BYTE_FEATURES { 1 } else { 2 }
    }

    fn file_bytes(&self) -> u64 {
        let leaves = self.splits + self.trees;
        let words = 2 * self.classes + self.features + self.thresholds + self.words + leaves;
        let by_split = self.splits * (self.feature_width() + self.operand_width);
        // Every term is bounded by the limits, far below 2^32.
        (HEADER_BYTES + self.name_bytes + 2 * self.sets + self.nodes + by_split) as u64 + 4 * words as u64
    }
}

fn output(kind: u32, slope: f32) -> Result<Output, FormatError> {
    let output = match kind {
        0 => Output::Identity,
        1 => return Ok(Output::Logistic { slope }),
        2 => Output::Exponential,
        3 => Output::SignedSquare,
        4 => Output::Softplus,
        5 => Output::Softmax,
        _ => return Err(field(6, "output", "0 to 5", kind)),
    };
    if slope.to_bits() == 1f32.to_bits() {
        Ok(output)
    } else {
        Err(field(8, "slope of an output that is not logistic", "the bits of 1.0", slope.to_bits()))
    }
}

/// All thresholds, and where those of each feature begin.
struct Thresholds {
    starts: Vec<usize>,
    values: Vec<f32>,
}

impl Thresholds {
    fn read(cursor: &mut Cursor<'_>, header: &Header) -> Result<Self, FormatError> {
        let at = cursor.at;
        let counts = cursor.counts(header.features)?;
        sums_to("thresholds of the features", at, &counts, header.thresholds)?;
        let at = cursor.at;
        let values = cursor.floats(header.thresholds)?;
        let mut starts = vec![0];
        for count in counts {
            let start = starts[starts.len() - 1];
            let of_feature = &values[start..start + count];
            let ascends = |i: usize| !of_feature[i].is_nan() && (i == 0 || of_feature[i - 1] < of_feature[i]);
            if let Some(i) = (0..count).find(|i| !ascends(*i)) {
                let expected = "numbers, strictly ascending within their feature";
                return Err(field(at + 4 * (start + i), "threshold", expected, of_feature[i].to_bits()));
            }
            starts.push(start + count);
        }
        Ok(Self { starts, values })
    }

    fn get(&self, feature: usize, rank: usize) -> Option<f32> {
        let (start, end) = (*self.starts.get(feature)?, *self.starts.get(feature + 1)?);
        self.values.get(start..end)?.get(rank).copied()
    }
}

fn read_sets(cursor: &mut Cursor<'_>, header: &Header, builder: &mut Builder) -> Result<(), FormatError> {
    let at = cursor.at;
    let counts: Vec<usize> =
        cursor.take(2 * header.sets)?.chunks_exact(2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))).collect();
    sums_to("words of the category sets", at, &counts, header.words)?;
    for count in counts {
        let at = cursor.at;
        let words: Vec<u32> = cursor.words(count)?.collect();
        builder.add_set(&words).map_err(model_error(at))?;
    }
    Ok(())
}

/// The three columns of the tree section, read side by side.
struct Columns<'a> {
    tags: Cursor<'a>,
    features: Cursor<'a>,
    operands: Cursor<'a>,
    leaves: Cursor<'a>,
}

fn read_trees(
    mut cursor: Cursor<'_>,
    header: &Header,
    trees: &[usize],
    thresholds: &Thresholds,
    builder: &mut Builder,
) -> Result<(), FormatError> {
    let tags_at = cursor.at;
    let splits = cursor.section(header.nodes)?.rest().iter().filter(|tag| **tag != 0).count();
    if splits != header.splits {
        return Err(field(tags_at, "splits among the tags", "half of the nodes less the trees", splits as u32));
    }
    cursor.at = tags_at;
    let mut columns = Columns {
        tags: cursor.section(header.nodes)?,
        features: cursor.section(splits * header.feature_width())?,
        operands: cursor.section(splits * header.operand_width)?,
        leaves: cursor,
    };
    for &trees_of_class in trees {
        for _ in 0..trees_of_class {
            read_node(&mut columns, header, thresholds, builder)?;
            while !builder.between_trees() {
                read_node(&mut columns, header, thresholds, builder)?;
            }
        }
        builder.end_class().map_err(model_error(tags_at))?;
    }
    match columns.tags.rest().len() {
        0 => Ok(()),
        rest => Err(field(columns.tags.at, "tags behind the last tree", "none", rest as u32)),
    }
}

fn read_node(
    columns: &mut Columns<'_>,
    header: &Header,
    thresholds: &Thresholds,
    builder: &mut Builder,
) -> Result<(), FormatError> {
    let tag_at = columns.tags.at;
    if columns.tags.rest().is_empty() {
        return Err(field(tag_at, "tags", "as many complete trees as the header names", header.trees as u32));
    }
    let tag = columns.tags.number(1)? as u8;
    if tag == 0 {
        let at = columns.leaves.at;
        return builder.leaf(f32::from_bits(columns.leaves.number(4)?)).map_err(model_error(at));
    }
    let feature_at = columns.features.at;
    let feature = columns.features.number(header.feature_width())? as usize;
    let operand_at = columns.operands.at;
    let operand = columns.operands.number(header.operand_width)?;
    let test = if is_categorical(tag, tag_at)? {
        Test::In { set: operand, truncates_negative: tag & flags::TRUNCATES_NEGATIVE != 0 }
    } else {
        let expected = "below the number of its feature's thresholds";
        let threshold = thresholds
            .get(feature, operand as usize)
            .ok_or_else(|| field(operand_at, "rank of a threshold", expected, operand))?;
        Test::AtMost { threshold, zero_is_missing: tag & flags::ZERO_IS_MISSING != 0 }
    };
    let missing_left = tag & flags::MISSING_LEFT != 0;
    builder.split(Split { feature, test, missing_left }).map_err(model_error(feature_at))
}

/// Whether a split's tag is that of a categorical split.
fn is_categorical(tag: u8, at: usize) -> Result<bool, FormatError> {
    const NUMERICAL: u8 = SPLIT | flags::MISSING_LEFT | flags::ZERO_IS_MISSING;
    const CATEGORICAL: u8 = SPLIT | flags::MISSING_LEFT | flags::CATEGORICAL | flags::TRUNCATES_NEGATIVE;
    let categorical = tag & flags::CATEGORICAL != 0;
    let known = if categorical { CATEGORICAL } else { NUMERICAL };
    if tag & SPLIT != 0 && tag & !known == 0 {
        Ok(categorical)
    } else {
        Err(field(at, "tag", "0 for a leaf, or bit 0 and the bits of one kind of split", u32::from(tag)))
    }
}

/// A position in the file.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next `len` bytes. The header's check makes the error unreachable for whole sections.
    fn take(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let part = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let too_short = FormatError::Length { expected: self.at as u64 + len as u64, found: self.bytes.len() };
        self.at += part.map_or(0, <[u8]>::len);
        part.ok_or(too_short)
    }

    /// The next `len` bytes as a part of their own, with offsets of the whole file.
    fn section(&mut self, len: usize) -> Result<Self, FormatError> {
        let start = self.at;
        self.take(len)?;
        Ok(Self { bytes: &self.bytes[..self.at], at: start })
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// An unsigned number of 1 to 4 bytes.
    fn number(&mut self, width: usize) -> Result<u32, FormatError> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn words(&mut self, len: usize) -> Result<impl Iterator<Item = u32> + use<'a>, FormatError> {
        Ok(self.take(4 * len)?.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    }

    fn floats(&mut self, len: usize) -> Result<Vec<f32>, FormatError> {
        Ok(self.words(len)?.map(f32::from_bits).collect())
    }

    fn counts(&mut self, len: usize) -> Result<Vec<usize>, FormatError> {
        Ok(self.words(len)?.map(|count| count as usize).collect())
    }

    fn names(&mut self, header: &Header) -> Result<Vec<String>, FormatError> {
        let mut section = self.section(header.name_bytes)?;
        let mut names = Vec::new();
        while !section.rest().is_empty() {
            let at = section.at;
            let len = section.number(2)?;
            let name = std::str::from_utf8(section.take(len as usize)?)
                .map_err(|_| field(at, "name of a feature", "UTF-8 of this length", len))?;
            names.push(name.to_owned());
        }
        Ok(names)
    }
}

fn sums_to(what: &'static str, at: usize, counts: &[usize], total: usize) -> Result<(), FormatError> {
    // Summed in 64 bits: on wasm32 a few counts of four bytes overflow usize.
    let sum: u64 = counts.iter().map(|count| *count as u64).sum();
    if sum == total as u64 {
        Ok(())
    } else {
        Err(field(at, what, "counts that add up to the header's", u32::try_from(sum).unwrap_or(u32::MAX)))
    }
}

fn field(at: usize, what: &'static str, expected: &'static str, found: u32) -> FormatError {
    FormatError::Field { at, what, expected, found }
}

fn model_error(at: usize) -> impl Fn(BuildError) -> FormatError {
    move |source| FormatError::Model { at, source }
}
