//! The CLIP encoder as a worker of its own: it answers the recommendations' worker alone, over a service binding.
//!
//! `POST /text` `{"text": …}` and `POST /image` (a JPEG, PNG, WebP or GIF) → `{"model": sha256, "vector": […]}`, a unit
//! vector; `GET /health` → `{"memoryBytes": …}`, of a module whose model can be loaded. What the model cannot encode is refused
//! with 422 and a `detail`.

mod fault;
mod files;
mod model;

use fault::Fault;
use recsys_core::clip::picture::Picture;
use serde::Deserialize;
use worker::{Context, Env, Method, Request, Response, event};

#[derive(Deserialize)]
struct TextBody {
    text: String,
}

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _: Context) -> worker::Result<Response> {
    match answer(&mut request, &env).await {
        Ok(response) => Ok(response),
        Err(Fault::Input(detail)) => {
            Ok(Response::from_json(&serde_json::json!({ "detail": detail }))?.with_status(422))
        }
        Err(Fault::Model(detail)) => {
            Ok(Response::from_json(&serde_json::json!({ "detail": detail }))?.with_status(503))
        }
    }
}

async fn answer(request: &mut Request, env: &Env) -> Result<Response, Fault> {
    let encoders = model::encoders(env).await?;
    let vector = match (request.path().as_str(), request.method()) {
        ("/health", Method::Get) => {
            encoders.ready(env).await?;
            return Ok(Response::from_json(
                &serde_json::json!({ "memoryBytes": memory_bytes() }),
            )?);
        }
        ("/text", Method::Post) => {
            let body: TextBody = request.json().await.map_err(|e| Fault::Input(e.to_string()))?;
            encoders.encode_text(env, &body.text).await?
        }
        ("/image", Method::Post) => {
            let bytes = request.bytes().await.map_err(|e| Fault::Input(e.to_string()))?;
            let picture = Picture::decode(&bytes, &encoders.picture_limits());
            let picture = picture.map_err(|e| Fault::Input(e.to_string()))?;
            encoders.encode_image(env, &picture).await?
        }
        _ => return Ok(Response::empty().map_err(Fault::from)?.with_status(404)),
    };
    let answer = serde_json::json!({ "model": encoders.sha256(), "vector": vector });
    Ok(Response::from_json(&answer)?)
}

/// Bytes of the module's linear memory, which never shrinks.
fn memory_bytes() -> usize {
    const PAGE: usize = 64 << 10;
    core::arch::wasm32::memory_size(0) * PAGE
}
