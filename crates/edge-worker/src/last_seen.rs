//! The highest sequence that this data centre has served, kept in its cache, which outlives an isolate.
//!
//! A cache may forget at any time. Then an isolate that has just started believes the first manifest that it reads, and
//! the others go on from what they have at hand.

use crate::log::Line;
use crate::settings;
use worker::{Cache, Env, Headers, Response};

/// Nobody can ask for this name: it is no site's.
const PLACE: &str = "https://recsys.internal/last-seen/";
/// The variable that tells bundles apart which workers of one zone serve, for they share its cache.
const NAME: &str = "BUNDLE_NAME";
/// A year; a cache keeps nothing longer.
const KEEP: &str = "max-age=31536000";

/// Where the highest sequence of this worker's bundle is kept; `source` is the kind of its storage.
pub fn place(env: &Env, source: &str) -> String {
    let name = settings::text(env, NAME).unwrap_or_default();
    [PLACE, source, "/", &name].concat()
}

/// Refuses a sequence below the highest one seen.
///
/// # Errors
/// The sequence is lower.
pub async fn check(place: &str, found: u64) -> Result<(), String> {
    match read(place).await {
        Some(seen) if found < seen => Err(lower(seen, found)),
        _ => Ok(()),
    }
}

/// What is wrong with a lower sequence than one that was seen.
pub fn lower(seen: u64, found: u64) -> String {
    format!(
        "manifest.json: expected sequence {seen}, which was served before, or a higher one, found {found}; publish older \
        content with `recsys publish --as-new`"
    )
}

/// Remembers a sequence that is served. Where the cache fails, what was remembered stays.
pub async fn raise(place: &str, sequence: u64) {
    if read(place).await.is_some_and(|seen| seen >= sequence) {
        return;
    }
    let put = async {
        let headers = Headers::new();
        headers.set("cache-control", KEEP)?;
        let response = Response::from_bytes(sequence.to_string().into_bytes())?.with_headers(headers);
        Cache::default().put(place, response).await
    };
    if put.await.is_err() {
        Line::NotRemembered { sequence }.write();
    }
}

async fn read(place: &str) -> Option<u64> {
    let mut response = Cache::default().get(place, false).await.ok()??;
    response.text().await.ok()?.parse().ok()
}
