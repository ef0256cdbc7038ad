//! The Durable Object that keeps events, in SQLite, until the broker has confirmed them. It is reached through this worker
//! alone.
//!
//! A trap in here would leave its caller waiting, so nothing here may panic, and callers set a deadline. The runtime logs the
//! errors that come out of here, so they quote no value.

use super::send::send;
use super::settings::{Proxy, Settings};
use super::store::{Applied, MAX_BATCH, MAX_WAIT_MS, State as Kept, Store, wait_ms};
use crate::clock::unix_ms;
use crate::engines::{Engine, Kind};
use crate::log::Line;
use crate::metrics;
use recsys_core::json;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::time::Duration;
use worker::js_sys::Math;
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

/// Requests to the proxy before others have their turn.
const ROUNDS: usize = 100;
/// How long one alarm sends, in milliseconds: the runtime ends those that take minutes, and gives up after some.
const TURN_MS: i64 = 60_000;
/// The shortest wait for a record that waits on its own, in milliseconds.
const LEAST_MS: u64 = 100;
/// How long records gather before they are sent, in milliseconds.
const GATHER_MS: i64 = 100;

/// What the worker hands in: a viewer's name, an event's id and its line.
type Record = (String, String, String);

/// What an outbox answers to [`add`](Outbox::add).
#[derive(Serialize, Deserialize)]
pub enum Added {
    /// All of it is stored.
    Stored,
    /// There is no room for it.
    Full,
}

/// How an outbox is, as it tells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Health {
    /// Records that wait.
    pub pending: u64,
    /// How long the first of them has waited, in milliseconds.
    pub oldest_ms: u64,
    /// Records that the proxy refused once too often.
    pub dead: u64,
    /// Requests that failed in a row.
    pub failures: u64,
    /// The name of what was wrong with the last.
    pub fault: Option<String>,
    /// Records that were confirmed since the object started.
    pub confirmed: u64,
}

impl Health {
    /// What was wrong with the last request.
    pub fn kind(&self) -> Option<Kind> {
        let fault = self.fault.as_deref()?;
        Kind::named(fault)
    }
}

/// Records that wait for the broker.
#[durable_object(alarm)]
pub struct Outbox {
    state: State,
    env: Env,
    pending: Cell<Option<u64>>,
    confirmed: Cell<u64>,
}

impl DurableObject for Outbox {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            pending: Cell::new(None),
            confirmed: Cell::new(0),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        match (request.method(), request.path().as_str()) {
            (Method::Post, "/add") => Response::from_json(&self.add(&request.text().await?).await?),
            (Method::Post, "/forget") => Response::from_json(&self.forget(&request.text().await?).await?),
            (Method::Get, "/stats") => Response::from_json(&self.health().await?),
            _ => Response::error("no such path", 404),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        // A fault of the tables is one of this object alone; the alarm must come again all the same.
        let wait_ms = self.forward().await.unwrap_or_else(|_| {
            Line::OutboxFailed.write();
            Some(MAX_WAIT_MS)
        });
        if let Some(wait_ms) = wait_ms {
            let wait = Duration::from_millis(wait_ms);
            self.state.storage().set_alarm(wait).await?;
        }
        Response::ok("")
    }
}

impl Outbox {
    fn store(&self) -> Result<Store<'_>> {
        Store::open(self.state.storage().sql(), &self.pending)
    }

    /// Records that this outbox holds at most.
    fn most(&self) -> Result<u64> {
        // The worker that asks has read the same variables, and told its caller what is wrong with them.
        let settings = Settings::of_consumer(&self.env).map_err(|_| "the settings are not as expected")?;
        Ok(settings.most_each())
    }

    /// Has the alarm come soon. It is set before anything is stored, so that nothing is stored that is never sent.
    async fn wake(&self) -> Result<()> {
        let storage = self.state.storage();
        let latest = unix_ms().saturating_add(i64::try_from(MAX_WAIT_MS).unwrap_or(0));
        match storage.get_alarm().await? {
            Some(at) if at <= latest => Ok(()),
            _ => storage.set_alarm(GATHER_MS).await,
        }
    }

    /// Stores a JSON list of records.
    async fn add(&self, body: &str) -> Result<Added> {
        let records: Vec<Record> = json::read(body).map_err(|error| error.without_values())?;
        let most = self.most()?;
        self.wake().await?;
        let store = self.store()?;
        if store.pending()?.saturating_add(records.len() as u64) > most {
            return Ok(Added::Full);
        }
        store.add(body, unix_ms())?;
        // The storage may have been wiped, its alarm too, while the first one was set.
        self.wake().await?;
        Ok(Added::Stored)
    }

    /// Drops what waits of the viewers of a JSON list of records, and stores those, which tell others to do the same. They
    /// have some room where there is none for events.
    async fn forget(&self, body: &str) -> Result<Added> {
        let records: Vec<Record> = json::read(body).map_err(|error| error.without_values())?;
        let most = self.most()?;
        self.wake().await?;
        let store = self.store()?;
        for (viewer, _, _) in &records {
            store.forget(viewer)?;
        }
        if store.pending()? > most.saturating_add(most / 10).saturating_add(100) {
            return Ok(Added::Full);
        }
        store.add(body, unix_ms())?;
        self.wake().await?;
        Ok(Added::Stored)
    }

    async fn health(&self) -> Result<Health> {
        let store = self.store()?;
        let stats = store.stats()?;
        if stats.pending > 0 {
            self.wake().await?;
        }
        let waited = stats.oldest_ms.map_or(0, |at| unix_ms().saturating_sub(at));
        Ok(Health {
            pending: stats.pending,
            oldest_ms: u64::try_from(waited).unwrap_or(0),
            dead: stats.dead,
            failures: stats.state.failures,
            fault: stats.state.fault.map(|kind| kind.name().to_owned()),
            confirmed: self.confirmed.get(),
        })
    }

    /// Sends what is due; gives the milliseconds after which there is more to do.
    async fn forward(&self) -> Result<Option<u64>> {
        let Ok(proxy) = Proxy::of(&self.env) else {
            Line::OutboxHasNoProxy.write();
            return Ok(Some(MAX_WAIT_MS));
        };
        let until = unix_ms().saturating_add(TURN_MS);
        for _ in 0..ROUNDS {
            if unix_ms() > until {
                break;
            }
            let store = self.store()?;
            let kept = store.state()?;
            let rows = store.due(kept.batch, unix_ms())?;
            if rows.is_empty() {
                return self.idle().await;
            }
            let mut verdict = send(&proxy, &rows).await;
            if verdict.too_large && rows.len() == 1 {
                verdict = verdict.refusing_all();
            }
            let applied = store.apply(&rows, &verdict, unix_ms(), Math::random())?;
            self.confirmed
                .set(self.confirmed.get().saturating_add(applied.confirmed));
            if applied.dead > 0 {
                Line::EventsDead { count: applied.dead }.write();
            }
            let narrower = verdict.too_large.then(|| (rows.len() as u64 / 2).max(1));
            if let Some(wait_ms) = settle(&store, kept, applied, verdict.fault, narrower)? {
                return Ok(Some(wait_ms));
            }
        }
        Ok(Some(0))
    }

    /// When there is something to do again though nothing is due.
    async fn idle(&self) -> Result<Option<u64>> {
        let store = self.store()?;
        let now_ms = unix_ms();
        if store.wants_wiping()? {
            // Nothing waits between the question and the wiping; the next one to come makes the tables anew.
            self.state.storage().delete_all().await?;
            return Ok(None);
        }
        let next = [store.next_due()?, store.expire(now_ms)?];
        let next = next.into_iter().flatten().min();
        Ok(next.map(|at| {
            u64::try_from(at.saturating_sub(now_ms))
                .unwrap_or(0)
                .max(LEAST_MS)
        }))
    }
}

/// Keeps what a request came to; gives how long to wait where it failed. `narrower` is how many records the next one has at
/// most, where this one was too large.
fn settle(
    store: &Store<'_>,
    kept: Kept,
    applied: Applied,
    fault: Option<Kind>,
    narrower: Option<u64>,
) -> Result<Option<u64>> {
    if let Some(batch) = narrower {
        store.keep(&Kept { batch, ..kept })?;
        return Ok(None);
    }
    if applied.left == 0 {
        if kept.failures > 0 {
            Line::KafkaBack.write();
        }
        let batch = (kept.batch * 2).min(MAX_BATCH);
        if kept.failures > 0 || batch != kept.batch {
            store.keep(&Kept {
                failures: 0,
                fault: None,
                batch,
            })?;
        }
        return Ok(None);
    }
    let kind = fault.unwrap_or(Kind::Protocol);
    metrics::fault(Engine::Kafka, kind);
    // An answer that confirms some is a proxy that works.
    let failures = match applied.confirmed {
        0 => kept.failures.saturating_add(1),
        _ => 1,
    };
    if kept.fault != Some(kind) {
        Line::KafkaWaits { kind }.write();
    }
    store.keep(&Kept {
        failures,
        fault: Some(kind),
        batch: kept.batch,
    })?;
    Ok(Some(wait_ms(failures, Math::random())))
}
