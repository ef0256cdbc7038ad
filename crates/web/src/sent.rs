//! The log of what left the browser.

use crate::host::now_ms;
use serde::Serialize;
use std::collections::VecDeque;

/// Requests kept, newest to stay.
const MAX: usize = 200;

/// One request as it was made.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Milliseconds since 1970-01-01 UTC.
    at: i64,
    method: &'static str,
    url: String,
    /// Length of the body.
    bytes: usize,
    /// The exact body as text; empty for GET, and for a picture.
    body: String,
    /// The same for people.
    words: String,
}

/// The newest requests, oldest first.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct SentLog(VecDeque<Sent>);

impl SentLog {
    /// Takes in a request, before it is made: of its body the text and the length in bytes.
    pub fn note(&mut self, method: &'static str, url: &str, (body, bytes): (&str, usize), words: &str) {
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back(Sent {
            at: now_ms(),
            method,
            url: url.to_owned(),
            bytes,
            body: body.to_owned(),
            words: words.to_owned(),
        });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
