//! Small valid files of every kind, made by the formats' own writers.

use recsys_core::bytes::AlignedBytes;
use recsys_core::candidates::{Answer, Source};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::cowatch::{self, CoWatchCounts};
use recsys_core::features::FEATURES;
use recsys_core::items::dictionaries::Dictionaries;
use recsys_core::items::{self, ItemRecord};
use recsys_core::manifest::{Cells, EncoderRef, FileEntry, Manifest, SearchSettings, SegmentEntry, Sprites};
use recsys_core::npy::Matrix;
use recsys_core::rng::SplitMix64;
use recsys_core::segment::{Filter, Segment, Segments, Slot, Wanted};
use recsys_core::shard::{Scratch, ShardParts};
use recsys_core::trees::{Activation, Builder, Split, Test, format};
use std::sync::Arc;

/// `videos` vectors of `dim` dimensions. With `layers` above 0 there is a graph: each layer half as long as the one below,
/// its nodes linked with those beside them and with one far off.
pub fn shard(videos: usize, dim: usize, layers: usize) -> Vec<u8> {
    let mut rng = SplitMix64::new(1);
    let number = |rng: &mut SplitMix64| rng.below(2001) as f32 / 1000.0 - 1.0;
    let mut vectors: Vec<f32> = (0..videos * dim).map(|_| number(&mut rng)).collect();
    for vector in vectors.chunks_exact_mut(dim) {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    let mut links = |node: usize, count: usize| -> Vec<u32> {
        let far = rng.below(count);
        let mut links = [(node + 1) % count, (node + count - 1) % count, far].to_vec();
        links.sort_unstable();
        links.dedup();
        links.retain(|&link| link != node);
        links.into_iter().map(|link| link as u32).collect()
    };
    let layers: Vec<Vec<Vec<u32>>> = (0..layers)
        .map(|level| (videos >> level).max(1))
        .map(|count| (0..count).map(|node| links(node, count)).collect())
        .collect();
    let parts = ShardParts {
        dim,
        mean: vec![0.05; dim],
        vectors,
        rows: (0..videos as u32).rev().collect(),
        links_per_node: if layers.is_empty() { (0, 0) } else { (4, 3) },
        layers,
    };
    parts.to_bytes()
}

/// An item table with every list in use, and with facts that are missing.
pub fn items(videos: usize) -> Vec<u8> {
    let record = |row: usize| ItemRecord {
        id: ItemId::new(format!("ü{}", videos - row)).unwrap(),
        facts: match row % 3 {
            0 => ItemFacts::unknown(),
            kind => ItemFacts {
                category: kind as u16 - 1,
                language: 0,
                creator: kind as u32 - 1,
                tags: kind as u64,
                duration_s: 30.5,
                uploaded_day: 20_000.0 + row as f32,
                impressions: 100.0,
                clicks: row as f32,
                popularity: 1.5 * row as f32,
            },
        },
        min_age: (!row.is_multiple_of(3)).then_some(6),
        cell: if row.is_multiple_of(2) {
            row as u32
        } else {
            items::NO_CELL
        },
        card: format!(r#"{{"name":"Füchse {row}","creator":"Ada"}}"#),
    };
    let records: Vec<ItemRecord> = (0..videos).map(record).collect();
    items::to_bytes(&records, lists().counts())
}

fn lists() -> Dictionaries {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Dictionaries {
        categories: texts(&["Animals", "Space"]),
        languages: texts(&["en"]),
        creators: texts(&["Ada", "Zoë"]),
        tags: texts(&["calm", "night"]),
    }
}

/// What the codes of [`items`] name.
pub fn dictionaries() -> Vec<u8> {
    lists().to_bytes()
}

/// Tombstones of the rows 1 and 3 of the first of so many segments.
pub fn removed(segments: usize) -> Vec<u8> {
    let rows = |segment| if segment == 0 { vec![1, 3] } else { Vec::new() };
    recsys_core::removed::to_bytes(&(0..segments).map(rows).collect::<Vec<_>>())
}

/// Viewers who each chose some videos in a row.
pub fn co_watch(videos: usize) -> Vec<u8> {
    let mut counts = CoWatchCounts::new(videos);
    for viewer in 0..videos {
        for row in viewer..(viewer + 3).min(videos) {
            counts.choose(row, viewer..row);
        }
    }
    let name = |row: usize| row as u32 * 7;
    cowatch::to_bytes((0..videos).map(|row| cowatch::named(counts.neighbours(row), name)))
}

/// A ranker of three trees over the program's own features, with covers.
pub fn ranker() -> Vec<u8> {
    let names = FEATURES.iter().map(|feature| feature.name.to_owned()).collect();
    let mut builder = Builder::new(FEATURES.len(), names, Activation::Logistic.into(), vec![0.25]).unwrap();
    let set = builder.add_set(&[0b101, 1 << 31]).unwrap();
    let numerical = |feature, threshold| Split {
        feature,
        test: Test::AtMost {
            threshold,
            zero_is_missing: feature == 1,
        },
        missing_left: true,
    };
    let categorical = Split {
        feature: 2,
        test: Test::In {
            set,
            truncates_negative: true,
        },
        missing_left: false,
    };
    for split in [numerical(0, 0.5), numerical(1, f32::INFINITY), categorical] {
        builder.split(split).unwrap();
        builder.split(numerical(FEATURES.len() - 1, -0.25)).unwrap();
        builder.covered_leaf(-0.5, 9.0).unwrap();
        builder.covered_leaf(0.25, 300.0).unwrap();
        builder.covered_leaf(1.0, 20.0).unwrap();
    }
    builder.end_class().unwrap();
    format::to_bytes(&builder.finish().unwrap())
}

/// Candidates with everything that the wire carries.
pub fn candidates(videos: usize, dim: usize, degraded: Option<&str>) -> Vec<u8> {
    let open = |bytes: &[u8]| AlignedBytes::copy_of(bytes);
    let (shard, items, co_watch) = (shard(videos, dim, 0), items(videos), co_watch(videos));
    let entry = segment(videos, [&shard, &items, &co_watch]);
    let manifest = manifest(videos, dim, vec![entry.clone()]);
    let mut segment = Segment::open(&entry, lists().counts(), open(&items)).unwrap();
    segment.add_shard(&entry, dim as u32, open(&shard)).unwrap();
    segment.add_co_watch(open(&co_watch)).unwrap();
    let slot = Slot::new(Arc::new(segment), &entry, &[]).unwrap();
    let segments = Segments::new(&manifest, vec![Some(slot)], None);
    let wanted = Wanted {
        k: videos,
        filter: &Filter::default(),
        exclude: &[],
    };
    let query = vec![0.5; dim];
    let nearest = segments.nearest(&query, &manifest.search, &wanted, &mut Scratch::default());
    Answer {
        dim,
        entries: &nearest.unwrap().found,
        source: Source::Search,
        bundle: "0123456789abcdef",
        degraded,
    }
    .to_bytes()
}

/// The entry of a segment with these files: shard, item table and co-watch lists.
pub fn segment(videos: usize, [shard, items, co_watch]: [&[u8]; 3]) -> SegmentEntry {
    SegmentEntry {
        rows: videos as u32,
        home: videos as u32,
        shard: FileEntry::of("shard", "bin", shard),
        items: FileEntry::of("items", "bin", items),
        co_watch: Some(FileEntry::of("cowatch", "bin", co_watch)),
        delta: false,
    }
}

/// The manifest of some segments, with `videos` videos of `dim` dimensions.
pub fn manifest(videos: usize, dim: usize, segments: Vec<SegmentEntry>) -> Manifest {
    let search = SearchSettings {
        ef: 32,
        flat_up_to: 3,
    };
    let created = "2026-01-01T00:00:00Z".to_owned();
    let lists = FileEntry::of("dictionaries", "bin", &dictionaries());
    Manifest::new(3, created, dim as u32, videos as u32, search, lists, segments)
}

/// A manifest with every optional part, of files that nobody has.
pub fn full_manifest() -> Manifest {
    let policy = br#"{"lambda":0.8,"caps":{"perCreator":2},"freshness":{"weight":0.2,"halfLifeDays":7},
        "boosts":[{"category":"Animals","newerThanDays":30,"add":0.5}],"pins":[{"item":"v1","position":2}],
        "exploration":{"positions":[4],"pool":20,"rate":0.1}}"#;
    let experiments = r#"[{"name":"variety","salt":"s1","arms":[{"name":"a"},{"name":"b","weight":2,"policy":{"lambda":1}}]}]"#;
    let mut first = segment(5, [b"shard", b"items", b"co-watch"]);
    first.home = 4;
    let mut delta = segment(2, [b"more", b"items", b""]);
    delta.delta = true;
    delta.co_watch = None;
    let mut manifest = manifest(5, 16, vec![first, delta]);
    manifest.cells = Some(Cells {
        centroids: FileEntry::of("cells", "bin", b"cells"),
        segments: vec![0, 0],
        probes: 1,
        public: Vec::new(),
    });
    manifest.removed = Some(FileEntry::of("removed", "bin", &removed(2)));
    manifest.ranker = Some(FileEntry::of("ranker", "bin", b"ranker"));
    manifest.model_card = Some(FileEntry::of("card", "json", b"card"));
    manifest.sprites = Some(Sprites {
        columns: 2,
        rows: 2,
        width: 160,
        height: 90,
        sheets: [b"0", b"1"]
            .map(|sheet| FileEntry::of("sprites", "jpg", sheet))
            .to_vec(),
    });
    manifest.encoder = Some(EncoderRef {
        name: "mini-clip".to_owned(),
        sha256: "0".repeat(64),
    });
    manifest.policy = Some(recsys_core::policy::Settings::parse(policy).unwrap());
    manifest.policy_codes.categories.push(("Animals".to_owned(), 0));
    manifest.experiments = recsys_core::json::read(experiments).unwrap();
    manifest
}

/// A matrix of 3 × 4 numbers.
pub fn matrix() -> Matrix {
    Matrix {
        rows: 3,
        columns: 4,
        values: (0..12).map(|i| i as f32 / 4.0 - 1.0).collect(),
    }
}

/// A catalogue in the forms that schema.org allows.
pub const VIDEOS: &str = r#"{"id":"a","name":"A fox","creator":{"@type":"Person","name":"Ada"},"genre":["Animals","Snow"],"keywords":"fox, snow,FOX","duration":"PT1M30S","uploadDate":"2026-01-02T03:04:05Z","inLanguage":"en","interactionStatistic":[{"interactionType":"https://schema.org/LikeAction","userInteractionCount":3},{"interactionType":{"@type":"ViewAction"},"userInteractionCount":70.5}],"isFamilyFriendly":true,"contentRating":"FSK 12"}
{"id":"b","name":"Ünï","creator":["Zoë"],"genre":"Space","keywords":["x",{"name":"Y"}],"description":"\u00fc\ud83e\udd8a","thumbnailUrl":"b.jpg","contentUrl":"b.mp4","previewUrl":"b.png","interactionStatistic":{"interactionType":"WatchAction","userInteractionCount":1e3},"deep":[[{"n":-0.1}]],"contentRating":[{"ratingValue":16},"PG"]}
"#;
