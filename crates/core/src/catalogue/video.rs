//! One line of `videos.jsonl`: a schema.org `VideoObject`, unknown fields kept.

use super::{ItemId, ItemIdError, rating};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// The longest line of a catalogue, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// A video of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// `id`.
    pub id: ItemId,
    /// `name`: the title.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `creator`: the text, or the `name` of an object.
    pub creator: Option<String>,
    /// `duration`, ISO 8601, as written.
    pub duration: Option<String>,
    /// `uploadDate`, ISO 8601, as written.
    pub upload_date: Option<String>,
    /// `inLanguage`.
    pub language: Option<String>,
    /// `genre`: the text, or the first of a list.
    pub genre: Option<String>,
    /// Every `genre` and `keywords`, in lower case, each once: texts, lists of them, or one text with commas.
    pub tags: Vec<String>,
    /// `thumbnailUrl`.
    pub thumbnail_url: Option<String>,
    /// `contentUrl`: the media, relative to the catalogue's folder or absolute.
    pub content_url: Option<String>,
    /// `previewUrl`: eight stills beside each other, for playing on hover (not a schema.org field).
    pub preview_url: Option<String>,
    /// The age in years from which `contentRating` calls it fit: a text, the `name` or `ratingValue` of an object, or a list
    /// of them, of which the highest counts.
    pub min_age: Option<u8>,
    /// Times shown: the `userInteractionCount` of the `interactionStatistic` whose type ends in `ViewAction`, or
    /// `None`.
    pub impressions: Option<f64>,
    /// Every other field.
    pub other: Map<String, Value>,
}

/// Why a line is no video.
#[derive(Debug, Error)]
pub enum VideoError {
    /// Too long.
    #[error("the line has {0} bytes, at most {MAX_LINE_BYTES} are allowed")]
    TooLong(usize),
    /// Not a JSON object of the right form.
    #[error("{0}; expected one JSON object with at least `id` and `name`")]
    Json(#[from] serde_json::Error),
    /// A bad id.
    #[error(transparent)]
    Id(#[from] ItemIdError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    id: String,
    name: String,
    description: Option<String>,
    creator: Option<Value>,
    duration: Option<String>,
    upload_date: Option<String>,
    in_language: Option<String>,
    genre: Option<Value>,
    keywords: Option<Value>,
    thumbnail_url: Option<String>,
    content_url: Option<String>,
    preview_url: Option<String>,
    content_rating: Option<Value>,
    interaction_statistic: Option<Value>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Video {
    /// Reads one line.
    ///
    /// # Errors
    /// Too long, not a JSON object with `id` and `name`, or a bad id.
    pub fn parse(line: &[u8]) -> Result<Self, VideoError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(VideoError::TooLong(line.len()));
        }
        let raw: Raw = serde_json::from_slice(line)?;
        let mut tags = Vec::new();
        for value in raw.genre.iter().chain(&raw.keywords) {
            add_tags(value, &mut tags);
        }
        Ok(Self {
            tags,
            id: ItemId::new(raw.id)?,
            name: raw.name,
            description: raw.description,
            creator: raw.creator.as_ref().and_then(text_or_name),
            duration: raw.duration,
            upload_date: raw.upload_date,
            language: raw.in_language,
            genre: raw.genre.as_ref().and_then(text_or_name),
            thumbnail_url: raw.thumbnail_url,
            content_url: raw.content_url,
            preview_url: raw.preview_url,
            min_age: raw.content_rating.as_ref().and_then(age),
            impressions: raw.interaction_statistic.as_ref().and_then(views),
            other: raw.other,
        })
    }
}

/// A text, the `name` of an object, or that of the first of a list.
fn text_or_name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => map.get("name").and_then(Value::as_str).map(str::to_owned),
        Value::Array(list) => match list.first()? {
            Value::Array(_) => None,
            first => text_or_name(first),
        },
        _ => None,
    }
}

/// The texts and names in a value or a list of them, cut at commas.
fn add_tags(value: &Value, tags: &mut Vec<String>) {
    if let Value::Array(list) = value {
        // One level: a list in a list is no form of schema.org.
        list.iter()
            .filter(|value| !value.is_array())
            .for_each(|value| add_tags(value, tags));
        return;
    }
    for tag in text_or_name(value).iter().flat_map(|text| text.split(',')) {
        let tag = tag.trim().to_lowercase();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
}

/// The age of one rating, or the highest of a list of them.
fn age(value: &Value) -> Option<u8> {
    match value {
        Value::Array(list) => list
            .iter()
            .filter(|value| !value.is_array())
            .filter_map(age)
            .max(),
        Value::Object(map) => ["name", "ratingValue"]
            .iter()
            .filter_map(|field| map.get(*field))
            .find_map(age),
        Value::Number(number) => rating::min_age(&number.to_string()),
        Value::String(text) => rating::min_age(text),
        _ => None,
    }
}

/// The count of views in one `InteractionCounter` or a list of them.
fn views(value: &Value) -> Option<f64> {
    let one = |counter: &Value| {
        let kind = counter.get("interactionType")?;
        let kind = kind
            .as_str()
            .or_else(|| kind.get("@type").and_then(Value::as_str))?;
        let count = counter.get("userInteractionCount").and_then(Value::as_f64)?;
        (kind.ends_with("ViewAction") && count >= 0.0).then_some(count)
    };
    match value {
        Value::Array(list) => list.iter().find_map(one),
        single => one(single),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_schema_org_allows() {
        let line = br#"{"id":"a","name":"A fox","creator":{"@type":"Person","name":"Ada"},"genre":["Animals","Snow"],
            "interactionStatistic":[{"interactionType":"https://schema.org/LikeAction","userInteractionCount":3},
            {"interactionType":{"@type":"ViewAction"},"userInteractionCount":70}],"isFamilyFriendly":true,
            "contentRating":["FSK 6",{"@type":"Rating","author":"MPAA","ratingValue":"PG-13"}]}"#;
        let video = Video::parse(line).unwrap();
        assert_eq!(video.min_age, Some(13));
        assert_eq!(video.creator.as_deref(), Some("Ada"));
        assert_eq!(video.genre.as_deref(), Some("Animals"));
        assert_eq!(video.tags, ["animals", "snow"]);
        assert_eq!(video.impressions, Some(70.0));
        assert_eq!(video.other.get("isFamilyFriendly"), Some(&Value::Bool(true)));
    }

    #[test]
    fn refuses_what_is_no_video() {
        assert!(matches!(Video::parse(b"{\"id\":\"a\""), Err(VideoError::Json(_))));
        assert!(matches!(
            Video::parse(b"{\"name\":\"a\"}"),
            Err(VideoError::Json(_))
        ));
        assert!(matches!(
            Video::parse(b"{\"id\":\"\",\"name\":\"a\"}"),
            Err(VideoError::Id(_))
        ));
        assert!(matches!(
            Video::parse(&vec![b' '; MAX_LINE_BYTES + 1]),
            Err(VideoError::TooLong(_))
        ));
    }
}
