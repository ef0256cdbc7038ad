//! The CLIP encoder as a worker of its own: it answers the recommendations' worker alone, over a service binding.
//!
//! `POST /text` `{"text": …}` and `POST /image` (a JPEG, PNG, WebP or GIF) → `{"model": sha256, "vector": […]}`, a unit
//! vector; `GET /health`. What the model cannot encode is refused with 422 and a `detail`.

mod model;

use model::{Fault, Towers};
use recsys_core::clip::picture::{Picture, PictureLimits};
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
    let towers = model::towers(env).await?;
    let vector = match (request.path().as_str(), request.method()) {
        ("/health", Method::Get) => return reply(&towers, &[]),
        ("/text", Method::Post) => {
            let body: TextBody = request.json().await.map_err(|e| Fault::Input(e.to_string()))?;
            towers.encode_text(&body.text)?
        }
        ("/image", Method::Post) => {
            let bytes = request.bytes().await.map_err(|e| Fault::Input(e.to_string()))?;
            let picture = Picture::decode(&bytes, &PictureLimits::EDGE);
            let picture = picture.map_err(|e| Fault::Input(e.to_string()))?;
            towers.encode_image(env, &picture).await?
        }
        _ => return Ok(Response::empty().map_err(Fault::from)?.with_status(404)),
    };
    reply(&towers, &vector)
}

fn reply(towers: &Towers, vector: &[f32]) -> Result<Response, Fault> {
    Ok(Response::from_json(
        &serde_json::json!({ "model": towers.sha256(), "vector": vector }),
    )?)
}
