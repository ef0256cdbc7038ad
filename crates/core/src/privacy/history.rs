//! History mode: the viewer's clicks are kept by the site's server, under a random name.
//!
//! It is off unless the site's owner has turned `/v1/events` on and the viewer has picked the mode. Nothing about it is private:
//! whoever runs the server has the list of what was clicked and when, and the name ties it together until it expires or the
//! viewer is forgotten.

use std::fmt;
use thiserror::Error;

/// What history mode promises.
pub const CLAIM: &str = "Your clicks go to the site's server and are kept there under a random name. This is not private: the \
    server knows what you watch, and when. Forgetting everything erases it there too.";

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
}

impl fmt::Debug for ViewerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerName(…)")
    }
}

/// The exact body of a `POST /v1/events` that hands in events, lines of docs/events.md.
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
    use serde_json::{Value, json};

    #[test]
    fn names_are_32_digits_and_debug_tells_none() {
        let name = ViewerName::new("0123456789abcdef0123456789abcdef".to_owned()).unwrap();
        assert!(!format!("{name:?}").contains("0123"));
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

    #[test]
    fn bodies_are_json() {
        let parsed = |body: &str| serde_json::from_str::<Value>(body).unwrap();
        let events = ["{\"event\":\"click\"}".to_owned(), "{}".to_owned()];
        assert_eq!(
            parsed(&events_body("ab", &events)),
            json!({ "viewer": "ab", "events": [{ "event": "click" }, {}] })
        );
        assert_eq!(
            parsed(&forget_body("ab")),
            json!({ "viewer": "ab", "forget": true })
        );
        let body = request_body("ab", 200, Some("{\"age\":6}"));
        assert_eq!(
            parsed(&body),
            json!({ "viewer": "ab", "k": 200, "filter": { "age": 6 } })
        );
    }
}
