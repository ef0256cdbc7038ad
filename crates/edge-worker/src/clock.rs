//! The runtime's clock, which stands still on Cloudflare while a worker computes.

use worker::Date;

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> u64 {
    Date::now().as_millis()
}

/// The same as a signed number, as events and SQLite have times.
pub fn unix_ms() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}
