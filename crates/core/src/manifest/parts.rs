//! The parts of a manifest.

use super::FileEntry;
use crate::json::{FromJson, Json, JsonError};
use serde::Serialize;

/// How the segments are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchSettings {
    /// Width of the graph walk, 1 to 4,096.
    pub ef: u32,
    /// Segments of at most this many videos are scanned instead of walked.
    pub flat_up_to: u32,
}

impl<'a> FromJson<'a> for SearchSettings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                ef: fields.get("ef")?,
                flat_up_to: fields.get("flatUpTo")?,
            })
        })
    }
}

impl SearchSettings {
    /// The settings as options for `k` results; at least `k` are kept open.
    #[must_use]
    pub const fn options(&self, k: usize) -> crate::shard::SearchOptions {
        let strategy = crate::shard::Strategy::Auto {
            flat_up_to: self.flat_up_to as usize,
        };
        crate::shard::SearchOptions {
            k,
            ef: self.ef as usize,
            strategy,
        }
    }
}

/// Sheets of stills: cell c of all is cell c mod (columns × rows) of sheet c div (columns × rows), cells row by row. An item
/// table tells the cell of each video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sprites {
    /// Cells beside each other.
    pub columns: u32,
    /// Cells below each other.
    pub rows: u32,
    /// Width of a cell in pixels.
    pub width: u32,
    /// Height of a cell in pixels.
    pub height: u32,
    /// The JPEG files, in order.
    pub sheets: Vec<FileEntry>,
}

impl<'a> FromJson<'a> for Sprites {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                columns: fields.get("columns")?,
                rows: fields.get("rows")?,
                width: fields.get("width")?,
                height: fields.get("height")?,
                sheets: fields.get("sheets")?,
            })
        })
    }
}

/// One self-contained piece of the catalogue, never changed once it is published: vectors, facts and cards of its videos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentEntry {
    /// Rows of its item table, 1 to 2^24; its shard has as many vectors.
    pub rows: u32,
    /// How many of them, the first ones, are at home here; the others are copies of videos at home in a neighbouring segment.
    pub home: u32,
    /// Its vectors.
    pub shard: FileEntry,
    /// Its item table.
    pub items: FileEntry,
    /// What is watched along with its videos, where events were at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub co_watch: Option<FileEntry>,
    /// Whether it holds what was added since the others were written.
    #[serde(skip_serializing_if = "is_false")]
    pub delta: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> FromJson<'a> for SegmentEntry {
    // Strict: a part with another name must not be taken for one that is missing.
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["rows", "home", "shard", "items", "coWatch", "delta"];
        json.strict_object(names, |fields| {
            Ok(Self {
                rows: fields.get("rows")?,
                home: fields.get("home")?,
                shard: fields.get("shard")?,
                items: fields.get("items")?,
                co_watch: fields.get("coWatch")?,
                delta: fields.get_or("delta", false)?,
            })
        })
    }
}

impl SegmentEntry {
    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        [&self.shard, &self.items].into_iter().chain(&self.co_watch)
    }

    /// The bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }
}

/// The partition of the catalogue: cells around centroids. A segment holds the videos of neighbouring cells, and copies of
/// those near their border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cells {
    /// The centroids, as a shard without a graph whose rows are the cells and whose mean is the catalogue's: its codes are the
    /// directions of the cells from there.
    pub centroids: FileEntry,
    /// The number of each cell's segment. Segments that no cell leads to are always asked.
    pub segments: Vec<u32>,
    /// How many segments of cells a query is asked of, 1 to 4,096.
    pub probes: u32,
    /// How often each segment is wanted by the public, as weights by segment number: what the privacy modes draw their dummies
    /// from. Where there is none, every video at home counts one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<u32>,
}

impl<'a> FromJson<'a> for Cells {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                centroids: fields.get("centroids")?,
                segments: fields.get("segments")?,
                probes: fields.get("probes")?,
                public: fields.get_or("public", Vec::new())?,
            })
        })
    }
}

/// Which encoder made the vectors; a query in words must come from the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncoderRef {
    /// Name in the model's own manifest.
    pub name: String,
    /// SHA-256 of the model's manifest, hexadecimal.
    pub sha256: String,
}

impl<'a> FromJson<'a> for EncoderRef {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                name: fields.get("name")?,
                sha256: fields.get("sha256")?,
            })
        })
    }
}
