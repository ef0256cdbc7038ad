//! Paths and what they do.

use crate::aggregates;
use crate::bundle::{self, Loaded};
use crate::encoder;
use crate::problem::Problem;
use crate::query::{self, Query, Recs};
use crate::reply::{self, Found};
use recsys_core::candidates::Source;
use recsys_core::catalogue::ItemId;
use recsys_core::segment::{Filter, Located, Wanted};
use recsys_core::session::WINDOW;
use recsys_core::vector::{UnitVector, mean_direction};
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
        "items": bundle.manifest.items,
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
    let filter = asked.filter.resolve(&bundle.dictionaries);
    let mut exclude: Vec<&str> = asked.exclude.iter().map(ItemId::as_str).collect();
    if let Query::Recent(ids) = &asked.query {
        exclude.extend(ids.iter().map(ItemId::as_str));
    }
    let wanted = Wanted {
        k: asked.k,
        filter: &filter,
        exclude: &exclude,
    };
    let mut found = match &asked.query {
        Query::Vector(vector) => nearest(&bundle, vector, &wanted, Source::Personal)?,
        Query::Text(text) => {
            let vector = encoder::text(env, made_by, text).await?;
            nearest(&bundle, &vector, &wanted, Source::Search)?
        }
        Query::Picture(bytes, kind) => {
            let vector = encoder::picture(env, made_by, bytes, kind).await?;
            nearest(&bundle, &vector, &wanted, Source::Search)?
        }
        Query::Recent(ids) if !ids.is_empty() => recent(&bundle, ids, &wanted)?,
        Query::Recent(_) | Query::Nothing => popular(&bundle, &wanted, None),
    };
    // The binary layout is for a browser that ranks; other clients get what they asked for.
    if asked.binary && found.source != Source::Search {
        add_pinned(&bundle, &filter, &mut found);
    }
    Ok(if asked.binary {
        reply::binary(&bundle, &found)?
    } else {
        reply::json(&bundle, &found)?
    })
}

/// Near to the mean of the last known ids, newest last.
fn recent<'a>(bundle: &'a Loaded, ids: &[ItemId], wanted: &Wanted<'_>) -> Result<Found<'a>, Problem> {
    let newest_first = ids.iter().rev().map(ItemId::as_str);
    let located = bundle.segments.find(newest_first);
    let vectors: Vec<UnitVector> = located.iter().filter_map(Located::vector).take(WINDOW).collect();
    let reason = match mean_direction(&vectors) {
        Some(mean) => return nearest(bundle, mean.as_slice(), wanted, Source::Personal),
        None if bundle.fault.is_some() => bundle.fault.clone(),
        None => Some("none of the ids in `recent` is in this bundle".to_owned()),
    };
    Ok(popular(bundle, wanted, reason))
}

/// The nearest videos of the segments at hand; popular ones where none that should be asked has its vectors.
fn nearest<'a>(
    bundle: &'a Loaded,
    vector: &[f32],
    wanted: &Wanted<'_>,
    source: Source,
) -> Result<Found<'a>, Problem> {
    let mut scratch = bundle.scratch.borrow_mut();
    let settings = &bundle.manifest.search;
    let nearest = bundle.segments.nearest(vector, settings, wanted, &mut scratch);
    let nearest = nearest.map_err(|e| Problem::refused(e.to_string()))?;
    if nearest.found.is_empty() && nearest.missing > 0 {
        return Ok(popular(bundle, wanted, bundle.fault.clone()));
    }
    Ok(Found {
        hits: nearest.found,
        source,
        degraded: bundle.fault.clone(),
        stats: Some(nearest.stats),
        matching: nearest.matching,
    })
}

/// The most popular videos.
fn popular<'a>(bundle: &'a Loaded, wanted: &Wanted<'_>, degraded: Option<String>) -> Found<'a> {
    let popular = bundle.segments.popular(wanted);
    Found {
        hits: popular.found,
        source: Source::Popular,
        degraded,
        stats: None,
        matching: popular.matching,
    }
}

/// Adds the videos that the policy pins, where they were not found: a page can only pin what it has.
fn add_pinned<'a>(bundle: &'a Loaded, filter: &Filter, found: &mut Found<'a>) {
    let mut ids: Vec<&str> = bundle.manifest.pinned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| found.hits.iter().all(|located| located.id() != *id));
    if !ids.is_empty() {
        let pinned = bundle.segments.find(ids.into_iter()).into_iter();
        found.hits.extend(pinned.filter(|located| located.fits(filter)));
    }
}
