//! A tower: what opens encodes.
#![no_main]

use recsys_core::clip::tower::Tower;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(tower) = Tower::open(recsys_fuzz::of_own_length(data)) {
        recsys_fuzz::clip::run(&tower);
    }
});
