//! Refusals as problem documents (RFC 9457).

use serde::Deserialize;
use serde_json::json;
use worker::{Headers, Response};

/// The longest period that a rate limit of the runtime can have, in seconds: after it there is room again. The binding does
/// not say which of the two, 10 or 60, the owner took.
const RATE_LIMIT_PERIOD_S: &str = "60";

/// A refusal. Its detail quotes nothing of the request: it comes back over the wire, and what comes back may be logged.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
    allow: Option<&'static str>,
}

impl Problem {
    const fn new(status: u16, title: &'static str, detail: String) -> Self {
        Self {
            status,
            title,
            detail,
            allow: None,
        }
    }

    /// 400: not a request at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(400, "Malformed request", detail.into())
    }

    /// 422: well formed, but a value is not allowed.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(422, "Value not allowed", detail.into())
    }

    /// 401: no token, or another one.
    pub fn unauthorised() -> Self {
        let detail = "expected the site's token as `Authorization: Bearer …`".to_owned();
        Self::new(401, "Token expected", detail)
    }

    /// 403: this site does not do that.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, "Turned off", detail.into())
    }

    /// 404.
    pub fn not_found() -> Self {
        let detail = "there is nothing at this path; see docs/http-api.json for the paths".to_owned();
        Self::new(404, "Not found", detail)
    }

    /// 405, with the methods that are allowed.
    pub fn method(allow: &'static str) -> Self {
        let detail = format!("expected one of the methods {allow}, found another");
        Self {
            allow: Some(allow),
            ..Self::new(405, "Method not allowed", detail)
        }
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "Body too large", format!("a body has at most {limit} bytes"))
    }

    /// 415.
    pub fn media_type(expected: &str) -> Self {
        let detail = format!("expected {expected} as `Content-Type`, found another or none");
        Self::new(415, "Unsupported media type", detail)
    }

    /// 429: more requests than the owner allows, of all clients together.
    pub fn too_many() -> Self {
        let detail = "this path gets more requests than its owner allows; try again in a minute".to_owned();
        Self::new(429, "Too many requests", detail)
    }

    /// 503: a part that the answer needs is missing.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(503, "Part unavailable", detail.into())
    }

    /// The response.
    pub fn response(&self) -> worker::Result<Response> {
        let body = json!({
            "type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail,
        });
        let headers = Headers::new();
        headers.set("content-type", "application/problem+json")?;
        headers.set("cache-control", "no-store")?;
        if let Some(allow) = self.allow {
            headers.set("allow", allow)?;
        }
        match self.status {
            401 => headers.set("www-authenticate", "Bearer")?,
            429 => headers.set("retry-after", RATE_LIMIT_PERIOD_S)?,
            503 => headers.set("retry-after", "5")?,
            _ => {}
        }
        Ok(Response::from_bytes(body.to_string().into_bytes())?
            .with_status(self.status)
            .with_headers(headers))
    }
}

/// What of another worker's refusal is passed on.
#[derive(Deserialize)]
pub struct Refusal {
    /// Why.
    pub detail: String,
}

impl From<worker::Error> for Problem {
    /// What the runtime says is left out: it may quote what it was given.
    fn from(_: worker::Error) -> Self {
        Self::unavailable("the worker's runtime failed while it answered; try again")
    }
}
