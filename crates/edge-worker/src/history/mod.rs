//! `/v1/events`: clicks that viewers want kept by the site's server. Off until the owner binds the objects and sets the
//! variable; nothing is kept of a viewer who has not picked history mode.

mod object;

use crate::objects;
use crate::problem::Problem;
use recsys_core::catalogue::ItemId;
use recsys_core::events::Handed;
use recsys_core::privacy::history::{Asked, ViewerName};
use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response, Stub};

/// The binding of the objects, one a viewer.
const BINDING: &str = "HISTORY";
/// The variable that turns the path on.
const SWITCH: &str = "HISTORY_ENABLED";
/// The variable with the days after which a history that nothing is added to is erased; fractions are allowed.
const DAYS: &str = "HISTORY_DAYS";
const DEFAULT_DAYS: f64 = 90.0;
const MAX_DAYS: f64 = 3_650.0;
const DAY_MS: f64 = 86_400_000.0;

/// Does what a viewer asks for; gives how many clicks were taken. Of what was handed in, clicks and long watches count.
///
/// # Errors
/// The path is off, or the object does not answer.
pub async fn take(env: &Env, asked: &Asked) -> Result<usize, Problem> {
    match asked {
        Asked::Forget(viewer) => {
            call(&stub(env, viewer)?, Method::Post, "forget", None).await?;
            Ok(0)
        }
        Asked::Take(viewer, events) => {
            let stub = stub(env, viewer)?;
            let clicks: Vec<(&ItemId, i64)> = events.iter().filter_map(Handed::click).collect();
            // The question whether the path is on, too.
            if clicks.is_empty() {
                return Ok(0);
            }
            let body = serde_json::to_string(&(expiry_ms(env)?, &clicks));
            let body = body.map_err(|_| Problem::unavailable("the clicks could not be written"))?;
            call(&stub, Method::Post, "add", Some(body)).await?;
            Ok(clicks.len())
        }
    }
}

/// The ids of what a viewer clicked, newest last.
///
/// # Errors
/// The path is off, or the object does not answer.
pub async fn recent(env: &Env, viewer: &ViewerName) -> Result<Vec<ItemId>, Problem> {
    let mut answer = call(&stub(env, viewer)?, Method::Get, "recent", None).await?;
    let ids: Vec<String> = answer.json().await?;
    let id = |id| ItemId::new(id).map_err(|_| Problem::unavailable("a stored click has an id that is none"));
    ids.into_iter().map(id).collect()
}

/// Says where the path is off, before anything of the request is read.
///
/// # Errors
/// It is.
pub fn check_on(env: &Env) -> Result<(), Problem> {
    expiry_ms(env)?;
    namespace(env).map(drop)
}

fn namespace(env: &Env) -> Result<ObjectNamespace, Problem> {
    objects::namespace(env, BINDING, SWITCH, "this site keeps no histories")
}

/// Milliseconds after which a history is erased that nothing was added to.
fn expiry_ms(env: &Env) -> Result<u64, Problem> {
    let text = env.var(DAYS).map(|value| value.to_string());
    let days = text.map_or(Ok(DEFAULT_DAYS), |text| text.parse());
    let days = days.ok().filter(|days: &f64| *days > 0.0 && *days <= MAX_DAYS);
    let days = days.ok_or_else(|| {
        Problem::unavailable(format!(
            "{DAYS}: expected a number above 0, at most {MAX_DAYS}, found another value"
        ))
    })?;
    Ok((days * DAY_MS).ceil() as u64)
}

fn stub(env: &Env, viewer: &ViewerName) -> Result<Stub, Problem> {
    Ok(namespace(env)?.id_from_name(viewer.as_str())?.get_stub()?)
}

async fn call(stub: &Stub, method: Method, path: &str, body: Option<String>) -> Result<Response, Problem> {
    let mut init = RequestInit::new();
    init.with_method(method).with_body(body.map(Into::into));
    let request = Request::new_with_init(&format!("http://history.local/{path}"), &init)?;
    objects::ask(stub, request, "the object of this history").await
}
