//! A token table: it gives a row, all of it, for each token that it has, and none for others.
#![no_main]

use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::TokenTable;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(table) = TokenTable::open(AlignedBytes::copy_of(data)) {
        let mut row = Vec::new();
        for token in (0..300).chain(49_400..49_410).chain([u32::MAX]) {
            row.clear();
            let known = table.append(token, &mut row);
            assert_eq!(row.len(), if known { table.width() } else { 0 });
        }
    }
});
