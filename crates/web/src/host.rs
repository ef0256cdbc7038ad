//! The few globals that exist in every Web Worker: clocks, `fetch`, the console.

use js_sys::Promise;
use recsys_core::privacy::Random;
use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

#[wasm_bindgen]
extern "C" {
    /// Starts a request; the promise rejects where no answer comes.
    pub fn fetch(url: &str, init: &RequestInit) -> Promise;

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

/// Milliseconds of a clock that never goes back; only differences mean something.
pub fn stopwatch_ms() -> f64 {
    performance_now()
}

/// 64 random bits.
pub fn random_seed() -> u64 {
    let mut bytes = [0u8; 8];
    get_random_values(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The browser's secure randomness.
pub struct Secure;

impl Random for Secure {
    fn next_u64(&mut self) -> u64 {
        random_seed()
    }
}

/// 64 random bits as 16 hexadecimal digits.
pub fn random_name() -> String {
    format!("{:016x}", random_seed())
}

/// Tells the developer of the page what was put right without them.
pub fn warn(message: &str) {
    web_sys::console::warn_1(&JsValue::from_str(message));
}
