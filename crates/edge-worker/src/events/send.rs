//! One request to Kafka's REST proxy.

use super::kafka::{Verdict, body, verdict};
use super::settings::Proxy;
use super::store::Row;
use crate::deadline::within;
use crate::engines::Kind;
use futures_util::StreamExt;
use std::cell::RefCell;
use worker::{
    AbortController, AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Result,
};

/// An answer is not read further than this, in bytes: 500 reports have some 150 KB.
const MAX_ANSWER_BYTES: usize = 1 << 22;

/// As much of an answer as came.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    bytes: Vec<u8>,
    complete: bool,
}

/// Sends records, and says what became of each.
pub async fn send(proxy: &Proxy, rows: &[Row]) -> Verdict {
    let answer = RefCell::new(Answer::default());
    let controller = AbortController::default();
    let signal = controller.signal();
    let finished = within(proxy.timeout_ms, receive(proxy, rows, &signal, &answer)).await;
    if finished.is_none() {
        controller.abort();
    }
    let Answer {
        status,
        bytes,
        complete,
    } = answer.take();
    let fault = match finished {
        None => Kind::Timeout,
        Some(_) => Kind::Unreachable,
    };
    match status {
        None => Verdict::unknown(rows.len(), fault),
        // What came before the connection broke counts.
        Some(status) => verdict(proxy.version, status, &bytes, complete, rows.len()),
    }
}

async fn receive(proxy: &Proxy, rows: &[Row], signal: &AbortSignal, answer: &RefCell<Answer>) -> Result<()> {
    let headers = Headers::new();
    headers.set("content-type", proxy.version.content_type())?;
    headers.set("accept", proxy.version.accept())?;
    if let Some(authorization) = &proxy.authorization {
        headers.set("authorization", authorization)?;
    }
    let records = rows.iter().map(|row| (row.viewer.as_str(), row.line.as_str()));
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body(proxy.version, records).into()));
    let request = Request::new_with_init(&proxy.url, &init)?;
    let mut response = Fetch::Request(request).send_with_signal(signal).await?;
    answer.borrow_mut().status = Some(response.status_code());
    // One without a body is complete.
    let Ok(mut stream) = response.stream() else {
        answer.borrow_mut().complete = true;
        return Ok(());
    };
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        let mut answer = answer.borrow_mut();
        if answer.bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Ok(());
        }
        answer.bytes.extend(chunk);
    }
    answer.borrow_mut().complete = true;
    Ok(())
}
