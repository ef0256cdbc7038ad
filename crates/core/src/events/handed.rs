//! Events as a viewer hands them in at `POST /v1/events`, and the records of them that an event sink takes: lines of
//! docs/events.md that [`parse_line`](super::parse_line) reads.

use super::parse::TIMES_MS;
use super::{Event, EventKind, LONG_WATCH_SECONDS, parse_line};
use crate::catalogue::ItemId;
use crate::json::{FromJson, Json, JsonError};
use crate::manifest::sha256_hex;
use serde::Serialize;

/// The longest `request`, in bytes.
pub const MAX_REQUEST_BYTES: usize = 128;
/// The longest `id` of an event, in characters.
pub const MAX_ID_CHARACTERS: usize = 64;
/// The longest record, in bytes: an item's id and a request of twice their length, for escapes, and the rest.
const MAX_RECORD_BYTES: usize = 2_048;
/// The longest watch, in seconds: some months.
const MAX_WATCH_SECONDS: f32 = 1e7;
/// Hexadecimal digits of an id that is made here.
const ID_DIGITS: usize = 32;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Impression,
    Click,
    Watch,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Click => "click",
            Self::Watch => "watch",
        }
    }
}

/// One event as it is handed in. It has no `Debug`, so that no log can show one.
pub struct Handed {
    kind: Kind,
    ts_ms: i64,
    item: ItemId,
    seconds: Option<f32>,
    request: Option<String>,
    position: Option<u32>,
    id: Option<String>,
}

/// A text that names something, of 1 to `MOST` bytes without control characters.
struct Name<const MOST: usize>(String);

impl<'a, const MOST: usize> FromJson<'a> for Name<MOST> {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let text = String::from_json(json)?;
        match (1..=MOST).contains(&text.len()) && !text.chars().any(char::is_control) {
            true => Ok(Self(text)),
            false => Err(JsonError::new(format!(
                "expected 1 to {MOST} bytes without control characters, found {} bytes that are none",
                text.len()
            ))),
        }
    }
}

/// An event's id.
struct Id(String);

impl<'a> FromJson<'a> for Id {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let text = String::from_json(json)?;
        match is_id(&text) {
            true => Ok(Self(text)),
            false => Err(JsonError::new(format!(
                "expected 1 to {MAX_ID_CHARACTERS} letters, digits, `-` and `_`, found {} bytes that are none",
                text.len()
            ))),
        }
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID_CHARACTERS).contains(&text.len()) && text.bytes().all(allowed)
}

impl<'a> FromJson<'a> for Handed {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &[
            "event",
            "ts",
            "item",
            "watch_seconds",
            "request",
            "position",
            "id",
        ];
        json.strict_object(names, |fields| {
            let kind: String = fields.get("event")?;
            let expected = "`event`: expected \"click\", \"watch\" or \"impression\", found another text";
            let request: Option<Name<MAX_REQUEST_BYTES>> = fields.get("request")?;
            let id: Option<Id> = fields.get("id")?;
            let event = Self {
                kind: match kind.as_str() {
                    "impression" => Kind::Impression,
                    "click" => Kind::Click,
                    "watch" => Kind::Watch,
                    _ => return Err(JsonError::new(expected.to_owned())),
                },
                ts_ms: fields.get("ts")?,
                item: fields.get("item")?,
                seconds: fields.get("watch_seconds")?,
                request: request.map(|name| name.0),
                position: fields.get("position")?,
                id: id.map(|id| id.0),
            };
            event.check()?;
            Ok(event)
        })
    }
}

impl Handed {
    fn check(&self) -> Result<(), JsonError> {
        let allowed = |seconds: f32| (0.0..=MAX_WATCH_SECONDS).contains(&seconds);
        if !self.seconds.is_none_or(allowed) {
            let expected = "`watch_seconds`: expected a number from 0 to 10,000,000, found another";
            return Err(JsonError::new(expected.to_owned()));
        }
        let complete = self.request.is_some() && self.position.is_some();
        match self.kind == Kind::Impression && !complete {
            true => Err(JsonError::new(
                "expected `request` and `position` of an impression, found one of them or none".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// The video and the time, where it counts as a click: a short watch says nothing that a recommendation should follow.
    #[must_use]
    pub fn click(&self) -> Option<(&ItemId, i64)> {
        let counts = match self.kind {
            Kind::Impression => false,
            Kind::Click => true,
            Kind::Watch => self.seconds >= Some(LONG_WATCH_SECONDS),
        };
        counts.then_some((&self.item, self.ts_ms))
    }

    /// Whether its time can be one of docs/events.md, which a record needs.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.ts_ms >= *TIMES_MS.start()
    }

    /// The record of it; a time that has not come becomes now, which else would be the newest for ever. `None` for a watch
    /// that does not say how long it was: it says nothing.
    #[must_use]
    pub fn record(&self, viewer: &str, now_ms: i64) -> Option<Record> {
        if self.kind == Kind::Watch && self.seconds.is_none() {
            return None;
        }
        let id = self.id.clone().unwrap_or_else(|| self.digest(viewer));
        let line = Line {
            event: self.kind.name(),
            ts: self.ts_ms.min(now_ms),
            session: viewer,
            id: &id,
            request: self.request.as_deref(),
            item: Some(self.item.as_str()),
            position: self.position,
            watch_seconds: self.seconds.filter(|_| self.kind == Kind::Watch),
        };
        let line = line.to_json();
        Some(Record { id, line })
    }

    /// An id of what was handed in, so that the same event, handed in again, has the same.
    fn digest(&self, viewer: &str) -> String {
        let seconds = self.seconds.map(f32::to_bits);
        let parts = (
            viewer,
            self.kind.name(),
            self.ts_ms,
            self.item.as_str(),
            &self.request,
            self.position,
            seconds,
        );
        short_digest(&parts)
    }
}

/// The first digits of a hash of some values. JSON tells their borders apart.
fn short_digest<T: Serialize>(parts: &T) -> String {
    // Texts and numbers are always JSON.
    let text = serde_json::to_string(parts).unwrap_or_default();
    let mut digest = sha256_hex(text.as_bytes());
    digest.truncate(ID_DIGITS);
    digest
}

/// What a sink takes. It has no `Debug`, so that no log can show one.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Names it: the same event has the same id each time it is sent.
    pub id: String,
    /// One JSON object, with no line break in it.
    pub line: String,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    ts: i64,
    session: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_seconds: Option<f32>,
}

impl Line<'_> {
    fn to_json(&self) -> String {
        // Texts and finite numbers are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Record {
    /// The record that says: whatever came before of this viewer is to be erased.
    #[must_use]
    pub fn forget(viewer: &str, now_ms: i64) -> Self {
        let id = short_digest(&(viewer, "forget", now_ms));
        let line = Line {
            event: "forget",
            ts: now_ms,
            session: viewer,
            id: &id,
            request: None,
            item: None,
            position: None,
            watch_seconds: None,
        };
        let line = line.to_json();
        Self { id, line }
    }

    /// Whether it says to forget what came before of its viewer.
    #[must_use]
    pub fn is_forget(&self) -> bool {
        parse_line(&self.line).is_ok_and(|event| event.kind == EventKind::Forget)
    }

    /// Reads a record, with its viewer's name; `None` where the text is none.
    #[must_use]
    pub fn read(line: String) -> Option<(String, Self)> {
        if line.len() > MAX_RECORD_BYTES || line.contains('\n') {
            return None;
        }
        let Event { session, id, .. } = parse_line(&line).ok()?;
        let id = id.filter(|id| is_id(id))?;
        Some((session?, Self { id, line }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_760_000_000_000;

    fn handed(text: &str) -> Result<Handed, JsonError> {
        crate::json::read(text)
    }

    fn record(text: &str) -> Option<Record> {
        handed(text).unwrap().record("v", NOW_MS)
    }

    #[test]
    fn a_record_is_a_line_that_training_reads() {
        let text = r#"{"event":"impression","ts":1759999999000,"item":"a\"\n","request":"r1","position":3}"#;
        assert!(handed(text).is_err(), "an id with a line break");
        let found = record(&text.replace("\\n", "")).unwrap();
        let event = parse_line(&found.line).unwrap();
        assert_eq!((event.viewer.as_str(), event.ts_ms), ("v", 1_759_999_999_000));
        assert_eq!(event.id, Some(found.id.clone()));
        assert!(matches!(event.kind, EventKind::Impression { position: 3, .. }));
        let (viewer, read) = Record::read(found.line.clone()).unwrap();
        assert!(viewer == "v" && read == found);
        let watch =
            record(r#"{"event":"watch","ts":1759999999000,"item":"a","watch_seconds":2.5,"id":"w-1"}"#);
        assert_eq!(
            watch.unwrap().line,
            r#"{"event":"watch","ts":1759999999000,"session":"v","id":"w-1","item":"a","watch_seconds":2.5}"#
        );
        let (_, forget) = Record::read(Record::forget("v", NOW_MS).line).unwrap();
        assert!(forget.is_forget() && !found.is_forget());
        for seconds in ["0", "1e-45", "0.1", "16777217.5e-1", "9999999.5", "1e7"] {
            let text = format!(
                "{{\"event\":\"watch\",\"ts\":1759999999000,\"item\":\"a\",\"watch_seconds\":{seconds}}}"
            );
            assert!(Record::read(record(&text).unwrap().line).is_some(), "{seconds}");
        }
        for seconds in ["-1", "10000001", "3.4028235e38", "1e39"] {
            let text = format!(
                "{{\"event\":\"watch\",\"ts\":1759999999000,\"item\":\"a\",\"watch_seconds\":{seconds}}}"
            );
            assert!(handed(&text).is_err(), "{seconds}");
        }
        for none in [
            "",
            "{}",
            r#"{"event":"click","ts":1760000000000,"session":"v","item":"a"}"#,
        ] {
            assert!(Record::read(none.to_owned()).is_none(), "{none}");
        }
    }

    #[test]
    fn the_same_event_has_the_same_id_and_another_has_another() {
        let click = r#"{"event":"click","ts":1759999999000,"item":"a"}"#;
        let id = |text: &str, viewer: &str, now| handed(text).unwrap().record(viewer, now).unwrap().id;
        let first = id(click, "v", NOW_MS);
        assert_eq!(first.len(), ID_DIGITS);
        assert_eq!(first, id(click, "v", NOW_MS + 5_000));
        let others = [
            id(click, "w", NOW_MS),
            id(&click.replace("\"a\"", "\"b\""), "v", NOW_MS),
            id(&click.replace("9000", "9001"), "v", NOW_MS),
            id(&click.replace('}', ",\"request\":\"r\"}"), "v", NOW_MS),
            id(&click.replace('}', ",\"position\":0}"), "v", NOW_MS),
        ];
        assert!(others.iter().all(|other| *other != first));
    }

    #[test]
    fn times_that_have_not_come_are_now_and_long_gone_ones_are_none() {
        let click = |ts: i64| format!("{{\"event\":\"click\",\"ts\":{ts},\"item\":\"a\"}}");
        assert!(record(&click(i64::MAX)).unwrap().line.contains("1760000000000"));
        assert!(!handed(&click(1)).unwrap().is_timed());
        assert!(handed(&click(NOW_MS)).unwrap().is_timed());
    }

    #[test]
    fn clicks_and_long_watches_count_and_a_watch_of_no_length_is_no_record() {
        let watch = r#"{"event":"watch","ts":1759999999000,"item":"a"}"#;
        assert!(record(watch).is_none() && handed(watch).unwrap().click().is_none());
        let of = |seconds: &str| watch.replace('}', &format!(",\"watch_seconds\":{seconds}}}"));
        assert!(handed(&of("29.9")).unwrap().click().is_none() && record(&of("29.9")).is_some());
        assert!(handed(&of("30")).unwrap().click().is_some());
        for bad in ["-1", "1e39"] {
            assert!(handed(&of(bad)).is_err(), "{bad}");
        }
        let shown = r#"{"event":"impression","ts":1,"item":"a","request":"r","position":0}"#;
        assert!(handed(shown).unwrap().click().is_none());
    }

    #[test]
    fn what_is_no_event_is_refused_without_quoting_it() {
        let click = r#"{"event":"click","ts":1,"item":"secret","request":"r","position":0,"id":"i"}"#;
        assert!(handed(click).is_ok());
        for (from, to) in [
            ("\"click\"", "\"secret\"".to_owned()),
            ("\"r\"", "\"secret\\u0007\"".to_owned()),
            ("\"r\"", format!("\"{}\"", "secret".repeat(30))),
            ("\"r\"", "\"\"".to_owned()),
            (":0", ":-1".to_owned()),
            ("\"i\"", "\"sec ret\"".to_owned()),
            ("\"i\"", format!("\"{}\"", "secret".repeat(11))),
            ("\"i\"", "7".to_owned()),
            ("\"id\"", "\"secret\"".to_owned()),
        ] {
            let error = handed(&click.replace(from, &to))
                .err()
                .expect(&to)
                .without_values();
            assert!(!error.contains("secret") && !error.contains("sec ret"), "{error}");
        }
        for field in [",\"request\":\"r\"", ",\"position\":0"] {
            let shown = click.replace("click", "impression").replace(field, "");
            assert!(handed(&shown).is_err(), "{shown}");
        }
    }
}
