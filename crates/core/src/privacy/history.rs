//! History mode: the viewer's clicks are kept by the site's server, under a random name.
//!
//! It is off unless the site's owner has turned `/v1/events` on and the viewer has picked the mode. Nothing about it is private:
//! whoever runs the server has the list of what was clicked and when, and the name ties it together until it expires or the
//! viewer is forgotten.

use crate::catalogue::ItemId;
use crate::events::Handed;
use crate::json::{FromJson, Json, JsonError};
use crate::manifest::sha256_hex;
use std::fmt;
use thiserror::Error;

/// What history mode promises.
pub const CLAIM: &str = "Your clicks go to the site's server and are kept there under a random name. This is not private: the \
    server knows what you watch, and when. Forgetting everything erases it there too, and tells the site's other systems to.";

/// Clicks that a server keeps of a viewer.
pub const MAX_KEPT: usize = 50;
/// Events of one request.
pub const MAX_EVENTS: usize = 100;

const NAME_DIGITS: usize = 32;

/// A viewer's name at the server: 128 random bits as hexadecimal digits, which nobody can guess. It is all that gives access to
/// the history, so that no log or error may hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct ViewerName(String);

/// A text that is no viewer's name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "expected a viewer's name of {NAME_DIGITS} lower-case hexadecimal digits, found {0} bytes that are none"
)]
pub struct ViewerNameError(usize);

impl ViewerName {
    /// Checks a text.
    ///
    /// # Errors
    /// Another length, or other characters.
    pub fn new(text: String) -> Result<Self, ViewerNameError> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == NAME_DIGITS && text.bytes().all(hex) {
            true => Ok(Self(text)),
            false => Err(ViewerNameError(text.len())),
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the viewer is called where events are handed on: the start of the SHA-256 of the name behind a word of this
    /// project's. Always the same, and no way back: who reads the events cannot ask for the history, or erase it.
    #[must_use]
    pub fn alias(&self) -> String {
        let mut digits = sha256_hex(["recsys events ", &self.0].concat().as_bytes());
        digits.truncate(NAME_DIGITS);
        digits
    }
}

impl<'a> FromJson<'a> for ViewerName {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        Self::new(String::from_json(json)?).map_err(|error| JsonError::new(error.to_string()))
    }
}

impl fmt::Debug for ViewerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerName(…)")
    }
}

/// What a viewer asks for: the body of `POST /v1/events`.
pub enum Asked {
    /// Events to be taken; none too.
    Take(ViewerName, Vec<Handed>),
    /// All to be erased.
    Forget(ViewerName),
}

impl<'a> FromJson<'a> for Asked {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let refuse = |expected: String| Err(JsonError::new(expected));
        json.strict_object(&["viewer", "events", "forget"], |fields| {
            let viewer = fields.get("viewer")?;
            let events: Vec<Handed> = fields.get_or("events", Vec::new())?;
            match (fields.get_or("forget", false)?, events.len()) {
                (true, 0) => Ok(Self::Forget(viewer)),
                (true, _) => refuse("expected `events` or `forget`, found both".to_owned()),
                (false, found) if found > MAX_EVENTS => {
                    refuse(format!("`events`: expected at most {MAX_EVENTS}, found {found}"))
                }
                (false, _) => Ok(Self::Take(viewer, events)),
            }
        })
    }
}

/// One event of [`events_body`]: a click, or a watch of so many seconds.
#[must_use]
pub fn event_line(ts_ms: i64, item: &ItemId, watch_seconds: Option<f32>) -> String {
    // Texts and finite numbers are always JSON.
    let id = serde_json::to_string(item.as_str()).unwrap_or_default();
    match watch_seconds {
        None => format!("{{\"event\":\"click\",\"ts\":{ts_ms},\"item\":{id}}}"),
        Some(seconds) => {
            let seconds = serde_json::to_string(&seconds).unwrap_or_default();
            format!("{{\"event\":\"watch\",\"ts\":{ts_ms},\"item\":{id},\"watch_seconds\":{seconds}}}")
        }
    }
}

/// The exact body of a `POST /v1/events` that hands in events, each an [`event_line`].
#[must_use]
pub fn events_body(viewer: &str, events: &[String]) -> String {
    format!("{{\"viewer\":\"{viewer}\",\"events\":[{}]}}", events.join(","))
}

/// The exact body of a `POST /v1/events` that has the server forget the viewer.
#[must_use]
pub fn forget_body(viewer: &str) -> String {
    format!("{{\"viewer\":\"{viewer}\",\"forget\":true}}")
}

/// The exact body of a `POST /v1/recs`: the server knows the clicks.
#[must_use]
pub fn request_body(viewer: &str, k: u32, filter: Option<&str>) -> String {
    let filter = filter.map_or_else(String::new, |filter| format!(",\"filter\":{filter}"));
    format!("{{\"viewer\":\"{viewer}\",\"k\":{k}{filter}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_32_digits_and_debug_tells_none() {
        let name = ViewerName::new("0123456789abcdef0123456789abcdef".to_owned()).unwrap();
        assert!(!format!("{name:?}").contains("0123"));
        // printf 'recsys events 0123456789abcdef0123456789abcdef' | sha256sum
        assert_eq!(name.alias(), "5a9c8dbab47572453bd43c518cae597b");
        let long = "f".repeat(10_000);
        for bad in [
            "",
            "0123",
            "0123456789ABCDEF0123456789abcdef",
            "0123456789abcdef0123456789abcdeg",
            &long,
        ] {
            let error = ViewerName::new(bad.to_owned()).unwrap_err();
            assert!(error.to_string().len() < 200, "{error}");
        }
    }

    const NAME: &str = "0123456789abcdef0123456789abcdef";

    fn asked(body: &str) -> Result<Asked, JsonError> {
        crate::json::read(body)
    }

    #[test]
    fn what_is_written_reads_back_and_short_watches_do_not_count() {
        let item = |id: &str| ItemId::new(id.to_owned()).unwrap();
        let events = [
            event_line(5, &item("a\"b"), None),
            event_line(6, &item("c"), Some(29.5)),
            event_line(7, &item("d"), Some(30.0)),
        ];
        match asked(&events_body(NAME, &events)).unwrap() {
            Asked::Take(viewer, events) => {
                assert_eq!(viewer.as_str(), NAME);
                let clicks: Vec<_> = events.iter().filter_map(Handed::click).collect();
                assert_eq!(clicks, [(&item("a\"b"), 5), (&item("d"), 7)]);
            }
            Asked::Forget(_) => panic!("nobody asked to forget"),
        }
        assert!(matches!(asked(&forget_body(NAME)), Ok(Asked::Forget(_))));
        assert!(matches!(asked(&events_body(NAME, &[])), Ok(Asked::Take(_, events)) if events.is_empty()));
        let body = request_body(NAME, 200, Some("{\"age\":6}"));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({ "viewer": NAME, "k": 200, "filter": { "age": 6 } })
        );
    }

    #[test]
    fn what_is_no_wish_is_refused_without_quoting_it() {
        let line = event_line(5, &ItemId::new("secret".to_owned()).unwrap(), None);
        let many = vec![line.clone(); MAX_EVENTS + 1];
        for bad in [
            events_body("secret", &[]),
            events_body(NAME, &many),
            events_body(NAME, &[line.replace("click", "secret")]),
            events_body(NAME, &[line.replace("\"ts\":5", "\"ts\":\"secret\"")]),
            events_body(NAME, &[line.replace("\"ts\"", "\"secret\"")]),
            forget_body(NAME).replace("\"forget\"", "\"events\":[{}],\"forget\""),
            format!("{{\"viewer\":\"{NAME}\",\"events\":[{line}],\"forget\":true}}"),
        ] {
            let error = asked(&bad).err().unwrap_or_else(|| panic!("accepted: {bad}"));
            assert!(
                !error.without_values().contains("secret"),
                "{}",
                error.without_values()
            );
        }
    }
}
