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
use recsys_core::shard::{self, Hit, SearchStats};
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
        "degraded": bundle.fault,
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
fn recent(bundle: &Loaded, ids: &[ItemId], k: usize, excluded: &HashSet<u32>) -> Result<Found, Problem> {
    let known = ids.iter().rev().filter_map(|id| bundle.items.row(id.as_str()));
    let vectors: Vec<UnitVector> = known.filter_map(|row| vector(bundle, row)).take(WINDOW).collect();
    let reason = match mean_direction(&vectors) {
        Some(mean) => return nearest(bundle, mean.as_slice(), k, excluded, Source::Personal),
        None if bundle.shards.is_empty() => bundle.fault.clone(),
        None => Some("none of the ids in `recent` is in this bundle".to_owned()),
    };
    Ok(popular(bundle, k, excluded, reason))
}

/// The stored vector of a row, at unit length.
fn vector(bundle: &Loaded, row: usize) -> Option<UnitVector> {
    let row = u32::try_from(row).ok()?;
    bundle.shards.iter().find_map(|shard| {
        let node = shard.rows().iter().position(|&r| r == row)?;
        let mut values = vec![0f32; shard.dim()];
        shard.vector(node, &mut values);
        UnitVector::new(values).ok()
    })
}

/// The nearest videos of the shards at hand; popular ones where there is no shard.
fn nearest(
    bundle: &Loaded,
    vector: &[f32],
    k: usize,
    excluded: &HashSet<u32>,
    source: Source,
) -> Result<Found, Problem> {
    if bundle.shards.is_empty() {
        return Ok(popular(bundle, k, excluded, bundle.fault.clone()));
    }
    let options = bundle.manifest.search.options(k);
    let mut hits: Vec<Hit> = Vec::new();
    let mut stats = SearchStats::default();
    for shard in &bundle.shards {
        let query = shard::Query::new(shard, vector).map_err(|e| Problem::refused(e.to_string()))?;
        let mut scratch = bundle.scratch.borrow_mut();
        let (found, cost) = shard.search(&query, &options, &mut scratch, |row| !excluded.contains(&row));
        hits.extend(found);
        stats.distances += cost.distances;
        stats.graph |= cost.graph;
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    hits.truncate(k);
    Ok(Found {
        hits,
        source,
        degraded: bundle.fault.clone(),
        stats: Some(stats),
    })
}

/// The most popular videos.
fn popular(bundle: &Loaded, k: usize, excluded: &HashSet<u32>, degraded: Option<String>) -> Found {
    let accept = |row: usize| u32::try_from(row).is_ok_and(|row| !excluded.contains(&row));
    let rows = bundle.items.popular(k, accept);
    let nodes = nodes_of(bundle, &rows);
    let hits = rows.iter().zip(nodes).filter_map(|(&row, node)| {
        Some(Hit {
            node,
            row: u32::try_from(row).ok()?,
            score: bundle.items.popularity(row),
        })
    });
    Found {
        hits: hits.collect(),
        source: Source::Popular,
        degraded,
        stats: None,
    }
}

/// Adds the videos that the policy pins, where they were not found: a page can only pin what it has.
fn add_pinned(bundle: &Loaded, found: &mut Found) {
    let known = |row: usize| found.hits.iter().any(|hit| hit.row as usize == row);
    let pinned = bundle.manifest.pinned().filter_map(|id| bundle.items.row(id));
    let mut rows: Vec<usize> = pinned.filter(|&row| !known(row)).collect();
    rows.sort_unstable();
    rows.dedup();
    if rows.is_empty() {
        return;
    }
    let nodes = nodes_of(bundle, &rows);
    let hit = |(&row, node): (&usize, u32)| {
        let row = u32::try_from(row).ok()?;
        Some(Hit {
            node,
            row,
            score: 0.0,
        })
    };
    found.hits.extend(rows.iter().zip(nodes).filter_map(hit));
}

/// The nodes of the first shard that hold these rows; past its end where it has none.
fn nodes_of(bundle: &Loaded, rows: &[usize]) -> Vec<u32> {
    let Some(shard) = bundle.shards.first() else {
        return vec![u32::MAX; rows.len()];
    };
    let wanted: std::collections::HashMap<u32, usize> = rows
        .iter()
        .enumerate()
        .filter_map(|(i, &row)| Some((u32::try_from(row).ok()?, i)))
        .collect();
    let mut nodes = vec![u32::MAX; rows.len()];
    for (node, row) in (0u32..).zip(shard.rows()) {
        if let Some(slot) = wanted.get(row).and_then(|&i| nodes.get_mut(i)) {
            *slot = node;
        }
    }
    nodes
}
