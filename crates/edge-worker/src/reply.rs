//! Answers.

use crate::bundle::Loaded;
use recsys_core::candidates::{Answer, MEDIA_TYPE, Source};
use recsys_core::segment::{Located, Matching};
use recsys_core::shard::SearchStats;
use serde_json::{Map, Value, json};
use worker::{Headers, Response, Result};

/// What retrieval found.
pub struct Found<'a> {
    /// The hits, best first.
    pub hits: Vec<Located<'a>>,
    /// Where they come from.
    pub source: Source,
    /// Why this is less than was asked for, where it is.
    pub degraded: Option<String>,
    /// What the search cost, where there was one.
    pub stats: Option<SearchStats>,
    /// How many videos fit, where a filter was given.
    pub matching: Option<Matching>,
}

/// The answer in the binary layout.
pub fn binary(bundle: &Loaded, found: &Found<'_>) -> Result<Response> {
    let answer = Answer {
        dim: bundle.manifest.dim as usize,
        entries: &found.hits,
        source: found.source,
        bundle: &bundle.id,
        degraded: found.degraded.as_deref(),
    };
    with_type(answer.to_bytes(), MEDIA_TYPE, "no-store")
}

/// The answer as JSON.
pub fn json(bundle: &Loaded, found: &Found<'_>) -> Result<Response> {
    let item = |located: &Located<'_>| {
        let card = located.segment.items().card(located.hit.row as usize);
        // A card that is no object shows nothing, which is what is known then.
        let mut item: Map<String, Value> = serde_json::from_str(card).unwrap_or_default();
        item.insert("id".to_owned(), located.id().into());
        item.insert("score".to_owned(), located.hit.score.into());
        Value::Object(item)
    };
    let mut body = json!({
        "bundle": bundle.id,
        "sequence": bundle.manifest.sequence,
        "source": found.source,
        "items": found.hits.iter().map(item).collect::<Vec<_>>(),
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(reason) = &found.degraded {
            body.insert("degraded".to_owned(), reason.as_str().into());
        }
        if let Some(matching) = found.matching {
            body.insert(
                "matching".to_owned(),
                json!({ "videos": matching.videos, "complete": matching.complete }),
            );
        }
        if let Some(stats) = found.stats {
            let strategy = if stats.graph { "graph" } else { "scan" };
            body.insert(
                "search".to_owned(),
                json!({ "strategy": strategy, "distances": stats.distances }),
            );
        }
    }
    with_type(body.to_string().into_bytes(), "application/json", "no-store")
}

/// A response with a content type and a cache rule.
pub fn with_type(body: Vec<u8>, kind: &str, cache: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", kind)?;
    headers.set("cache-control", cache)?;
    headers.set("referrer-policy", "no-referrer")?;
    headers.set("x-content-type-options", "nosniff")?;
    Ok(Response::from_bytes(body)?.with_headers(headers))
}
