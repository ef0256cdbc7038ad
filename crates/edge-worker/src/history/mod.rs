//! Clicks that viewers want kept by the site's server. Off until the owner turns them on; nothing is kept of a viewer who
//! has not picked history mode.
//!
//! Where they are kept is the owner's choice: a Durable Object a viewer, or Redis.

mod object;
mod redis;

use crate::clock::unix_ms;
use crate::engines::Fault;
use crate::engines::redis::Redis;
use crate::problem::Problem;
use crate::{objects, settings};
use async_trait::async_trait;
use recsys_core::catalogue::ItemId;
use recsys_core::privacy::history::ViewerName;
use worker::Env;

/// The variable that turns histories on.
const SWITCH: &str = "HISTORY_ENABLED";
/// The variable with the days after which a history that nothing is added to is erased; fractions are allowed.
const DAYS: &str = "HISTORY_DAYS";
const DEFAULT_DAYS: f64 = 90.0;
const MAX_DAYS: f64 = 3_650.0;
const DAY_MS: f64 = 86_400_000.0;

/// The last clicks a viewer, the newest [`MAX_KEPT`](recsys_core::privacy::history::MAX_KEPT) of them.
#[async_trait(?Send)]
pub trait History {
    /// Adds clicks with their times in milliseconds since 1970-01-01 UTC, and begins the time anew after which all is erased.
    /// A video that is there already has the later of both times; a time that has not come counts as now.
    async fn add(&self, viewer: &ViewerName, clicks: &[(ItemId, i64)]) -> Result<(), Fault>;
    /// The ids, newest last.
    async fn recent(&self, viewer: &ViewerName) -> Result<Vec<ItemId>, Fault>;
    /// Erases all.
    async fn forget(&self, viewer: &ViewerName) -> Result<(), Fault>;
}

/// Where histories are kept.
#[derive(Clone, Copy)]
pub enum Place {
    /// In Durable Objects.
    Objects,
    /// In Redis.
    Redis,
}

/// Settings of histories.
#[derive(Clone)]
pub struct Settings {
    place: Place,
    /// Milliseconds after which a history is erased that nothing was added to.
    expiry_ms: u64,
}

impl Settings {
    /// Reads `HISTORY_ENABLED`, `HISTORY_STORE` and `HISTORY_DAYS`; `None` where histories are off.
    ///
    /// # Errors
    /// One of them does not have its form.
    pub fn of(env: &Env) -> Result<Option<Self>, String> {
        let words = [("object", Place::Objects), ("redis", Place::Redis)];
        let place = settings::word(env, "HISTORY_STORE", &words)?;
        let text = settings::text(env, DAYS);
        let days = text.map_or(Ok(DEFAULT_DAYS), |text| text.parse());
        let days = days.ok().filter(|days: &f64| *days > 0.0 && *days <= MAX_DAYS);
        let days = days.ok_or_else(|| {
            format!("{DAYS}: expected a number above 0, at most {MAX_DAYS}, found another text")
        })?;
        let expiry_ms = (days * DAY_MS).ceil() as u64;
        Ok(settings::is_on(env, SWITCH).then_some(Self { place, expiry_ms }))
    }

    /// Whether histories are kept in Redis.
    pub const fn wants_redis(&self) -> bool {
        matches!(self.place, Place::Redis)
    }
}

/// Where histories are kept.
///
/// # Errors
/// They are off, or what keeps them is not bound.
pub fn store<'a>(
    env: &Env,
    settings: Option<&Settings>,
    redis: Option<&'a Redis>,
    deadline_ms: u64,
) -> Result<Box<dyn History + 'a>, Problem> {
    const OFF: &str = "this site keeps no histories";
    let settings = settings.ok_or_else(|| objects::off(object::BINDING, SWITCH, OFF))?;
    let expiry_ms = settings.expiry_ms;
    Ok(match (&settings.place, redis) {
        (Place::Redis, Some(redis)) => Box::new(redis::InRedis { redis, expiry_ms }),
        _ => Box::new(object::Objects {
            objects: objects::namespace(env, object::BINDING, SWITCH, OFF)?,
            expiry_ms,
            deadline_ms,
        }),
    })
}

/// Times of clicks, none of which has yet to come: it would be the newest for ever.
fn until_now(clicks: &[(ItemId, i64)]) -> impl Iterator<Item = (&ItemId, i64)> {
    let now = unix_ms();
    clicks.iter().map(move |(item, ts)| (item, (*ts).clamp(0, now)))
}
