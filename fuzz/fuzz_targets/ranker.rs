//! The ranker file. Its own length, which no mutation would get right, is put in.
#![no_main]

use recsys_core::trees::format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    let length = (bytes.len() as u64).to_le_bytes();
    if let Some(field) = bytes.get_mut(8..16) {
        field.copy_from_slice(&length);
    }
    if let Ok(model) = format::from_bytes(&bytes) {
        recsys_fuzz::check(&model, recsys_fuzz::seed(data));
    }
});
