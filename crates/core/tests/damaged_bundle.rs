//! A damaged bundle: every cut and every flipped bit of every file is refused by the manifest. Where the manifest was made
//! to fit the damage, the file is refused by its reader, or is harmless: it opens within a bound of memory, and search,
//! look-up and ranking go on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bundle;

use bundle::{holds, small};
use ed25519_dalek::{Signer, SigningKey};
use peak_alloc::PeakAlloc;
use recsys_core::bytes::{AlignedBytes, Sink};
use recsys_core::candidates::{Answer, Candidates, Source};
use recsys_core::catalogue::{ItemFacts, ItemId, Video};
use recsys_core::envelope::{Envelope, PublicKey, Signature, message, seal};
use recsys_core::features::{Candidate, UserFeatures};
use recsys_core::items::ItemTable;
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::{Cells, FileEntry, Manifest, SegmentEntry, bundle_id};
#[cfg(not(target_family = "wasm"))]
use recsys_core::manifest::{MAX_BYTES, MAX_VALUES};
use recsys_core::npy::Matrix;
use recsys_core::policy::Settings;
use recsys_core::removed::Removed;
use recsys_core::rerank::{Page, Ranker, rerank};
use recsys_core::segment::{Filter, Located, Router, Segment, Segments, Slot, Wanted};
use recsys_core::session::{Click, Session};
use recsys_core::shard::{MAX_NODES, Scratch, Shard};
use recsys_core::vector::UnitVector;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
/// Held by every test here, so that none counts what another allocates.
static ALONE: Mutex<()> = Mutex::new(());

const VIDEOS: usize = 6;
const DIM: usize = 16;

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a reader may allocate beside the bytes that it is given: so many times their length, and so many bytes more.
struct Bound(usize, usize);

/// Texts of errors, and first steps of vectors.
const SMALL: usize = 2 << 10;
/// One bit for each row that an item table can have: a shard's rows are marked in them.
const ROWS: usize = MAX_NODES as usize / 8;

/// Runs a reader over a file. The threads of the test harness allocate too, now and then: what exceeds the bound is read
/// again.
fn bounded<T>(Bound(times, more): Bound, file: &AlignedBytes, read: impl Fn(AlignedBytes) -> T) -> T {
    let bound = times * file.len() + more;
    let mut tries = 0..10;
    loop {
        let copy = file.clone();
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let read = read(copy);
        let allocated = MEMORY.peak_usage().saturating_sub(before);
        if allocated <= bound {
            return read;
        }
        assert!(
            tries.next().is_some(),
            "{allocated} bytes were allocated for a file of {}",
            file.len()
        );
    }
}

/// Of one segment of cells, and of a delta without co-watch lists.
#[derive(Clone)]
struct Files {
    shard: Vec<u8>,
    items: Vec<u8>,
    co_watch: Vec<u8>,
    delta: [Vec<u8>; 2],
    centroids: Vec<u8>,
    dictionaries: Vec<u8>,
    removed: Vec<u8>,
    ranker: Vec<u8>,
}

impl Files {
    fn new() -> Self {
        Self {
            shard: small::shard(VIDEOS, DIM, 2),
            items: small::items(VIDEOS),
            co_watch: small::co_watch(VIDEOS),
            delta: [small::shard(1, DIM, 0), small::items(1)],
            centroids: small::shard(2, DIM, 0),
            dictionaries: small::dictionaries(),
            removed: small::removed(2),
            ranker: small::ranker(),
        }
    }

    fn manifest(&self) -> Manifest {
        let [shard, items] = &self.delta;
        let segments = vec![
            small::segment(VIDEOS, [&self.shard, &self.items, &self.co_watch]),
            SegmentEntry {
                co_watch: None,
                delta: true,
                ..small::segment(1, [shard, items, b""])
            },
        ];
        let mut manifest = small::manifest(VIDEOS - 1, DIM, segments);
        manifest.dictionaries = FileEntry::of("dictionaries", "bin", &self.dictionaries);
        manifest.cells = Some(Cells {
            centroids: FileEntry::of("cells", "bin", &self.centroids),
            segments: vec![0, 0],
            probes: 1,
            public: Vec::new(),
        });
        manifest.removed = Some(FileEntry::of("removed", "bin", &self.removed));
        manifest.ranker = Some(FileEntry::of("ranker", "bin", &self.ranker));
        manifest.policy =
            Some(Settings::parse(br#"{"lambda":0.5,"pins":[{"item":"\u00fc2","position":1}]}"#).unwrap());
        manifest
    }

    /// The file that an entry of some manifest names.
    fn fetch(&self, names: &Manifest, entry: &FileEntry) -> Result<AlignedBytes, String> {
        let [shard, items] = &self.delta;
        let files = [
            &self.shard,
            &self.items,
            &self.co_watch,
            shard,
            items,
            &self.centroids,
            &self.dictionaries,
            &self.removed,
            &self.ranker,
        ];
        let mut named = names.files().zip(files);
        let found = named.find(|(own, _)| own.file == entry.file);
        let (_, bytes) = found.ok_or_else(|| format!("{}: no such file", entry.file))?;
        entry.check(bytes).map_err(|error| error.to_string())?;
        Ok(AlignedBytes::copy_of(bytes))
    }
}

/// The publisher's key.
fn secret() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn public() -> PublicKey {
    PublicKey::from_bytes(secret().verifying_key().to_bytes()).unwrap()
}

/// `manifest.json` of a manifest, signed by the publisher.
fn signed(manifest: &[u8]) -> Vec<u8> {
    let bytes = secret().sign(&message(manifest)).to_bytes();
    let key = public().id();
    seal(manifest, &[Signature { key, bytes }])
}

/// What a reader serves from.
struct Bundle {
    manifest: Manifest,
    dictionaries: DictionaryFile,
    removed: Removed,
    segments: Segments,
    ranker: Ranker,
}

/// Opens a bundle as the edge and the browser do where they trust the publisher's key; `names` is the manifest that the files
/// were published with.
fn open_signed(file: &[u8], files: &Files, names: &Manifest) -> Result<Bundle, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let file = AlignedBytes::copy_of(file);
    // The tree of the signatures, and the message that they sign.
    let manifest = bounded(Bound(1, 8 * SMALL), &file, |file| {
        let envelope = Envelope::parse(file.as_slice()).map_err(|e| text(&e))?;
        envelope.verify(&[public()]).map_err(|e| text(&e))?;
        Ok::<_, String>(envelope.manifest_bytes().to_vec())
    })?;
    open(&manifest, files, names)
}

/// As [`open_signed`], of a manifest that was accepted.
fn open(manifest: &[u8], files: &Files, names: &Manifest) -> Result<Bundle, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let file = AlignedBytes::copy_of(manifest);
    let manifest =
        bounded(Bound(8, SMALL), &file, |file| Manifest::parse(file.as_slice())).map_err(|e| text(&e))?;
    let fetch = |entry: Option<&FileEntry>| files.fetch(names, entry.ok_or("not named")?);
    let file = fetch(Some(&manifest.dictionaries))?;
    let dictionaries = bounded(Bound(0, SMALL), &file, DictionaryFile::open).map_err(|e| text(&e))?;
    let file = fetch(manifest.removed.as_ref())?;
    let count = manifest.segments.len();
    let removed = bounded(Bound(0, SMALL), &file, |file| Removed::open(file, count)).map_err(|e| text(&e))?;
    let mut slots = Vec::new();
    for (number, entry) in manifest.segments.iter().enumerate() {
        let file = fetch(Some(&entry.items))?;
        let counts = dictionaries.counts();
        let segment = bounded(Bound(1, SMALL), &file, |file| Segment::open(entry, counts, file));
        let mut segment = segment.map_err(|e| text(&e))?;
        let file = fetch(Some(&entry.shard))?;
        let dim = manifest.dim;
        bounded(Bound(1, SMALL + ROWS), &file, |file| {
            segment.clone().add_shard(entry, dim, file)
        })
        .map_err(|e| text(&e))?;
        segment.add_shard(entry, dim, file).map_err(|e| text(&e))?;
        if entry.co_watch.is_some() {
            let file = fetch(entry.co_watch.as_ref())?;
            segment.add_co_watch(file).map_err(|e| text(&e))?;
        }
        let slot = Slot::new(Arc::new(segment), entry, removed.rows(number));
        slots.push(Some(slot.map_err(|e| text(&e))?));
    }
    let cells = manifest.cells.as_ref().ok_or("no cells")?;
    let router = Router::open(cells, manifest.dim, fetch(Some(&cells.centroids))?).map_err(|e| text(&e))?;
    let file = fetch(manifest.ranker.as_ref())?;
    let ranker = bounded(Bound(16, SMALL), &file, |file| {
        Ranker::from_bytes(file.as_slice())
    })
    .map_err(|e| text(&e))?;
    Ok(Bundle {
        segments: Segments::new(&manifest, slots, Some(router)),
        manifest,
        dictionaries,
        removed,
        ranker,
    })
}

struct ToldOnPanic<'a>(&'a str);

impl Drop for ToldOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

impl Bundle {
    /// Answers a request of every kind; says how the bundle was damaged where that fails.
    fn serve(&self, how: &str, files: &Files) {
        let _told = ToldOnPanic(how);
        holds::manifest(&self.manifest);
        holds::dictionaries(&self.dictionaries, &files.dictionaries);
        holds::removed(&self.removed, 2, &files.removed);
        holds::segments(&self.segments, &self.manifest.search, DIM);
        let tables = [&files.items, &files.delta[1]];
        for ((_, slot), table) in self.segments.at_hand().zip(tables) {
            let segment = slot.segment();
            holds::shard(segment.shard().unwrap(), 1);
            holds::items(segment.items(), table);
            if let Some(lists) = segment.co_watch() {
                holds::co_watch(lists, segment.items().len(), &files.co_watch);
            }
        }
        let filter = Filter {
            languages: Some(vec![0]),
            age: Some(18),
            ..Filter::default()
        };
        for filter in [Filter::default(), filter] {
            let wanted = Wanted {
                k: VIDEOS,
                filter: &filter,
                exclude: &["ü1"],
            };
            let (query, scratch) = ([0.5; DIM], &mut Scratch::default());
            let nearest = self
                .segments
                .nearest(&query, &self.manifest.search, &wanted, scratch);
            self.send(&nearest.unwrap().found);
            self.send(&self.segments.popular(&wanted).found);
        }
        self.send(&self.segments.find(self.manifest.pinned()));
    }

    fn send(&self, hits: &[Located<'_>]) {
        let answer = Answer {
            dim: DIM,
            entries: hits,
            source: Source::Personal,
            bundle: "b",
            degraded: None,
        };
        let sent = Candidates::parse(&answer.to_bytes()).unwrap();
        assert_eq!(format!("{sent:?}"), format!("{:?}", answer.collect()));
        holds::candidates(&sent);
        self.rank(&sent);
    }

    fn rank(&self, candidates: &Candidates) {
        let mut session = Session::new();
        let click = Click {
            item: ItemId::new("clicked").unwrap(),
            ts_ms: 0,
            vector: UnitVector::new(vec![1.0; DIM]).unwrap(),
            facts: ItemFacts::unknown(),
            neighbours: self.segments.get(0).unwrap().segment().neighbours(0),
            after_search: false,
            watch_seconds: Some(3.0),
        };
        session.click(click).unwrap();
        let list: Vec<Candidate<'_>> = candidates
            .list
            .iter()
            .map(|candidate| Candidate {
                item: &candidate.id,
                facts: &candidate.facts,
                card: &candidate.card,
                vector: &candidate.vector,
            })
            .collect();
        let settings = self.manifest.policy.clone().unwrap_or_default();
        let (policy, _) = settings.resolve(&self.manifest.policy_codes);
        let page = Page {
            policy: &policy,
            k: VIDEOS,
            seed: 1,
        };
        let ranked = rerank(
            &session,
            &UserFeatures::default(),
            1,
            &list,
            Some(&self.ranker),
            &page,
        )
        .unwrap();
        let mut indices: Vec<usize> = ranked.iter().map(|ranked| ranked.index).collect();
        indices.sort_unstable();
        assert!(indices.iter().copied().eq(0..list.len()), "{indices:?}");
        assert!(ranked.iter().all(|ranked| ranked.score.is_finite()), "{ranked:?}");
    }
}

/// Every cut of `bytes`, from no byte to all but one, and then every flipped bit.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let cuts = (0..bytes.len()).map(|end| (format!("cut at {end}"), bytes[..end].to_vec()));
    let flips = (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (format!("byte {}, bit {}", bit / 8, bit % 8), flipped)
    });
    cuts.chain(flips)
}

/// Damages one file in every way. Some flips a reader can't tell from what was meant: with fewer than `opens_at_least`,
/// harmlessness was not put to the test.
fn damage(file: fn(&mut Files) -> &mut Vec<u8>, opens_at_least: usize) {
    let _alone = alone();
    let good = Files::new();
    let published = good.manifest();
    let original = file(&mut good.clone()).clone();
    let mut opened = 0;
    for (how, bytes) in damaged(&original) {
        let is_cut = bytes.len() < original.len();
        let mut files = good.clone();
        *file(&mut files) = bytes;
        assert!(
            open(&published.to_bytes(), &files, &published).is_err(),
            "{how}, as it is"
        );
        let fitting = files.manifest();
        let read = open_signed(&signed(&fitting.to_bytes()), &files, &fitting);
        assert!(!is_cut || read.is_err(), "{how}, with a fitting manifest");
        if let Ok(bundle) = read {
            bundle.serve(&how, &files);
            opened += 1;
        }
    }
    assert!(opened >= opens_at_least, "{opened}");
}

#[test]
fn every_cut_and_every_flip_of_a_shard_is_refused_or_harmless() {
    damage(|files| &mut files.shard, 500);
}

#[test]
fn every_cut_and_every_flip_of_an_item_table_is_refused_or_harmless() {
    damage(|files| &mut files.items, 500);
}

/// Found by fuzzing: a popularity of −0 beside one of 0.
#[test]
fn what_fuzzing_found_in_an_item_table_holds() {
    let _alone = alone();
    let file = AlignedBytes::copy_of(include_bytes!("fixtures/items/v3-negative-zero.bin"));
    holds::items(&ItemTable::open(file.clone()).unwrap(), file.as_slice());
    let before = AlignedBytes::copy_of(include_bytes!("fixtures/items/v2-negative-zero.bin"));
    assert_eq!(ItemTable::open(before).unwrap_err().what, "version");
}

#[test]
fn every_cut_and_every_flip_of_centroids_is_refused_or_harmless() {
    damage(|files| &mut files.centroids, 100);
}

#[test]
fn every_cut_and_every_flip_of_dictionaries_is_refused_or_harmless() {
    damage(|files| &mut files.dictionaries, 20);
}

#[test]
fn every_cut_and_every_flip_of_tombstones_is_refused_or_harmless() {
    damage(|files| &mut files.removed, 1);
}

#[test]
fn every_cut_and_every_flip_of_a_delta_is_refused_or_harmless() {
    damage(|files| &mut files.delta[0], 100);
    damage(|files| &mut files.delta[1], 100);
}

#[test]
fn every_cut_and_every_flip_of_a_co_watch_file_is_refused_or_harmless() {
    damage(|files| &mut files.co_watch, 100);
}

#[test]
fn every_cut_and_every_flip_of_a_ranker_is_refused_or_harmless() {
    damage(|files| &mut files.ranker, 100);
}

/// What anybody but the publisher changes is refused, or is white space around the manifest.
#[test]
fn every_cut_and_every_flip_of_a_signed_manifest_is_refused_or_changes_nothing() {
    let _alone = alone();
    let files = Files::new();
    let published = files.manifest();
    for (how, bytes) in damaged(&signed(&published.to_bytes())) {
        if let Ok(bundle) = open_signed(&bytes, &files, &published) {
            assert_eq!(bundle.manifest, published, "{how}");
        }
    }
}

/// Where no key is trusted, nothing holds the manifest to anything: its bytes name the bundle, and the files that it names
/// hold.
#[test]
fn every_cut_and_every_flip_of_a_manifest_is_refused_or_harmless() {
    let _alone = alone();
    let files = Files::new();
    let published = files.manifest();
    let original = published.to_bytes();
    let mut opened = 0;
    for (how, bytes) in damaged(&original) {
        assert_ne!(bundle_id(&bytes), bundle_id(&original));
        if let Ok(bundle) = open(&bytes, &files, &published) {
            let (own, read) = (published.files(), bundle.manifest.files());
            assert!(own.eq(read), "{how}: other files");
            let is_cut = bytes.len() < original.len();
            assert!(
                !is_cut || bundle.manifest == published,
                "{how}: a part of it was read"
            );
            bundle.serve(&how, &files);
            opened += 1;
        }
    }
    assert!(opened >= 100, "{opened}");
}

#[test]
fn every_cut_and_every_flip_of_candidates_is_refused_or_within_limits() {
    let _alone = alone();
    let original = small::candidates(VIDEOS, DIM, Some("no ranker"));
    let mut opened = 0;
    for (how, bytes) in damaged(&original) {
        let read = bounded(Bound(4, SMALL), &AlignedBytes::copy_of(&bytes), |file| {
            Candidates::parse(file.as_slice())
        });
        assert!(bytes.len() == original.len() || read.is_err(), "{how}");
        if let Ok(candidates) = read {
            let _told = ToldOnPanic(&how);
            holds::candidates(&candidates);
            opened += 1;
        }
    }
    assert!(opened >= 500, "{opened}");
}

#[test]
fn every_cut_and_every_flip_of_a_manifest_with_every_part_is_refused_or_holds() {
    let _alone = alone();
    let original = small::full_manifest().to_bytes();
    for (how, bytes) in damaged(&original) {
        let _told = ToldOnPanic(&how);
        if let Ok(manifest) = bounded(Bound(8, SMALL), &AlignedBytes::copy_of(&bytes), |file| {
            Manifest::parse(file.as_slice())
        }) {
            holds::manifest(&manifest);
        }
    }
}

#[test]
fn every_cut_and_every_flip_of_a_matrix_or_a_catalogue_is_refused_or_holds() {
    let _alone = alone();
    for (how, bytes) in damaged(&small::matrix().to_bytes()) {
        let _told = ToldOnPanic(&how);
        if let Ok(matrix) = bounded(Bound(1, SMALL), &AlignedBytes::copy_of(&bytes), |file| {
            Matrix::parse(file.as_slice())
        }) {
            holds::matrix(&matrix);
        }
    }
    for line in small::VIDEOS.lines() {
        for (how, bytes) in damaged(line.as_bytes()) {
            let _told = ToldOnPanic(&how);
            if let Ok(video) = bounded(Bound(16, SMALL), &AlignedBytes::copy_of(&bytes), |file| {
                Video::parse(file.as_slice())
            }) {
                holds::video(&video, &bytes);
            }
        }
    }
}

/// A value takes two bytes of text, but many more in the tree that the manifest is read from.
///
/// Natively alone: Node 20 (V8 11.3) crashes now and then where this one makes the memory of a WASI instance grow.
#[cfg(not(target_family = "wasm"))]
#[test]
fn a_manifest_of_values_alone_takes_no_more_than_32_mib() {
    let _alone = alone();
    for (value, count) in [
        ("0", MAX_BYTES / 2 - 1),
        ("0", MAX_VALUES - 2),
        (r#""":0"#, MAX_VALUES - 2),
    ] {
        let values = vec![value; count].join(",");
        let text = if value == "0" {
            format!("[{values}]")
        } else {
            format!("{{{values}}}")
        };
        let file = AlignedBytes::copy_of(text.as_bytes());
        let more = if count < MAX_VALUES { 32 << 20 } else { SMALL };
        let read = bounded(Bound(0, more), &file, |file| Manifest::parse(file.as_slice()));
        assert!(read.is_err(), "{value}, {count} times");
        for field in ["signatures", "version"] {
            let head = r#"{"format":"recsys-bundle","version":2"#;
            let head = head.replacen(field, "other", 1);
            let text = format!(r#"{head},"manifest":{{}},"{field}":{text}}}"#);
            let file = AlignedBytes::copy_of(&text.as_bytes()[..text.len().min(MAX_BYTES)]);
            let read = bounded(Bound(0, SMALL), &file, |file| {
                Envelope::parse(file.as_slice()).map(|_| ())
            });
            assert!(read.is_err(), "{field}: {value}, {count} times");
        }
    }
}

/// 2^24 nodes of 2,048 codes are 2^35 bytes, which is 0 in 32 bits: the reader multiplies with care.
#[test]
fn a_shard_of_more_codes_than_32_bits_can_count_is_refused() {
    let _alone = alone();
    let mut header = Sink::new(*b"RSHD", 1);
    for value in [MAX_NODES, 2048, 0, 0, 0] {
        header.u32(value);
    }
    header.raw(&[0; 12]);
    header.section(&[0f32; 2048]);
    let header = header.finish();
    let codes = header.len() + 2 * 4 * MAX_NODES as usize;
    let mut file = AlignedBytes::zeroed(codes);
    let bytes = file.as_mut_slice();
    bytes[..header.len()].copy_from_slice(&header);
    bytes[8..16].copy_from_slice(&(codes as u64).to_le_bytes());
    let rows = bytes[codes - 4 * MAX_NODES as usize..].chunks_exact_mut(4);
    for (row, field) in (0..MAX_NODES).zip(rows) {
        field.copy_from_slice(&row.to_le_bytes());
    }
    let error = bounded(Bound(0, SMALL + ROWS), &file, Shard::open).unwrap_err();
    assert_eq!((error.what, error.offset), ("codes", codes));
}
