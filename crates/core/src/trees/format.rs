//! The `ranker` file, version 1: the compact model that goes over the wire. Writer and reader.
//!
//! All numbers are little-endian. `C` classes, `F` features, `T` trees, `N` nodes (splits and leaves),
//! `K = (N - T) / 2` splits, `L = (N + T) / 2` leaves.
//!
//! | offset | size | field |
//! | ---: | ---: | --- |
//! | 0 | 4 | magic `RTRE` |
//! | 4 | 2 | version, u16: 1 |
//! | 6 | 1 | output: 0 identity, 1 logistic, 2 exponential, 3 signed square, 4 softplus, 5 softmax |
//! | 7 | 1 | `O`, bytes of an operand: 1, 2 or 4 |
//! | 8 | 4 | slope of the logistic, f32; 1 for every other output |
//! | 12 | 4 | `C`, u32 |
//! | 16 | 4 | `F`, u32 |
//! | 20 | 4 | `T`, u32 |
//! | 24 | 4 | `N`, u32 |
//! | 28 | 4 | `D`, u32: distinct thresholds, counted feature by feature |
//! | 32 | 4 | `S`, u32: category sets |
//! | 36 | 4 | `W`, u32: words of all category sets |
//! | 40 | 4 | `B`, u32: bytes of the names section; 0 in a model without names |
//! | 44 | 4·C | base score of each class, f32 |
//! | | 4·C | trees of each class, u32; they add up to `T` |
//! | | B | for each feature: length in bytes (u16), name (UTF-8) |
//! | | 4·F | thresholds of each feature, u32; they add up to `D` |
//! | | 4·D | thresholds, f32, feature by feature, strictly ascending within a feature, never NaN |
//! | | 2·S | words of each category set, u16; they add up to `W` |
//! | | 4·W | category sets, u32 words: category `c` is bit `c % 32` of word `c / 32` |
//! | | N | tags, u8: every tree in preorder (a split, its left side, its right side), class by class |
//! | | K or 2·K | feature of each split, in the order of the tags: u8 if `F` ≤ 256, else u16 |
//! | | O·K | operand of each split: rank among its feature's thresholds, or number of its category set |
//! | | 4·L | leaf values, f32, finite, in the order of the tags |
//!
//! A tag of 0 is a leaf. A split's tag has bit 0 set, and bit 1: missing goes left; bit 2: `|x| <= 1e-35`
//! is missing; bit 3: categorical; bit 4: values between -1 and 0 belong to category 0. Bit 2 stands in
//! numerical splits only, bit 4 in categorical ones only; bits 5 to 7 are 0.
//!
//! The length follows from the header, so a file that was cut or has bytes behind its end is refused before
//! anything is allocated. There is no checksum: the bundle's manifest holds the file's hash.

mod read;
mod write;

use super::model::BuildError;
use thiserror::Error;

pub use read::from_bytes;
pub use write::to_bytes;

/// The first four bytes of a ranker file.
pub const MAGIC: [u8; 4] = *b"RTRE";

/// The version that this code writes and reads.
pub const VERSION: u16 = 1;

const HEADER_BYTES: usize = 44;

/// In a tag: this node is a split.
const SPLIT: u8 = 1;

/// Up to this many features, a feature's index takes one byte.
const BYTE_FEATURES: usize = 256;

/// Why a ranker file was refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Too short for a header, or another kind of file.
    #[error("not a ranker file: expected the bytes \"RTRE\" and a header of 44 bytes; build the ranker again")]
    Magic,
    /// Written by another version of this software.
    #[error("ranker file of version {found}, expected {VERSION}: build the ranker with the matching `recsys`")]
    Version {
        /// The version found.
        found: u16,
    },
    /// Cut short, or bytes behind the end.
    #[error("ranker file: expected {expected} bytes from its header, found {found}: fetch or build it again")]
    Length {
        /// What the header amounts to.
        expected: u64,
        /// The file's length.
        found: usize,
    },
    /// A field with a value that it cannot have.
    #[error("ranker file, byte {at}: {what}: expected {expected}, found {found}: fetch or build it again")]
    Field {
        /// Offset of the field.
        at: usize,
        /// Its name.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: u32,
    },
    /// Fields that are well-formed and make no valid model.
    #[error("ranker file, byte {at}: {source}: fetch or build it again")]
    Model {
        /// Offset of the part.
        at: usize,
        /// What is wrong.
        source: BuildError,
    },
}
