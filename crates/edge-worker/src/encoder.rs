//! The encoder behind the service binding `ENCODER`; where `ENCODER_IMAGE` is bound too, pictures go there.

use crate::deadline::within;
use crate::problem::{Problem, Refusal};
use recsys_core::manifest::EncoderRef;
use serde::Deserialize;
use worker::{Env, Fetcher, Headers, Method, RequestInit, Response};

/// How long an answer may take; the first one includes loading the model.
const DEADLINE_MS: u64 = 10_000;

#[derive(Deserialize)]
struct Answer {
    model: String,
    vector: Vec<f32>,
}

/// The vector of a text.
pub async fn text(env: &Env, expected: Option<&EncoderRef>, text: &str) -> Result<Vec<f32>, Problem> {
    let body = serde_json::json!({ "text": text }).to_string();
    encode(env, expected, Service::Text, "application/json", body.as_bytes()).await
}

/// The vector of a picture file.
pub async fn picture(
    env: &Env,
    expected: Option<&EncoderRef>,
    bytes: &[u8],
    kind: &str,
) -> Result<Vec<f32>, Problem> {
    encode(env, expected, Service::Image, kind, bytes).await
}

/// For which of the two.
#[derive(Clone, Copy)]
enum Service {
    Text,
    Image,
}

impl Service {
    /// Where the encoder takes it.
    const fn path(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
        }
    }

    fn fetcher(self, env: &Env) -> Result<Fetcher, String> {
        let own = match self {
            Self::Text => None,
            Self::Image => env.service("ENCODER_IMAGE").ok(),
        };
        own.map_or_else(|| env.service("ENCODER"), Ok)
            .map_err(|_| "no encoder is bound to this worker".to_owned())
    }

    async fn ready(self, env: &Env) -> bool {
        call(env, self, "health", Method::Get, "", &[])
            .await
            .is_ok_and(|r| r.status_code() == 200)
    }
}

/// Whether each encoder that is bound answers.
pub async fn ready(env: &Env) -> bool {
    Service::Text.ready(env).await
        && (env.service("ENCODER_IMAGE").is_err() || Service::Image.ready(env).await)
}

async fn encode(
    env: &Env,
    expected: Option<&EncoderRef>,
    service: Service,
    kind: &str,
    body: &[u8],
) -> Result<Vec<f32>, Problem> {
    let Some(expected) = expected else {
        return Err(Problem::unavailable(
            "this bundle was made from vectors: words and pictures cannot be searched",
        ));
    };
    let mut response = call(env, service, service.path(), Method::Post, kind, body)
        .await
        .map_err(Problem::unavailable)?;
    match response.status_code() {
        200 => {}
        422 => {
            let refusal: Option<Refusal> = response.json().await.ok();
            return Err(Problem::refused(
                refusal.map_or_else(|| "refused by the encoder".to_owned(), |r| r.detail),
            ));
        }
        status => {
            return Err(Problem::unavailable(format!(
                "the encoder answered with status {status}"
            )));
        }
    }
    let answer: Answer = response
        .json()
        .await
        .map_err(|_| Problem::unavailable("the encoder's answer is not as expected"))?;
    if answer.model != expected.sha256 {
        return Err(Problem::unavailable(format!(
            "the encoder runs another model than made the bundle ({}); deploy both together",
            expected.name
        )));
    }
    Ok(answer.vector)
}

async fn call(
    env: &Env,
    service: Service,
    path: &str,
    method: Method,
    kind: &str,
    body: &[u8],
) -> Result<Response, String> {
    let encoder = service.fetcher(env)?;
    let mut init = RequestInit::new();
    init.with_method(method);
    if !kind.is_empty() {
        let headers = Headers::new();
        headers.set("content-type", kind).map_err(|e| e.to_string())?;
        init.with_headers(headers)
            .with_body(Some(worker::js_sys::Uint8Array::from(body).into()));
    }
    let answer = encoder.fetch(format!("http://encoder.local/{path}"), Some(init));
    match within(DEADLINE_MS, answer).await {
        Some(Ok(response)) => Ok(response),
        // The runtime's own words may quote what was sent.
        Some(Err(_)) => Err("the encoder failed".to_owned()),
        None => Err("the encoder did not answer in time".to_owned()),
    }
}
