//! Waiting, but not for ever.

use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use worker::Delay;

/// What comes within so many milliseconds; `None` where nothing does.
pub async fn within<T>(deadline_ms: u64, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(Delay::from(Duration::from_millis(deadline_ms)))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}
