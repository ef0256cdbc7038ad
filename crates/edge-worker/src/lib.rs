//! Candidate retrieval in a Cloudflare Worker.
//!
//! `routes` answers requests, `query` parses them, `retrieval` finds candidates by the port `candidates`: in the `bundle` that
//! is loaded and kept, in the workers of `groups`, or in Milvus, a `hit` being from any of them. `encoder` asks the encoder behind its service binding,
//! `trust` and `last_seen` say which bundle may be
//! used, `config` reads the worker's settings, `reply` writes answers and `problem` refusals, `cors` says which pages may read
//! them, `limit` how many there may be, and `log` is all that is logged. Nothing here keeps anything of a viewer,
//! but `history`, where the owner turned it on, of viewers who want that, whose events `events` hands on; `aggregates` adds
//! up counts that have no viewer in them; both ask their `objects`.

mod aggregates;
mod bundle;
mod candidates;
mod clock;
mod config;
mod cors;
mod deadline;
mod degraded;
mod encoder;
mod engines;
mod events;
mod features;
mod groups;
mod history;
mod hit;
mod last_seen;
mod limit;
mod log;
mod metrics;
mod objects;
mod operations;
mod problem;
mod query;
mod recommend;
mod reply;
mod retrieval;
mod routes;
mod settings;
mod token;
mod trust;
mod viewers;

use bundle::Call;
use config::Config;
use cors::{Caller, Origins};
use metrics::Route;
use problem::Problem;
use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let caller = Caller::of(&request)?;
    let call = match Config::of(&env) {
        Ok(config) => Call::new(&env, &context, config),
        Err(fault) => {
            let refusal = Problem::unavailable(fault).response()?;
            return reply::seal(refusal, &Origins::default(), &caller);
        }
    };
    let (route, began) = (Route::of(&request.path()), clock::now_ms());
    let answer = routes::answer(request, &call).await;
    let answer = answer.or_else(|problem| problem.response())?;
    let took_ms = clock::now_ms().saturating_sub(began);
    metrics::answered(route, answer.status_code(), took_ms);
    reply::seal(answer, &call.config.origins, &caller)
}

/// The macro logs a handler's error; this one has none.
#[allow(clippy::disallowed_macros)]
mod consumer {
    use worker::{Context, Env, MessageBatch, event};

    #[event(queue)]
    async fn queue(batch: MessageBatch<String>, env: Env, _: Context) -> worker::Result<()> {
        crate::events::consume(&batch, &env).await;
        Ok(())
    }
}
