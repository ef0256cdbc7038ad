//! The `ranker` file, version 2: the compact model that goes over the wire. Writer and reader.
//!
//! All numbers are little-endian. `C` classes, `F` features, `T` trees, `N` nodes (splits and leaves),
//! `K = (N - T) / 2` splits, `L = (N + T) / 2` leaves.
//!
//! | offset | size | field |
//! | ---: | ---: | --- |
//! | 0 | 4 | magic `RTRE` |
//! | 4 | 4 | version, u32: 2; version 1 has neither `V` nor covers and is read too |
//! | 8 | 8 | length of the file in bytes, u64 |
//! | 16 | 4 | activation, u32: 0 identity, 1 logistic, 2 exponential, 3 signed square, 4 softplus, 5 softmax |
//! | 20 | 4 | scale, f32, above zero: a prediction is the activation of scale times the raw score |
//! | 24 | 4 | `O`, u32: bytes of an operand, 1 to 4 |
//! | 28 | 4 | `C`, u32 |
//! | 32 | 4 | `F`, u32 |
//! | 36 | 4 | `T`, u32 |
//! | 40 | 4 | `N`, u32 |
//! | 44 | 4 | `D`, u32: distinct thresholds, counted feature by feature |
//! | 48 | 4 | `S`, u32: category sets |
//! | 52 | 4 | `W`, u32: words of all category sets |
//! | 56 | 4 | `B`, u32: bytes of the names section; 0 in a model without names |
//! | 60 | 4 | `V`, u32: covers: 0 none, 1 to 4 whole numbers of so many bytes, 5 numbers in f32 |
//! | 64 | 4·C | base score of each class, f32 |
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
//! | | V·L or 4·L | covers, in the order of the tags: how much training data fell into each leaf, unsigned or f32, finite and at least 0 |
//!
//! A tag of 0 is a leaf. A split's tag has bit 0 set, and bit 1: missing goes left; bit 2: `|x| <= 1e-35`
//! is missing; bit 3: categorical; bit 4: values between -1 and 0 belong to category 0. Bit 2 stands in
//! numerical splits only, bit 4 in categorical ones only; bits 5 to 7 are 0.
//!
//! Sections follow one another without padding. A count is checked against the bytes at hand before anything
//! is allocated for it, and the file ends with the last section. There is no checksum: the bundle's manifest
//! holds the file's hash.
//!
//! Covers are rows (LightGBM) or sums of hessians (XGBoost). Exact attributions need them, scores do not.

mod read;
mod write;

pub use crate::bytes::FormatError;
pub use read::from_bytes;
pub use write::to_bytes;

/// The first four bytes of a ranker file.
pub const MAGIC: [u8; 4] = *b"RTRE";

/// The version that this code writes. It reads all since [`FIRST_VERSION`].
pub const VERSION: u32 = 2;

/// The oldest version that this code reads.
pub const FIRST_VERSION: u32 = 1;

/// The kind of file, in errors.
const FILE: &str = "ranker";

/// `V` of covers in f32; below it, the bytes of a whole number.
const FLOAT_COVERS: usize = 5;

/// In a tag: this node is a split.
const SPLIT: u8 = 1;

/// Up to this many features, a feature's index takes one byte.
const BYTE_FEATURES: usize = 256;
