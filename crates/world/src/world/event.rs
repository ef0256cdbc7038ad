//! A line of `events.jsonl`; the format is docs/events.md.

use serde::Serialize;

/// What a simulated viewer saw or did. Fields that do not apply are absent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Event {
    /// `impression`, `click`, `watch` or `search`.
    pub event: &'static str,
    /// Milliseconds since 1970-01-01 UTC.
    pub ts: i64,
    /// One visit of one viewer.
    pub session: String,
    /// The reply that showed the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The item's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Place in the slate, 0 is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// Seconds watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch_seconds: Option<f64>,
    /// What was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Which policy chose the slate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<&'static str>,
    /// Probability with which the mixture of policies put the item into the slate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// The viewer.
    pub user: User,
}

/// A simulated viewer; age band and language are declared once a request, on its first impression.
#[derive(Debug, Clone, Default, Serialize)]
pub struct User {
    /// The viewer's id.
    pub id: String,
    /// Age band, such as "25-34".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_band: Option<&'static str>,
    /// Language, as in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<&'static str>,
}
