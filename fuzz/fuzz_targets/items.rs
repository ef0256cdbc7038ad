//! An item table: what opens is looked up row by row, and written anew.
#![no_main]

use recsys_core::items::ItemTable;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = recsys_fuzz::of_own_length(data);
    if let Ok(table) = ItemTable::open(file.clone()) {
        recsys_fuzz::holds::items(&table, file.as_slice());
    }
});
