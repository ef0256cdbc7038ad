//! The CLIP encoder as a worker of its own: it answers the recommendations' worker alone, over a service binding.
//!
//! `POST /text` `{"text": …}` and `POST /image` (a JPEG, PNG, WebP or GIF) → `{"model": sha256, "vector": […]}`, a unit
//! vector; `GET /health` → `{"memoryBytes": …}`, of a module whose model can be loaded. What the model cannot encode is refused
//! with 422 and a `detail`.

mod fault;
mod files;
mod model;

use fault::Fault;
use serde::Deserialize;
use worker::{Context, Env, Method, Request, Response, event};

/// The most bytes of a picture that are decoded into memory.
const MAX_DECODED_BYTES: u64 = 48 << 20;

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
            encoders.encode_image(env, decode(&bytes)?).await?
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

/// A picture file as 8-bit RGB with its width and height.
fn decode(bytes: &[u8]) -> Result<(Vec<u8>, u32, u32), Fault> {
    let expected =
        |e: &dyn std::fmt::Display| Fault::Input(format!("expected a JPEG, PNG, WebP or GIF picture: {e}"));
    let mut reader = image::ImageReader::new(std::io::Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| expected(&e))?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let rgb = reader.decode().map_err(|e| expected(&e))?.into_rgb8();
    let (width, height) = rgb.dimensions();
    Ok((rgb.into_raw(), width, height))
}
