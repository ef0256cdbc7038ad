//! The owner's rate limit, without anybody's address.
//!
//! What the runtime counts is named by the path alone: all clients of a location share one count, so that a flood is cut off
//! and nobody is told apart.

use crate::log;
use crate::problem::Problem;
use worker::Env;
use worker::js_sys::Reflect;

/// The binding of the rate limit; without it there is none.
const BINDING: &str = "RATE_LIMIT";

/// What is counted together.
#[derive(Clone, Copy)]
pub enum Count {
    /// `POST /v1/recs` and its alias.
    Recs,
    /// `/v1/search`, by either method.
    Search,
    /// `POST /v1/aggregates`.
    Aggregates,
    /// `POST /v1/events`.
    Events,
}

impl Count {
    /// The key under which the runtime counts.
    const fn key(self) -> &'static str {
        match self {
            Self::Recs => "recs",
            Self::Search => "search",
            Self::Aggregates => "aggregates",
            Self::Events => "events",
        }
    }
}

/// Counts a request.
///
/// # Errors
/// There were too many, or what is bound is no rate limit. Where the runtime fails to count, requests pass: the limit
/// protects answers, and is not to be why there are none.
pub async fn check(env: &Env, count: Count) -> Result<(), Problem> {
    if !Reflect::has(env, &BINDING.into()).unwrap_or(false) {
        return Ok(());
    }
    let limiter = env.rate_limiter(BINDING).map_err(|_| {
        Problem::unavailable(format!(
            "{BINDING}: expected a rate limit, found a binding of another kind; see [[ratelimits]] in wrangler.toml"
        ))
    })?;
    match limiter.limit(count.key().to_owned()).await {
        Ok(outcome) if !outcome.success => Err(Problem::too_many()),
        Ok(_) => Ok(()),
        Err(_) => {
            log::Line::NotCounted.write();
            Ok(())
        }
    }
}
