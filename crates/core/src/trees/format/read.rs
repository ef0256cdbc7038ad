//! Bytes to model.

use super::{BYTE_FEATURES, FILE, FIRST_VERSION, FLOAT_COVERS, MAGIC, SPLIT, VERSION};
use crate::bytes::{Cursor, FormatError};
use crate::trees::model::{BuildError, Builder, Model, Split, Test, flags, limits};
use crate::trees::output::{Activation, Output};

/// Reads a ranker file, as the [module](super) lays it out.
///
/// # Errors
/// Anything but a complete, valid file: the error names the byte, what was expected and what was found.
pub fn from_bytes(bytes: &[u8]) -> Result<Model, FormatError> {
    let mut cursor = Cursor::new(FILE, bytes);
    let version = cursor.magic_with(MAGIC, FIRST_VERSION..=VERSION)?;
    cursor.own_length()?;
    let header = Header::read(&mut cursor, version)?;
    let base = floats(&mut cursor, "base scores", header.classes)?;
    let trees = counts(&mut cursor, "trees of the classes", header.classes, header.trees)?;
    let names = names(&mut cursor, bytes, header.name_bytes)?;
    let mut builder = Builder::new(header.features, names, header.output, base).map_err(refused(&cursor))?;
    let thresholds = Thresholds::read(&mut cursor, &header)?;
    read_sets(&mut cursor, &header, &mut builder)?;
    let mut columns = Columns::read(&mut cursor, bytes, &header, thresholds)?;
    for trees_of_class in trees {
        for _ in 0..trees_of_class {
            columns.node(&mut builder)?;
            while !builder.between_trees() {
                columns.node(&mut builder)?;
            }
        }
        builder.end_class().map_err(refused(&columns.tags))?;
    }
    columns.end()?;
    builder.finish().map_err(refused(&cursor))
}

/// The fixed part, its counts within the limits.
struct Header {
    output: Output,
    operand_bytes: usize,
    classes: usize,
    features: usize,
    trees: usize,
    splits: usize,
    thresholds: usize,
    sets: usize,
    words: usize,
    name_bytes: usize,
    covers: usize,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>, version: u32) -> Result<Self, FormatError> {
        let activation = match cursor.count("activation", 0..=5)? {
            0 => Activation::Identity,
            1 => Activation::Logistic,
            2 => Activation::Exponential,
            3 => Activation::SignedSquare,
            4 => Activation::Softplus,
            _ => Activation::Softmax,
        };
        let output = Output {
            activation,
            scale: f32::from_bits(cursor.u32("scale")?),
        };
        let operand_bytes = cursor.count("bytes of an operand", 1..=4)?;
        let classes = cursor.count("number of classes", 1..=limits::CLASSES as u32)?;
        let features = cursor.count("number of features", 1..=limits::FEATURES as u32)?;
        let trees = cursor.count("number of trees", 1..=limits::TREES as u32)?;
        let nodes = cursor.count("number of nodes", trees as u32..=limits::NODES as u32)?;
        if !(nodes - trees).is_multiple_of(2) {
            return Err(cursor.error(
                "number of nodes",
                "the number of trees plus two for each split",
                nodes,
            ));
        }
        Ok(Self {
            output,
            operand_bytes,
            classes,
            features,
            trees,
            splits: (nodes - trees) / 2,
            thresholds: cursor.count("number of thresholds", 0..=limits::NODES as u32)?,
            sets: cursor.count("number of category sets", 0..=limits::SETS as u32)?,
            words: cursor.count("words of the category sets", 0..=limits::WORDS as u32)?,
            name_bytes: cursor.count(
                "bytes of the names",
                0..=(limits::FEATURES * limits::NAME_BYTES) as u32,
            )?,
            covers: match version {
                1 => 0,
                _ => cursor.count("kind of the covers", 0..=FLOAT_COVERS as u32)?,
            },
        })
    }
}

/// Feature names: a length in two bytes, then UTF-8.
fn names<'a>(cursor: &mut Cursor<'a>, file: &'a [u8], len: usize) -> Result<Vec<String>, FormatError> {
    const WHAT: &str = "names of the features";
    let mut section = section(cursor, file, WHAT, len)?;
    let mut names = Vec::new();
    while section.position() < cursor.position() {
        let len = number(&mut section, WHAT, 2)?;
        let name = std::str::from_utf8(section.take(WHAT, len)?);
        names.push(
            name.map_err(|_| section.error(WHAT, "UTF-8 before this byte", "other bytes"))?
                .to_owned(),
        );
    }
    Ok(names)
}

/// All thresholds, and where those of each feature begin.
struct Thresholds {
    starts: Vec<usize>,
    values: Vec<f32>,
}

impl Thresholds {
    fn read(cursor: &mut Cursor<'_>, header: &Header) -> Result<Self, FormatError> {
        let counts = counts(
            cursor,
            "thresholds of the features",
            header.features,
            header.thresholds,
        )?;
        let values = floats(cursor, "thresholds", header.thresholds)?;
        let mut starts = vec![0];
        let mut start = 0;
        for count in counts {
            let of_feature = &values[start..start + count];
            if of_feature.iter().any(|t| t.is_nan()) || !of_feature.is_sorted_by(|a, b| a < b) {
                let expected = "numbers, strictly ascending within their feature, before this byte";
                return Err(cursor.error("thresholds", expected, "others"));
            }
            start += count;
            starts.push(start);
        }
        Ok(Self { starts, values })
    }

    fn get(&self, feature: usize, rank: usize) -> Option<f32> {
        let (start, end) = (*self.starts.get(feature)?, *self.starts.get(feature + 1)?);
        self.values.get(start..end)?.get(rank).copied()
    }
}

fn read_sets(cursor: &mut Cursor<'_>, header: &Header, builder: &mut Builder) -> Result<(), FormatError> {
    let lengths = cursor.take("words of each category set", 2 * header.sets)?;
    let lengths = lengths
        .chunks_exact(2)
        .map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let sum: usize = lengths.clone().sum();
    if sum != header.words {
        return Err(cursor.error(
            "words of each category set",
            format!("a sum of {}", header.words),
            sum,
        ));
    }
    for len in lengths {
        let words: Vec<u32> = words(cursor, "category set", len)?.collect();
        builder.add_set(&words).map_err(refused(cursor))?;
    }
    Ok(())
}

/// The columns of the nodes, walked side by side.
struct Columns<'a> {
    tags: Cursor<'a>,
    features: Cursor<'a>,
    operands: Cursor<'a>,
    leaves: Cursor<'a>,
    covers: Cursor<'a>,
    feature_bytes: usize,
    operand_bytes: usize,
    /// As in the file.
    cover_kind: usize,
    thresholds: Thresholds,
}

impl<'a> Columns<'a> {
    fn read(
        cursor: &mut Cursor<'a>,
        file: &'a [u8],
        header: &Header,
        thresholds: Thresholds,
    ) -> Result<Self, FormatError> {
        let Header {
            splits,
            trees,
            operand_bytes,
            ..
        } = *header;
        let feature_bytes = if header.features <= BYTE_FEATURES { 1 } else { 2 };
        let columns = Self {
            tags: section(cursor, file, "tags", 2 * splits + trees)?,
            features: section(cursor, file, "features of the splits", splits * feature_bytes)?,
            operands: section(cursor, file, "operands of the splits", splits * operand_bytes)?,
            leaves: section(cursor, file, "leaf values", 4 * (splits + trees))?,
            covers: section(cursor, file, "covers", header.covers.min(4) * (splits + trees))?,
            feature_bytes,
            operand_bytes,
            cover_kind: header.covers,
            thresholds,
        };
        cursor.end()?;
        Ok(columns)
    }

    /// Hands the next node to the builder.
    fn node(&mut self, builder: &mut Builder) -> Result<(), FormatError> {
        let tag = number(&mut self.tags, "tag", 1)? as u8;
        if tag == 0 {
            let value = f32::from_bits(self.leaves.u32("leaf value")?);
            return match self.cover()? {
                None => builder.leaf(value).map_err(refused(&self.leaves)),
                // The builder names the part that it refuses.
                Some(cover) => builder.covered_leaf(value, cover).map_err(refused(&self.leaves)),
            };
        }
        let feature = number(&mut self.features, "feature of a split", self.feature_bytes)?;
        let operand = number(&mut self.operands, "operand of a split", self.operand_bytes)?;
        let test = if self.is_categorical(tag)? {
            Test::In {
                set: operand as u32,
                truncates_negative: tag & flags::TRUNCATES_NEGATIVE != 0,
            }
        } else {
            let expected = "a rank below the number of its feature's thresholds";
            let threshold = self.thresholds.get(feature, operand);
            let threshold =
                threshold.ok_or_else(|| self.operands.error("operand of a split", expected, operand))?;
            Test::AtMost {
                threshold,
                zero_is_missing: tag & flags::ZERO_IS_MISSING != 0,
            }
        };
        let missing_left = tag & flags::MISSING_LEFT != 0;
        builder
            .split(Split {
                feature,
                test,
                missing_left,
            })
            .map_err(refused(&self.features))
    }

    /// The next leaf's cover, where the file has any.
    fn cover(&mut self) -> Result<Option<f32>, FormatError> {
        const WHAT: &str = "cover of a leaf";
        Ok(match self.cover_kind {
            0 => None,
            FLOAT_COVERS => Some(f32::from_bits(self.covers.u32(WHAT)?)),
            bytes => Some(number(&mut self.covers, WHAT, bytes)? as f32),
        })
    }

    /// Whether the tag of a split is that of a categorical one.
    fn is_categorical(&self, tag: u8) -> Result<bool, FormatError> {
        const NUMERICAL: u8 = SPLIT | flags::MISSING_LEFT | flags::ZERO_IS_MISSING;
        const CATEGORICAL: u8 = SPLIT | flags::MISSING_LEFT | flags::CATEGORICAL | flags::TRUNCATES_NEGATIVE;
        let categorical = tag & flags::CATEGORICAL != 0;
        let known = if categorical { CATEGORICAL } else { NUMERICAL };
        if tag & SPLIT != 0 && tag & !known == 0 {
            Ok(categorical)
        } else {
            Err(self.tags.error(
                "tag",
                "0 for a leaf, or bit 0 and the bits of one kind of split",
                tag,
            ))
        }
    }

    /// Complete trees that use up the tags have used up the other columns too: a tree has one leaf more
    /// than it has splits.
    fn end(&mut self) -> Result<(), FormatError> {
        match number(&mut self.tags, "tag", 1) {
            Err(_) => Ok(()),
            Ok(tag) => Err(self.tags.error("tags behind the last tree", "none", tag)),
        }
    }
}

/// The next `len` bytes as a cursor of their own, with offsets of the whole file.
fn section<'a>(
    cursor: &mut Cursor<'a>,
    file: &'a [u8],
    what: &'static str,
    len: usize,
) -> Result<Cursor<'a>, FormatError> {
    let start = cursor.position();
    cursor.take(what, len)?;
    let mut section = Cursor::new(FILE, file.get(..cursor.position()).unwrap_or_default());
    section.take(what, start)?;
    Ok(section)
}

/// An unsigned number of 1 to 4 bytes.
fn number(cursor: &mut Cursor<'_>, what: &'static str, bytes: usize) -> Result<usize, FormatError> {
    Ok(cursor
        .take(what, bytes)?
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn words<'a>(
    cursor: &mut Cursor<'a>,
    what: &'static str,
    len: usize,
) -> Result<impl Iterator<Item = u32> + use<'a>, FormatError> {
    Ok(cursor
        .take(what, 4 * len)?
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
}

fn floats(cursor: &mut Cursor<'_>, what: &'static str, len: usize) -> Result<Vec<f32>, FormatError> {
    Ok(words(cursor, what, len)?.map(f32::from_bits).collect())
}

/// Counts that add up to `total`.
fn counts(
    cursor: &mut Cursor<'_>,
    what: &'static str,
    len: usize,
    total: usize,
) -> Result<Vec<usize>, FormatError> {
    let counts: Vec<usize> = words(cursor, what, len)?.map(|count| count as usize).collect();
    // Summed in 64 bits: on wasm32 two counts can overflow usize.
    let sum: u64 = counts.iter().map(|count| *count as u64).sum();
    if sum == total as u64 {
        Ok(counts)
    } else {
        Err(cursor.error(what, format!("a sum of {total}"), sum))
    }
}

/// Turns the builder's refusal into one at the cursor's position, which is behind the part refused.
fn refused(cursor: &Cursor<'_>) -> impl FnOnce(BuildError) -> FormatError {
    |BuildError {
         what,
         expected,
         found,
     }| cursor.error(what, expected, found)
}
