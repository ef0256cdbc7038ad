//! One line of JSON to one typed event.

use super::{Event, EventKind};
use crate::catalogue::{ItemId, ItemIdError};
use crate::features::{AgeBand, AgeBandError, DeclaredError};
use serde::Deserialize;
use thiserror::Error;

/// Times in milliseconds: 1973 to 2286. Seconds and microseconds of our century fall outside.
pub(super) const TIMES_MS: std::ops::RangeInclusive<i64> = 100_000_000_000..=10_000_000_000_000;

/// Why a line is no event.
#[derive(Debug, Error)]
pub enum EventError {
    /// No JSON object with fields of the right types.
    #[error("{what} (column {column}); expected one JSON object with the fields of docs/events.md")]
    Json {
        /// What is wrong.
        what: String,
        /// Where in the line, from 1.
        column: usize,
    },
    /// A field that this kind of event needs is absent.
    #[error("a {event} event has no `{field}`; add it")]
    Missing {
        /// Kind of event.
        event: &'static str,
        /// Field.
        field: &'static str,
    },
    /// Another kind of event.
    #[error("`event` is {0:?}; expected impression, click, watch, search or forget")]
    Kind(String),
    /// A time that is not in milliseconds.
    #[error("`ts` is {0}; expected whole milliseconds since 1970-01-01 UTC (seconds × 1000)")]
    Time(i64),
    /// A bad item id.
    #[error("`item`")]
    Item(#[from] ItemIdError),
    /// A bad age band.
    #[error("`user.age_band`")]
    AgeBand(#[from] AgeBandError),
    /// A bad gender or device.
    #[error("`user`: {0}")]
    Declared(#[from] DeclaredError),
    /// A segment that does not fit.
    #[error("`user.segment` is {0}; expected a whole number from 0 to 255")]
    Segment(i64),
    /// A watch time that is no time.
    #[error("`watch_seconds` is {0}; expected a finite number, 0 or more")]
    WatchSeconds(f64),
    /// A propensity that is no probability.
    #[error("`propensity` is {0}; expected a probability above 0 and at most 1")]
    Propensity(f64),
}

#[derive(Deserialize)]
struct Line {
    event: String,
    ts: i64,
    session: Option<String>,
    id: Option<String>,
    request: Option<String>,
    item: Option<String>,
    position: Option<u32>,
    watch_seconds: Option<f64>,
    query: Option<String>,
    arm: Option<String>,
    propensity: Option<f64>,
    user: Option<User>,
}

#[derive(Default, Deserialize)]
struct User {
    id: Option<String>,
    age_band: Option<String>,
    gender: Option<String>,
    segment: Option<i64>,
    device: Option<String>,
    language: Option<String>,
}

/// Reads one line.
///
/// # Errors
/// Broken JSON, a missing field, or a value out of its range.
pub fn parse_line(line: &str) -> Result<Event, EventError> {
    let line: Line = serde_json::from_str(line).map_err(|error| json_error(&error))?;
    if !TIMES_MS.contains(&line.ts) {
        return Err(EventError::Time(line.ts));
    }
    let user = line.user.unwrap_or_default();
    let kind = match line.event.as_str() {
        "impression" => impression(line.request, line.item, line.position, line.arm, line.propensity)?,
        "click" => EventKind::Click {
            request: line.request,
            item: item("click", line.item)?,
        },
        "watch" => watch(line.request, line.item, line.watch_seconds)?,
        "search" => EventKind::Search {
            query: needed("search", "query", line.query)?,
        },
        "forget" => EventKind::Forget,
        _ => return Err(EventError::Kind(line.event)),
    };
    let segment = |number: i64| u8::try_from(number).map_err(|_| EventError::Segment(number));
    let viewer = user
        .id
        .or_else(|| line.session.clone())
        .ok_or(EventError::Missing {
            event: kind.name(),
            field: "session",
        })?;
    Ok(Event {
        ts_ms: line.ts,
        id: line.id,
        viewer,
        session: line.session,
        age_band: user.age_band.map(|band| AgeBand::parse(&band)).transpose()?,
        gender: user.gender.map(|name| name.parse()).transpose()?,
        segment: user.segment.map(segment).transpose()?,
        device: user.device.map(|name| name.parse()).transpose()?,
        language: user.language,
        kind,
    })
}

/// Without the line number, which is always 1 here.
fn json_error(error: &serde_json::Error) -> EventError {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default().to_owned();
    EventError::Json {
        what,
        column: error.column(),
    }
}

impl EventKind {
    /// The value of `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Impression { .. } => "impression",
            Self::Click { .. } => "click",
            Self::Watch { .. } => "watch",
            Self::Search { .. } => "search",
            Self::Forget => "forget",
        }
    }
}

fn impression(
    request: Option<String>,
    id: Option<String>,
    position: Option<u32>,
    arm: Option<String>,
    propensity: Option<f64>,
) -> Result<EventKind, EventError> {
    const NAME: &str = "impression";
    if let Some(p) = propensity.filter(|&p| !(p > 0.0 && p <= 1.0)) {
        return Err(EventError::Propensity(p));
    }
    Ok(EventKind::Impression {
        request: needed(NAME, "request", request)?,
        item: item(NAME, id)?,
        position: needed(NAME, "position", position)?,
        arm,
        propensity,
    })
}

fn watch(request: Option<String>, id: Option<String>, seconds: Option<f64>) -> Result<EventKind, EventError> {
    let item = item("watch", id)?;
    let seconds = needed("watch", "watch_seconds", seconds)?;
    let single = seconds as f32;
    if !(0.0..=f32::MAX).contains(&single) {
        return Err(EventError::WatchSeconds(seconds));
    }
    Ok(EventKind::Watch {
        request,
        item,
        seconds: single,
    })
}

fn item(event: &'static str, id: Option<String>) -> Result<ItemId, EventError> {
    Ok(ItemId::new(needed(event, "item", id)?)?)
}

fn needed<T>(event: &'static str, field: &'static str, value: Option<T>) -> Result<T, EventError> {
    value.ok_or(EventError::Missing { event, field })
}
