//! A bundle on disk: opening, checking and writing it.

mod read;
mod segments;
mod write;

pub use segments::{Contents, Neighbours, Partitioning, public_weight, write_segment, write_segments};
pub use write::{BundleWriter, Replaced, Trainable, check_replaceable, is_bundle_file};

use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::cowatch::Neighbour;
use recsys_core::envelope::Envelope;
use recsys_core::items::ItemRecord;
use recsys_core::items::dictionaries::Dictionaries;
use recsys_core::manifest::{self, Manifest, SearchSettings};
use recsys_core::rerank::Ranker;
use recsys_core::segment::{Filter, Segment, Segments, Wanted};
use recsys_core::shard::{QueryError, Scratch, SearchStats, Shard};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// An open bundle: every file read, held to its hash and parsed.
pub struct Bundle {
    dir: PathBuf,
    id: String,
    manifest: Manifest,
    dictionaries: Dictionaries,
    segments: Segments,
    ranker: Option<Ranker>,
    rows: Rows,
}

/// The videos of a bundle in one order: those at home in the first segment that were not removed, then those of the next.
struct Rows {
    /// Segment, row in its item table and node of each video.
    places: Vec<Place>,
    /// By segment and row, the video's number among `places`; `NOWHERE` for copies and removed rows.
    numbers: Vec<Vec<u32>>,
}

#[derive(Clone, Copy)]
struct Place {
    segment: usize,
    row: usize,
    node: usize,
}

const NOWHERE: u32 = u32::MAX;

impl Rows {
    fn of(segments: &Segments) -> Self {
        let (mut places, mut numbers) = (Vec::new(), Vec::new());
        for (number, slot) in segments.at_hand() {
            let segment = slot.segment();
            let mut own = vec![NOWHERE; segment.items().len()];
            let mut nodes = vec![0; own.len()];
            let rows = segment.shard().map(|shard| shard.rows()).unwrap_or_default();
            for (node, row) in rows.iter().enumerate() {
                nodes[*row as usize] = node;
            }
            for (row, node) in nodes.iter().enumerate().take(segment.home()) {
                if slot.live().contains(row) {
                    own[row] = places.len() as u32;
                    places.push(Place {
                        segment: number,
                        row,
                        node: *node,
                    });
                }
            }
            numbers.push(own);
        }
        Self { places, numbers }
    }
}

/// A video found by a search.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its row.
    pub row: usize,
    /// Inner product with the unit query.
    pub score: f32,
}

impl Bundle {
    /// Opens the bundle in a folder.
    ///
    /// # Errors
    /// A file is missing, has another length or hash than the manifest says, or is refused by its reader.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(manifest::FILE_NAME);
        let bytes = std::fs::read(&path).with_context(|| {
            format!(
                "{}: cannot read it; expected a bundle, as `recsys index --out DIR` makes it",
                path.display()
            )
        })?;
        let envelope = Envelope::parse(&bytes).with_context(|| path.display().to_string())?;
        let bytes = envelope.manifest_bytes();
        let manifest = Manifest::parse(bytes).with_context(|| path.display().to_string())?;
        let (dictionaries, segments) = read::segments(dir, &manifest)?;
        let ranker = read::ranker(dir, &manifest)?;
        if let Some(entry) = &manifest.model_card {
            read::checked(dir, entry)?;
        }
        let rows = Rows::of(&segments);
        ensure!(
            rows.places.len() == manifest.items as usize,
            "{}: expected {} videos, found {} in the segments; rebuild the bundle",
            path.display(),
            manifest.items,
            rows.places.len()
        );
        Ok(Self {
            dir: dir.to_owned(),
            id: manifest::bundle_id(bytes),
            manifest,
            dictionaries,
            segments,
            ranker,
            rows,
        })
    }

    /// The bundle's name: the start of its manifest's hash.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The segments.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// What the codes in the facts name.
    pub fn dictionaries(&self) -> &Dictionaries {
        &self.dictionaries
    }

    /// The ranking model, where there is one.
    pub fn ranker(&self) -> Option<&Ranker> {
        self.ranker.as_ref()
    }

    /// Number of videos. Their rows are below it.
    pub fn len(&self) -> usize {
        self.rows.places.len()
    }

    /// Dimensions of the vectors.
    pub fn dim(&self) -> usize {
        self.manifest.dim as usize
    }

    fn at(&self, row: usize) -> Option<(&Segment, Place)> {
        let place = *self.rows.places.get(row)?;
        Some((self.segments.get(place.segment)?.segment(), place))
    }

    /// The id of a row; empty where there is no such row.
    pub fn item_id(&self, row: usize) -> &str {
        self.at(row)
            .map_or("", |(segment, place)| segment.items().id(place.row))
    }

    /// The card of a row, a JSON object; empty where there is no such row.
    pub fn card(&self, row: usize) -> &str {
        self.at(row)
            .map_or("", |(segment, place)| segment.items().card(place.row))
    }

    /// The row of an id.
    pub fn row(&self, id: &str) -> Option<usize> {
        self.segments.at_hand().find_map(|(segment, slot)| {
            let row = slot.segment().items().row(id)?;
            self.row_at(segment, row)
        })
    }

    /// The row of what stands at a row of a segment's item table, at home there or a copy; `None` where it was removed.
    pub fn row_of(&self, segment: usize, row: usize) -> Option<usize> {
        let slot = self.segments.get(segment)?;
        let home = self.row_at(segment, row);
        home.or_else(|| {
            slot.live()
                .contains(row)
                .then(|| self.row(slot.segment().items().id(row)))?
        })
    }

    fn row_at(&self, segment: usize, row: usize) -> Option<usize> {
        let number = *self.rows.numbers.get(segment)?.get(row)?;
        (number != NOWHERE).then_some(number as usize)
    }

    /// What ranking reads of a row.
    pub fn facts(&self, row: usize) -> ItemFacts {
        let facts = self
            .at(row)
            .map(|(segment, place)| segment.items().facts(place.row));
        facts.unwrap_or_else(ItemFacts::unknown)
    }

    /// What the bundle says is watched along with a row.
    pub fn neighbours(&self, row: usize) -> Vec<Neighbour> {
        let list = self.at(row).map(|(segment, place)| segment.neighbours(place.row));
        list.unwrap_or_default()
    }

    /// Whether there are co-watch lists.
    pub fn has_co_watch(&self) -> bool {
        let mut segments = self.manifest.segments.iter();
        segments.any(|segment| segment.co_watch.is_some())
    }

    /// A row as it is written into an item table.
    ///
    /// # Errors
    /// There is no such row.
    pub fn record(&self, row: usize) -> Result<ItemRecord> {
        let (segment, place) = self.at(row).with_context(|| format!("there is no row {row}"))?;
        record(segment, place.row)
    }

    /// The mean that was subtracted from all vectors.
    pub fn mean(&self) -> &[f32] {
        let shards = self
            .segments
            .at_hand()
            .filter_map(|(_, slot)| slot.segment().shard());
        shards.map(Shard::mean).next().unwrap_or_default()
    }

    /// The rows of each segment that do not count any more once these videos are gone too, and how many videos that takes
    /// away.
    pub fn removed_with(&self, ids: &[&str]) -> (Vec<Vec<u32>>, usize) {
        let rows = self.segments.at_hand().map(|(_, slot)| {
            let items = slot.segment().items();
            let gone: HashSet<usize> = ids.iter().filter_map(|id| items.row(id)).collect();
            let all = 0..items.len();
            let removed = all.filter(|row| gone.contains(row) || !slot.live().contains(*row));
            removed.filter_map(|row| u32::try_from(row).ok()).collect()
        });
        let known: HashSet<usize> = ids.iter().filter_map(|id| self.row(id)).collect();
        (rows.collect(), known.len())
    }

    /// Writes a row's vector into `out`, as the shard stores it (dequantised).
    pub fn vector(&self, row: usize, out: &mut [f32]) {
        if let Some((segment, place)) = self.at(row)
            && let Some(shard) = segment.shard()
        {
            shard.vector(place.node, out);
        }
    }

    /// Asks other than the manifest's number of segments; without cells all are asked.
    pub fn set_probes(&mut self, probes: usize) {
        self.segments.set_probes(probes);
    }

    /// The `k` nearest videos of the segments that are asked, best first.
    ///
    /// # Errors
    /// The query is refused.
    pub fn search(
        &self,
        vector: &[f32],
        settings: &SearchSettings,
        k: usize,
        scratch: &mut Scratch,
    ) -> Result<(Vec<Found>, SearchStats), QueryError> {
        let wanted = Wanted {
            k,
            filter: &Filter::default(),
            exclude: &[],
        };
        let nearest = self.segments.nearest(vector, settings, &wanted, scratch)?;
        let found = nearest.found.iter().filter_map(|located| {
            Some(Found {
                row: self.row(located.id())?,
                score: located.hit.score,
            })
        });
        Ok((found.collect(), nearest.stats))
    }
}

/// A row of a segment as it is written into an item table.
fn record(segment: &Segment, row: usize) -> Result<ItemRecord> {
    let items = segment.items();
    Ok(ItemRecord {
        id: ItemId::new(items.id(row))?,
        facts: items.facts(row),
        min_age: items.min_age(row),
        cell: items.cell(row),
        card: items.card(row).to_owned(),
    })
}
