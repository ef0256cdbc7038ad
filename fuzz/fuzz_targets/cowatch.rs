//! A co-watch file. The item table has the number of rows that it states.
#![no_main]

use recsys_core::cowatch::CoWatch;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let stated = data.get(16..).and_then(<[u8]>::first_chunk);
    let videos = u32::from_le_bytes(stated.copied().unwrap_or_default()) as usize;
    let file = recsys_fuzz::of_own_length(data);
    if let Ok(lists) = CoWatch::open(file.clone(), videos) {
        recsys_fuzz::holds::co_watch(&lists, videos, file.as_slice());
    }
});
