//! Candidate retrieval in a Cloudflare Worker.
//!
//! `routes` answers requests, `query` parses them, `bundle` loads and keeps the bundle, `trust` and
//! `last_seen` say which one may be used, `encoder` asks the encoder
//! behind its service binding, `reply` writes answers and `problem` refusals. Nothing here keeps anything of a viewer;
//! where the owner turned them on, `aggregates` adds up counts that have no viewer in them.

mod aggregates;
mod bundle;
mod encoder;
mod last_seen;
mod problem;
mod query;
mod reply;
mod routes;
mod trust;

use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    match routes::answer(request, &env).await {
        Ok(response) => Ok(response),
        Err(problem) => problem.response(),
    }
}
