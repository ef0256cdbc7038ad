//! What Milvus gives back: the entry of a video, and what a collection says of itself.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recsys_core::candidates::{Answer, Candidates, Source};
use recsys_core::catalogue::ItemId;
use recsys_core::milvus::{Head, Stored};

const DIM: usize = 8;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let entry = STANDARD.encode(recsys_fuzz::of_own_length(data).as_slice());
    let _ = Head::read(&entry);
    let head = Head {
        contents: String::new(),
        items: 1,
        sequence: 1,
        mean: vec![0.25; DIM],
    };
    let id = ItemId::new("a").expect("an id");
    if let Ok(stored) = Stored::read(&head, id, Some(&[0.5; DIM]), &entry) {
        let answer = Answer {
            dim: DIM,
            entries: &[stored],
            source: Source::Personal,
            bundle: "b",
            degraded: None,
        };
        // What is accepted has to be an answer.
        let candidates = Candidates::parse(&answer.to_bytes()).expect("an answer");
        recsys_fuzz::holds::candidates(&candidates);
    }
});
