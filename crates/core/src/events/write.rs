//! One event as a line of docs/events.md: what a browser keeps, and what [`parse_line`](super::parse_line) reads.

use crate::features::FEATURES;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One event; what is `None` is left out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Entry<'a> {
    /// Milliseconds since 1970-01-01 UTC.
    pub ts: i64,
    /// `impression`, `click`, `watch` or `search`.
    pub event: &'a str,
    /// The visit.
    pub session: &'a str,
    /// The reply that showed the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// The item's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<&'a str>,
    /// Place in the slate, 0 is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Seconds watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch_seconds: Option<f32>,
    /// What was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<&'a str>,
    /// Which policy chose the slate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<&'a str>,
    /// Probability with which it showed the item here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// What the ranker read of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<NamedFeatures<'a>>,
    /// The viewer.
    pub user: EntryUser<'a>,
}

/// The viewer of an event.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct EntryUser<'a> {
    /// Id.
    pub id: &'a str,
    /// Declared age band.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_band: Option<&'a str>,
    /// Declared gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<&'a str>,
    /// Declared group of the site's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u8>,
    /// Declared class of device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<&'a str>,
    /// Declared language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<&'a str>,
}

impl Entry<'_> {
    /// The line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        // It has no maps but the features', whose keys are texts: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One row of the feature matrix as an object: name → value, `null` where it is missing. A number is the shortest decimal
/// that reads back as the same f32.
#[derive(Clone, Copy, Debug)]
pub struct NamedFeatures<'a>(pub &'a [f32]);

impl Serialize for NamedFeatures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (feature, value) in FEATURES.iter().zip(self.0) {
            map.serialize_entry(feature.name, &Some(value).filter(|value| value.is_finite()))?;
        }
        map.end()
    }
}
