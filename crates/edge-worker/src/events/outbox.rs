//! Asking the outboxes, each of which has the events of some viewers.

use super::object::{Added, Health};
use super::settings::{OUTBOX, Settings};
use crate::engines::breaker::guarded;
use crate::engines::{Engine, Fault, Kind};
use crate::objects;
use futures_util::future::join_all;
use recsys_core::events::Record;
use worker::{Env, Method, Stub};

/// How long an outbox may take. One that trapped never answers.
const DEADLINE_MS: u64 = 5_000;

/// The outbox of a viewer: the first digits of a random name.
pub fn shard(viewer: &str, shards: u32) -> u32 {
    let digits = viewer.get(..8).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or(0) % shards.max(1)
}

/// Stores records of viewers who share an outbox, durably.
///
/// # Errors
/// It does not answer, or has no room.
pub async fn add(env: &Env, shard: u32, records: &[(&str, &Record)]) -> Result<(), Fault> {
    post(env, shard, "add", records).await
}

/// Drops what waits of a viewer, and stores the record that has others forget.
///
/// # Errors
/// As [`add`].
pub async fn forget(env: &Env, shard: u32, viewer: &str, record: &Record) -> Result<(), Fault> {
    post(env, shard, "forget", &[(viewer, record)]).await
}

async fn post(env: &Env, shard: u32, path: &str, records: &[(&str, &Record)]) -> Result<(), Fault> {
    let records: Vec<(&str, &str, &str)> = records
        .iter()
        .map(|(viewer, record)| (*viewer, record.id.as_str(), record.line.as_str()))
        .collect();
    let body = serde_json::to_string(&records).unwrap_or_default();
    match ask(env, shard, Method::Post, path, Some(body)).await? {
        Added::Stored => Ok(()),
        // An outbox that is full works: it must not rest, or there would be no room for who wants to be forgotten.
        Added::Full => Err(Fault::counted(Engine::Outbox, Kind::Full)),
    }
}

/// How all outboxes together are.
///
/// # Errors
/// One does not answer.
pub async fn health(env: &Env, settings: &Settings) -> Result<Health, Fault> {
    let asked = (0..settings.shards).map(|shard| ask::<Health>(env, shard, Method::Get, "stats", None));
    let mut all = Health::default();
    for health in join_all(asked).await {
        let health = health?;
        all.pending = all.pending.saturating_add(health.pending);
        all.oldest_ms = all.oldest_ms.max(health.oldest_ms);
        all.dead = all.dead.saturating_add(health.dead);
        all.confirmed = all.confirmed.saturating_add(health.confirmed);
        if health.failures > 0 {
            all.failures = all.failures.max(health.failures);
            all.fault = health.fault.or(all.fault);
        }
    }
    Ok(all)
}

async fn ask<T: serde::de::DeserializeOwned>(
    env: &Env,
    shard: u32,
    method: Method,
    path: &str,
    body: Option<String>,
) -> Result<T, Fault> {
    let work = async {
        // What the runtime says may quote what it was given.
        let failed = |_: worker::Error| Kind::Unreachable;
        let stub = stub(env, shard).map_err(|_| Kind::Missing)?;
        let url = format!("http://outbox.local/{path}");
        let request = objects::request(&url, method, body).map_err(failed)?;
        let mut answer = stub.fetch_with_request(request).await.map_err(failed)?;
        match answer.status_code() {
            200 => answer.json().await.map_err(|_| Kind::Protocol),
            _ => Err(Kind::Busy),
        }
    };
    guarded(Engine::Outbox, DEADLINE_MS, work).await
}

fn stub(env: &Env, shard: u32) -> worker::Result<Stub> {
    let namespace = env.durable_object(OUTBOX)?;
    namespace.id_from_name(&format!("outbox-{shard}"))?.get_stub()
}

#[cfg(test)]
mod tests {
    use super::shard;

    #[test]
    fn a_viewer_has_one_outbox_and_viewers_are_spread() {
        let name = |number: u32| format!("{:08x}{}", number.wrapping_mul(0x9e37_79b9), "0".repeat(24));
        let mut counts = [0; 3];
        for number in 0..3_000 {
            counts[shard(&name(number), 3) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1_100).contains(count)),
            "{counts:?}"
        );
        assert_eq!(shard(&name(7), 1), 0);
        assert_eq!((shard("", 5), shard("é", 5), shard("x", 0)), (0, 0, 0));
    }
}
