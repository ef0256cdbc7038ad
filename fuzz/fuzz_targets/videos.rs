//! videos.jsonl, line by line.
#![no_main]

use recsys_core::catalogue::Video;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for line in data.split(|&byte| byte == b'\n') {
        if let Ok(video) = Video::parse(line) {
            recsys_fuzz::holds::video(&video, line);
        }
    }
});
