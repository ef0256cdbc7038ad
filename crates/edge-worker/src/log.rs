//! Everything that this worker logs, as lines of JSON. A line has fixed words and numbers of the site's own, so that no part
//! of a request can stand in one; `clippy.toml` refuses the macros that log everywhere else.

use crate::engines::{Engine, Kind};
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
        }
    }

    /// Writes it.
    #[allow(clippy::disallowed_macros)]
    pub fn write(self) {
        worker::console_warn!("{}", self.to_json());
    }
}
