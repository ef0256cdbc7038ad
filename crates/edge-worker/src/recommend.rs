//! From a request to its recommendations: the vector to search with, the candidates, and what is popular where there are none.

use crate::bundle::{Call, Loaded};
use crate::candidates::{Gathered, Wish};
use crate::degraded::{Note, Reason};
use crate::problem::Problem;
use crate::query::{Query, Recs};
use crate::reply::{self, Body, Found};
use crate::retrieval::Retrieval;
use crate::{encoder, features, routes, viewers};
use recsys_core::candidates::Source;
use recsys_core::catalogue::ItemId;
use recsys_core::session::WINDOW;
use recsys_core::vector::{UnitVector, mean_direction};
use worker::Response;

/// What a search came to.
enum Attempt {
    Answer(Body),
    /// Nothing was found where something is missing, and why that is.
    Nothing(Vec<Note>),
    /// Other segments may have more.
    Short,
}

/// Answers a request for recommendations or a search.
///
/// # Errors
/// A value that the bundle does not fit, or nothing of it is here.
pub async fn answer(call: &Call<'_>, mut asked: Recs) -> Result<Response, Problem> {
    let mut notes = Vec::new();
    let mut viewer = None;
    if let Query::Viewer(name) = asked.query {
        let recent = viewers::history(call)?.recent(&name).await;
        asked.query = recent.map_or_else(
            |_| {
                notes.push(Note::new(Reason::History, "this viewer's history is not at hand"));
                Query::Nothing
            },
            Query::Recent,
        );
        viewer = Some(name);
    }
    let body = candidates(call, asked, notes).await?;
    Ok(features::refresh(call, body, viewer.as_ref()).await.response()?)
}

fn texts(ids: &[ItemId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

async fn candidates(call: &Call<'_>, asked: Recs, mut notes: Vec<Note>) -> Result<Body, Problem> {
    let mut exclude = texts(&asked.exclude);
    if let Query::Recent(recent) = &asked.query {
        exclude.extend(texts(recent));
    }
    let wish = Wish {
        k: asked.k,
        filter: asked.filter,
        exclude,
    };
    let retrieval = Retrieval::new(call, routes::loaded(call).await?, wish);
    let (vector, source) = vector(&retrieval, &asked.query, &mut notes).await?;
    if source == Source::Search {
        // The encoder has a deadline of its own.
        call.begin_again();
    }
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
            Attempt::Answer(answer) => return Ok(answer),
            Attempt::Nothing(faults) => notes = faults,
            Attempt::Short => {}
        }
    }
    // Popular videos where nothing was asked for, or none that should be asked has its vectors.
    let gathered = retrieval.popular().await;
    if retrieval.has_nothing(&gathered) {
        return Err(nothing_at_hand(&retrieval.bundle));
    }
    retrieval.finish(&gathered, None, pins, |found| {
        let found = Found {
            degraded: match notes.is_empty() {
                true => found.degraded.clone(),
                false => notes,
            },
            ..found.clone()
        };
        reply::of(&retrieval.bundle, &found, Source::Popular, asked.binary)
    })
}

/// The vector to search with, where there is one, and what the candidates are called then.
async fn vector(
    retrieval: &Retrieval<'_>,
    query: &Query,
    notes: &mut Vec<Note>,
) -> Result<(Option<Vec<f32>>, Source), Problem> {
    let (env, made_by) = (retrieval.call.env, retrieval.bundle.manifest.encoder.as_ref());
    Ok(match query {
        Query::Vector(vector) => (Some(vector.clone()), Source::Personal),
        Query::Text(text) => (Some(encoder::text(env, made_by, text).await?), Source::Search),
        Query::Picture(bytes, kind) => (
            Some(encoder::picture(env, made_by, bytes, kind).await?),
            Source::Search,
        ),
        Query::Recent(recent) if !recent.is_empty() => {
            let newest_first = texts(recent).into_iter().rev().collect();
            let (mut vectors, faults) = retrieval.vectors(newest_first).await;
            vectors.truncate(WINDOW);
            let mean = mean_direction(&vectors);
            if mean.is_none() {
                let unknown = "none of the ids in `recent` is in this bundle";
                *notes = match faults.is_empty() {
                    true => vec![Note::new(Reason::UnknownIds, unknown)],
                    false => faults,
                };
            }
            (mean.map(UnitVector::into_vec), Source::Personal)
        }
        Query::Recent(_) | Query::Viewer(_) | Query::Nothing => (None, Source::Popular),
    })
}

/// Nothing of the bundle is here.
pub fn nothing_at_hand(bundle: &Loaded) -> Problem {
    let fault = bundle.fault();
    Problem::unavailable(fault.unwrap_or_else(|| "no part of the catalogue is here yet".to_owned()))
}
