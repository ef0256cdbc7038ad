//! Local mode: the browser searches and ranks by itself.
//!
//! Everybody fetches [`files`], whole and in one order, when the mode is entered. After that no recommendation, click
//! or explanation makes a request, so a server that keeps every request learns no more than that somebody entered the
//! mode. What a page fetches beside that, such as a film that is played, is outside this claim.

use super::clusters::common_files;
use crate::manifest::{FileEntry, Manifest};

/// What local mode promises.
pub const CLAIM: &str = "Catalogue, item table and ranker are fetched once, the same for everybody. After that \
    neither a click nor a recommendation sends anything.";

/// What is fetched after the manifest: [`common_files`] of a catalogue that is not asked for in parts.
#[must_use]
pub fn files(manifest: &Manifest) -> Vec<&FileEntry> {
    common_files(manifest, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{SearchSettings, SegmentEntry};

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
            files(manifest).into_iter().filter_map(stem).collect::<Vec<_>>()
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
