//! A bundle of format 2 as it was written once, kept forever: two segments of a partition, one that was added, tombstones, a
//! signature. Made by `recsys index --shards 2 --probes 1 --flat-up-to 10`, `add` and `remove`, each with `--sign`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use recsys_core::bytes::AlignedBytes;
use recsys_core::envelope::{Envelope, PublicKey};
use recsys_core::items::dictionaries::{DictionaryFile, List};
use recsys_core::json;
use recsys_core::manifest::{FileEntry, Manifest};
use recsys_core::removed::Removed;
use recsys_core::segment::{Conditions, Filter, Nearest, Router, Segment, Segments, Slot, Wanted};
use recsys_core::shard::Scratch;
use std::path::PathBuf;
use std::sync::Arc;

const KEY: &str = "4d63a087a95a5a456bb27c392a5da366646980bd297ad329efb96b106a84bbca";

fn file(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bundle-v2");
    std::fs::read(folder.join(name)).unwrap()
}

fn checked(entry: &FileEntry) -> AlignedBytes {
    let bytes = file(&entry.file);
    entry.check(&bytes).unwrap();
    AlignedBytes::copy_of(&bytes)
}

struct Bundle {
    manifest: Manifest,
    dictionaries: DictionaryFile,
    segments: Segments,
}

fn open() -> Bundle {
    let bytes = file("manifest.json");
    let envelope = Envelope::parse(&bytes).unwrap();
    envelope.verify(&[PublicKey::parse(KEY).unwrap()]).unwrap();
    let manifest = Manifest::parse(envelope.manifest_bytes()).unwrap();
    let dictionaries = DictionaryFile::open(checked(&manifest.dictionaries)).unwrap();
    let count = manifest.segments.len();
    let removed = Removed::open(checked(manifest.removed.as_ref().unwrap()), count).unwrap();
    let slots = manifest.segments.iter().enumerate().map(|(number, entry)| {
        let mut segment = Segment::open(entry, dictionaries.counts(), checked(&entry.items)).unwrap();
        segment
            .add_shard(entry, manifest.dim, checked(&entry.shard))
            .unwrap();
        Some(Slot::new(Arc::new(segment), entry, removed.rows(number)).unwrap())
    });
    let slots = slots.collect();
    let cells = manifest.cells.as_ref().unwrap();
    let router = Router::open(cells, manifest.dim, checked(&cells.centroids)).unwrap();
    Bundle {
        segments: Segments::new(&manifest, slots, Some(router)),
        manifest,
        dictionaries,
    }
}

impl Bundle {
    /// What is near to a video, itself included.
    fn near(&self, id: &str, filter: &Filter, k: usize) -> Nearest<'_> {
        let vector = self.segments.find(std::iter::once(id))[0].vector().unwrap();
        let wanted = Wanted {
            k,
            filter,
            exclude: &[],
        };
        let (search, scratch) = (&self.manifest.search, &mut Scratch::default());
        self.segments
            .nearest(vector.as_slice(), search, &wanted, scratch)
            .unwrap()
    }
}

fn ids(nearest: &Nearest<'_>) -> Vec<String> {
    nearest
        .found
        .iter()
        .map(|located| located.id().to_owned())
        .collect()
}

#[test]
fn what_was_written_reads_as_it_was_meant() {
    let bundle = open();
    let manifest = &bundle.manifest;
    assert_eq!((manifest.sequence, manifest.dim, manifest.items), (3, 16, 40));
    let rows: Vec<_> = manifest
        .segments
        .iter()
        .map(|s| (s.rows, s.home, s.delta))
        .collect();
    assert_eq!(rows, [(23, 20, false), (27, 20, false), (2, 2, true)]);
    let lists = bundle.dictionaries.to_lists();
    assert_eq!(lists.categories, ["Animals", "Space", "Food", "Music"]);
    assert_eq!(
        (lists.languages, lists.tags),
        (
            vec!["de".to_owned(), "en".to_owned()],
            ["calm", "night", "animals", "food", "space"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    let v07 = bundle.segments.find(["v07"].into_iter())[0];
    let (items, row) = (v07.segment.items(), v07.hit.row as usize);
    let facts = items.facts(row);
    let name = |list, code| bundle.dictionaries.name(list, code);
    assert_eq!(name(List::Categories, facts.category.into()), Some("Space"));
    assert_eq!(name(List::Languages, facts.language.into()), Some("de"));
    assert_eq!(
        (facts.duration_s, facts.tags, items.min_age(row)),
        (59.0, 0b1_0010, Some(18))
    );
    assert!(items.card(row).contains("Video v07 – ü"));
}

#[test]
fn the_search_finds_what_it_found_then() {
    let bundle = open();
    let near = bundle.near("v07", &Filter::default(), 6);
    assert_eq!(ids(&near), ["v07", "v15", "v03", "v23", "v19", "v39"]);
    assert!(
        (near.found[1].hit.score - 0.858_135_8).abs() < 1e-3,
        "{:?}",
        near.found[1].hit
    );
    let near = bundle.near("new", &Filter::default(), 6);
    assert_eq!(ids(&near), ["new", "v08", "v20", "v12", "v28", "v16"]);
}

#[test]
fn what_was_removed_or_replaced_is_gone_and_filters_hold() {
    let bundle = open();
    assert!(bundle.segments.find(["v11"].into_iter()).is_empty());
    let all = bundle.near("v07", &Filter::default(), 100);
    assert_eq!((all.found.len(), all.missing), (40, 0));
    let v05: Vec<_> = all.found.iter().filter(|located| located.id() == "v05").collect();
    assert_eq!(v05.len(), 1, "the new one alone");
    let conditions: Conditions =
        json::read(r#"{"categories":["Space","Music"],"languages":["de"],"age":16}"#).unwrap();
    let nearest = bundle.near("v07", &conditions.resolve(&bundle.dictionaries), 100);
    let matching = nearest.matching.unwrap();
    assert_eq!((matching.videos, matching.complete), (nearest.found.len(), true));
    // Every third is of Space, every fourth from v01 on rated PG-13.
    let mut found = ids(&nearest);
    found.sort();
    assert_eq!(found, ["new", "v01", "v13", "v25", "v37"]);
}
