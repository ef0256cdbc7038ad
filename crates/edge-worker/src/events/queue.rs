//! Cloudflare's Queue: events in, and out again to the outbox or a bucket.

use super::outbox;
use super::settings::{BUCKET, QUEUE, Settings};
use crate::clock::now_ms;
use crate::engines::breaker::guarded;
use crate::engines::{Engine, Fault, Kind};
use crate::log::Line;
use crate::metrics::{self, Count};
use recsys_core::events::Record;
use recsys_core::manifest::sha256_hex;
use recsys_core::privacy::history::ViewerName;
use std::collections::BTreeMap;
use worker::js_sys::Date as JsDate;
use worker::{
    BatchMessageBuilder, Env, MessageBatch, MessageBuilder, MessageExt, QueueContentType,
    QueueRetryOptionsBuilder, RawMessage,
};

/// How long the queue and the bucket may take.
const DEADLINE_MS: u64 = 10_000;
/// Messages and bytes that the queue takes at once: 100, and 256 KB with what it adds to each.
const MAX_MESSAGES: usize = 100;
const MAX_BYTES: usize = 200_000;
/// Bytes that the queue adds to a message, at most.
const AROUND_BYTES: usize = 200;
/// The least and the most seconds before a message is tried again.
const RETRY_S: (u64, u64) = (5, 3_600);

/// Sends records to the queue.
///
/// # Errors
/// It fails. Some may be there already, and are there twice after another try, with the same id.
pub async fn send(env: &Env, records: &[Record]) -> Result<(), Fault> {
    for part in parts(records) {
        let messages = part.iter().map(|record| {
            MessageBuilder::new(record.line.clone())
                .content_type(QueueContentType::Text)
                .build()
        });
        let batch = BatchMessageBuilder::new().messages(messages).build();
        let work = async {
            let queue = env.queue(QUEUE).map_err(|_| Kind::Missing)?;
            // What the runtime says may quote what it was given.
            queue.send_batch(batch).await.map_err(|_| Kind::Busy)
        };
        guarded(Engine::Queue, DEADLINE_MS, work).await?;
    }
    Ok(())
}

/// Records by what the queue takes at once.
fn parts(records: &[Record]) -> Vec<&[Record]> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, record) in records.iter().enumerate() {
        let more = record.line.len() + AROUND_BYTES;
        if at > start && (at - start >= MAX_MESSAGES || bytes + more > MAX_BYTES) {
            parts.extend(records.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    parts.extend(records.get(start..).filter(|rest| !rest.is_empty()));
    parts
}

/// A message that is a record.
struct Taken {
    message: RawMessage,
    viewer: String,
    record: Record,
}

/// Takes messages out of the queue. One that is no record never will be one: it is counted and passed over, so that it does
/// not come again.
pub async fn consume(batch: &MessageBatch<String>, env: &Env) {
    let (mut taken, mut poisoned) = (Vec::new(), 0);
    for message in batch.raw_iter() {
        match message.body().as_string().and_then(Record::read) {
            Some((viewer, record)) if ViewerName::new(viewer.clone()).is_ok() => taken.push(Taken {
                message,
                viewer,
                record,
            }),
            _ => {
                poisoned += 1;
                message.ack();
            }
        }
    }
    if poisoned > 0 {
        metrics::add(Count::EventsPoisoned, poisoned);
        Line::EventsPoisoned { count: poisoned }.write();
    }
    if taken.is_empty() {
        return;
    }
    match Settings::of_consumer(env) {
        Ok(settings) if settings.kafka.is_some() => to_outboxes(env, &settings, taken).await,
        Ok(_) => to_bucket(env, taken).await,
        Err(_) => {
            Line::EventsNotSet.write();
            taken.iter().for_each(again);
        }
    }
}

async fn to_outboxes(env: &Env, settings: &Settings, taken: Vec<Taken>) {
    let mut shards: BTreeMap<u32, Vec<Taken>> = BTreeMap::new();
    for message in taken {
        let shard = outbox::shard(&message.viewer, settings.shards);
        shards.entry(shard).or_default().push(message);
    }
    for (shard, taken) in shards {
        // In their order: what came before a request to forget is dropped with the rest.
        let mut stored = Ok(());
        for part in taken.chunk_by(|one, next| !one.record.is_forget() && !next.record.is_forget()) {
            if stored.is_ok() {
                stored = to_outbox(env, shard, part).await;
            }
            done(part, stored);
        }
    }
}

/// Hands on some records, or one that says to forget.
async fn to_outbox(env: &Env, shard: u32, part: &[Taken]) -> Result<(), Fault> {
    match part {
        [only] if only.record.is_forget() => outbox::forget(env, shard, &only.viewer, &only.record).await,
        _ => {
            let records: Vec<(&str, &Record)> = part
                .iter()
                .map(|taken| (taken.viewer.as_str(), &taken.record))
                .collect();
            outbox::add(env, shard, &records).await
        }
    }
}

async fn to_bucket(env: &Env, taken: Vec<Taken>) {
    let mut lines = String::new();
    for Taken { record, .. } in &taken {
        lines.push_str(&record.line);
        lines.push('\n');
    }
    // A batch that is delivered again as it was, within the hour, goes to the same place.
    let mut name = sha256_hex(lines.as_bytes());
    name.truncate(32);
    let key = format!("events/{}/{name}.jsonl", hour());
    let work = async {
        let bucket = env.bucket(BUCKET).map_err(|_| Kind::Missing)?;
        let put = bucket.put(key, lines.into_bytes()).execute().await;
        put.map(drop).map_err(|_| Kind::Busy)
    };
    let stored = guarded(Engine::Queue, DEADLINE_MS, work).await;
    done(&taken, stored);
}

/// `YYYY/MM/DD/HH`.
fn hour() -> String {
    let now = String::from(JsDate::new_0().to_iso_string());
    let hour = now.split(':').next().unwrap_or_default();
    hour.replace(['-', 'T'], "/")
}

/// Lets messages go that are stored, and has the others come again.
fn done(taken: &[Taken], stored: Result<(), Fault>) {
    match stored {
        Ok(()) => taken.iter().for_each(|taken| taken.message.ack()),
        Err(fault) => {
            Line::EventsWait { fault }.write();
            taken.iter().for_each(again);
        }
    }
}

/// Has a message come again, after half the time that it has been there.
fn again(taken: &Taken) {
    let sent = taken.message.timestamp().as_millis();
    let age_s = now_ms().saturating_sub(sent) / 1_000;
    let delay = u32::try_from((age_s / 2).clamp(RETRY_S.0, RETRY_S.1)).unwrap_or(60);
    let options = QueueRetryOptionsBuilder::new().with_delay_seconds(delay).build();
    taken.message.retry_with_options(&options);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_at_most_what_the_queue_takes() {
        let record = |bytes: usize| Record {
            id: "i".to_owned(),
            line: "x".repeat(bytes),
        };
        let small: Vec<Record> = (0..250).map(|_| record(100)).collect();
        let lengths: Vec<usize> = parts(&small).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [100, 100, 50]);
        let large: Vec<Record> = (0..100).map(|_| record(4_000)).collect();
        let found = parts(&large);
        assert!(found.len() > 1 && found.iter().map(|part| part.len()).sum::<usize>() == 100);
        for part in found {
            assert!(part.iter().map(|record| record.line.len()).sum::<usize>() <= MAX_BYTES);
        }
        let one = [record(500_000)];
        assert_eq!(parts(&one).len(), 1);
        assert!(parts(&[]).is_empty());
    }
}
