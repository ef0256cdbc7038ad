//! An added segment: a shard and an item table that need not fit each other. The first two bytes say where one ends.
#![no_main]

use recsys_core::items::dictionaries::Counts;
use recsys_core::manifest::{FileEntry, Manifest, SearchSettings, SegmentEntry};
use recsys_core::segment::{Segment, Segments, Slot};
use recsys_core::shard::Shard;
use std::sync::Arc;

fn number(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(field.copied().unwrap_or_default())
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, files)) = data.split_first_chunk() else {
        return;
    };
    let end = usize::from(u16::from_le_bytes(*length)).min(files.len());
    let (shard, items) = files.split_at(end);
    // The manifest states what the files do.
    let (rows, dim) = (number(items, 16), number(shard, 20));
    let entry = |stem: &str, bytes| FileEntry::of(stem, "bin", bytes);
    let entry = SegmentEntry {
        rows,
        home: rows,
        shard: entry("shard", shard),
        items: entry("items", items),
        co_watch: None,
        delta: true,
    };
    let counts = Counts {
        categories: 65_534,
        languages: 65_534,
        creators: 1 << 24,
        tags: 64,
    };
    let items = recsys_fuzz::of_own_length(items);
    let Ok(mut segment) = Segment::open(&entry, counts, items) else {
        return;
    };
    let _ = segment.add_shard(&entry, dim, recsys_fuzz::of_own_length(shard));
    // Of a shard that was refused the stated dimension may be anything.
    let dim = segment.shard().map_or(1, Shard::dim);
    let search = SearchSettings { ef: 8, flat_up_to: 2 };
    let lists = FileEntry::of("dictionaries", "bin", b"lists");
    let removed: Vec<u32> = (0..rows).filter(|row| row % 5 == 3).collect();
    let slot = Slot::new(Arc::new(segment), &entry, &removed).expect("rows of the table");
    let manifest = Manifest::new(1, String::new(), dim as u32, rows, search, lists, vec![entry]);
    let segments = Segments::new(&manifest, vec![Some(slot)], None);
    recsys_fuzz::holds::segments(&segments, &search, dim);
});
