//! Candidate retrieval in a Cloudflare Worker.
//!
//! `routes` answers requests, `query` parses them, `retrieval` finds candidates: in the `bundle` that is loaded and kept,
//! and in the workers of `groups`, a `hit` being from either. `encoder` asks the encoder behind its service binding,
//! `trust` and `last_seen` say which bundle may be
//! used, `config` reads the worker's settings, `reply` writes answers and `problem` refusals. Nothing here keeps anything of a viewer;
//! where the owner turned them on, `aggregates` adds up counts that have no viewer in them.

mod aggregates;
mod bundle;
mod config;
mod encoder;
mod groups;
mod hit;
mod last_seen;
mod problem;
mod query;
mod reply;
mod retrieval;
mod routes;
mod trust;

use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    match routes::answer(request, &env, &context).await {
        Ok(response) => Ok(response),
        Err(problem) => problem.response(),
    }
}
