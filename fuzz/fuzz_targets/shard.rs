//! A shard: what opens is searched.
#![no_main]

use recsys_core::shard::Shard;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(shard) = Shard::open(recsys_fuzz::of_own_length(data)) {
        recsys_fuzz::holds::shard(&shard, recsys_fuzz::seed(data));
    }
});
