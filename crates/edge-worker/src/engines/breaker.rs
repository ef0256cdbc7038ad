//! A circuit breaker an engine: after some failures in a row it is left alone for a while, then one request tries it.

use super::{Engine, Fault, Kind};
use crate::clock::now_ms;
use crate::deadline::within;
use crate::log::Line;
use std::cell::RefCell;
use std::future::Future;

/// Failures in a row after which an engine rests.
const FAILURES: u32 = 3;
/// The first rest, in milliseconds; it doubles with every try that fails.
const FIRST_REST_MS: u64 = 1_000;
/// The longest rest, in milliseconds.
const MAX_REST_MS: u64 = 30_000;
/// How long a try may take before another is let through, in milliseconds: one that was cut off never ends.
const TRY_MS: u64 = 10_000;

/// What is known of an engine. Times are in milliseconds of any clock that does not run backwards.
#[derive(Clone, Copy, Debug, Default)]
struct Breaker {
    failures: u32,
    rest_ms: u64,
    /// When it may be tried again; 0 where it does not rest.
    until_ms: u64,
}

/// As what a request asks an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// As one of many.
    Free,
    /// As the one that tries it after a rest.
    Try,
}

impl Breaker {
    /// Whether the engine may be asked now. Where it rests and its time is up, the one who asks is the one who tries.
    fn admits(&mut self, now_ms: u64, deadline_ms: u64) -> Option<Pass> {
        if !self.is_open() {
            return Some(Pass::Free);
        }
        if now_ms < self.until_ms {
            return None;
        }
        self.until_ms = now_ms.saturating_add(deadline_ms.max(TRY_MS));
        Some(Pass::Try)
    }

    /// Notes that it failed; true where it rests from now on. Those that had asked before it rested say nothing new.
    fn failed(&mut self, pass: Pass, now_ms: u64) -> bool {
        // Somebody else may have found it well meanwhile.
        let first = pass == Pass::Free || !self.is_open();
        if first {
            self.failures = self.failures.saturating_add(1);
            if self.is_open() || self.failures < FAILURES {
                return false;
            }
        }
        self.rest_ms = (self.rest_ms * 2).clamp(FIRST_REST_MS, MAX_REST_MS);
        self.until_ms = now_ms.saturating_add(self.rest_ms);
        first
    }

    /// Whether it rests.
    const fn is_open(&self) -> bool {
        self.until_ms != 0
    }
}

thread_local! {
    static BREAKERS: RefCell<[Breaker; Engine::ALL.len()]> = RefCell::default();
}

fn with<T>(engine: Engine, change: impl FnOnce(&mut Breaker) -> T) -> T {
    BREAKERS.with_borrow_mut(|all| change(&mut all[engine as usize]))
}

/// Whether an engine is left alone at present.
pub fn is_open(engine: Engine) -> bool {
    with(engine, |breaker| breaker.is_open())
}

/// Asks an engine: within a deadline, and not at all while it rests. Faults are counted, and the first of a row that makes it
/// rest is logged.
///
/// # Errors
/// What is wrong with it.
pub async fn guarded<T>(
    engine: Engine,
    deadline_ms: u64,
    work: impl Future<Output = Result<T, Kind>>,
) -> Result<T, Fault> {
    let Some(pass) = with(engine, |breaker| breaker.admits(now_ms(), deadline_ms)) else {
        return Err(Fault::counted(engine, Kind::Resting));
    };
    let answer = within(deadline_ms, work).await.unwrap_or(Err(Kind::Timeout));
    match answer {
        Ok(value) => {
            if with(engine, |breaker| std::mem::take(breaker).is_open()) {
                Line::EngineBack { engine }.write();
            }
            Ok(value)
        }
        Err(kind) => {
            if !kind.is_outage() {
                // It answers, and what it says of one request says nothing of others.
                with(engine, |breaker| *breaker = Breaker::default());
            } else if with(engine, |breaker| breaker.failed(pass, now_ms())) {
                Line::EngineRests { engine, kind }.write();
            }
            Err(Fault::counted(engine, kind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // An answer makes a breaker anew.
    #[test]
    fn three_failures_make_it_rest_and_one_at_a_time_tries_it() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(Pass::Free, 0));
        breaker = Breaker::default();
        assert!(!breaker.failed(Pass::Free, 1) && !breaker.failed(Pass::Free, 2));
        assert_eq!(breaker.admits(2, 0), Some(Pass::Free));
        assert!(breaker.failed(Pass::Free, 3), "the third of a row");
        assert!(
            !breaker.failed(Pass::Free, 4),
            "it had been asked before it rested"
        );
        assert_eq!(breaker.admits(1_002, 0), None);
        assert_eq!(breaker.admits(1_003, 0), Some(Pass::Try), "its time is up");
        assert_eq!(breaker.admits(1_004, 0), None, "somebody tries it already");
        assert!(!breaker.failed(Pass::Try, 1_010), "it rests already");
        assert_eq!(breaker.admits(3_009, 0), None, "twice as long");
        assert_eq!(breaker.admits(3_010, 0), Some(Pass::Try));
        breaker = Breaker::default();
        assert!(!breaker.failed(Pass::Try, 3_011), "others have found it well");
        assert_eq!(breaker.admits(3_011, 0), Some(Pass::Free));
    }

    #[test]
    fn a_rest_has_an_end_and_so_has_a_try() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|now| drop(breaker.failed(Pass::Free, now)));
        (3..100).for_each(|now| drop(breaker.failed(Pass::Try, now)));
        assert_eq!(breaker.admits(99 + MAX_REST_MS - 1, 0), None);
        assert_eq!(breaker.admits(99 + MAX_REST_MS, 0), Some(Pass::Try));
        // The try was cut off with its request.
        assert_eq!(breaker.admits(99 + MAX_REST_MS + TRY_MS, 0), Some(Pass::Try));
        breaker.failed(Pass::Try, u64::MAX);
        assert!(breaker.is_open());
    }
}
