//! Dictionaries: what opens is looked up name by name, and written anew.
#![no_main]

use recsys_core::items::dictionaries::DictionaryFile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = recsys_fuzz::of_own_length(data);
    if let Ok(lists) = DictionaryFile::open(file.clone()) {
        recsys_fuzz::holds::dictionaries(&lists, file.as_slice());
    }
});
