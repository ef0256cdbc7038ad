//! The manifest of a model directory: what is accepted is within the limits that its fields state.
#![no_main]

use recsys_core::clip::model::Model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(model) = Model::parse(data) {
        assert!((8..=2048).contains(&model.dim) && (1..=1024).contains(&model.image.size));
        assert!((3..=77).contains(&model.text.context));
        assert!(model.image.std.iter().all(|deviation| *deviation > 0.0));
        for file in [Some(&model.image.tower), Some(&model.text.tower), model.text.tokens()].into_iter().flatten() {
            assert!(!file.file.contains(['/', '\\']) && !file.file.starts_with('.') && file.sha256.len() == 64);
        }
    }
});
