//! Local mode: the browser searches and ranks by itself.
//!
//! Everybody fetches [`files`], whole and in one order, when the mode is entered. After that no recommendation, click
//! or explanation makes a request, so a server that keeps every request learns no more than that somebody entered the
//! mode. What a page fetches beside that, such as a film that is played, is outside this claim.

use crate::manifest::{FileEntry, Manifest};

/// What local mode promises.
pub const CLAIM: &str = "Catalogue, item table and ranker are fetched once, the same for everybody. After that \
    neither a click nor a recommendation sends anything.";

/// What is fetched after the manifest, in this order: every shard, the item table, the ranker and the co-watch lists
/// where there are any.
pub fn files(manifest: &Manifest) -> impl Iterator<Item = &FileEntry> {
    manifest
        .shards
        .iter()
        .chain([&manifest.item_table])
        .chain(&manifest.ranker)
        .chain(&manifest.co_watch)
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
        let shards = vec![entry("shard0"), entry("shard1")];
        let mut manifest = Manifest::new(1, String::new(), 8, 2, search, shards, entry("items"));
        let stems = |manifest: &Manifest| {
            let stem = |e: &FileEntry| e.file.split('-').next().map(str::to_owned);
            files(manifest).filter_map(stem).collect::<Vec<_>>()
        };
        assert_eq!(stems(&manifest), ["shard0", "shard1", "items"]);
        manifest.ranker = Some(entry("ranker"));
        manifest.co_watch = Some(entry("cowatch"));
        assert_eq!(
            stems(&manifest),
            ["shard0", "shard1", "items", "ranker", "cowatch"]
        );
    }
}
