//! Candidates on their way from the index to the re-ranker: one binary layout, version 2. Little-endian; each
//! section starts at a multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RCND` |
//! | 4 | u32 | version, 2 |
//! | 8 | u64 | length in bytes |
//! | 16 | u32 | n, number of candidates, 0 to 10,000 |
//! | 20 | u32 | dim, 8 to 2,048 |
//! | 24 | u32 | source: 0 personal, 1 popular, 2 search |
//! | 28 | u32 | number of notes: 1, or 2 where the answer is degraded |
//! | 32 | u32 | number of neighbours, of all candidates together, at most 64 a candidate |
//! | section pair | strings | notes: the bundle's name, then why the answer is degraded |
//! | section | f32 × dim | mean of the codes, within ±16 |
//! | section | u32 × n | cells of their stills among all sheets of the bundle, 2^32 − 1 where there is none |
//! | section | f32 × n | retrieval scores |
//! | section | f32 × n | scales of the codes, 0 to 1 |
//! | section | i8 × n × dim | codes |
//! | section | u16 × n, u16 × n, u32 × n | category, language, creator codes |
//! | section | u64 × n | tags |
//! | 5 sections | f32 × n | duration, upload day, impressions, clicks, popularity |
//! | section | u32 × (n + 1) | where each candidate's neighbours start and the last one's end: from 0, never decreasing, at most 64 apart |
//! | section | u32 × neighbours | hashes of the ids of the videos that are watched along with it |
//! | section | u16 × neighbours | their weights in 1/65,535, above 0 |
//! | section pair | strings | ids |
//! | section pair | strings | cards |

mod answer;
mod reply;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Entry};
pub use reply::{Reply, ReplyEntry};

use crate::bytes::FormatError;
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::Neighbour;
use serde::{Deserialize, Serialize};

/// The media type of the binary layout.
pub const MEDIA_TYPE: &str = "application/vnd.recsys.candidates";
/// The most candidates of one answer.
pub const MAX_CANDIDATES: u32 = 10_000;

const MAGIC: [u8; 4] = *b"RCND";
const VERSION: u32 = 2;

/// Where candidates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Near to a vector of the viewer's clicks.
    Personal,
    /// The most popular, for want of a vector.
    Popular,
    /// Near to words or a picture.
    Search,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: ItemId,
    /// Its still among the cells of all sheets of the bundle; [`NO_CELL`](crate::items::NO_CELL) where it has none.
    pub cell: u32,
    /// Retrieval score: inner product with the unit query; popularity where there was no query.
    pub score: f32,
    /// What ranking reads.
    pub facts: ItemFacts,
    /// `dim` values, of about unit length, as the shard stores it.
    pub vector: Vec<f32>,
    /// What is watched along with it, at most [`MAX_NEIGHBOURS`](crate::cowatch::MAX_NEIGHBOURS); a session keeps them with a click.
    pub neighbours: Vec<Neighbour>,
    /// A JSON object with what a page shows.
    pub card: String,
}

/// An answer of the retrieval stage.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// Where they come from.
    pub source: Source,
    /// The bundle that they come from, 16 hexadecimal digits.
    pub bundle: String,
    /// Why the answer is less than was asked for, where it is.
    pub degraded: Option<String>,
    /// The candidates, best first.
    pub list: Vec<Candidate>,
}

impl Candidates {
    /// Checks an answer's bytes and turns them into values.
    ///
    /// # Errors
    /// A length, count, id or number that the layout does not allow.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        Ok(Reply::open(bytes)?.collect())
    }
}

/// The float columns, in the order of the layout.
const COLUMNS: [fn(&ItemFacts) -> f32; 5] = [
    |f| f.duration_s,
    |f| f.uploaded_day,
    |f| f.impressions,
    |f| f.clicks,
    |f| f.popularity,
];
