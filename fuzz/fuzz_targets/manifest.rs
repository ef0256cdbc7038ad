//! `manifest.json`: the envelope with its signatures, and the manifest with its policy and experiments.
#![no_main]

use recsys_core::envelope::{Envelope, seal};
use recsys_core::manifest::Manifest;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(envelope) = Envelope::parse(data) else {
        return;
    };
    // Nobody has signed it.
    assert!(envelope.verify(&[]).is_err());
    let again = seal(envelope.manifest_bytes(), envelope.signatures());
    assert_eq!(Envelope::parse(&again).as_ref(), Ok(&envelope));
    if let Ok(manifest) = Manifest::parse(envelope.manifest_bytes()) {
        recsys_fuzz::holds::manifest(&manifest);
    }
});
