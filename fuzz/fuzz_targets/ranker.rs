//! The ranker file.
#![no_main]

use recsys_core::trees::format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(model) = format::from_bytes(recsys_fuzz::of_own_length(data).as_slice()) {
        recsys_fuzz::check(&model, recsys_fuzz::seed(data));
    }
});
