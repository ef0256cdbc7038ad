//! The CLIP encoder as a worker of its own: it answers the recommendations' worker alone, over a service binding.
//!
//! `POST /text` `{"text": …}` and `POST /image` (a JPEG, PNG, WebP or GIF) → `{"model": sha256, "vector": […]}`, a unit
//! vector; `GET /health` → `{"memoryBytes": …}`, of a module whose model can be loaded. What the model cannot encode is refused
//! with 422 and a `detail`, which quotes nothing of what was sent. Nothing is logged, and nothing of a request is kept.

mod fault;
mod files;
mod model;

use fault::Fault;
use recsys_core::clip::picture::Picture;
use recsys_core::json::{self, FromJson, Json, JsonError};
use worker::{Context, Env, Method, Request, Response, event};

struct TextBody {
    text: String,
}

impl<'a> FromJson<'a> for TextBody {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["text"], |fields| {
            let text = fields.get("text")?;
            Ok(Self { text })
        })
    }
}

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _: Context) -> worker::Result<Response> {
    let mut response = match answer(&mut request, &env).await {
        Ok(response) => response,
        Err(Fault::Input(detail)) => {
            Response::from_json(&serde_json::json!({ "detail": detail }))?.with_status(422)
        }
        Err(Fault::Model(detail)) => {
            Response::from_json(&serde_json::json!({ "detail": detail }))?.with_status(503)
        }
    };
    response.headers_mut().set("cache-control", "no-store")?;
    Ok(response)
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
            let bytes = received(request).await?;
            let body: TextBody =
                json::read_bytes(&bytes).map_err(|error| Fault::Input(error.without_values()))?;
            encoders.encode_text(env, &body.text).await?
        }
        ("/image", Method::Post) => {
            let bytes = received(request).await?;
            let picture = Picture::decode(&bytes, &encoders.picture_limits());
            let picture = picture.map_err(|error| Fault::Input(error.without_bytes()))?;
            encoders.encode_image(env, &picture).await?
        }
        _ => return Ok(Response::empty().map_err(Fault::from)?.with_status(404)),
    };
    let answer = serde_json::json!({ "model": encoders.sha256(), "vector": vector });
    Ok(Response::from_json(&answer)?)
}

/// The body. What the runtime says where it does not come is left out: it may quote what was sent.
async fn received(request: &mut Request) -> Result<Vec<u8>, Fault> {
    let bytes = request.bytes().await;
    bytes.map_err(|_| Fault::Input("the body did not come whole; send it again".to_owned()))
}

/// Bytes of the module's linear memory, which never shrinks.
fn memory_bytes() -> usize {
    const PAGE: usize = 64 << 10;
    core::arch::wasm32::memory_size(0) * PAGE
}
