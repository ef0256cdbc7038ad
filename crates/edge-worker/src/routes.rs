//! Paths and what they do.

use crate::bundle::{self, Call, Loaded};
use crate::groups::Question;
use crate::limit::{self, Count};
use crate::problem::Problem;
use crate::retrieval::{Retrieval, Wish};
use crate::{aggregates, operations, query, recommend, reply, viewers};
use recsys_core::segment::Conditions;
use std::rc::Rc;
use worker::{Method, Request, Response};

/// Methods of a path that others may ask; `None` where there is nothing.
fn methods(path: &str) -> Option<&'static str> {
    match path {
        "/v1/recs" | "/recs" | "/v1/events" => Some("POST, OPTIONS"),
        "/v1/search" | "/v1/aggregates" => Some("GET, POST, OPTIONS"),
        "/v1/manifest" | "/healthz" | "/metrics" => Some("GET, OPTIONS"),
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
            recommend::answer(call, asked).await
        }
        ("/v1/search", Method::Post) => {
            limit::check(env, Count::Search).await?;
            let asked = query::search(&mut request).await?;
            recommend::answer(call, asked).await
        }
        ("/v1/search", Method::Get) => {
            limit::check(env, Count::Search).await?;
            recommend::answer(call, query::search_by_url(&request)?).await
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
            viewers::check_on(call)?;
            limit::check(env, Count::Events).await?;
            let asked = query::events(&mut request).await?;
            viewers::take(call, &asked).await
        }
        ("/v1/aggregates", Method::Get) => aggregates::export(env, &request).await,
        ("/v1/segments", Method::Post) if call.config.segments.is_some() => {
            let (question, conditions) = query::question(&mut request).await?;
            segments(call, question, conditions).await
        }
        ("/healthz", Method::Get) => operations::health(call, &request).await,
        ("/metrics", Method::Get) => operations::metrics(call, &request).await,
        (path, method) => match (methods(path), method) {
            (Some(allow), Method::Options) => Ok(reply::options(allow)?),
            (Some(allow), _) => Err(Problem::method(allow)),
            (None, _) => Err(Problem::not_found()),
        },
    }
}

/// The bundle.
///
/// # Errors
/// It is not here in time.
pub async fn loaded(call: &Call<'_>) -> Result<Rc<Loaded>, Problem> {
    bundle::current(call).await.map_err(Problem::unavailable)
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
