//! Local mode: the browser searches and ranks by itself.
//!
//! Everybody fetches [`files`], whole and in one order, when the mode is entered. After that no recommendation, click
//! or explanation makes a request, so a server that keeps every request learns no more than that somebody entered the
//! mode. What a page fetches beside that, such as a film that is played, is outside this claim.

use crate::manifest::{FileEntry, Manifest, SegmentEntry};

/// What local mode promises.
pub const CLAIM: &str = "Catalogue, item table and ranker are fetched once, the same for everybody. After that \
    neither a click nor a recommendation sends anything.";

/// What is fetched after the manifest, in this order: the dictionaries, the tombstones where there are any, the files of
/// every segment, and the ranker where there is one.
pub fn files(manifest: &Manifest) -> impl Iterator<Item = &FileEntry> {
    let segments = manifest.segments.iter();
    [&manifest.dictionaries]
        .into_iter()
        .chain(&manifest.removed)
        .chain(segments.flat_map(SegmentEntry::files))
        .chain(&manifest.ranker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SearchSettings;

    #[test]
    fn the_files_are_those_of_the_manifest_in_its_order() {
        let entry = |stem: &str| FileEntry::of(stem, "bin", stem.as_bytes());
        let search = SearchSettings {
            ef: 64,
            flat_up_to: 5000,
        };
        let segment = |number: usize| SegmentEntry {
            rows: 1,
            home: 1,
            shard: entry(&format!("shard{number}")),
            items: entry(&format!("items{number}")),
            co_watch: (number > 0).then(|| entry("cowatch")),
            delta: false,
        };
        let segments = vec![segment(0), segment(1)];
        let mut manifest = Manifest::new(1, String::new(), 8, 2, search, entry("lists"), segments);
        let stems = |manifest: &Manifest| {
            let stem = |e: &FileEntry| e.file.split('-').next().map(str::to_owned);
            files(manifest).filter_map(stem).collect::<Vec<_>>()
        };
        let searched = ["shard0", "items0", "shard1", "items1", "cowatch"];
        assert_eq!(stems(&manifest), [&["lists"][..], &searched].concat());
        manifest.ranker = Some(entry("ranker"));
        manifest.removed = Some(entry("removed"));
        assert_eq!(
            stems(&manifest),
            [&["lists", "removed"][..], &searched, &["ranker"]].concat()
        );
    }
}
