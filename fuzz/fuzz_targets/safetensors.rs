//! Weights of a CLIP model: what is imported opens and encodes.
#![no_main]

use recsys_core::clip::import::hugging_face;
use recsys_fuzz::clip;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // As a file of its own, whose lengths may lie.
    let _ = hugging_face(&clip::files(data));
    if let Ok(model) = hugging_face(&clip::files(&clip::weights(data))) {
        clip::holds(&model);
    }
});
