//! The manifest of a model directory: written anew it reads the same.
#![no_main]

use recsys_core::clip::model::Model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(model) = Model::parse(data) {
        let written = serde_json::to_vec(&model).expect("what was read can be written");
        assert_eq!(Model::parse(&written).expect("what was written"), model);
    }
});
