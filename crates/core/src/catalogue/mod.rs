//! What the recommender knows of a video: its id and the numbers that ranking reads.

pub mod rating;
mod video;

pub use video::{MAX_LINE_BYTES, Video, VideoError};

use crate::json::{FromJson, Json, JsonError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A video's id in its catalogue: 1 to [`ItemId::MAX_BYTES`] bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId(String);

/// Why a string is no item id. It does not quote the string, which may be a viewer's click.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ItemIdError {
    /// Nothing in it.
    #[error("an item id is empty; give each video a non-empty `id`")]
    Empty,
    /// Longer than [`ItemId::MAX_BYTES`].
    #[error("an item id has {0} bytes, at most {max} are allowed; shorten it", max = ItemId::MAX_BYTES)]
    TooLong(usize),
    /// A control character (a line break, a tab, …) at this byte.
    #[error("an item id has a control character at byte {0}; remove it")]
    Control(usize),
}

impl ItemId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks and takes an id.
    ///
    /// # Errors
    /// The id is empty, too long, or has a control character.
    pub fn new(id: impl Into<String>) -> Result<Self, ItemIdError> {
        let id = id.into();
        if id.is_empty() {
            return Err(ItemIdError::Empty);
        }
        if id.len() > Self::MAX_BYTES {
            return Err(ItemIdError::TooLong(id.len()));
        }
        if let Some(at) = id.find(char::is_control) {
            return Err(ItemIdError::Control(at));
        }
        Ok(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// [`id_hash`] of the id.
    #[must_use]
    pub fn hash32(&self) -> u32 {
        id_hash(&self.0)
    }
}

/// A 32-bit name of an item that, unlike its row, stays the same from bundle to bundle: FNV-1a (Fowler, Noll & Vo) of
/// the id's bytes. Among a million items some hundred pairs share one by chance, so only ranking signals rest on it.
#[must_use]
pub fn id_hash(id: &str) -> u32 {
    id.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

impl<'a> FromJson<'a> for ItemId {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        Self::new(String::from_json(json)?).map_err(|error| JsonError::new(error.to_string()))
    }
}

impl TryFrom<String> for ItemId {
    type Error = ItemIdError;

    fn try_from(id: String) -> Result<Self, ItemIdError> {
        Self::new(id)
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.0
    }
}

impl std::fmt::Display for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ranking reads of one video. `NaN` means missing in every float; [`ItemFacts::NO_CODE`] means missing in
/// every code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemFacts {
    /// Index into the bundle's list of categories (`genre`).
    pub category: u16,
    /// Index into the bundle's list of languages (`inLanguage`).
    pub language: u16,
    /// Index into the bundle's list of creators.
    pub creator: u32,
    /// Bit t is set where the video has tag t of the bundle's list (`genre` and `keywords`); 0 where it has none.
    pub tags: u64,
    /// Length of the video in seconds, 0 or more.
    pub duration_s: f32,
    /// Upload time in days since 1970-01-01 UTC, fractions allowed.
    pub uploaded_day: f32,
    /// Times shown, from the training events.
    pub impressions: f32,
    /// Times clicked, from the training events.
    pub clicks: f32,
    /// Clicks with exponential decay (half-life in `features`), as of the bundle's statistics time.
    pub popularity: f32,
}

impl ItemFacts {
    /// The `category` and `language` of a video that has none.
    pub const NO_CODE: u16 = u16::MAX;
    /// The `creator` of a video that has none.
    pub const NO_CREATOR: u32 = u32::MAX;
    /// Tags that a bundle knows at most: the most frequent ones of its catalogue.
    pub const MAX_TAGS: usize = 64;

    /// A video of which nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            category: Self::NO_CODE,
            language: Self::NO_CODE,
            creator: Self::NO_CREATOR,
            tags: 0,
            duration_s: f32::NAN,
            uploaded_day: f32::NAN,
            impressions: f32::NAN,
            clicks: f32::NAN,
            popularity: f32::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of draft-eastlake-fnv.
        assert_eq!(
            [id_hash(""), id_hash("a"), id_hash("foobar")],
            [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]
        );
    }
}
