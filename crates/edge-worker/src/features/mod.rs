//! What ranking reads of videos and viewers, where the owner has fresher values than the bundle.
//!
//! The item tables of the bundle hold the counts of its training. A job of the owner's may keep newer ones in Redis, and what
//! a site knows of the viewers who picked history mode.

mod redis;

use crate::bundle::Call;
use crate::degraded::{Note, Reason};
use crate::engines::Fault;
use crate::engines::redis::Redis;
use crate::reply::Body;
use crate::{metrics, settings};
use async_trait::async_trait;
use recsys_core::candidates::{Answer, Entry, Reply};
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::Neighbour;
use recsys_core::privacy::history::ViewerName;
use serde_json::{Map, Value};
use worker::Env;

/// Counts of a video; `None` where the item table's is to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Times shown, 0 or more.
    pub impressions: Option<f32>,
    /// Times clicked, 0 or more.
    pub clicks: Option<f32>,
    /// Clicks with exponential decay, 0 or more, as of the bundle's statistics time.
    pub popularity: Option<f32>,
}

/// What is known of a viewer, by the names of `user` in docs/events.md; only values that are allowed there.
pub type User = Map<String, Value>;

/// Features that are fresher than the bundle.
#[async_trait(?Send)]
pub trait FeatureStore {
    /// The counts of videos in the order of their ids, and what is known of a viewer.
    async fn fetch(&self, ids: &[String], viewer: Option<&ViewerName>) -> Result<(Vec<Counts>, User), Fault>;
    /// Erases what is known of a viewer.
    async fn forget(&self, viewer: &ViewerName) -> Result<(), Fault>;
}

/// Where features come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The item tables of the bundle.
    Table,
    /// Redis.
    Redis,
}

impl Place {
    /// Reads `FEATURE_STORE`.
    ///
    /// # Errors
    /// It is another word.
    pub fn of(env: &Env) -> Result<Self, String> {
        settings::word(
            env,
            "FEATURE_STORE",
            &[("table", Self::Table), ("redis", Self::Redis)],
        )
    }
}

/// What is asked beside the bundle; `None` where its item tables are all there is.
pub fn store(place: Place, redis: Option<&Redis>) -> Option<Box<dyn FeatureStore + '_>> {
    match place {
        Place::Table => None,
        Place::Redis => redis.map(|redis| Box::new(redis::InRedis { redis }) as Box<dyn FeatureStore>),
    }
}

/// Puts what the store has into an answer: fresher counts for a browser that ranks, and what is known of the viewer for a client
/// that reads JSON. Where the store fails, the answer stays and says so.
pub async fn refresh(call: &Call<'_>, body: Body, viewer: Option<&ViewerName>) -> Body {
    let Some(store) = store(call.config.features, call.config.redis.as_ref()) else {
        return body;
    };
    match body {
        Body::Binary(bytes) => match Reply::open(&bytes) {
            Ok(reply) if !reply.is_empty() => Body::Binary(with_counts(&*store, &reply).await),
            _ => Body::Binary(bytes),
        },
        Body::Json(mut body) if viewer.is_some() => {
            match store.fetch(&[], viewer).await {
                Ok((_, user)) => drop(body.insert("user".to_owned(), user.into())),
                Err(fault) => {
                    let known = body.get("degraded").and_then(Value::as_str);
                    let text = with_fault(known, fault);
                    body.insert("degraded".to_owned(), text.into());
                }
            }
            Body::Json(body)
        }
        body @ Body::Json(_) => body,
    }
}

/// An answer with the counts of the store.
async fn with_counts(store: &dyn FeatureStore, reply: &Reply) -> Vec<u8> {
    let ids: Vec<String> = reply.entries().map(|entry| entry.id().to_owned()).collect();
    let none = vec![Counts::default(); ids.len()];
    let (counts, degraded) = match store.fetch(&ids, None).await {
        Ok((counts, _)) => (counts, reply.degraded().map(str::to_owned)),
        Err(fault) => (none, Some(with_fault(reply.degraded(), fault))),
    };
    let fresh = reply.entries().zip(&counts);
    let entries: Vec<_> = fresh.map(|(entry, counts)| Fresh { entry, counts }).collect();
    let answer = Answer {
        dim: reply.dim(),
        entries: &entries,
        source: reply.source(),
        bundle: reply.bundle(),
        degraded: degraded.as_deref(),
    };
    answer.to_bytes()
}

/// What an answer lacks, and that it lacks this too.
fn with_fault(known: Option<&str>, fault: Fault) -> String {
    let note = Note::of(Reason::Features, fault);
    metrics::degraded(std::slice::from_ref(&note));
    match known {
        Some(known) => [known, "; ", &note.text].concat(),
        None => note.text,
    }
}

/// A candidate with counts of its own.
pub struct Fresh<'a, E> {
    /// The candidate.
    pub entry: E,
    /// Its counts.
    pub counts: &'a Counts,
}

impl<E: Entry> Entry for Fresh<'_, E> {
    fn id(&self) -> &str {
        self.entry.id()
    }

    fn card(&self) -> &str {
        self.entry.card()
    }

    fn facts(&self) -> ItemFacts {
        let facts = self.entry.facts();
        ItemFacts {
            impressions: self.counts.impressions.unwrap_or(facts.impressions),
            clicks: self.counts.clicks.unwrap_or(facts.clicks),
            popularity: self.counts.popularity.unwrap_or(facts.popularity),
            ..facts
        }
    }

    fn cell(&self) -> u32 {
        self.entry.cell()
    }

    fn score(&self) -> f32 {
        self.entry.score()
    }

    fn vector(&self) -> (f32, &[i8]) {
        self.entry.vector()
    }

    fn mean(&self) -> Option<&[f32]> {
        self.entry.mean()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.entry.neighbours()
    }
}
