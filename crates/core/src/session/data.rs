//! A session as plain data, for the browser's store and for `export()`.
//!
//! Missing numbers are `None` (JSON has no NaN), so the data survives JSON and structured clones alike.

use super::{Click, SeenSet, Session, SessionError, check_watch};
use crate::catalogue::{ItemFacts, ItemId};
use crate::vector::UnitVector;
use serde::{Deserialize, Serialize};

/// Layout of [`SessionData`] that this program reads and writes.
pub const SESSION_VERSION: u32 = 1;

/// A [`Session`] as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionData {
    /// [`SESSION_VERSION`].
    pub version: u32,
    /// Oldest first.
    pub clicks: Vec<ClickData>,
    /// Seen ids, oldest first.
    pub seen: Vec<String>,
    /// Searches of the newest visit.
    pub searches: u32,
    /// Time of the newest activity, in milliseconds since 1970-01-01 UTC.
    pub last_active_ms: Option<i64>,
}

/// A [`Click`] as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClickData {
    /// Item id.
    pub item: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// Unit vector.
    pub vector: Vec<f32>,
    /// What was known of the item.
    pub facts: FactsData,
    /// Seconds watched.
    pub watch_seconds: Option<f32>,
}

/// [`ItemFacts`] as plain data; see there for units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of ItemFacts")]
pub struct FactsData {
    pub category: Option<u16>,
    pub language: Option<u16>,
    pub creator: Option<u32>,
    pub duration_s: Option<f32>,
    pub uploaded_day: Option<f32>,
    pub impressions: Option<f32>,
    pub clicks: Option<f32>,
    pub popularity: Option<f32>,
}

impl From<&ItemFacts> for FactsData {
    fn from(facts: &ItemFacts) -> Self {
        let known = |x: f32| Some(x).filter(|x| x.is_finite());
        Self {
            category: Some(facts.category).filter(|&code| code != ItemFacts::NO_CODE),
            language: Some(facts.language).filter(|&code| code != ItemFacts::NO_CODE),
            creator: Some(facts.creator).filter(|&code| code != ItemFacts::NO_CREATOR),
            duration_s: known(facts.duration_s),
            uploaded_day: known(facts.uploaded_day),
            impressions: known(facts.impressions),
            clicks: known(facts.clicks),
            popularity: known(facts.popularity),
        }
    }
}

impl From<FactsData> for ItemFacts {
    fn from(data: FactsData) -> Self {
        let number = |x: Option<f32>| x.filter(|x| x.is_finite()).unwrap_or(f32::NAN);
        Self {
            category: data.category.unwrap_or(Self::NO_CODE),
            language: data.language.unwrap_or(Self::NO_CODE),
            creator: data.creator.unwrap_or(Self::NO_CREATOR),
            duration_s: number(data.duration_s),
            uploaded_day: number(data.uploaded_day),
            impressions: number(data.impressions),
            clicks: number(data.clicks),
            popularity: number(data.popularity),
        }
    }
}

impl From<&Session> for SessionData {
    fn from(session: &Session) -> Self {
        let click = |click: &Click| ClickData {
            item: click.item.to_string(),
            ts_ms: click.ts_ms,
            vector: click.vector.as_slice().to_vec(),
            facts: FactsData::from(&click.facts),
            watch_seconds: click.watch_seconds,
        };
        Self {
            version: SESSION_VERSION,
            clicks: session.clicks.iter().map(click).collect(),
            seen: session.seen.iter().map(ToString::to_string).collect(),
            searches: session.searches,
            last_active_ms: session.last_active_ms,
        }
    }
}

impl TryFrom<ClickData> for Click {
    type Error = String;

    fn try_from(data: ClickData) -> Result<Self, String> {
        let item = ItemId::new(data.item).map_err(|error| error.to_string())?;
        let vector = UnitVector::new(data.vector).map_err(|error| error.to_string())?;
        if let Some(seconds) = data.watch_seconds {
            check_watch(&item, seconds).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            item,
            ts_ms: data.ts_ms,
            vector,
            facts: data.facts.into(),
            watch_seconds: data.watch_seconds,
        })
    }
}

impl TryFrom<SessionData> for Session {
    type Error = SessionError;

    /// Checks stored data as strictly as new clicks. Too many clicks or seen ids lose their oldest.
    fn try_from(data: SessionData) -> Result<Self, SessionError> {
        if data.version != SESSION_VERSION {
            return Err(SessionError::Version(data.version));
        }
        let mut session = Self::new();
        for (index, click) in data.clicks.into_iter().enumerate() {
            let click = Click::try_from(click).map_err(|reason| SessionError::Stored { index, reason })?;
            session.click(click)?;
        }
        let mut seen = SeenSet::default();
        for (index, id) in data.seen.into_iter().enumerate() {
            let stored = |error: crate::catalogue::ItemIdError| SessionError::Stored {
                index,
                reason: error.to_string(),
            };
            seen.insert(ItemId::new(id).map_err(stored)?);
        }
        session.seen = seen;
        session.searches = data.searches;
        session.last_active_ms = data.last_active_ms;
        Ok(session)
    }
}
