//! Paths and what they do.

use crate::aggregates;
use crate::bundle::{self, Loaded};
use crate::encoder;
use crate::problem::Problem;
use crate::query::{self, Query, Recs};
use crate::reply::{self, Found};
use recsys_core::candidates::Source;
use recsys_core::catalogue::ItemId;
use recsys_core::session::WINDOW;
use recsys_core::shard::Located;
use recsys_core::vector::{UnitVector, mean_direction};
use std::collections::HashSet;
use std::rc::Rc;
use worker::{Env, Method, Request, Response};

/// Answers a request.
pub async fn answer(mut request: Request, env: &Env) -> Result<Response, Problem> {
    let (path, method) = (request.path(), request.method());
    match (path.as_str(), method) {
        ("/v1/recs" | "/recs", Method::Post) => {
            let asked = query::recs(&mut request).await?;
            recommend(env, asked).await
        }
        ("/v1/search", Method::Post) => {
            let asked = query::search(&mut request).await?;
            recommend(env, asked).await
        }
        ("/v1/search", Method::Get) => recommend(env, query::search_by_url(&request)?).await,
        ("/v1/manifest", Method::Get) => {
            let bundle = loaded(env).await?;
            Ok(reply::with_type(
                bundle.manifest_bytes.clone(),
                "application/json",
                "no-cache",
            )?)
        }
        ("/v1/aggregates", Method::Post) => {
            aggregates::check_on(env)?;
            let batch = query::batch(&mut request).await?;
            aggregates::add(env, &*loaded(env).await?, batch).await
        }
        ("/v1/aggregates", Method::Get) => aggregates::export(env, &request).await,
        ("/healthz", Method::Get) => health(env).await,
        ("/v1/recs" | "/recs", _) => Err(Problem::method("POST")),
        ("/v1/search" | "/v1/aggregates", _) => Err(Problem::method("GET, POST")),
        ("/v1/manifest" | "/healthz", _) => Err(Problem::method("GET")),
        (path, _) => Err(Problem::not_found(path)),
    }
}

async fn loaded(env: &Env) -> Result<Rc<Loaded>, Problem> {
    bundle::current(env).await.map_err(Problem::unavailable)
}

async fn health(env: &Env) -> Result<Response, Problem> {
    let bundle = loaded(env).await?;
    let encoder = if encoder::ready(env).await {
        "ready"
    } else {
        "missing"
    };
    let body = serde_json::json!({
        "status": "ok",
        "bundle": bundle.id,
        "sequence": bundle.manifest.sequence,
        "items": bundle.items.len(),
        "encoder": encoder,
        "degraded": bundle.fault.clone().or_else(bundle::refused),
        "memoryBytes": memory_bytes(),
    });
    Ok(reply::with_type(
        body.to_string().into_bytes(),
        "application/json",
        "no-store",
    )?)
}

/// Linear memory of this instance, in bytes.
fn memory_bytes() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    return 0;
}

async fn recommend(env: &Env, asked: Recs) -> Result<Response, Problem> {
    let bundle = loaded(env).await?;
    let made_by = bundle.manifest.encoder.as_ref();
    let mut excluded = rows(&bundle, &asked.exclude);
    let mut found = match asked.query {
        Query::Vector(vector) => nearest(&bundle, &vector, asked.k, &excluded, Source::Personal)?,
        Query::Text(text) => {
            let vector = encoder::text(env, made_by, &text).await?;
            nearest(&bundle, &vector, asked.k, &excluded, Source::Search)?
        }
        Query::Picture(bytes, kind) => {
            let vector = encoder::picture(env, made_by, bytes, &kind).await?;
            nearest(&bundle, &vector, asked.k, &excluded, Source::Search)?
        }
        Query::Recent(ids) if ids.is_empty() => popular(&bundle, asked.k, &excluded, None),
        Query::Recent(ids) => {
            excluded.extend(rows(&bundle, &ids));
            recent(&bundle, &ids, asked.k, &excluded)?
        }
        Query::Nothing => popular(&bundle, asked.k, &excluded, None),
    };
    // The binary layout is for a browser that ranks; other clients get what they asked for.
    if asked.binary && found.source != Source::Search {
        add_pinned(&bundle, &mut found);
    }
    Ok(if asked.binary {
        reply::binary(&bundle, &found)?
    } else {
        reply::json(&bundle, &found)?
    })
}

/// The rows of the ids that the bundle has.
fn rows(bundle: &Loaded, ids: &[ItemId]) -> HashSet<u32> {
    ids.iter()
        .filter_map(|id| bundle.items.row(id.as_str()))
        .filter_map(|r| u32::try_from(r).ok())
        .collect()
}

/// Near to the mean of the last known ids, newest last.
fn recent<'a>(
    bundle: &'a Loaded,
    ids: &[ItemId],
    k: usize,
    excluded: &HashSet<u32>,
) -> Result<Found<'a>, Problem> {
    let known = ids.iter().rev().filter_map(|id| bundle.items.row(id.as_str()));
    let rows: Vec<u32> = known.filter_map(|row| u32::try_from(row).ok()).collect();
    let located = bundle.shards.locate(&rows, |_| 0.0);
    let vectors: Vec<UnitVector> = located.iter().filter_map(vector).take(WINDOW).collect();
    let reason = match mean_direction(&vectors) {
        Some(mean) => return nearest(bundle, mean.as_slice(), k, excluded, Source::Personal),
        None if bundle.fault.is_some() => bundle.fault.clone(),
        None => Some("none of the ids in `recent` is in this bundle".to_owned()),
    };
    Ok(popular(bundle, k, excluded, reason))
}

/// The stored vector, at unit length.
fn vector(located: &Located<'_>) -> Option<UnitVector> {
    let shard = located.shard?;
    let mut values = vec![0f32; shard.dim()];
    shard.vector(located.hit.node as usize, &mut values);
    UnitVector::new(values).ok()
}

/// The nearest videos of the shards at hand; popular ones where no shard that should be asked is.
fn nearest<'a>(
    bundle: &'a Loaded,
    vector: &[f32],
    k: usize,
    excluded: &HashSet<u32>,
    source: Source,
) -> Result<Found<'a>, Problem> {
    let options = bundle.manifest.search.options(k);
    let accept = |row| !excluded.contains(&row);
    let mut scratch = bundle.scratch.borrow_mut();
    let nearest = bundle.shards.nearest(vector, &options, &mut scratch, &accept);
    let nearest = nearest.map_err(|e| Problem::refused(e.to_string()))?;
    if nearest.found.is_empty() && nearest.missing > 0 {
        return Ok(popular(bundle, k, excluded, bundle.fault.clone()));
    }
    Ok(Found {
        hits: nearest.found,
        source,
        degraded: bundle.fault.clone(),
        stats: Some(nearest.stats),
    })
}

/// The most popular videos.
fn popular<'a>(bundle: &'a Loaded, k: usize, excluded: &HashSet<u32>, degraded: Option<String>) -> Found<'a> {
    let accept = |row: usize| u32::try_from(row).is_ok_and(|row| !excluded.contains(&row));
    let rows = bundle.items.popular(k, accept).into_iter();
    let rows: Vec<u32> = rows.filter_map(|row| u32::try_from(row).ok()).collect();
    let popularity = |row: u32| bundle.items.popularity(row as usize);
    Found {
        hits: bundle.shards.locate(&rows, popularity),
        source: Source::Popular,
        degraded,
        stats: None,
    }
}

/// Adds the videos that the policy pins, where they were not found: a page can only pin what it has.
fn add_pinned<'a>(bundle: &'a Loaded, found: &mut Found<'a>) {
    let known = |row: u32| found.hits.iter().any(|located| located.hit.row == row);
    let pinned = bundle.manifest.pinned().filter_map(|id| bundle.items.row(id));
    let pinned = pinned.filter_map(|row| u32::try_from(row).ok());
    let mut rows: Vec<u32> = pinned.filter(|&row| !known(row)).collect();
    rows.sort_unstable();
    rows.dedup();
    if !rows.is_empty() {
        found.hits.extend(bundle.shards.locate(&rows, |_| 0.0));
    }
}
