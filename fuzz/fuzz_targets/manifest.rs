//! A bundle's manifest, with its policy and experiments.
#![no_main]

use recsys_core::manifest::Manifest;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::parse(data) {
        recsys_fuzz::holds::manifest(&manifest);
    }
});
