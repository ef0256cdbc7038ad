//! A session as plain data, for the browser's store and for `export()`.
//!
//! Missing numbers are `None` (JSON has no NaN), so the data survives JSON and structured clones alike.

use super::{Click, MAX_WORDS, SeenSet, Session, SessionError, check_watch};
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::{MAX_NEIGHBOURS, Neighbour};
use crate::json::{FromJson, Json, JsonError};
use crate::vector::UnitVector;
use serde::Serialize;

/// Layout of [`SessionData`] that this program writes. It reads version 1 as well, which had no neighbours, tags or words
/// of searches.
pub const SESSION_VERSION: u32 = 2;

/// A [`Session`] as plain data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionData {
    /// [`SESSION_VERSION`], or 1.
    pub version: u32,
    /// Oldest first.
    pub clicks: Vec<ClickData>,
    /// Seen ids, oldest first.
    pub seen: Vec<String>,
    /// Searches of the newest visit.
    pub searches: u32,
    /// Words of the newest search.
    pub search_words: Vec<String>,
    /// Whether no click came after that search.
    pub searching: bool,
    /// Time of the newest activity, in milliseconds since 1970-01-01 UTC.
    pub last_active_ms: Option<i64>,
}

/// A [`Click`] as plain data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClickData {
    /// Item id.
    pub item: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// Unit vector.
    pub vector: Vec<f32>,
    /// What was known of the item.
    pub facts: FactsData,
    /// Hashes of what is watched along with it, and their weights in 1/65,535.
    pub neighbours: Vec<(u32, u16)>,
    /// Whether it was the first click after a search.
    pub after_search: bool,
    /// Seconds watched.
    pub watch_seconds: Option<f32>,
}

/// [`ItemFacts`] as plain data; see there for units. Tags are their numbers, because JavaScript has no 64-bit integers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of ItemFacts")]
pub struct FactsData {
    pub category: Option<u16>,
    pub language: Option<u16>,
    pub creator: Option<u32>,
    pub tags: Vec<u8>,
    pub duration_s: Option<f32>,
    pub uploaded_day: Option<f32>,
    pub impressions: Option<f32>,
    pub clicks: Option<f32>,
    pub popularity: Option<f32>,
}

impl<'a> FromJson<'a> for SessionData {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                version: fields.get("version")?,
                clicks: fields.get("clicks")?,
                seen: fields.get("seen")?,
                searches: fields.get("searches")?,
                search_words: fields.get_or("search_words", Vec::new())?,
                searching: fields.get_or("searching", false)?,
                last_active_ms: fields.get("last_active_ms")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for ClickData {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                item: fields.get("item")?,
                ts_ms: fields.get("ts_ms")?,
                vector: fields.get("vector")?,
                facts: fields.get("facts")?,
                neighbours: fields.get_or("neighbours", Vec::new())?,
                after_search: fields.get_or("after_search", false)?,
                watch_seconds: fields.get("watch_seconds")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for FactsData {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                category: fields.get("category")?,
                language: fields.get("language")?,
                creator: fields.get("creator")?,
                tags: fields.get_or("tags", Vec::new())?,
                duration_s: fields.get("duration_s")?,
                uploaded_day: fields.get("uploaded_day")?,
                impressions: fields.get("impressions")?,
                clicks: fields.get("clicks")?,
                popularity: fields.get("popularity")?,
            })
        })
    }
}

impl From<&ItemFacts> for FactsData {
    fn from(facts: &ItemFacts) -> Self {
        let known = |x: f32| Some(x).filter(|x| x.is_finite());
        Self {
            category: Some(facts.category).filter(|&code| code != ItemFacts::NO_CODE),
            language: Some(facts.language).filter(|&code| code != ItemFacts::NO_CODE),
            creator: Some(facts.creator).filter(|&code| code != ItemFacts::NO_CREATOR),
            tags: (0..64).filter(|tag| facts.tags >> tag & 1 == 1).collect(),
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
            tags: data
                .tags
                .iter()
                .filter(|&&tag| tag < 64)
                .fold(0, |bits, tag| bits | 1 << tag),
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
            neighbours: click.neighbours.iter().map(|n| (n.item, n.weight)).collect(),
            after_search: click.after_search,
            watch_seconds: click.watch_seconds,
        };
        Self {
            version: SESSION_VERSION,
            clicks: session.clicks.iter().map(click).collect(),
            seen: session.seen.iter().map(ToString::to_string).collect(),
            searches: session.searches,
            search_words: session.search_words.clone(),
            searching: session.searching,
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
        let kept = data.neighbours.into_iter().take(MAX_NEIGHBOURS);
        let neighbours = kept.map(|(item, weight)| Neighbour { item, weight });
        Ok(Self {
            item,
            ts_ms: data.ts_ms,
            vector,
            facts: data.facts.into(),
            neighbours: neighbours.collect(),
            after_search: data.after_search,
            watch_seconds: data.watch_seconds,
        })
    }
}

impl TryFrom<SessionData> for Session {
    type Error = SessionError;

    /// Checks stored data as strictly as new clicks. Too many clicks or seen ids lose their oldest.
    fn try_from(data: SessionData) -> Result<Self, SessionError> {
        if !(1..=SESSION_VERSION).contains(&data.version) {
            return Err(SessionError::Version(data.version));
        }
        let mut session = Self::new();
        for (index, click) in data.clicks.into_iter().enumerate() {
            let click = Click::try_from(click).map_err(|reason| SessionError::Stored { index, reason })?;
            let after_search = click.after_search;
            session.click(click)?;
            if let Some(newest) = session.clicks.last_mut() {
                newest.after_search = after_search;
            }
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
        session.search_words = data.search_words;
        session.search_words.truncate(MAX_WORDS);
        session.searching = data.searching;
        session.last_active_ms = data.last_active_ms;
        Ok(session)
    }
}
