//! Tombstones. The manifest has the number of segments that they state.
#![no_main]

use recsys_core::removed::Removed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let stated = data.get(16..).and_then(<[u8]>::first_chunk);
    let segments = u32::from_le_bytes(stated.copied().unwrap_or_default()) as usize;
    let file = recsys_fuzz::of_own_length(data);
    if let Ok(removed) = Removed::open(file.clone(), segments) {
        recsys_fuzz::holds::removed(&removed, segments, file.as_slice());
    }
});
