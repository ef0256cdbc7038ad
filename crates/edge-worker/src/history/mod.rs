//! `/v1/events`: clicks that viewers want kept by the site's server. Off until the owner binds the objects and sets the
//! variable; nothing is kept of a viewer who has not picked history mode.

mod object;

use crate::problem::Problem;
use futures_util::future::{Either, select};
use object::Clicks;
use recsys_core::catalogue::ItemId;
use recsys_core::events::LONG_WATCH_SECONDS;
use recsys_core::privacy::history::{MAX_EVENTS, ViewerName};
use serde::Deserialize;
use std::pin::pin;
use std::time::Duration;
use worker::{Delay, Env, Method, Request, RequestInit, Response, Stub};

/// The binding of the objects, one a viewer.
const BINDING: &str = "HISTORY";
/// The variable that turns the path on.
const SWITCH: &str = "HISTORY_ENABLED";
/// The variable with the days after which a history that nothing is added to is erased.
const DAYS: &str = "HISTORY_DAYS";
const DEFAULT_DAYS: u64 = 90;
const MAX_DAYS: u64 = 3_650;
/// How long an object may take. One that trapped never answers.
const DEADLINE: Duration = Duration::from_secs(5);

/// The body of `POST /v1/events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    viewer: String,
    #[serde(default)]
    events: Vec<EventBody>,
    #[serde(default)]
    forget: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    event: Kind,
    ts: i64,
    item: String,
    watch_seconds: Option<f32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Click,
    Watch,
}

/// What a viewer asks for.
pub enum Asked {
    /// Clicks to be kept, none too.
    Keep(ViewerName, Vec<(ItemId, i64)>),
    /// All to be erased.
    Forget(ViewerName),
}

impl Body {
    /// Checks the body. Messages hold nothing of what was sent.
    ///
    /// # Errors
    /// No name, too many events, an id that is none, or both wishes at once.
    pub fn check(self) -> Result<Asked, Problem> {
        let viewer = viewer(self.viewer)?;
        if self.forget {
            return match self.events.is_empty() {
                true => Ok(Asked::Forget(viewer)),
                false => Err(Problem::refused("expected `events` or `forget`, found both")),
            };
        }
        if self.events.len() > MAX_EVENTS {
            let found = self.events.len();
            return Err(Problem::refused(format!("`events` has {found}: at most {MAX_EVENTS} are allowed")));
        }
        let mut clicks = Vec::with_capacity(self.events.len());
        for (number, event) in self.events.into_iter().enumerate() {
            let bytes = event.item.len();
            let item = ItemId::new(event.item).map_err(|_| {
                Problem::refused(format!("`events`, entry {number}: `item` has {bytes} bytes and is no id of a video"))
            })?;
            // A short watch says nothing that a recommendation should follow.
            let counts = event.event == Kind::Click || event.watch_seconds >= Some(LONG_WATCH_SECONDS);
            if counts {
                clicks.push((item, event.ts));
            }
        }
        Ok(Asked::Keep(viewer, clicks))
    }
}

/// A viewer's name out of a body.
///
/// # Errors
/// It is none.
pub fn viewer(text: String) -> Result<ViewerName, Problem> {
    ViewerName::new(text).map_err(|error| Problem::refused(format!("`viewer`: {error}")))
}

/// Does what a viewer asks for.
///
/// # Errors
/// The path is off, or the object does not answer.
pub async fn take(env: &Env, asked: &Asked) -> Result<(), Problem> {
    match asked {
        Asked::Forget(viewer) => call(&stub(env, viewer)?, Method::Post, "forget", None).await.map(drop),
        Asked::Keep(viewer, clicks) => {
            let stub = stub(env, viewer)?;
            // The question whether the path is on.
            if clicks.is_empty() {
                return Ok(());
            }
            let clicks = Clicks {
                clicks: clicks.clone(),
                days: days(env)?,
            };
            let body = serde_json::to_string(&clicks).map_err(|error| Problem::unavailable(error.to_string()))?;
            call(&stub, Method::Post, "add", Some(body)).await.map(drop)
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
    days(env)?;
    namespace(env).map(drop)
}

fn namespace(env: &Env) -> Result<worker::ObjectNamespace, Problem> {
    let on = env.var(SWITCH).is_ok_and(|value| value.to_string() == "true");
    let namespace = env.durable_object(BINDING).ok().filter(|_| on);
    namespace.ok_or_else(|| {
        Problem::forbidden(format!(
            "this site keeps no histories; its owner turns them on in wrangler.toml ({BINDING} and {SWITCH})"
        ))
    })
}

fn days(env: &Env) -> Result<u64, Problem> {
    let Ok(text) = env.var(DAYS).map(|value| value.to_string()) else {
        return Ok(DEFAULT_DAYS);
    };
    let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
    days.ok_or_else(|| Problem::unavailable(format!("{DAYS} is {text:?}: expected a whole number from 1 to {MAX_DAYS}")))
}

fn stub(env: &Env, viewer: &ViewerName) -> Result<Stub, Problem> {
    Ok(namespace(env)?.id_from_name(viewer.as_str())?.get_stub()?)
}

async fn call(stub: &Stub, method: Method, path: &str, body: Option<String>) -> Result<Response, Problem> {
    let mut init = RequestInit::new();
    init.with_method(method).with_body(body.map(Into::into));
    let request = Request::new_with_init(&format!("http://history.local/{path}"), &init)?;
    let answer = pin!(stub.fetch_with_request(request));
    match select(answer, pin!(Delay::from(DEADLINE))).await {
        Either::Left((Ok(response), _)) if response.status_code() == 200 => Ok(response),
        Either::Left(_) => Err(Problem::unavailable("the object of this history failed")),
        Either::Right(_) => Err(Problem::unavailable("the object of this history did not answer in time")),
    }
}
