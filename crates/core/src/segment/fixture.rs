//! Small bundles for tests, made by the formats' own writers.

use super::{Router, Segment, Segments, Slot};
use crate::bytes::AlignedBytes;
use crate::catalogue::{ItemFacts, ItemId, id_hash};
use crate::cowatch::{self, Neighbour};
use crate::items::{self, ItemRecord, dictionaries::Counts};
use crate::manifest::{Cells, FileEntry, Manifest, SearchSettings, SegmentEntry};
use crate::rng::SplitMix64;
use crate::shard::ShardParts;
use std::sync::Arc;

pub const SEARCH: SearchSettings = SearchSettings {
    ef: 16,
    flat_up_to: 5,
};
pub const MEAN: f32 = 0.1;
pub const WEIGHT: u16 = 0x7b7b;
pub const COUNTS: Counts = Counts {
    categories: 4,
    languages: 2,
    creators: 0,
    tags: 8,
};

#[derive(Clone, Debug)]
pub struct Video {
    pub id: &'static str,
    pub facts: ItemFacts,
    pub min_age: Option<u8>,
    pub neighbours: Vec<&'static str>,
    /// It is at home in another segment.
    pub copy: bool,
}

impl Default for Video {
    fn default() -> Self {
        Self {
            id: "",
            facts: ItemFacts::unknown(),
            min_age: None,
            neighbours: Vec::new(),
            copy: false,
        }
    }
}

pub struct Bundle {
    pub manifest: Manifest,
    pub segments: Segments,
}

/// A cell that depends on the id alone.
pub fn cell(id: &str) -> u32 {
    id_hash(id) % 1000
}

/// A unit vector that depends on the id alone.
pub fn vector(dim: usize, id: &str) -> Vec<f32> {
    let mut rng = SplitMix64::new(id_hash(id).into());
    let values: Vec<f32> = (0..dim).map(|_| rng.below(2001) as f32 / 1000.0 - 1.0).collect();
    let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.iter().map(|x| x / norm).collect()
}

/// Segments of these videos, copies last; those of `graph` have a ring of links.
pub fn bundle(dim: usize, segments: &[&[Video]], graph: bool) -> Bundle {
    with_cells(dim, segments, graph, None)
}

/// As [`bundle`]; each cell is the direction of a video, and leads to a segment.
pub fn with_cells(
    dim: usize,
    segments: &[&[Video]],
    graph: bool,
    cells: Option<(&[(&str, u32)], u32)>,
) -> Bundle {
    let aligned = |bytes: &[u8]| AlignedBytes::copy_of(bytes);
    let (mut entries, mut open) = (Vec::new(), Vec::new());
    for videos in segments {
        let files = files(dim, videos, graph);
        let entry = |stem: &str, bytes: &[u8]| FileEntry::of(stem, "bin", bytes);
        let entry = SegmentEntry {
            rows: videos.len() as u32,
            home: videos.iter().filter(|video| !video.copy).count() as u32,
            shard: entry("shard", &files[0]),
            items: entry("items", &files[1]),
            co_watch: Some(entry("cowatch", &files[2])),
            delta: false,
        };
        let mut segment = Segment::open(&entry, COUNTS, aligned(&files[1])).unwrap();
        segment.add_shard(&entry, dim as u32, aligned(&files[0])).unwrap();
        segment.add_co_watch(aligned(&files[2])).unwrap();
        open.push(Some(Slot::new(Arc::new(segment), &entry, &[]).unwrap()));
        entries.push(entry);
    }
    let lists = FileEntry::of("dictionaries", "bin", b"lists");
    let items = entries.iter().map(|entry| entry.home).sum();
    let manifest = Manifest::new(1, String::new(), dim as u32, items, SEARCH, lists, entries);
    let router = cells.map(|(cells, probes)| {
        let centroids = ShardParts {
            dim,
            mean: vec![0.0; dim],
            vectors: cells.iter().flat_map(|(id, _)| vector(dim, id)).collect(),
            rows: (0..cells.len() as u32).collect(),
            ..ShardParts::default()
        };
        let bytes = centroids.to_bytes();
        let cells = Cells {
            centroids: FileEntry::of("cells", "bin", &bytes),
            segments: cells.iter().map(|(_, segment)| *segment).collect(),
            probes,
            public: Vec::new(),
        };
        Router::open(&cells, dim as u32, aligned(&bytes)).unwrap()
    });
    Bundle {
        segments: Segments::new(&manifest, open, router),
        manifest,
    }
}

/// The shard, the item table and the co-watch lists of some videos.
pub fn files(dim: usize, videos: &[Video], graph: bool) -> [Vec<u8>; 3] {
    let n = videos.len() as u32;
    let ring = |node: u32| vec![(node + 1) % n, (node + n - 1) % n];
    let shard = ShardParts {
        dim,
        mean: vec![MEAN; dim],
        vectors: videos.iter().flat_map(|video| vector(dim, video.id)).collect(),
        rows: (0..n).collect(),
        links_per_node: if graph { (2, 0) } else { (0, 0) },
        layers: graph.then(|| (0..n).map(ring).collect()).into_iter().collect(),
    };
    let record = |video: &Video| ItemRecord {
        id: ItemId::new(video.id).unwrap(),
        facts: video.facts,
        min_age: video.min_age,
        cell: cell(video.id),
        card: format!("{{\"name\":\"{}\"}}", video.id),
    };
    let records: Vec<ItemRecord> = videos.iter().map(record).collect();
    let neighbours = videos.iter().map(|video| {
        let neighbour = |id: &&str| Neighbour {
            item: id_hash(id),
            weight: WEIGHT,
        };
        video.neighbours.iter().map(neighbour).collect()
    });
    [
        shard.to_bytes(),
        items::to_bytes(&records, COUNTS),
        cowatch::to_bytes(neighbours),
    ]
}
