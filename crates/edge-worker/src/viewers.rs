//! `/v1/events`: what viewers who picked history mode hand in, and what they have forgotten.

use crate::bundle::Call;
use crate::history::{self, History};
use crate::metrics::{self, Count};
use crate::problem::Problem;
use crate::{features, reply};
use recsys_core::privacy::history::{Asked, ViewerName};
use serde_json::json;
use worker::Response;

/// Where this site keeps histories.
///
/// # Errors
/// It keeps none.
pub fn history<'a>(call: &'a Call<'_>) -> Result<Box<dyn History + 'a>, Problem> {
    history::store(call.env, call.config.history.as_ref(), call.config.redis.as_ref())
}

/// Says where the path is off, before anything of the request is read.
///
/// # Errors
/// It is.
pub fn check_on(call: &Call<'_>) -> Result<(), Problem> {
    history(call).map(drop)
}

/// Does what a viewer asks for.
///
/// # Errors
/// The path is off, or what was handed in is kept nowhere, or something of the viewer may be left.
pub async fn take(call: &Call<'_>, asked: &Asked) -> Result<Response, Problem> {
    let taken = match asked {
        Asked::Forget(viewer) => {
            forget(call, viewer).await?;
            0
        }
        Asked::Keep(viewer, clicks) => {
            // Without clicks it is the question whether the path is on.
            if !clicks.is_empty() {
                let added = history(call)?.add(viewer, clicks).await;
                added.map_err(|fault| Problem::unavailable(fault.to_string()))?;
            }
            clicks.len()
        }
    };
    let body = json!({ "taken": taken }).to_string().into_bytes();
    Ok(reply::with_type(body, "application/json", "no-store")?)
}

/// Erases what is kept of a viewer, in every store. All are asked, whether others fail or not.
async fn forget(call: &Call<'_>, viewer: &ViewerName) -> Result<(), Problem> {
    let mut faults = Vec::new();
    faults.extend(history(call)?.forget(viewer).await.err());
    if let Some(features) = features::store(call.config.features, call.config.redis.as_ref()) {
        faults.extend(features.forget(viewer).await.err());
    }
    if let Some(fault) = faults.first() {
        return Err(Problem::unavailable(format!(
            "not all is erased yet, ask again: {fault}"
        )));
    }
    metrics::add(Count::Erased, 1);
    Ok(())
}
