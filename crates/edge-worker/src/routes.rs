//! Paths and what they do.

use crate::aggregates;
use crate::bundle::{self, Call, Loaded};
use crate::degraded::{Note, Reason};
use crate::encoder;
use crate::events;
use crate::groups::Question;
use crate::history;
use crate::limit::{self, Count};
use crate::problem::Problem;
use crate::query::{self, Query, Recs};
use crate::reply::{self, Found};
use crate::retrieval::{Gathered, Retrieval, Wish};
use recsys_core::candidates::Source;
use recsys_core::catalogue::ItemId;
use recsys_core::privacy::history::Asked;
use recsys_core::segment::Conditions;
use recsys_core::session::WINDOW;
use recsys_core::vector::{UnitVector, mean_direction};
use std::rc::Rc;
use worker::{Method, Request, Response};

/// Methods of a path that others may ask; `None` where there is nothing.
fn methods(path: &str) -> Option<&'static str> {
    match path {
        "/v1/recs" | "/recs" | "/v1/events" => Some("POST, OPTIONS"),
        "/v1/search" | "/v1/aggregates" => Some("GET, POST, OPTIONS"),
        "/v1/manifest" | "/healthz" => Some("GET, OPTIONS"),
        _ => None,
    }
}

/// Answers a request.
pub async fn answer(mut request: Request, call: &Call<'_>) -> Result<Response, Problem> {
    let (path, method) = (request.path(), request.method());
    let env = call.env;
    match (path.as_str(), method) {
        ("/v1/recs" | "/recs", Method::Post) => {
            limit::check(env, Count::Recs).await?;
            let asked = query::recs(&mut request).await?;
            recommend(call, asked).await
        }
        ("/v1/search", Method::Post) => {
            limit::check(env, Count::Search).await?;
            let asked = query::search(&mut request).await?;
            recommend(call, asked).await
        }
        ("/v1/search", Method::Get) => {
            limit::check(env, Count::Search).await?;
            recommend(call, query::search_by_url(&request)?).await
        }
        ("/v1/manifest", Method::Get) => {
            let bundle = loaded(call).await?;
            Ok(reply::with_type(
                bundle.manifest_bytes.clone(),
                "application/json",
                "no-cache",
            )?)
        }
        ("/v1/aggregates", Method::Post) => {
            aggregates::check_on(env)?;
            limit::check(env, Count::Aggregates).await?;
            let batch = query::batch(&mut request).await?;
            aggregates::add(call, loaded(call).await?, batch).await
        }
        ("/v1/events", Method::Post) => {
            history::check_on(env)?;
            let sink = call.config.events.as_ref();
            let sink = sink.map_err(|fault| Problem::unavailable(fault.as_str()))?;
            limit::check(env, Count::Events).await?;
            let asked = query::events(&mut request).await?;
            take_events(call, sink.as_ref(), &asked).await
        }
        ("/v1/aggregates", Method::Get) => aggregates::export(env, &request).await,
        ("/v1/segments", Method::Post) if call.config.segments.is_some() => {
            let (question, conditions) = query::question(&mut request).await?;
            segments(call, question, conditions).await
        }
        ("/healthz", Method::Get) => health(call).await,
        (path, method) => match (methods(path), method) {
            (Some(allow), Method::Options) => Ok(reply::options(allow)?),
            (Some(allow), _) => Err(Problem::method(allow)),
            (None, _) => Err(Problem::not_found()),
        },
    }
}

/// Does what a viewer of history mode asks for. The sink comes first: the history takes the same clicks twice without harm.
async fn take_events(
    call: &Call<'_>,
    sink: Option<&events::Settings>,
    asked: &Asked,
) -> Result<Response, Problem> {
    let sent = match sink {
        Some(settings) => Some(events::take(call.env, settings, asked).await?),
        None => None,
    };
    let taken = history::take(call.env, asked).await?;
    let body = match sent {
        Some(sent) => serde_json::json!({ "taken": taken, "sent": sent }),
        None => serde_json::json!({ "taken": taken }),
    };
    let body = body.to_string().into_bytes();
    Ok(reply::with_type(body, "application/json", "no-store")?)
}

async fn loaded(call: &Call<'_>) -> Result<Rc<Loaded>, Problem> {
    bundle::current(call).await.map_err(Problem::unavailable)
}

async fn health(call: &Call<'_>) -> Result<Response, Problem> {
    let bundle = loaded(call).await?;
    let own = call.config.own(bundle.manifest.segments.len());
    bundle::ensure(call, &bundle, &own, false).await;
    let at_hand = bundle.segments.borrow().at_hand().count();
    if at_hand == 0 && !own.is_empty() {
        return Err(nothing_at_hand(&bundle));
    }
    let encoder = if encoder::ready(call.env).await {
        "ready"
    } else {
        "missing"
    };
    let events = match &call.config.events {
        Ok(Some(settings)) => Some(events::Report::of(call.env, settings).await.to_json()),
        Ok(None) => None,
        Err(fault) => Some(serde_json::json!({ "fault": fault })),
    };
    let mut body = serde_json::json!({
        "status": "ok",
        "bundle": bundle.id,
        "sequence": bundle.manifest.sequence,
        "items": bundle.manifest.items,
        "encoder": encoder,
        "degraded": bundle.fault().or_else(bundle::refused),
        "segments": { "atHand": at_hand, "total": bundle.manifest.segments.len() },
        "memoryBytes": memory_bytes(),
    });
    if let Some(events) = events {
        body["events"] = events;
    }
    Ok(reply::with_type(
        body.to_string().into_bytes(),
        "application/json",
        "no-store",
    )?)
}

fn nothing_at_hand(bundle: &Loaded) -> Problem {
    let fault = bundle.fault();
    Problem::unavailable(fault.unwrap_or_else(|| "no part of the catalogue is here yet".to_owned()))
}

/// Linear memory of this instance, in bytes.
fn memory_bytes() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    return 0;
}

/// What a search came to.
enum Attempt {
    Answer(worker::Result<Response>),
    /// Nothing was found where something is missing, and why that is.
    Nothing(Vec<Note>),
    /// Other segments may have more.
    Short,
}

async fn recommend(call: &Call<'_>, mut asked: Recs) -> Result<Response, Problem> {
    let mut notes = Vec::new();
    if let Query::Viewer(viewer) = &asked.query {
        history::check_on(call.env)?;
        asked.query = match history::recent(call.env, viewer).await {
            Ok(recent) => Query::Recent(recent),
            Err(_) => {
                notes.push(Note::new(Reason::History, "this viewer's history is not at hand"));
                Query::Nothing
            }
        };
    }
    let bundle = loaded(call).await?;
    let made_by = bundle.manifest.encoder.clone();
    let (env, made_by) = (call.env, made_by.as_ref());
    let ids = |ids: &[ItemId]| -> Vec<String> { ids.iter().map(|id| id.as_str().to_owned()).collect() };
    let mut exclude = ids(&asked.exclude);
    if let Query::Recent(recent) = &asked.query {
        exclude.extend(ids(recent));
    }
    let retrieval = Retrieval {
        call,
        bundle,
        wish: Wish {
            k: asked.k,
            filter: asked.filter,
            exclude,
        },
    };
    let (vector, source) = match &asked.query {
        Query::Vector(vector) => (Some(vector.clone()), Source::Personal),
        Query::Text(text) => (Some(encoder::text(env, made_by, text).await?), Source::Search),
        Query::Picture(bytes, kind) => (
            Some(encoder::picture(env, made_by, bytes, kind).await?),
            Source::Search,
        ),
        Query::Recent(recent) if !recent.is_empty() => {
            let newest_first = ids(recent).into_iter().rev().collect();
            let (mut vectors, faults) = retrieval.vectors(newest_first).await;
            vectors.truncate(WINDOW);
            let mean = mean_direction(&vectors);
            if mean.is_none() {
                let unknown = "none of the ids in `recent` is in this bundle";
                notes = match faults.is_empty() {
                    true => vec![Note::new(Reason::UnknownIds, unknown)],
                    false => faults,
                };
            }
            (mean.map(UnitVector::into_vec), Source::Personal)
        }
        Query::Recent(_) | Query::Viewer(_) | Query::Nothing => (None, Source::Popular),
    };
    call.begin_again();
    let pins = match asked.binary && source != Source::Search {
        // The binary layout is for a browser that ranks; other clients get what they asked for.
        true => Some(retrieval.pinned().await),
        false => None,
    };
    let pins = pins.as_ref();
    if let Some(vector) = &vector {
        let attempt = |gathered: &Gathered| {
            retrieval.finish(gathered, Some(vector), pins, |found| match found {
                Found { short: true, .. } => Attempt::Short,
                Found { hits, missing, .. } if hits.is_empty() && *missing > 0 => {
                    Attempt::Nothing(found.degraded.clone())
                }
                _ => Attempt::Answer(reply::of(&retrieval.bundle, found, source, asked.binary)),
            })
        };
        let gathered = retrieval.near(vector).await?;
        let mut attempted = attempt(&gathered)?;
        if matches!(attempted, Attempt::Short) {
            attempted = attempt(&retrieval.wider(gathered, vector).await)?;
        }
        match attempted {
            Attempt::Answer(answer) => return Ok(answer?),
            Attempt::Nothing(faults) => notes = faults,
            Attempt::Short => {}
        }
    }
    // Popular videos where nothing was asked for, or none that should be asked has its vectors.
    let gathered = retrieval.popular().await;
    if retrieval.has_nothing(&gathered) {
        return Err(nothing_at_hand(&retrieval.bundle));
    }
    let answer = retrieval.finish(&gathered, None, pins, |found| {
        let found = Found {
            degraded: match notes.is_empty() {
                true => found.degraded.clone(),
                false => notes,
            },
            ..found.clone()
        };
        reply::of(&retrieval.bundle, &found, Source::Popular, asked.binary)
    })?;
    Ok(answer?)
}

/// What the worker in front asks of this one.
async fn segments(call: &Call<'_>, question: Question, conditions: Conditions) -> Result<Response, Problem> {
    let mut bundle = loaded(call).await?;
    if bundle.id != question.bundle {
        bundle = bundle::look_again(call).await.map_err(Problem::unavailable)?;
    }
    if bundle.id != question.bundle {
        let detail = format!(
            "this worker serves bundle {}, not the one that was asked for",
            bundle.id
        );
        return Err(Problem::unavailable(detail));
    }
    let Question {
        k,
        vector,
        segments,
        find,
        filter,
        exclude,
        ..
    } = question;
    let retrieval = Retrieval {
        call,
        bundle,
        wish: Wish {
            k,
            filter: (filter, conditions),
            exclude,
        },
    };
    let (gathered, found_ids) = match find {
        Some(ids) => (retrieval.popular().await, Some(ids)),
        None if vector.is_some() => (retrieval.only(&segments).await, None),
        None => (retrieval.popular().await, None),
    };
    let answer = match found_ids {
        Some(ids) => retrieval.found(&gathered, &ids, |found| {
            reply::to_worker(&retrieval.bundle, found)
        }),
        None => retrieval.finish(&gathered, vector.as_deref(), None, |found| {
            reply::to_worker(&retrieval.bundle, found)
        })?,
    };
    Ok(answer?)
}
