//! LightGBM's model text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus {
    recsys_fuzz::import(data, data.starts_with(b"tree"))
});
