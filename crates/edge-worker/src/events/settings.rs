//! Where events go: the variables, secrets and bindings of an event sink, read in one place.

use super::kafka::Version;
use crate::settings;
use worker::Env;

/// The variable that turns the sink on.
const SINK: &str = "EVENT_SINK";
/// The binding of the queue that events are sent to.
pub const QUEUE: &str = "EVENTS";
/// The binding of the bucket that the queue's consumer writes to where there is no Kafka.
pub const BUCKET: &str = "EVENTS_BUCKET";
/// The binding of the objects that keep events until the broker has them.
pub const OUTBOX: &str = "OUTBOX";
const REST_URL: &str = "KAFKA_REST_URL";
const CLUSTER: &str = "KAFKA_REST_CLUSTER";
const AUTHORIZATION: &str = "KAFKA_REST_AUTHORIZATION";
const TOPIC: &str = "KAFKA_TOPIC";
const DEFAULT_TOPIC: &str = "recsys-events";
/// The longest name that Kafka allows a topic, in bytes.
const MAX_TOPIC_BYTES: usize = 249;
/// Records that one outbox may hold, whatever is set: some gigabytes of the ten that an object's storage has.
const MAX_EACH: u64 = 4_000_000;
/// Outboxes that a site may have: each is asked for its health.
const MAX_SHARDS: u64 = 64;
/// What an outbox holds at most, where `OUTBOX_MAX` is not set: some 400 MB.
const DEFAULT_MAX: u64 = 1_000_000;

/// What takes events first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Cloudflare's Queue.
    Queue,
    /// The outbox.
    Outbox,
}

/// Settings of a sink that is on.
#[derive(Clone)]
pub struct Settings {
    /// `EVENT_SINK`.
    pub sink: Sink,
    /// The REST proxy that the outbox sends to, where there is one.
    pub kafka: Option<Proxy>,
    /// `OUTBOX_MAX`: records that all outboxes together hold at most.
    pub most: u64,
    /// `OUTBOX_SHARDS`: outboxes that viewers are spread over.
    pub shards: u32,
}

/// A REST proxy. It has no `Debug`, so that no log can show the secret.
#[derive(Clone)]
pub struct Proxy {
    /// Where records are sent to.
    pub url: String,
    /// `KAFKA_REST_VERSION`.
    pub version: Version,
    /// `KAFKA_REST_AUTHORIZATION`, the header's value.
    pub authorization: Option<String>,
    /// `KAFKA_REST_TIMEOUT_MS`.
    pub timeout_ms: u64,
}

impl Settings {
    /// Reads them; `None` where no sink is on.
    ///
    /// # Errors
    /// A variable does not have its form, or a binding is missing. The words name it, and quote nothing.
    pub fn of(env: &Env) -> Result<Option<Self>, String> {
        let words = [
            ("none", None),
            ("queue", Some(Sink::Queue)),
            ("kafka", Some(Sink::Outbox)),
        ];
        let Some(sink) = settings::word(env, SINK, &words)? else {
            return Ok(None);
        };
        if sink == Sink::Queue && env.queue(QUEUE).is_err() {
            return Err(missing(QUEUE, "a queue's producer", "[[queues.producers]]"));
        }
        Self::with(env, sink).map(Some)
    }

    /// Those of the queue's consumer, which may be a worker of its own that takes no events.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_consumer(env: &Env) -> Result<Self, String> {
        Self::with(env, Sink::Queue)
    }

    fn with(env: &Env, sink: Sink) -> Result<Self, String> {
        let wanted = sink == Sink::Outbox || settings::text(env, REST_URL).is_some();
        if wanted && env.durable_object(OUTBOX).is_err() {
            return Err(missing(
                OUTBOX,
                "the class Outbox",
                "[[durable_objects.bindings]]",
            ));
        }
        let shards = settings::number(env, "OUTBOX_SHARDS", 1, 1..=MAX_SHARDS)?;
        // The storage of one object has an end.
        let most = settings::number(env, "OUTBOX_MAX", DEFAULT_MAX, 1..=shards * MAX_EACH)?;
        Ok(Self {
            sink,
            kafka: wanted.then(|| Proxy::of(env)).transpose()?,
            most,
            shards: u32::try_from(shards).unwrap_or(1),
        })
    }

    /// The same, with the outbox for a sink.
    pub fn of_outbox(self) -> Self {
        let sink = Sink::Outbox;
        Self { sink, ..self }
    }

    /// Records that one outbox holds at most.
    pub fn most_each(&self) -> u64 {
        self.most.div_ceil(u64::from(self.shards))
    }
}

fn missing(binding: &str, what: &str, table: &str) -> String {
    format!(
        "{SINK}: expected a binding {binding} to {what}, found none; add {table} as in docs/event-sinks.md"
    )
}

impl Proxy {
    /// Reads the proxy's.
    ///
    /// # Errors
    /// As [`Settings::of`].
    pub fn of(env: &Env) -> Result<Self, String> {
        let base = settings::web_address(env, REST_URL)?;
        let words = [("2", Version::V2), ("3", Version::V3)];
        let version = settings::word(env, "KAFKA_REST_VERSION", &words)?;
        let topic = settings::text(env, TOPIC).unwrap_or_else(|| DEFAULT_TOPIC.to_owned());
        let topic = name(TOPIC, Some(topic), "a topic's name")?;
        let url = match version {
            Version::V2 => format!("{base}/topics/{topic}"),
            Version::V3 => {
                let cluster = name(CLUSTER, settings::text(env, CLUSTER), "the id of Kafka's cluster")?;
                format!("{base}/v3/clusters/{cluster}/topics/{topic}/records")
            }
        };
        let authorization = settings::text(env, AUTHORIZATION);
        if !authorization.as_deref().is_none_or(is_header_value) {
            return Err(format!(
                "{AUTHORIZATION}: expected a header's value such as `Basic …`, found control characters or others that no \
                 header may have; set it anew with `wrangler secret put {AUTHORIZATION}`"
            ));
        }
        Ok(Self {
            url,
            version,
            authorization,
            timeout_ms: settings::number(env, "KAFKA_REST_TIMEOUT_MS", 10_000, 100..=60_000)?,
        })
    }
}

/// A name that may stand in a path as it is.
fn name(variable: &str, text: Option<String>, what: &str) -> Result<String, String> {
    let expected = |found: &str| {
        format!("{variable}: expected {what} of letters, digits, `.`, `_` and `-`, found {found}")
    };
    match text {
        None => Err(expected("none; set it")),
        Some(text) if is_name(&text) => Ok(text),
        Some(_) => Err(expected("another text")),
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    // In a path, the last two would be folders.
    (1..=MAX_TOPIC_BYTES).contains(&text.len()) && text.bytes().all(allowed) && text != "." && text != ".."
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_path_and_secrets_a_header() {
        for good in ["recsys-events", "a", "A.b_c-9", &"x".repeat(249)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a?b", "é", &"x".repeat(250)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_header_value("Basic dXNlcjpwYXNz"));
        assert!(!is_header_value("Basic a\r\nX: b") && !is_header_value("é"));
        let error = name(TOPIC, Some("s3cret/".to_owned()), "a topic's name").unwrap_err();
        assert!(error.starts_with(TOPIC) && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_bound_is_shared_by_the_shards() {
        let of = |most, shards| {
            Settings {
                sink: Sink::Outbox,
                kafka: None,
                most,
                shards,
            }
            .most_each()
        };
        assert_eq!((of(10, 1), of(10, 3), of(1, 64)), (10, 4, 1));
    }
}
