//! Durable Objects that an owner may turn on: whether they are, and asking one within a deadline.

use crate::deadline::within;
use crate::problem::Problem;
use crate::settings;
use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response, Stub};

/// How long an object may take. One that trapped never answers.
const DEADLINE_MS: u64 = 5_000;

/// The objects behind a binding, where the variable `switch` turns them on; `off` begins the refusal where it does not.
///
/// # Errors
/// They are off.
pub fn namespace(env: &Env, binding: &str, switch: &str, off: &str) -> Result<ObjectNamespace, Problem> {
    let on = settings::is_on(env, switch);
    let namespace = env.durable_object(binding).ok().filter(|_| on);
    namespace.ok_or_else(|| self::off(binding, switch, off))
}

/// The refusal where objects are off, which `off` begins.
pub fn off(binding: &str, switch: &str, off: &str) -> Problem {
    Problem::forbidden(format!(
        "{off}; its owner turns them on in wrangler.toml ({binding} and {switch})"
    ))
}

/// What an object is asked.
pub fn request(url: &str, method: Method, body: Option<String>) -> worker::Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(method).with_body(body.map(Into::into));
    Request::new_with_init(url, &init)
}

/// What an object answers; `what` names it in refusals.
///
/// # Errors
/// It fails, or does not answer in time.
pub async fn ask(stub: &Stub, request: Request, what: &str) -> Result<Response, Problem> {
    match within(DEADLINE_MS, stub.fetch_with_request(request)).await {
        Some(Ok(response)) if response.status_code() == 200 => Ok(response),
        Some(_) => Err(Problem::unavailable(format!("{what} failed"))),
        None => Err(Problem::unavailable(format!("{what} did not answer in time"))),
    }
}
