//! Answers.

use crate::bundle::Loaded;
use crate::cors::{Caller, Origins};
use crate::degraded::{self, Note};
use crate::groups;
use crate::hit::Hit;
use crate::metrics;
use recsys_core::candidates::{Answer, Entry, MEDIA_TYPE, Source};
use recsys_core::segment::Matching;
use recsys_core::shard::SearchStats;
use serde_json::{Map, Value, json};
use worker::{Headers, Response, Result};

/// What retrieval found.
#[derive(Clone, Default)]
pub struct Found<'a> {
    /// The hits, best first.
    pub hits: Vec<Hit<'a>>,
    /// Why this is less than was asked for; nothing where it is not.
    pub degraded: Vec<Note>,
    /// What the search cost, where there was one.
    pub stats: Option<SearchStats>,
    /// How many videos fit, where a filter was given.
    pub matching: Option<Matching>,
    /// How many segments that should have been asked were not.
    pub missing: usize,
    /// Whether these are fewer than wanted though there are segments that were not asked.
    pub short: bool,
}

/// An answer before it is sent.
pub enum Body {
    /// In the binary layout.
    Binary(Vec<u8>),
    /// As JSON.
    Json(Map<String, Value>),
}

impl Body {
    /// The response.
    pub fn response(self) -> Result<Response> {
        match self {
            Self::Binary(bytes) => with_type(bytes, MEDIA_TYPE, "no-store"),
            Self::Json(body) => document(&body.into()),
        }
    }
}

/// The answer, in the binary layout or as JSON.
pub fn of(bundle: &Loaded, found: &Found<'_>, source: Source, binary: bool) -> Body {
    metrics::degraded(&found.degraded);
    match binary {
        true => Body::Binary(bytes(bundle, found, source)),
        false => Body::Json(json(bundle, found, source)),
    }
}

fn bytes(bundle: &Loaded, found: &Found<'_>, source: Source) -> Vec<u8> {
    let degraded = degraded::text(&found.degraded);
    let answer = Answer {
        dim: bundle.manifest.dim as usize,
        entries: &found.hits,
        source,
        bundle: &bundle.id,
        degraded: degraded.as_deref(),
    };
    answer.to_bytes()
}

/// The answer for the worker in front, which adds it to others.
pub fn to_worker(bundle: &Loaded, found: &Found<'_>) -> Result<Response> {
    let answer = with_type(bytes(bundle, found, Source::Personal), MEDIA_TYPE, "no-store")?;
    let stats = found.stats.unwrap_or_default();
    let counts = groups::Found {
        distances: stats.distances,
        graph: stats.graph,
        missing: found.missing,
        matching: found.matching.map(|matching| matching.videos),
        complete: found.matching.is_some_and(|matching| matching.complete),
    };
    let headers = answer.headers().clone();
    headers.set(groups::FOUND_HEADER, &serde_json::to_string(&counts)?)?;
    Ok(answer.with_headers(headers))
}

/// The answer as JSON.
fn json(bundle: &Loaded, found: &Found<'_>, source: Source) -> Map<String, Value> {
    let item = |hit: &Hit<'_>| {
        // A card that is no object shows nothing, which is what is known then.
        let mut item: Map<String, Value> = serde_json::from_str(hit.card()).unwrap_or_default();
        item.insert("id".to_owned(), hit.id().into());
        item.insert("score".to_owned(), hit.score().into());
        Value::Object(item)
    };
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("bundle", bundle.id.as_str().into());
    set("sequence", bundle.manifest.sequence.into());
    set("source", json!(source));
    set("items", found.hits.iter().map(item).collect::<Vec<_>>().into());
    if let Some(text) = degraded::text(&found.degraded) {
        set("degraded", text.into());
    }
    if let Some(matching) = found.matching {
        let matching = json!({ "videos": matching.videos, "complete": matching.complete });
        set("matching", matching);
    }
    if let Some(stats) = found.stats {
        let strategy = if stats.graph { "graph" } else { "scan" };
        set(
            "search",
            json!({ "strategy": strategy, "distances": stats.distances }),
        );
    }
    body
}

/// JSON that no cache keeps.
pub fn document(body: &Value) -> Result<Response> {
    with_type(body.to_string().into_bytes(), "application/json", "no-store")
}

/// A response with a content type and a cache rule.
pub fn with_type(body: Vec<u8>, kind: &str, cache: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", kind)?;
    headers.set("cache-control", cache)?;
    Ok(Response::from_bytes(body)?.with_headers(headers))
}

/// What a path takes, to `OPTIONS`.
pub fn options(allow: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("allow", allow)?;
    headers.set("cache-control", "no-store")?;
    Ok(Response::empty()?.with_status(204).with_headers(headers))
}

/// Gives an answer the headers that every answer has.
pub fn seal(mut answer: Response, origins: &Origins, caller: &Caller) -> Result<Response> {
    let headers = answer.headers_mut();
    headers.set("referrer-policy", "no-referrer")?;
    headers.set("x-content-type-options", "nosniff")?;
    origins.apply(caller, headers)?;
    Ok(answer)
}
