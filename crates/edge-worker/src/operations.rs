//! What operators ask: whether the worker lives, whether it is ready, and what it has counted.

use crate::bundle::{self, Call, Loaded};
use crate::candidates::Milvus;
use crate::deadline::within;
use crate::engines::{Engine, Fault, Kind};
use crate::events;
use crate::metrics::{self, Text};
use crate::problem::Problem;
use crate::recommend::nothing_at_hand;
use crate::{encoder, reply, routes, settings, token};
use futures_util::future::{join, join3};
use serde_json::{Map, Value, json};
use std::future::Future;
use worker::js_sys::Date;
use worker::{Request, Response};

/// How long a part may take to say how it is, in milliseconds: all together must answer before a probe gives up.
const REPORT_MS: u64 = 1_500;
/// The variable that turns `/metrics` on.
const METRICS: &str = "METRICS_ENABLED";
/// The secret that reads it, where there is one.
const METRICS_TOKEN: &str = "METRICS_TOKEN";

/// `/healthz`: whether there is something to answer with, and how the parts are. With `?probe=live` only that the worker runs: a
/// restart would not bring a bundle that is missing.
///
/// # Errors
/// Nothing of the bundle is here.
pub async fn health(call: &Call<'_>, request: &Request) -> Result<Response, Problem> {
    let url = request.url()?;
    if url
        .query_pairs()
        .any(|pair| pair == ("probe".into(), "live".into()))
    {
        return Ok(reply::document(&json!({ "status": "ok" }))?);
    }
    let bundle = routes::loaded(call).await?;
    let own = call.config.own(bundle.manifest.segments.len());
    bundle::ensure(call, &bundle, &own, false).await;
    let at_hand = bundle.segments.borrow().at_hand().count();
    if at_hand == 0 && !own.is_empty() {
        return Err(nothing_at_hand(&bundle));
    }
    let encoder = async {
        match within(REPORT_MS, encoder::ready(call.env)).await {
            Some(true) => "ready",
            _ => "missing",
        }
    };
    let (encoder, mut engines, sink) = join3(encoder, engines(call, &bundle), sink(call)).await;
    if let Some(Ok(report)) = &sink {
        for (engine, fault) in report.engines() {
            engines.insert(engine.name().to_owned(), state(fault).into());
        }
    }
    let mut body = json!({
        "status": "ok",
        "bundle": bundle.id,
        "sequence": bundle.manifest.sequence,
        "items": bundle.manifest.items,
        "encoder": encoder,
        "engines": engines,
        "degraded": bundle.fault().or_else(bundle::refused),
        "segments": { "atHand": at_hand, "total": bundle.manifest.segments.len() },
        "memoryBytes": memory_bytes(),
    });
    if let Some(sink) = sink {
        body["events"] = sink.map_or_else(|fault| json!({ "fault": fault }), |report| report.to_json());
    }
    Ok(reply::document(&body)?)
}

/// How the event sink is, or what is wrong with its settings; `None` where there is none.
async fn sink(call: &Call<'_>) -> Option<Result<events::Report, String>> {
    match &call.config.events {
        Ok(None) => None,
        Ok(Some(settings)) => {
            let report = within(REPORT_MS, events::Report::of(call.env, settings)).await;
            Some(report.ok_or_else(|| "no answer in time".to_owned()))
        }
        Err(fault) => Some(Err(fault.clone())),
    }
}

/// The engines that are configured, each `ok` or what is wrong with it. None of them keeps the worker from being ready: it
/// answers without them.
async fn engines(call: &Call<'_>, bundle: &Loaded) -> Map<String, Value> {
    let milvus = async {
        let settings = call.config.milvus.as_ref()?;
        Some(reported(Engine::Milvus, Milvus::probe(call.env, settings, bundle)).await)
    };
    let redis = async {
        let redis = call.config.redis.as_ref()?;
        Some(reported(Engine::Redis, redis.probe()).await)
    };
    let (milvus, redis) = join(milvus, redis).await;
    let all = [(Engine::Milvus, milvus), (Engine::Redis, redis)];
    let known = all
        .into_iter()
        .filter_map(|(engine, state)| Some((engine.name().to_owned(), state?.into())));
    known.collect()
}

/// How an engine is, in words: what it says of itself within the time that a report may take.
async fn reported(engine: Engine, probe: impl Future<Output = Result<(), Fault>>) -> String {
    let kind = Kind::Timeout;
    match within(REPORT_MS, probe).await {
        Some(probed) => state(probed.err()),
        None => state(Some(Fault { engine, kind })),
    }
}

fn state(fault: Option<Fault>) -> String {
    fault.map_or_else(|| "ok".to_owned(), |fault| fault.to_string())
}

/// `/metrics`.
///
/// # Errors
/// It is off, or a token is set and another one came.
pub async fn metrics(call: &Call<'_>, request: &Request) -> Result<Response, Problem> {
    if !settings::is_on(call.env, METRICS) {
        return Err(Problem::forbidden(format!(
            "metrics are off on this site; its owner turns them on with {METRICS}"
        )));
    }
    if settings::given(call.env, METRICS_TOKEN).is_some() {
        token::check(call.env, METRICS_TOKEN, request)?;
    }
    let mut text = Text::default();
    metrics::write(&mut text);
    write_bundle(&mut text, call).await;
    if let Some(Ok(report)) = sink(call).await {
        report.write(&mut text);
    }
    let body = text.into_string().into_bytes();
    Ok(reply::with_type(body, "text/plain; version=0.0.4", "no-store")?)
}

async fn write_bundle(text: &mut Text, call: &Call<'_>) {
    text.single(
        "recsys_memory_bytes",
        "gauge",
        "Memory of this isolate's module.",
        memory_bytes(),
    );
    let Ok(bundle) = bundle::current(call).await else {
        text.single("recsys_bundle_at_hand", "gauge", "1 where there is a bundle.", 0);
        return;
    };
    text.single("recsys_bundle_at_hand", "gauge", "1 where there is a bundle.", 1);
    let sequence = bundle.manifest.sequence;
    text.single(
        "recsys_bundle_sequence",
        "gauge",
        "Sequence of the bundle that is served.",
        sequence,
    );
    let created = Date::parse(&bundle.manifest.created) / 1_000.0;
    if created.is_finite() {
        let name = "recsys_bundle_created_timestamp_seconds";
        text.single(name, "gauge", "When the bundle that is served was made.", created);
    }
    let fault = u8::from(bundle.fault().is_some() || bundle::refused().is_some());
    text.single(
        "recsys_bundle_fault",
        "gauge",
        "1 where a part of the published bundle cannot be used.",
        fault,
    );
    let name = "recsys_segments";
    text.family(name, "gauge", "Segments of the bundle.");
    let at_hand = bundle.segments.borrow().at_hand().count();
    text.sample(name, "state=\"at_hand\"", at_hand);
    text.sample(name, "state=\"total\"", bundle.manifest.segments.len());
}

/// Linear memory of this instance, in bytes.
fn memory_bytes() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    return 0;
}
