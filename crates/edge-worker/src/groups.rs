//! Workers behind service bindings that hold the segments which this one does not.

use crate::config::Group;
use crate::deadline::within;
use crate::problem::Refusal;
use recsys_core::candidates::Reply;
use recsys_core::segment::Matching;
use serde::{Deserialize, Serialize};
use worker::{Env, Headers, Method, RequestInit, Response};

/// Names what an answer's body does not hold.
pub const FOUND_HEADER: &str = "x-recsys-found";

/// What another worker is asked. It is read in `query`, and has no `Debug`, so that no log can show one.
#[derive(Clone, Default, Serialize)]
pub struct Question {
    /// The bundle that is asked: segments of another have other numbers.
    pub bundle: String,
    /// The most videos.
    pub k: usize,
    /// Near to this vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// In these segments, and in its others where these have too few; none for their number alone.
    pub segments: Vec<usize>,
    /// These videos, as far as they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Vec<String>>,
    /// Conditions on every video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<serde_json::Value>,
    /// Ids that must not come.
    pub exclude: Vec<String>,
}

/// What an answer's body does not hold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Inner products computed.
    pub distances: usize,
    /// Whether a graph was walked.
    pub graph: bool,
    /// Segments that should have been asked and are not at hand.
    pub missing: usize,
    /// How many videos fit, where there is a filter.
    pub matching: Option<usize>,
    /// Whether these are all of its segments' videos.
    pub complete: bool,
}

impl Found {
    /// How many videos fit.
    pub fn matching(&self) -> Option<Matching> {
        let complete = self.complete;
        self.matching.map(|videos| Matching { videos, complete })
    }
}

/// Asks a group.
///
/// # Errors
/// It is not bound, does not answer within the deadline, refuses, or answers with what is no answer.
pub async fn ask(
    env: &Env,
    group: &Group,
    question: &Question,
    deadline_ms: u64,
) -> Result<(Reply, Found), String> {
    let name = &group.binding;
    match within(deadline_ms, fetch(env, name, question)).await {
        Some(answer) => answer.map_err(|error| format!("{name}: {error}")),
        None => Err(format!("{name}: no answer in time")),
    }
}

async fn fetch(env: &Env, name: &str, question: &Question) -> Result<(Reply, Found), String> {
    // The runtime's own words, and a service's, may quote what was sent.
    let failed = |_: worker::Error| "it failed".to_owned();
    let service = env
        .service(name)
        .map_err(|_| "it is not bound to this worker".to_owned())?;
    let body = serde_json::to_string(question).map_err(|_| "it cannot be asked this".to_owned())?;
    let headers = Headers::new();
    headers.set("content-type", "application/json").map_err(failed)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(body.into()));
    let answer = service.fetch("http://group.local/v1/segments", Some(init)).await;
    let mut answer: Response = answer.map_err(failed)?;
    if answer.status_code() != 200 {
        // A problem document says why; what another service may answer is not passed on.
        let refusal: Option<Refusal> = answer.json().await.ok();
        let detail = refusal.map(|refusal| [": ", &refusal.detail].concat());
        return Err(format!(
            "status {}{}",
            answer.status_code(),
            detail.unwrap_or_default()
        ));
    }
    let found = answer
        .headers()
        .get(FOUND_HEADER)
        .map_err(failed)?
        .unwrap_or_default();
    let found: Found = serde_json::from_str(&found)
        .map_err(|_| format!("its header {FOUND_HEADER} is not as expected; deploy both workers together"))?;
    let bytes = answer.bytes().await.map_err(failed)?;
    let reply = Reply::open(&bytes).map_err(|error| error.to_string())?;
    match reply.bundle() == question.bundle {
        true => Ok((reply, found)),
        false => Err(format!(
            "it answers from bundle {}, not {}",
            reply.bundle(),
            question.bundle
        )),
    }
}
