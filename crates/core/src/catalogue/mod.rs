//! What the recommender knows of a video: its id and the numbers that ranking reads.

mod video;

pub use video::{MAX_LINE_BYTES, Video, VideoError};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A video's id in its catalogue: 1 to [`ItemId::MAX_BYTES`] bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId(String);

/// Why a string is no item id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ItemIdError {
    /// Nothing in it.
    #[error("an item id is empty; give each video a non-empty `id`")]
    Empty,
    /// Longer than [`ItemId::MAX_BYTES`].
    #[error("an item id has {0} bytes, at most {max} are allowed; shorten it", max = ItemId::MAX_BYTES)]
    TooLong(usize),
    /// A control character (a line break, a tab, …).
    #[error("item id {0:?} has a control character; remove it")]
    Control(String),
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
        if id.chars().any(char::is_control) {
            return Err(ItemIdError::Control(id));
        }
        Ok(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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

    /// A video of which nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            category: Self::NO_CODE,
            language: Self::NO_CODE,
            creator: Self::NO_CREATOR,
            duration_s: f32::NAN,
            uploaded_day: f32::NAN,
            impressions: f32::NAN,
            clicks: f32::NAN,
            popularity: f32::NAN,
        }
    }
}
