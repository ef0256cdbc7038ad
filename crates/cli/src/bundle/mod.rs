//! A bundle on disk: opening, checking and writing it.

mod write;

pub use write::{BundleWriter, Replaced, Trainable, UNFINISHED, check_replaceable, is_bundle_file};

use anyhow::{Context, Result, bail, ensure};
use recsys_core::bytes::AlignedBytes;
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::CoWatch;
use recsys_core::envelope::Envelope;
use recsys_core::items::ItemTable;
use recsys_core::manifest::{self, Cells, FileEntry, Manifest};
use recsys_core::rerank::Ranker;
use recsys_core::shard::{QueryError, Router, Scratch, SearchOptions, SearchStats, Shard, Shards};
use std::path::{Path, PathBuf};

/// An open bundle: every file read, held to its hash and parsed.
pub struct Bundle {
    dir: PathBuf,
    id: String,
    manifest: Manifest,
    shards: Shards,
    items: ItemTable,
    ranker: Option<Ranker>,
    co_watch: Option<CoWatch>,
    /// Where the vector of an item-table row lies: shard and node.
    places: Vec<(u32, u32)>,
}

/// A video found by a search.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its row in the item table.
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
        let in_file = |entry: &FileEntry| dir.join(&entry.file).display().to_string();
        let mut shards = Vec::new();
        for entry in &manifest.shards {
            let shard = Shard::open(read_checked(dir, entry)?).with_context(|| in_file(entry))?;
            ensure!(
                shard.dim() == manifest.dim as usize,
                "{}: expected {} dimensions as in the manifest, found {}; rebuild the bundle",
                in_file(entry),
                manifest.dim,
                shard.dim()
            );
            shards.push(shard);
        }
        let router = manifest
            .cells
            .as_ref()
            .map(|cells| router(dir, cells))
            .transpose()?;
        let entry = &manifest.item_table;
        let items = ItemTable::open(read_checked(dir, entry)?).with_context(|| in_file(entry))?;
        ensure!(
            items.len() == manifest.items as usize,
            "{}: expected {} videos as in the manifest, found {}; rebuild the bundle",
            in_file(entry),
            manifest.items,
            items.len()
        );
        let ranker = match &manifest.ranker {
            Some(entry) => {
                let bytes = read_checked(dir, entry)?;
                Some(Ranker::from_bytes(bytes.as_slice()).with_context(|| in_file(entry))?)
            }
            None => None,
        };
        let co_watch = match &manifest.co_watch {
            Some(entry) => {
                let file = read_checked(dir, entry)?;
                Some(CoWatch::open(file, items.len()).with_context(|| in_file(entry))?)
            }
            None => None,
        };
        if let Some(entry) = &manifest.model_card {
            read_checked(dir, entry)?;
        }
        let places = places(&shards, items.len())?;
        let id = manifest::bundle_id(bytes);
        Ok(Self {
            dir: dir.to_owned(),
            id,
            manifest,
            shards: Shards::new(shards.into_iter().map(Some).collect(), router),
            items,
            ranker,
            co_watch,
            places,
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

    /// What is watched along with what, where the bundle has it.
    pub fn co_watch(&self) -> Option<&CoWatch> {
        self.co_watch.as_ref()
    }

    /// The item table.
    pub fn items(&self) -> &ItemTable {
        &self.items
    }

    /// The ranking model, where there is one.
    pub fn ranker(&self) -> Option<&Ranker> {
        self.ranker.as_ref()
    }

    /// Number of videos.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Dimensions of the vectors.
    pub fn dim(&self) -> usize {
        self.manifest.dim as usize
    }

    /// What ranking reads of a row.
    pub fn facts(&self, row: usize) -> ItemFacts {
        self.items.facts(row)
    }

    /// Writes a row's vector into `out`, as the shard stores it (dequantised).
    pub fn vector(&self, row: usize, out: &mut [f32]) {
        if let Some(&(shard, node)) = self.places.get(row)
            && let Some(shard) = self.shards.get(shard as usize)
        {
            shard.vector(node as usize, out);
        }
    }

    /// Asks other than the manifest's number of shards; without cells all are asked.
    pub fn set_probes(&mut self, probes: usize) {
        self.shards.set_probes(probes);
    }

    /// The nearest videos of the shards that are asked, best first.
    ///
    /// # Errors
    /// The query is refused.
    pub fn search(
        &self,
        vector: &[f32],
        options: &SearchOptions,
        scratch: &mut Scratch,
    ) -> Result<(Vec<Found>, SearchStats), QueryError> {
        let nearest = self.shards.nearest(vector, options, scratch, &|_| true)?;
        let found = nearest.found.iter().map(|located| Found {
            row: located.hit.row as usize,
            score: located.hit.score,
        });
        Ok((found.collect(), nearest.stats))
    }
}

fn router(dir: &Path, cells: &Cells) -> Result<Router> {
    let at = || dir.join(&cells.centroids.file).display().to_string();
    let centroids = Shard::open(read_checked(dir, &cells.centroids)?).with_context(at)?;
    Router::new(centroids, cells.shards.clone(), cells.probes as usize).with_context(at)
}

/// Reads a file of a bundle and holds it to its entry. Nothing is read where the length already differs.
fn read_checked(dir: &Path, entry: &FileEntry) -> Result<AlignedBytes> {
    let path = dir.join(&entry.file);
    let at = || path.display().to_string();
    let mut file = std::fs::File::open(&path).with_context(|| {
        format!(
            "{}: cannot open it, though the manifest names it; rebuild the bundle",
            at()
        )
    })?;
    let length = file.metadata().with_context(at)?.len();
    if length != entry.bytes {
        bail!(
            "{}: expected {} bytes, found {length}; fetch it again or rebuild the bundle",
            at(),
            entry.bytes
        );
    }
    let mut bytes = AlignedBytes::zeroed(usize::try_from(length).with_context(at)?);
    std::io::Read::read_exact(&mut file, bytes.as_mut_slice()).with_context(at)?;
    entry.check(bytes.as_slice()).with_context(at)?;
    Ok(bytes)
}

/// Shard and node of every row, the first where it is in two shards; each row must have one.
fn places(shards: &[Shard], items: usize) -> Result<Vec<(u32, u32)>> {
    const NOWHERE: (u32, u32) = (u32::MAX, u32::MAX);
    let mut places = vec![NOWHERE; items];
    for (shard_number, shard) in (0u32..).zip(shards) {
        for (node, &row) in (0u32..).zip(shard.rows()) {
            match places.get_mut(row as usize) {
                Some(place) if *place == NOWHERE => *place = (shard_number, node),
                Some(_) => {}
                None => bail!(
                    "shard {shard_number}, node {node}: row {row} is not below {items}; rebuild the bundle"
                ),
            }
        }
    }
    match places.iter().position(|p| *p == NOWHERE) {
        Some(row) => bail!("row {row} of the item table is in no shard; rebuild the bundle"),
        None => Ok(places),
    }
}
