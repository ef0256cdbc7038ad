//! A picture file: what is decoded has the pixels that it says, within the limits.
#![no_main]

use recsys_core::clip::picture::{Picture, PictureLimits};

/// An input should take milliseconds.
const LIMITS: PictureLimits = PictureLimits {
    pixels: 1 << 18,
    memory: 8 << 20,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(picture) = Picture::decode(data, &LIMITS) {
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        assert!(pixels > 0 && pixels <= LIMITS.pixels);
        assert_eq!(picture.rgb.len() as u64, 3 * pixels);
    }
});
