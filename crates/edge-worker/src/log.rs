//! Everything that this worker logs, as lines of JSON. A line has fixed words and numbers of the site's own, so that no part
//! of a request can stand in one; `clippy.toml` refuses the macros that log everywhere else.

use crate::engines::{Engine, Fault, Kind};
use serde_json::{Value, json};

/// A line of the log.
#[derive(Clone, Copy)]
pub enum Line {
    /// The data centre's cache did not take the highest sequence that was served.
    NotRemembered {
        /// The sequence.
        sequence: u64,
    },
    /// The runtime failed to count a request for the rate limit, and it passed.
    NotCounted,
    /// An engine failed several times in a row and is left alone for a while.
    EngineRests {
        /// The engine.
        engine: Engine,
        /// What was wrong last.
        kind: Kind,
    },
    /// An engine that was left alone answers again.
    EngineBack {
        /// The engine.
        engine: Engine,
    },
    /// Messages of the queue are no events, and were passed over.
    EventsPoisoned {
        /// How many.
        count: u64,
    },
    /// Events stay in the queue.
    EventsWait {
        /// Why.
        fault: Fault,
    },
    /// Events stay in the queue, since the settings are not as expected.
    EventsNotSet,
    /// Kafka's REST proxy refused events once too often, and they are not sent again.
    EventsDead {
        /// How many.
        count: u64,
    },
    /// Events wait in an outbox.
    KafkaWaits {
        /// Why.
        kind: Kind,
    },
    /// An outbox whose events waited can send them again.
    KafkaBack,
    /// An outbox has events, and nowhere to send them.
    OutboxHasNoProxy,
    /// The tables of an outbox cannot be read or written.
    OutboxFailed,
}

impl Line {
    fn to_json(self) -> Value {
        match self {
            Self::NotRemembered { sequence } => json!({
                "level": "warn", "event": "sequence_not_remembered", "sequence": sequence,
                "message": "the cache did not take the sequence",
            }),
            Self::NotCounted => json!({
                "level": "warn", "event": "rate_limit_not_counted",
                "message": "the rate limit did not count a request, which passed",
            }),
            Self::EngineRests { engine, kind } => json!({
                "level": "error", "event": "engine_rests", "engine": engine.name(), "kind": kind.name(),
                "message": "an engine failed several times in a row and is left alone for a while",
            }),
            Self::EngineBack { engine } => json!({
                "level": "info", "event": "engine_back", "engine": engine.name(),
                "message": "an engine that was left alone answers again",
            }),
            Self::EventsPoisoned { count } => json!({
                "level": "warn", "event": "events_poisoned", "count": count,
                "message": "messages of the queue are no events and were passed over",
            }),
            Self::EventsWait { fault } => json!({
                "level": "error", "event": "events_wait", "engine": fault.engine.name(), "kind": fault.kind.name(),
                "message": "events stay in the queue; its consumer needs KAFKA_REST_URL and OUTBOX, or EVENTS_BUCKET",
            }),
            Self::EventsNotSet => json!({
                "level": "error", "event": "events_not_set",
                "message": "events stay in the queue: a variable or binding of the event sink is not as docs/event-sinks.md says",
            }),
            Self::EventsDead { count } => json!({
                "level": "error", "event": "events_dead", "count": count,
                "message": "Kafka's REST proxy refused events once too often; they are kept apart and not sent again",
            }),
            Self::KafkaWaits { kind } => json!({
                "level": "error", "event": "kafka_waits", "engine": Engine::Kafka.name(), "kind": kind.name(),
                "message": "events wait in the outbox and are sent again",
            }),
            Self::KafkaBack => json!({
                "level": "info", "event": "kafka_back", "engine": Engine::Kafka.name(),
                "message": "events that waited in the outbox are sent again",
            }),
            Self::OutboxFailed => json!({
                "level": "error", "event": "outbox_failed",
                "message": "the tables of an outbox cannot be read or written; it tries again in a minute",
            }),
            Self::OutboxHasNoProxy => json!({
                "level": "error", "event": "outbox_has_no_proxy",
                "message": "the outbox has events and nowhere to send them: a variable KAFKA_REST_… is not as docs/event-sinks.md says",
            }),
        }
    }

    /// Writes it.
    #[allow(clippy::disallowed_macros)]
    pub fn write(self) {
        worker::console_warn!("{}", self.to_json());
    }
}
