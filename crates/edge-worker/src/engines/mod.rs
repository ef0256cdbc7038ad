//! Engines that an owner may put behind this worker, and what can be wrong with one.
//!
//! Whatever asks one goes through [`breaker::guarded`], which keeps the deadline, counts faults, and lets an engine that fails
//! rest.

pub mod breaker;
pub mod redis;

use crate::metrics;
use std::fmt;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Durable Objects of this worker.
    Object,
    /// Cloudflare's Queue.
    Queue,
    /// The object that keeps events until the broker has them.
    Outbox,
    /// Redis or Valkey.
    Redis,
    /// Kafka behind its REST proxy.
    Kafka,
    /// Milvus.
    Milvus,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Object,
        Self::Queue,
        Self::Outbox,
        Self::Redis,
        Self::Kafka,
        Self::Milvus,
    ];

    /// Its name in metrics, logs and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Queue => "queue",
            Self::Outbox => "outbox",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Milvus => "milvus",
        }
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// It does not take the name, password or token.
    Credentials,
    /// It has no room, or may not write; what it has it still gives.
    Full,
    /// The topic, collection or binding is not there.
    Missing,
    /// The collection is of another form, such as another dimension.
    Mismatch,
    /// It is there, and says that it cannot.
    Busy,
    /// What came is no answer of such an engine.
    Protocol,
    /// It speaks plainly where TLS is expected, or the other way round.
    Transport,
    /// It failed lately and is left alone for a while.
    Resting,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Credentials,
        Self::Full,
        Self::Missing,
        Self::Mismatch,
        Self::Busy,
        Self::Protocol,
        Self::Transport,
        Self::Resting,
    ];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Credentials => "credentials",
            Self::Full => "full",
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::Busy => "busy",
            Self::Protocol => "protocol",
            Self::Transport => "transport",
            Self::Resting => "resting",
        }
    }

    /// That of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the engine as a whole fails, and not what it was asked.
    pub const fn is_outage(self) -> bool {
        !matches!(self, Self::Full | Self::Missing | Self::Mismatch)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "there is no connection",
            Self::Timeout => "no answer in time",
            Self::Credentials => "it refuses the credentials",
            Self::Full => "it has no room, or may not write",
            Self::Missing => "what it is asked for is not there",
            Self::Mismatch => "what it holds has another form than this bundle",
            Self::Busy => "it cannot answer now",
            Self::Protocol => "what came is no answer of it",
            Self::Transport => "it speaks plainly where TLS is expected, or the other way round",
            Self::Resting => "it failed lately and is asked again soon",
        }
    }
}

/// What is wrong with which engine, in fixed words: nothing of a request and no secret can stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The engine.
    pub engine: Engine,
    /// What is wrong.
    pub kind: Kind,
}

impl Fault {
    /// A fault, which is counted.
    pub fn counted(engine: Engine, kind: Kind) -> Self {
        metrics::fault(engine, kind);
        Self { engine, kind }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.engine.name(), self.kind.words())
    }
}
