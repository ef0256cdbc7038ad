//! The event sink: events that viewers of history mode hand in go on to Cloudflare's Queue or to Kafka, where the owner turned
//! one on.
//!
//! `settings` says which. The `queue` is both ends of Cloudflare's; the `outbox` asks the `object`s that keep events in their
//! `store` until the broker has them, which `send` hands over in one of the forms of `kafka`'s REST proxy.

mod kafka;
mod object;
mod outbox;
mod queue;
mod send;
mod settings;
mod store;

use crate::clock::unix_ms;
use crate::engines::{Engine, Fault};
use crate::metrics::{self, Count, Text};
use crate::problem::Problem;
use object::Health;
pub use queue::consume;
use recsys_core::events::{Handed, Record};
use recsys_core::privacy::history::ViewerName;
use serde_json::{Value, json};
pub use settings::Settings;
use settings::Sink;
use worker::Env;

/// Hands a viewer's events on, durably; gives how many.
///
/// # Errors
/// An event has no time, or the sink does not take them.
pub async fn take(
    env: &Env,
    settings: &Settings,
    viewer: &ViewerName,
    handed: &[Handed],
) -> Result<usize, Problem> {
    if let Some(at) = handed.iter().position(|event| !event.is_timed()) {
        return Err(Problem::refused(format!(
            "`events[{at}].ts`: expected milliseconds since 1970-01-01 UTC, found a time before 1973"
        )));
    }
    let (viewer, now_ms) = (viewer.alias(), unix_ms());
    let viewer = viewer.as_str();
    let records = handed.iter().filter_map(|event| event.record(viewer, now_ms));
    let records: Vec<Record> = records.collect();
    if records.is_empty() {
        return Ok(0);
    }
    let count = records.len() as u64;
    let sent = add(env, settings, viewer, &records).await;
    sent.map_err(|fault| refused(fault, count))?;
    metrics::add(Count::EventsTaken, count);
    Ok(records.len())
}

fn refused(fault: Fault, count: u64) -> Problem {
    metrics::add(Count::EventsRefused, count);
    Problem::unavailable(format!("{fault}; nothing was taken, hand it in again later"))
}

async fn add(env: &Env, settings: &Settings, viewer: &str, records: &[Record]) -> Result<(), Fault> {
    match settings.sink {
        Sink::Queue => queue::send(env, records).await,
        Sink::Outbox => {
            let records: Vec<(&str, &Record)> = records.iter().map(|record| (viewer, record)).collect();
            outbox::add(env, outbox::shard(viewer, settings.shards), &records).await
        }
    }
}

/// Drops what waits of a viewer, and tells whoever reads the sink to forget the rest. What waits in a queue cannot be searched:
/// its reader has the record.
///
/// # Errors
/// The sink does not take it.
pub async fn forget(env: &Env, settings: &Settings, viewer: &ViewerName) -> Result<(), Fault> {
    let viewer = viewer.alias();
    let viewer = viewer.as_str();
    let record = Record::forget(viewer, unix_ms());
    if settings.kafka.is_some() {
        outbox::forget(env, outbox::shard(viewer, settings.shards), viewer, &record).await?;
    }
    match settings.sink {
        Sink::Queue => queue::send(env, &[record]).await,
        Sink::Outbox => Ok(()),
    }
}

/// [`forget`] where no sink is on: an outbox may have something left of when one was.
///
/// # Errors
/// The outbox does not take it.
pub async fn forget_left(env: &Env, viewer: &ViewerName) -> Result<(), Fault> {
    let left = Settings::of_consumer(env)
        .ok()
        .filter(|settings| settings.kafka.is_some());
    match left {
        Some(settings) => forget(env, &settings.of_outbox(), viewer).await,
        None => Ok(()),
    }
}

/// How the sink is: for `/healthz` and `/metrics`.
pub struct Report {
    sink: Sink,
    outbox: Option<Result<Health, Fault>>,
}

impl Report {
    /// Asks the outboxes, where there are some.
    pub async fn of(env: &Env, settings: &Settings) -> Self {
        let outbox = match &settings.kafka {
            Some(_) => Some(outbox::health(env, settings).await),
            None => None,
        };
        Self {
            sink: settings.sink,
            outbox,
        }
    }

    /// As `/healthz` has it.
    pub fn to_json(&self) -> Value {
        let sink = match self.sink {
            Sink::Queue => "queue",
            Sink::Outbox => "kafka",
        };
        match &self.outbox {
            Some(Ok(health)) => json!({
                "sink": sink,
                "pending": health.pending,
                "oldestSeconds": health.oldest_ms / 1_000,
                "dead": health.dead,
                "fault": health.fault,
            }),
            Some(Err(fault)) => json!({ "sink": sink, "fault": fault.kind.name() }),
            None => json!({ "sink": sink }),
        }
    }

    /// What stands behind the sink, each with `None` where it works, else with what is wrong.
    pub fn engines(&self) -> impl Iterator<Item = (Engine, Option<Fault>)> {
        let outbox = self.outbox.as_ref().map(|health| match health {
            Ok(health) => {
                let kind = health.kind();
                let kafka = kind.map(|kind| Fault {
                    engine: Engine::Kafka,
                    kind,
                });
                [Some((Engine::Outbox, None)), Some((Engine::Kafka, kafka))]
            }
            Err(fault) => [Some((Engine::Outbox, Some(*fault))), None],
        });
        outbox.into_iter().flatten().flatten()
    }

    /// As `/metrics` has it.
    pub fn write(&self, text: &mut Text) {
        let Some(Ok(health)) = &self.outbox else {
            return;
        };
        let mut gauge = |name, help, value: u64| text.single(name, "gauge", help, value);
        gauge(
            "recsys_outbox_pending",
            "Events that wait for the broker.",
            health.pending,
        );
        gauge(
            "recsys_outbox_oldest_seconds",
            "How long the oldest of them has waited.",
            health.oldest_ms / 1_000,
        );
        gauge(
            "recsys_outbox_dead",
            "Events that the broker refused for good.",
            health.dead,
        );
        gauge(
            "recsys_outbox_failures",
            "Requests to Kafka's REST proxy that failed in a row.",
            health.failures,
        );
        let name = "recsys_outbox_confirmed_total";
        let help = "Events that the broker confirmed since the outbox started.";
        text.single(name, "counter", help, health.confirmed);
    }
}
