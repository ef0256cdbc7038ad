//! One line of a file of events: an event, or what a tool that reads a Kafka topic makes of one.

use super::{Event, EventError, parse_line};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// Why a line of a file holds no events.
#[derive(Debug, Error)]
pub enum DumpError {
    /// A line that is one event, and is none.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A record of a topic whose value is no event.
    #[error("record {record}: `{field}`")]
    Value {
        /// Which of the line, from 1.
        record: usize,
        /// Where the event should stand.
        field: &'static str,
        /// What is wrong with it.
        source: EventError,
    },
    /// A record of a topic that has no value.
    #[error(
        "record {0}: it has neither `payload` nor `value`; expected what `kcat -J` or a consumer of Kafka's REST proxy writes"
    )]
    Empty(usize),
    /// A value of another kind.
    #[error(
        "record {record}: `{field}` is no text and no object; expected the event (consume the topic as JSON, not as binary)"
    )]
    Kind {
        /// Which of the line, from 1.
        record: usize,
        /// Where the event should stand.
        field: &'static str,
    },
    /// Not what a consumer answers.
    #[error("{0}; expected a list of records as a consumer of Kafka's REST proxy answers")]
    List(String),
}

/// A record around an event. What `kcat -J` writes has a `payload`, what the REST proxy answers a `value`.
#[derive(Deserialize)]
struct Wrapped {
    event: Option<Value>,
    topic: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    payload: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

/// A field that is there, `null` too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads one line of a file of events. Each line may be
/// - one event, which is also how `kafka-console-consumer` writes a record,
/// - a record as `kcat -J` or a consumer of Kafka's REST proxy writes it,
/// - a list of the latter.
///
/// Records without a value, which compacted topics have, hold none.
///
/// # Errors
/// It is none of these, or holds what is no event.
pub fn parse_dump_line(line: &str) -> Result<Vec<Event>, DumpError> {
    let line = line.trim();
    if line.starts_with('[') {
        let records: Vec<Wrapped> = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            DumpError::List(text.replace("at line 1 column", "at column"))
        })?;
        let events = records
            .into_iter()
            .enumerate()
            .map(|(at, record)| unwrap(record, at + 1));
        return events.filter_map(Result::transpose).collect();
    }
    let error = match parse_line(line) {
        Ok(event) => return Ok(vec![event]),
        Err(error) => error,
    };
    match serde_json::from_str::<Wrapped>(line) {
        Ok(record) if record.event.is_none() && record.topic.is_some() => {
            Ok(unwrap(record, 1)?.into_iter().collect())
        }
        _ => Err(error.into()),
    }
}

/// The event of a record; `None` where its value is `null`.
fn unwrap(wrapped: Wrapped, record: usize) -> Result<Option<Event>, DumpError> {
    let (field, value) = match (wrapped.payload, wrapped.value) {
        (Some(payload), _) => ("payload", payload),
        (None, Some(value)) => ("value", value),
        (None, None) => return Err(DumpError::Empty(record)),
    };
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Object(_) => value.to_string(),
        _ => return Err(DumpError::Kind { record, field }),
    };
    let event = parse_line(&text).map_err(|source| DumpError::Value {
        record,
        field,
        source,
    })?;
    Ok(Some(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLICK: &str = r#"{"event":"click","ts":1760000000000,"session":"s","item":"a\"b","id":"1"}"#;

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    fn kcat(payload: &str) -> String {
        format!(
            "{{\"topic\":\"t\",\"partition\":0,\"offset\":7,\"tstype\":\"create\",\"ts\":1,\"key\":\"k\",\"payload\":{payload}}}"
        )
    }

    fn rest(value: &str) -> String {
        format!("{{\"topic\":\"t\",\"key\":\"k\",\"value\":{value},\"partition\":0,\"offset\":7}}")
    }

    #[test]
    fn an_event_reads_the_same_however_it_was_dumped() {
        let event = parse_line(CLICK).unwrap();
        let lines = [
            CLICK.to_owned(),
            format!("  {CLICK}\r\n"),
            kcat(&quoted(CLICK)),
            rest(CLICK),
            rest(&quoted(CLICK)),
            format!("[{}]", rest(CLICK)),
        ];
        for line in lines {
            assert_eq!(
                parse_dump_line(&line).unwrap(),
                std::slice::from_ref(&event),
                "{line}"
            );
        }
        let several = format!("[{}, {},{}]", rest(CLICK), rest("null"), rest(CLICK));
        assert_eq!(parse_dump_line(&several).unwrap().len(), 2);
        for none in ["[]", &kcat("null"), &rest("null")] {
            assert!(parse_dump_line(none).unwrap().is_empty(), "{none}");
        }
    }

    #[test]
    fn errors_name_the_record_and_the_field() {
        let bad = CLICK.replace("1760000000000", "5");
        let cases = [
            (bad.clone(), "`ts` is 5"),
            (kcat(&quoted(&bad)), "record 1: `payload`: `ts` is 5"),
            (rest(&bad), "record 1: `value`: `ts` is 5"),
            (
                format!("[{},{}]", rest(CLICK), rest(&bad)),
                "record 2: `value`: `ts` is 5",
            ),
            (rest("7"), "record 1: `value` is no text and no object"),
            (kcat("\"AAECAw==\""), "record 1: `payload`: expected value"),
            (
                "{\"topic\":\"t\",\"offset\":7}".to_owned(),
                "record 1: it has neither `payload`",
            ),
            ("[7]".to_owned(), "expected a list of records"),
            ("[{}".to_owned(), "at column"),
            ("{\"session\":\"s\"}".to_owned(), "missing field"),
            ("topic".to_owned(), "expected"),
        ];
        for (line, expected) in cases {
            let error = parse_dump_line(&line).unwrap_err();
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            assert!(text.contains(expected), "{line}\n  {text}");
        }
    }
}
