//! Durable Objects that an owner may turn on: whether they are, and asking one within a deadline.

use crate::problem::Problem;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::Duration;
use worker::{Delay, Env, ObjectNamespace, Request, Response, Stub};

/// How long an object may take. One that trapped never answers.
const DEADLINE: Duration = Duration::from_secs(5);

/// The objects behind a binding, where the variable `switch` turns them on; `off` begins the refusal where it does not.
///
/// # Errors
/// They are off.
pub fn namespace(env: &Env, binding: &str, switch: &str, off: &str) -> Result<ObjectNamespace, Problem> {
    let on = env.var(switch).is_ok_and(|value| value.to_string() == "true");
    let namespace = env.durable_object(binding).ok().filter(|_| on);
    namespace.ok_or_else(|| {
        Problem::forbidden(format!(
            "{off}; its owner turns them on in wrangler.toml ({binding} and {switch})"
        ))
    })
}

/// What an object answers; `what` names it in refusals.
///
/// # Errors
/// It fails, or does not answer in time.
pub async fn ask(stub: &Stub, request: Request, what: &str) -> Result<Response, Problem> {
    let answer = pin!(stub.fetch_with_request(request));
    match select(answer, pin!(Delay::from(DEADLINE))).await {
        Either::Left((Ok(response), _)) if response.status_code() == 200 => Ok(response),
        Either::Left(_) => Err(Problem::unavailable(format!("{what} failed"))),
        Either::Right(_) => Err(Problem::unavailable(format!("{what} did not answer in time"))),
    }
}
