//! XGBoost's JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus {
    let is_json = matches!(data, [b'{', second, ..] if !b"iUIlL".contains(second));
    recsys_fuzz::import(data, is_json)
});
