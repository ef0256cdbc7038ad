//! Candidates as they come over the wire.
#![no_main]

use recsys_core::candidates::Candidates;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(candidates) = Candidates::parse(recsys_fuzz::of_own_length(data).as_slice()) {
        recsys_fuzz::holds::candidates(&candidates);
    }
});
