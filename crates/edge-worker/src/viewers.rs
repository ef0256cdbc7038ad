//! `/v1/events`: what viewers who picked history mode hand in, and what they have forgotten.

use crate::bundle::Call;
use crate::history::{self, History};
use crate::metrics::{self, Count};
use crate::problem::Problem;
use crate::{events, features, reply};
use recsys_core::catalogue::ItemId;
use recsys_core::events::Handed;
use recsys_core::privacy::history::{Asked, ViewerName};
use serde_json::{Map, Value};
use worker::Response;

/// Where this site keeps histories.
///
/// # Errors
/// It keeps none.
pub fn history<'a>(call: &'a Call<'_>) -> Result<Box<dyn History + 'a>, Problem> {
    let config = &call.config;
    history::store(
        call.env,
        config.history.as_ref(),
        config.redis.as_ref(),
        config.deadline_ms,
    )
}

/// Where events go beside, if anywhere.
///
/// # Errors
/// A setting of it is wrong.
fn sink<'a>(call: &'a Call<'_>) -> Result<Option<&'a events::Settings>, Problem> {
    let sink = call.config.events.as_ref();
    let sink = sink.map_err(|fault| Problem::unavailable(fault.as_str()))?;
    Ok(sink.as_ref())
}

/// Says where the path is off, before anything of the request is read.
///
/// # Errors
/// It is, or a setting is wrong.
pub fn check_on(call: &Call<'_>) -> Result<(), Problem> {
    history(call)?;
    sink(call).map(drop)
}

/// Does what a viewer asks for.
///
/// # Errors
/// The path is off, or what was handed in is kept nowhere, or something of the viewer may be left.
pub async fn take(call: &Call<'_>, asked: &Asked) -> Result<Response, Problem> {
    let mut body = Map::<String, Value>::new();
    match asked {
        Asked::Forget(viewer) => {
            forget(call, viewer).await?;
            body.insert("taken".to_owned(), 0.into());
        }
        Asked::Take(viewer, handed) => {
            // The sink comes first: a history takes the same clicks twice without harm.
            if let Some(settings) = sink(call)? {
                let sent = events::take(call.env, settings, viewer, handed).await?;
                body.insert("sent".to_owned(), sent.into());
            }
            let taken = remember(call, viewer, handed).await?;
            body.insert("taken".to_owned(), taken.into());
        }
    }
    Ok(reply::document(&body.into())?)
}

/// Adds to a viewer's history what counts as a click; gives how many did. Without any it is the question whether the path is on.
async fn remember(call: &Call<'_>, viewer: &ViewerName, handed: &[Handed]) -> Result<usize, Problem> {
    let clicks = handed.iter().filter_map(Handed::click);
    let clicks: Vec<(ItemId, i64)> = clicks.map(|(item, ts)| (item.clone(), ts)).collect();
    if !clicks.is_empty() {
        let added = history(call)?.add(viewer, &clicks).await;
        added.map_err(|fault| Problem::unavailable(fault.to_string()))?;
    }
    Ok(clicks.len())
}

/// Erases what is kept of a viewer, in every store. All are asked, whether others fail or not.
async fn forget(call: &Call<'_>, viewer: &ViewerName) -> Result<(), Problem> {
    let mut faults = Vec::new();
    faults.extend(history(call)?.forget(viewer).await.err());
    if let Some(features) = features::store(call.config.features, call.config.redis.as_ref()) {
        faults.extend(features.forget(viewer).await.err());
    }
    let told = match sink(call)? {
        Some(settings) => events::forget(call.env, settings, viewer).await,
        None => events::forget_left(call.env, viewer).await,
    };
    faults.extend(told.err());
    if let Some(fault) = faults.first() {
        return Err(Problem::unavailable(format!(
            "not all is erased yet, ask again: {fault}"
        )));
    }
    metrics::add(Count::Erased, 1);
    Ok(())
}
